"""Looking for what would go wrong: each finding is one line, with what to do about it.

It changes nothing and sends no mail. Not here: mending anything.
"""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

from sqlmodel import Session

from newsletter.config.sending import RouteSettings
from newsletter.config.settings import DatabaseSettings, Settings
from newsletter.errors import ConfigurationError, NewsletterError
from newsletter.mail.published import Names
from newsletter.mail.smtp import Connection, SmtpTrouble
from newsletter.packaged import packaged
from newsletter.services.dispatch import Dispatch
from newsletter.services.findings import Finding, Level
from newsletter.services.proofs import broken
from newsletter.services.reachable import reachable
from newsletter.services.reputation import reputation
from newsletter.storage import fetches, laws, subscribers
from newsletter.storage.copies import version
from newsletter.storage.upgrade import HEAD, absent

_PATIENCE = 20  # seconds for opening the route
_STALE = timedelta(days=3)  # a source without a success for as long: longer than a weekend
_ZONES = 300  # there are about 600
_BITS = 2048  # of an RSA key, RFC 8301 section 3.2
_LITTLE, _TOO_LITTLE = 1 << 30, 100 << 20  # bytes free


def examine(settings: Settings, dispatch: Dispatch, now: datetime, names: Names) -> Iterator[Finding]:
    """Yield the findings on a newsletter whose configuration loads, the network last. *names* answer for the DNS."""
    yield Finding("configuration", Level.OK, str(settings.file))
    yield _time_zones()
    yield from _clock()
    yield from _mandatory(settings)
    yield from _modes(settings)
    yield from _signatures(dispatch)
    yield from _templates(settings.look.templates, dispatch, now)
    found = _database(settings.database)
    yield found
    if found.level is Level.OK:
        with dispatch.database.read() as session:
            yield _secret(session, dispatch)
            yield _languages(session, dispatch)
            yield from _sources(session, settings, now)
            yield from _pause(session, dispatch, now)
    yield _disk(settings.database.path)
    for way in settings.smtp.ways:
        yield from _way(way, dispatch, f"smtp route {way.name}" if settings.smtp.routes else "smtp")
    yield from reachable(settings.newsletter.base_url, names)
    yield from reputation(dispatch, names)


def _time_zones() -> Finding:
    known = len(available_timezones())
    if known < _ZONES:
        return Finding("time zones", Level.FAIL, f"only {known} are known", "install tzdata")
    return Finding("time zones", Level.OK, f"{known} are known")


def _clock() -> Iterator[Finding]:
    """Say whether something keeps this machine's clock right, where the system tells."""
    command = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False).stdout.strip()  # noqa: S603 - nothing of it is anybody's input
    except (OSError, subprocess.TimeoutExpired):
        return
    if said == "yes":
        yield Finding("clock", Level.OK, "is kept right from outside")
    elif said == "no":
        text = "is not kept right from outside (NTP): hours drift, and signatures may be dated wrong"
        yield Finding("clock", Level.WARN, text, "timedatectl set-ntp true")


def _mandatory(settings: Settings) -> Iterator[Finding]:
    """Look for what is not needed to send, but is to mail strangers."""
    newsletter = settings.newsletter
    wanted = {
        "base_url": "without web pages readers cannot unsubscribe with one click, as large providers ask of senders",
        "reply_to": "without it replies go to the sender; name an address that somebody reads",
        "postal_address": "the law of many countries asks for one in every mail to strangers",
    }
    for name, why in wanted.items():
        value = getattr(newsletter, name)
        if value:
            yield Finding(f"newsletter.{name}", Level.OK, value)
        else:
            yield Finding(f"newsletter.{name}", Level.WARN, "is not set", why)
    if newsletter.base_url.startswith("http://"):
        remedy = "one-click unsubscribing works with https only"
        yield Finding("newsletter.base_url", Level.WARN, f"{newsletter.base_url} is not https", remedy)


def _modes(settings: Settings) -> Iterator[Finding]:
    """Look whether others on this machine can read what is secret."""
    passwords = dict.fromkeys(way.password_file for way in settings.smtp.ways)
    files = [
        ("newsletter.secret_file", settings.newsletter.secret_file),
        *(("smtp.password_file", file) for file in passwords),
        ("dkim.key_file", settings.dkim.key_file),
        ("dkim.second_key_file", settings.dkim.second_key_file),
        ("bounces.imap.password_file", settings.bounces.imap.password_file),
        ("bounces.webhooks.postmark_secret_file", settings.bounces.webhooks.postmark_secret_file),
        ("bounces.webhooks.mailgun_key_file", settings.bounces.webhooks.mailgun_key_file),
        ("summaries.api_key_file", settings.summaries.api_key_file),
        ("database.url", settings.database.path),  # every reader's address is in it
    ]
    for name, file in files:
        if file is None or not file.is_file():
            continue  # it came from the environment
        mode = file.stat().st_mode & 0o777
        if mode & 0o077:
            yield Finding(name, Level.WARN, f"{file} can be read by others (mode {mode:04o})", f"chmod 600 {file}")
        else:
            yield Finding(name, Level.OK, f"{file}, mode {mode:04o}")


def _signatures(dispatch: Dispatch) -> Iterator[Finding]:
    """Show what to publish (whether it is, ``reputation`` looks up)."""
    signer = dispatch.mail.dkim
    if signer is None:
        return
    for key, record in signer.records():
        short = 0 < key.bits < _BITS
        text = f"has {key.bits} bits, which some receivers distrust" if short else "signs"
        remedy = f"use a key of {_BITS} bits, under a new selector" if short else ""
        level = Level.WARN if short else Level.OK
        yield Finding(f"dkim {key.selector}", level, f"{text}; to publish in the DNS: {record}", remedy)
    if not any(key.bits for key in signer.keys):
        text = "signs with Ed25519 alone, which many receivers do not know"
        yield Finding("dkim", Level.WARN, text, "add an RSA key as second_selector and second_key_file")


def _templates(own: Path | None, dispatch: Dispatch, now: datetime) -> Iterator[Finding]:
    """Look whether every kind of mail can be made, and say where to find the templates of it."""
    folder = packaged("templates")
    known = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    mine = sorted(str(file.relative_to(own)) for file in own.rglob("*") if file.is_file()) if own else []
    mine = [f"email/{name}" if f"email/{name}" in known else name for name in mine]  # they may lie without their folder
    for name in mine:
        meant = [other for other in sorted(known) if Path(other).name == Path(name).name]
        if name not in known and meant:
            yield Finding("look.templates", Level.WARN, f"{name} replaces nothing", f"call it {' or '.join(meant)}")
    faults = broken(dispatch, now)
    for fault in faults:
        yield Finding("templates", Level.FAIL, fault)
    if not faults:
        replaced = ", ".join(name for name in mine if name in known)
        text = f"every mail can be made; packaged: {folder}" + (f"; your own: {replaced}" if replaced else "")
        yield Finding("templates", Level.OK, text)


def _database(database: DatabaseSettings) -> Finding:
    path = database.path
    if not path.exists() and not database.create:
        return Finding("database", Level.FAIL, absent(path))
    try:
        found = version(path)
        damage = laws.broken(path) if found == HEAD else []
    except NewsletterError as error:
        return Finding("database", Level.FAIL, str(error))
    if found is None:
        return Finding("database", Level.WARN, f"{path} is not there yet", "'newsletter db upgrade' makes it")
    if found != HEAD:
        return Finding("database", Level.WARN, f"{path} has version {found}, not {HEAD}", "'newsletter db upgrade'")
    if damage:
        more = f" and {len(damage) - 1} more" if len(damage) > 1 else ""
        return Finding("database", Level.FAIL, f"{path}: {damage[0]}{more}", "restore a backup")
    return Finding("database", Level.OK, f"{path}, version {found}, no damage")


def _secret(session: Session, dispatch: Dispatch) -> Finding:
    try:
        dispatch.check_secret(session)
    except ConfigurationError as error:
        return Finding("secret", Level.FAIL, str(error))
    session.expunge_all()  # what a sender would remember of it is not ours to write
    return Finding("secret", Level.OK, "is the one that this database was used with")


def _languages(session: Session, dispatch: Dispatch) -> Finding:
    spoken = dispatch.languages
    lacking = {name: many for name, many in subscribers.languages(session).items() if not spoken.speaks(name)}
    if not lacking:
        return Finding("languages", Level.OK, ", ".join(spoken.tags))
    said = [f"{many} reader{' prefers' if many == 1 else 's prefer'} {name}" for name, many in lacking.items()]
    remedy = f"they get {spoken.default}; {spoken.lacking}"
    return Finding("languages", Level.WARN, f"{', '.join(spoken.tags)}; {', '.join(said)}", remedy)


def _sources(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    asked = fetches.newest_fetches(session, [source.name or source.kind for source in settings.sources])
    for source in settings.sources:
        name = source.name or source.kind
        fetch = asked.get(name)
        if fetch is None:
            yield Finding(f"source {name}", Level.WARN, "was never asked", f"'newsletter gather --source {name}'")
        elif fetch.error:
            since = f"{fetch.succeeded_at:%Y-%m-%d %H:%M} UTC" if fetch.succeeded_at else "never"
            yield Finding(f"source {name}", Level.WARN, f"{fetch.error}; last success: {since}")
        elif now - fetch.attempted_at > _STALE:
            text = f"was last asked {fetch.attempted_at:%Y-%m-%d %H:%M} UTC"
            yield Finding(
                f"source {name}", Level.WARN, text, "is 'newsletter run' in the crontab? 'newsletter cron show'"
            )
        else:
            text = f"gave {fetch.papers} papers, {fetch.attempted_at:%Y-%m-%d %H:%M} UTC"
            yield Finding(f"source {name}", Level.OK, text)


def _pause(session: Session, dispatch: Dispatch, now: datetime) -> Iterator[Finding]:
    if until := dispatch.paused_until(session, now):
        text = f"nothing is sent until {until:%Y-%m-%d %H:%M} UTC, since too many addresses failed"
        yield Finding("route", Level.FAIL, text, "'newsletter deliveries list --status failed' shows what was said")


def _disk(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GB free in {folder}"
    if free < _LITTLE:
        return Finding("disk", Level.FAIL if free < _TOO_LITTLE else Level.WARN, text, "free some room")
    return Finding("disk", Level.OK, text)


def _way(way: RouteSettings, dispatch: Dispatch, name: str) -> Iterator[Finding]:
    if way.security == "none" and way.host not in {"127.0.0.1", "::1", "localhost"}:
        remedy = "set smtp.security, unless the network between is yours"
        yield Finding(f"{name}.security", Level.WARN, f"mail travels in clear to {way.host}", remedy)
    connection = dispatch.connect(way)
    trouble = asyncio.run(_open(connection))
    if trouble:
        yield Finding(name, Level.FAIL, trouble)
    else:
        secured = f", {way.security}" if way.security != "none" else ""
        login = f", logged in as {way.username}" if way.username else ""
        yield Finding(name, Level.OK, f"{connection.server}: open{secured}{login}; no mail was sent")


async def _open(connection: Connection) -> str:
    """Open and close the connection. Return what went wrong, if anything did."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await connection.open()
    except SmtpTrouble as trouble:
        return str(trouble)
    except TimeoutError:
        return f"{connection.server}: did not open a session within {_PATIENCE} s; check smtp.host and smtp.port"
    await connection.close()
    return ""

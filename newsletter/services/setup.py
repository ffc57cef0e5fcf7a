"""Setting up: a configuration, a secret and an empty database, so that every command works at once.

Promises to overwrite nothing and to leave nothing half-written: the files are made in a folder of their own and
then given their names. Not here: what the keys mean (``config``) and the database's tables (``storage``).
"""

import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from errno import ENOSPC
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter, ValidationError

from newsletter.config.values import Address
from newsletter.domain.subscriber import parse_zone
from newsletter.errors import UsageError
from newsletter.packaged import packaged
from newsletter.storage.upgrade import upgrade

CONFIGURATION, SECRET, DATABASE = "newsletter.toml", "secret", "newsletter.db"


@dataclass(frozen=True)
class Provider:
    """How a provider takes mail: keys of ``[smtp]``, what a user name looks like, and what to know."""

    settings: dict[str, object]
    username: str = ""
    advice: str = ""


PROVIDERS = {
    "local": Provider({"host": "127.0.0.1", "port": 25, "security": "none"}),
    "gmail": Provider(
        {"host": "smtp.gmail.com", "port": 587, "security": "starttls", "connections": 2, "messages_per_day": 500},
        "you@gmail.com",
        "Gmail takes an app password (not that of the account) and 500 messages a day, 2000 with Workspace.",
    ),
    "m365": Provider(
        {
            "host": "smtp.office365.com",
            "port": 587,
            "security": "starttls",
            "connections": 3,
            "messages_per_minute": 30,
            "messages_per_day": 10_000,
        },
        "you@example.org",
        "Microsoft 365 needs 'Authenticated SMTP' switched on for the mailbox; it takes three connections at once.",
    ),
    "ses": Provider(
        {
            "host": "email-smtp.eu-central-1.amazonaws.com",
            "port": 587,
            "security": "starttls",
            "messages_per_second": 1,
            "messages_per_day": 200,
        },
        "the SMTP user name, not the access key",
        "Amazon SES: put your region into the host. The limits are the sandbox's; raise them to yours.",
    ),
    "relay": Provider(
        {"host": "smtp.example.org", "port": 587, "security": "starttls"},
        "you@example.org",
        "Name your relay here, and below what it allows.",
    ),
}


@dataclass(frozen=True)
class SetUp:
    """Where everything lies."""

    dir: Path
    config: Path
    secret: Path
    database: Path


def set_up(folder: Path, *, provider: str, sender: str, zone: str, now: datetime) -> SetUp:
    """Write the three files into *folder*, made if need be; an empty *sender* leaves the placeholder to be changed.

    Raises UsageError when one of them is there already, the sender has no address, or the folder cannot be written.
    """
    folder = folder.absolute()
    made = SetUp(folder, folder / CONFIGURATION, folder / SECRET, folder / DATABASE)
    _refuse_to_overwrite(made)
    content = configuration(provider=provider, sender=sender, zone=zone)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".newsletter-", dir=folder) as name:
            draft = Path(name)
            (draft / CONFIGURATION).write_text(content, "utf-8")
            (draft / SECRET).touch(mode=0o600)
            (draft / SECRET).write_text(secrets.token_urlsafe(32) + "\n", "ascii")
            upgrade(draft / DATABASE, now)
            _place(draft, made)
    except FileExistsError as error:
        raise UsageError(f"{error.filename2 or error.filename} is there already; init overwrites nothing") from error
    except OSError as error:
        remedy = "free some room" if error.errno == ENOSPC else "name a folder that you may write to"
        raise UsageError(f"{folder}: {error.strerror}; {remedy}") from error
    return made


def _refuse_to_overwrite(made: SetUp) -> None:
    # What SQLite left beside a database that is gone would be taken for a part of the new one.
    remains = (made.database.with_name(DATABASE + end) for end in ("-wal", "-shm", "-journal"))
    for path in (made.config, made.secret, made.database, *remains):
        if os.path.lexists(path):
            raise UsageError(f"{path} is there already; init overwrites nothing, so name another folder")


def _place(draft: Path, made: SetUp) -> None:
    placed: list[Path] = []
    try:
        for path in (made.database, made.secret, made.config):
            os.link(draft / path.name, path)  # unlike a renaming, refuses to replace what is there
            placed.append(path)
    except OSError:
        for path in placed:
            path.unlink()
        raise


def configuration(*, provider: str, sender: str, zone: str) -> str:
    """Return the commented default configuration, filled in for *provider*, *sender* and *zone*.

    Raises UsageError when the sender has no address.
    """
    text = (packaged("config") / "newsletter.toml").read_text("utf-8")
    text = _fill(text, "newsletter", "time_zone", zone)
    text = _fill(text, "database", "create", value=False)  # it is made with this file
    if sender:
        text = _fill(text, "newsletter", "sender", _checked(sender))
        text = _fill(text, "newsletter", "reply_to", parseaddr(sender)[1])
    chosen = PROVIDERS[provider]
    for key, value in chosen.settings.items():
        text = _fill(text, "smtp", key, value)
    if chosen.username:
        text = _fill(text, "smtp", "username", chosen.username, commented=True)
        text = _fill(text, "smtp", "password_file", "smtp-password", commented=True)
    return text.replace("[smtp]\n", f"[smtp]\n# {chosen.advice}\n") if chosen.advice else text


def _fill(text: str, section: str, key: str, value: object, *, commented: bool = False) -> str:
    """Return *text* with *key* of *section* set, be it commented out or not."""
    start = text.index(f"\n[{section}]\n") + 1
    # JSON's strings and numbers are TOML's.
    line = f"{'#' * commented}{key} = {json.dumps(value, ensure_ascii=False)}"
    filled, count = re.subn(rf"^#?{key} = .*$", lambda _: line, text[start:], count=1, flags=re.MULTILINE)
    assert count, f"the default configuration has no {section}.{key}"
    return text[:start] + filled


def _checked(sender: str) -> str:
    try:
        TypeAdapter(Address).validate_python(sender)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--sender {sender!r}: {reason}") from error
    return sender


def machine_zone(link: Path = Path("/etc/localtime")) -> str:
    """Return this machine's time zone, UTC where it has none with a name."""
    try:
        name = str(link.readlink()).partition("zoneinfo/")[2]
        zone = parse_zone(re.sub("^(posix|right)/", "", name))
    except (OSError, UsageError):
        return "UTC"
    return "UTC" if zone == "Etc/UTC" else zone

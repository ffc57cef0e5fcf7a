"""``newsletter doctor``: look for what would go wrong."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.services.findings import Finding

_CONFIGURATION = "configuration"  # what nothing can be looked at without


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter doctor",
        "newsletter doctor --json",
        "newsletter doctor --resolver 9.9.9.9",
        "newsletter doctor --send-to me@example.org --mailbox ~/Maildir",
    ),
)
@click.option(
    "--resolver", metavar="HOST[:PORT]", help="The name server to ask instead of this machine's, such as your domain's."
)
@click.option("--send-to", metavar="ADDRESS", help="Mail the newest digest there, as a test.")
@click.option(
    "--mailbox",
    metavar="MAILDIR|imap",
    help="Where that mail arrives: read back there what its receiver says of it. imap: the mailbox of [bounces.imap].",
)
@click.option("--patience", default=60, show_default=True, type=click.IntRange(1), help="Seconds that it may take.")
@click.pass_context
def command(
    context: click.Context, resolver: str | None, send_to: str | None, mailbox: str | None, patience: int
) -> None:
    """Look at configuration, templates, database, sources, the way out and what the DNS says of the sender.

    Each line is ok, warn or fail, with what to do about it; exit status 1 if mail would not go out, or not as it must,
    2 if the configuration cannot be taken. Nothing is changed, and no mail is sent unless --send-to says so: the mail
    server is only greeted.
    """
    from newsletter.services.findings import Level

    if mailbox and not send_to:
        raise click.UsageError("--mailbox is where the mail of --send-to arrives: use both.")
    terminal = context.ensure_object(Terminal)
    findings = list(_findings(terminal, resolver, send_to, mailbox, patience))
    failed = sum(finding.level is Level.FAIL for finding in findings)
    warned = sum(finding.level is Level.WARN for finding in findings)
    document = {
        "ok": not failed,
        "findings": [{"name": f.name, "level": f.level, "text": f.text, "remedy": f.remedy} for f in findings],
    }
    count = f"{len(findings)} looked at: {failed} failed, {warned} to look into"
    terminal.answer(document, lambda: "\n".join([*map(_line, findings), count]))
    if failed:
        context.exit(2 if findings[-1].name == _CONFIGURATION else 1)


def _findings(
    terminal: Terminal, resolver: str | None, send_to: str | None, mailbox: str | None, patience: int
) -> "Iterator[Finding]":
    from newsletter.app import App
    from newsletter.config import load as config
    from newsletter.errors import ConfigurationError
    from newsletter.mail.published import Names
    from newsletter.services.doctor import examine
    from newsletter.services.findings import Finding, Level
    from newsletter.storage.database import Database

    names = Names(_server(resolver) if resolver else None)
    try:
        settings = config.load(terminal.config)
    except ConfigurationError as error:
        yield Finding(_CONFIGURATION, Level.FAIL, str(error))
        return
    database = Database(settings.database.path)  # neither created nor upgraded here
    try:
        app = App(settings, database)
        yield from examine(settings, app.dispatch, terminal.now(), names)
        if send_to:
            yield from _sent(terminal, app, send_to, mailbox, patience)
    except ConfigurationError as error:  # such as a folder of templates that is not there
        yield Finding(_CONFIGURATION, Level.FAIL, str(error))
    finally:
        database.close()


def _sent(terminal: Terminal, app: "App", to: str, mailbox: str | None, patience: int) -> "Iterator[Finding]":
    import asyncio

    from newsletter.mail.addresses import parse_address
    from newsletter.services.arrival import mailbox_named, read_back, send_digest

    box = mailbox_named(app.dispatch, mailbox) if mailbox else None
    found, message_id = asyncio.run(send_digest(app.dispatch, parse_address(to).email, terminal.now()))
    yield found
    if box and message_id:
        terminal.say(f"Waiting for it in {box.name} ...")
        yield from read_back(box, message_id, patience)


def _server(named: str) -> tuple[str, int]:
    """Return address and port of a name server. Raises UsageError for what is neither."""
    from ipaddress import ip_address

    host, _, port = named.rpartition(":") if named.count(":") == 1 else (named, "", "53")
    try:
        return str(ip_address(host)), int(port)
    except ValueError as error:
        raise click.UsageError(f"--resolver {named}: use an address such as 9.9.9.9 or 127.0.0.1:5353") from error


def _line(finding: "Finding") -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:<4}  {finding.name}: {finding.text}{remedy}"

"""``newsletter doctor``: look for what would go wrong."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.doctor import Finding

_CONFIGURATION = "configuration"  # what nothing can be looked at without


@click.command(cls=Command, epilog=examples("newsletter doctor", "newsletter doctor --json"))
@click.pass_context
def command(context: click.Context) -> None:
    """Look at configuration, templates, database, sources and the way out; exit status 1 if mail would not go out.

    2 if the configuration cannot be taken. Nothing is changed, and no mail is sent: the mail server is only greeted.
    """
    from newsletter.services.doctor import Level

    terminal = context.ensure_object(Terminal)
    findings = list(_findings(terminal))
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


def _findings(terminal: Terminal) -> "Iterator[Finding]":
    from newsletter.app import App
    from newsletter.config import load as config
    from newsletter.errors import ConfigurationError
    from newsletter.services.doctor import Finding, Level, examine
    from newsletter.storage.database import Database

    try:
        settings = config.load(terminal.config)
    except ConfigurationError as error:
        yield Finding(_CONFIGURATION, Level.FAIL, str(error))
        return
    database = Database(settings.database.path)  # neither created nor upgraded here
    try:
        yield from examine(settings, App(settings, database).dispatch, terminal.now())
    except ConfigurationError as error:  # such as a folder of templates that is not there
        yield Finding(_CONFIGURATION, Level.FAIL, str(error))
    finally:
        database.close()


def _line(finding: "Finding") -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:<4}  {finding.name}: {finding.text}{remedy}"

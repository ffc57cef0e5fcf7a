"""``newsletter issues preview`` and ``newsletter subscribers preview``: look before sending."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.parameters import DAY
from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.preview import Preview

_FORMATS = ("html", "text", "eml")
_SHOWN = 40  # papers left out that a person is shown


@click.command(
    "preview",
    cls=Command,
    epilog=examples(
        "newsletter issues preview today",
        "newsletter issues preview today --as ann@example.org --out mail.eml",
        "newsletter issues preview 2026-07-10 --format html --out front.html",
    ),
)
@click.argument("day", type=DAY, metavar="DATE")
@click.option("--as", "email", metavar="EMAIL", help="The reader; without it, one who has no preferences.")
@click.option(
    "--format",
    type=click.Choice(_FORMATS),
    help="Of the mail: its HTML, its text, or the whole message. By --out's ending, or else text.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it into FILE.")
@click.pass_obj
def of_issue(terminal: Terminal, /, day: date, email: str | None, format: str | None, out: Path | None) -> None:
    """Show the mail that a reader gets of an issue.

    Exactly as it was made for a reader who has it, else as it would be now. Nothing is stored.
    """
    from newsletter.services.preview import preview

    kind = format or _kind(out)
    with terminal.app() as app:
        found = preview(app.dispatch, day, email, terminal.now())
        content = found.content(kind)
    document = found.document | {"format": kind}
    if out:
        _write(out, content)
        terminal.answer(document | {"file": out}, f"{out}: the {kind} for {found.email}")
    elif terminal.json:
        terminal.answer(document | {"content": content.decode("utf-8", "replace")})
    else:
        click.echo(content, nl=False)


@click.command(
    "preview",
    cls=Command,
    epilog=examples(
        "newsletter subscribers preview ann@example.org",
        "newsletter subscribers preview ann@example.org --date yesterday --json",
    ),
)
@click.argument("email")
@click.option("--date", "day", type=DAY, help="The issue's date; today's or else the newest by default.")
@click.pass_obj
def of_subscriber(terminal: Terminal, /, email: str, day: date | None) -> None:
    """Show which papers this reader gets of an issue and why, and which were left out and why."""
    from newsletter.services.preview import newest_day, preview

    with terminal.app() as app:
        now = terminal.now()
        found = preview(app.dispatch, day or newest_day(app.dispatch, now), email, now)
        text = "" if found.reason else found.content("text").decode()
    terminal.answer(found.document | {"text": text}, lambda: _lines(found, text))


def _write(out: Path, content: bytes) -> None:
    from newsletter.errors import UsageError

    try:
        out.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror})") from error


def _kind(out: Path | None) -> str:
    known = {".html": "html", ".htm": "html", ".eml": "eml"}
    return known.get(out.suffix.lower(), "text") if out else "text"


def _lines(found: "Preview", text: str) -> str:
    when = "as it was made" if found.had else "as it would be now"
    head = f"{found.email}, issue of {found.issue.date} ({found.issue.status}), {when}: "
    head += f"no mail, {found.reason}" if found.reason else f"{len(found.papers)} papers"
    left = [f"  {paper.key}  {paper.title}: {paper.why}" for paper in found.left_out]
    more = [f"  and {len(left) - _SHOWN} more, which --json lists"] if len(left) > _SHOWN else []
    out = ["Left out:", *left[:_SHOWN], *more] if left else ["Nothing was left out."]
    return "\n".join([head, *(["", text.rstrip(), ""] if text else []), *out])

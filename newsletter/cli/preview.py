"""``newsletter issues preview`` and ``newsletter subscribers preview``: look before sending."""

import asyncio
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.parameters import DAY
from newsletter.cli.terminal import Command, Terminal, examples
from newsletter.errors import ConfigurationError, IncompleteError, NewsletterError, UsageError

if TYPE_CHECKING:
    from newsletter.services.preview import Preview
    from newsletter.services.proofs import Proof
    from newsletter.web.proof_page import Sheet

_FORMATS = ("html", "text", "eml")
_SHOWN = 40  # papers left out that a person is shown


@click.command(
    "preview",
    cls=Command,
    epilog=examples(
        "newsletter issues preview today",
        "newsletter issues preview today --as ann@example.org --out mail.eml",
        "newsletter issues preview 2026-07-10 --format html --out front.html",
        "newsletter issues preview today --open",
        "newsletter issues preview today --as ann@example.org --send-to me@example.org",
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
@click.option(
    "--open",
    "opens",
    is_flag=True,
    help="Show it in the browser, narrow and wide, light and dark, with every other kind of mail; anew whenever a"
    " template or the configuration is edited, until Ctrl-C.",
)
@click.option(
    "--send-to", metavar="ADDRESS", help="Mail it there, marked as a test; its links to unsubscribe do nothing."
)
@click.pass_obj
def of_issue(
    terminal: Terminal,
    /,
    day: date,
    email: str | None,
    format: str | None,
    out: Path | None,
    opens: bool,
    send_to: str | None,
) -> None:
    """Show the mail that a reader gets of an issue.

    Exactly as it was made for a reader who has it, else as it would be now. Nothing is stored. Templates that do not
    work are told with file and line, also those of other mails: then the exit status is 2.
    """
    if sum((bool(format or out), opens, bool(send_to))) > 1:
        raise click.UsageError("Use one of --open, --send-to, and --format or --out.")
    if opens:
        _open(terminal, day, email)
    elif send_to:
        _send(terminal, day, email, send_to)
    else:
        _show(terminal, day, email, format or _kind(out), out)


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


def _show(terminal: Terminal, day: date, email: str | None, kind: str, out: Path | None) -> None:
    from newsletter.services.preview import preview
    from newsletter.services.proofs import broken

    with terminal.app() as app:
        found = preview(app.dispatch, day, email, terminal.now())
        content = found.content(kind)
        faults = broken(app.dispatch, terminal.now())
    document = found.document | {"format": kind}
    if out:
        _write(out, content)
        terminal.answer(document | {"file": out}, f"{out}: the {kind} for {found.email}")
    elif terminal.json:
        terminal.answer(document | {"content": content.decode("utf-8", "replace")})
    else:
        click.echo(content, nl=False)
    for fault in faults:
        terminal.warn(f"newsletter: {fault}")
    if faults:
        raise SystemExit(ConfigurationError.exit_status)


def _open(terminal: Terminal, day: date, email: str | None) -> None:
    """Serve the preview until Ctrl-C, and show it where there is a browser."""
    from newsletter.web.proof_page import ProofPage

    with ProofPage(lambda known: _sheet(terminal, day, email, known)) as page:
        terminal.answer({"url": page.url}, f"The preview is at {page.url} until you press Ctrl-C.")
        sys.stdout.flush()
        if sys.stdout.isatty():
            _browse(page.url)
        with suppress(KeyboardInterrupt):
            page.serve_forever()


def _sheet(terminal: Terminal, day: date, email: str | None, known: "Sequence[Proof]") -> "Sheet":
    """Make every mail anew but those *known*, as everything is configured and stored now."""
    from newsletter.packaged import packaged
    from newsletter.render.formats import long_date
    from newsletter.services.preview import proof_of
    from newsletter.services.proofs import proofs
    from newsletter.web.proof_page import Sheet

    with terminal.app() as app:
        now, own = terminal.now(), app.settings.look.templates
        return Sheet(
            newsletter=app.settings.newsletter.name,
            about=f"{long_date(day)}, for {email or 'a reader without preferences'}",
            issue=proof_of(app.dispatch, day, email, now),
            invented=known or list(proofs(app.dispatch, now)),
            files=[app.settings.file, packaged("templates"), *([own] if own else [])],
        )


def _browse(url: str) -> None:
    """Open *url* in a browser that has a window: one in the terminal would hide the line that says where."""
    with suppress(webbrowser.Error):
        found = webbrowser.get()
        if type(found) is not webbrowser.GenericBrowser:
            found.open(url)


def _send(terminal: Terminal, day: date, email: str | None, to: str) -> None:
    from newsletter.mail.addresses import parse_address
    from newsletter.services.preview import preview, send_test

    address = parse_address(to).email
    with terminal.app() as app:
        found = preview(app.dispatch, day, email, terminal.now())
        try:
            subject = asyncio.run(send_test(app.dispatch, found, address, terminal.now())).subject
        except IncompleteError as error:  # no later run sends it
            raise NewsletterError(str(error)) from error
    document = found.document | {"sent_to": address, "subject": subject}
    terminal.answer(document, f"{address}: sent, as a test, what {found.email} gets: {subject}")


def _write(out: Path, content: bytes) -> None:
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

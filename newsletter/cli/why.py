"""``newsletter why``: why this reader got that mail, or none."""

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from newsletter.cli.advice import advice
from newsletter.cli.parameters import DAY
from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.why import Why


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter why ann@example.org",
        "newsletter why ann@example.org --date yesterday",
        "newsletter why ann@example.org --date 2026-07-10 --json",
    ),
)
@click.argument("email")
@click.option("--date", "day", type=DAY, help="The digest's date where the reader is; their newest one by default.")
@click.pass_obj
def command(terminal: Terminal, /, email: str, day: date | None) -> None:
    """Say why this reader got that mail, or none.

    Sent, with the server's answer and the reason of each paper; or waiting, skipped, refused, held up, and by what,
    and what to do about it.
    """
    from newsletter.services.why import why

    with terminal.app() as app:
        answer = why(app.dispatch, email, day, terminal.now())
    terminal.answer(answer.document, lambda: _lines(answer, terminal.now()))


def _lines(answer: "Why", now: datetime) -> str:
    said = [f"{answer.subscriber.email}, {answer.day:%a %Y-%m-%d}: {answer.text}"]
    said += [f"{n:>3}. {p.key}  {p.title} ({p.why})" for n, p in enumerate(answer.papers, 1)]
    said += [answer.next] if answer.next and answer.next not in answer.text else []
    said += filter(None, [advice(answer.delivery or {"status": ""}, now)])
    return "\n".join(said)

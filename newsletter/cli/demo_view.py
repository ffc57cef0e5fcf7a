"""What the demo tells: each day as it is played, and at the end where everything lies and what to try."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence

import click

from newsletter.cli.terminal import Terminal
from newsletter.demo import desk
from newsletter.demo.inbox_page import InboxPage
from newsletter.demo.play import LAST_DAY, PAPERS, SAMPLES, Played, Stage
from newsletter.render.formats import counted, long_date
from newsletter.render.wrapping import shorten, wrapped

_BRIEF = 3  # titles of a front, where there are several days to tell
_ROOM = 24  # before a subject: the reader's address
_WIDEST = 100


def tell_day(terminal: Terminal, played: Played, *, brief: bool) -> None:
    """Tell what one day came to, unless the answer is to be JSON or short."""
    if not (terminal.json or terminal.quiet):
        click.echo("\n".join(_day(played, brief=brief)))
    for problem in played.outcome.problems:
        terminal.warn(problem)


def answer(terminal: Terminal, stage: Stage, played: Sequence[Played]) -> None:
    """Answer with all of it as JSON, or with what remains to be told."""
    last = played[-1].outcome.day
    reasons = [(sample, stage.why(sample, last)) for sample in SAMPLES]
    document = {
        "dir": stage.made.dir,
        "config": stage.made.config,
        "database": stage.made.database,
        "inbox": stage.inbox,
        "days": [each.outcome.document for each in played],
        "why": [why.document for _, why in reasons],
        "mails": [
            {"to": mail.to, "subject": mail.subject, "date": mail.date and mail.date.isoformat()}
            for each in played
            for mail in each.mails
        ],
    }
    told = [line for sample, why in reasons for line in (f"  {sample.email}: {sample.about}", *_indented(why.text))]
    terminal.answer(document, lambda: "\n".join([_bold("Why each of them got that, or nothing"), *told, *_end(stage)]))


def serve(stage: Stage) -> None:
    """Show the inbox, the pages and the desk in a browser until Ctrl-C."""
    about = {sample.email: sample.about for sample in SAMPLES}
    with desk.served(stage) as pages, InboxPage(stage.inbox, about) as page:
        click.echo()
        if pages:
            click.echo(f"The front page is at {_bold(pages.url)}")
            opened = f"name {_bold(pages.name)}, password {_bold(pages.password)}"
            click.echo(f"The desk is at {_bold(pages.url + '/desk')}, on Monday morning: {opened}")
        else:
            click.echo("The pages and the desk need the extra web: pip install '.[web]'")
        click.echo(f"The inbox is at {_bold(page.url)} until you press Ctrl-C.")
        try:
            page.serve_forever()
        except KeyboardInterrupt:
            click.echo()


def _day(played: Played, *, brief: bool) -> Iterator[str]:
    outcome = played.outcome
    listed, new = sum(s.papers for s in outcome.sources), sum(s.new for s in outcome.sources)
    yield _bold(long_date(outcome.day)) + ("" if outcome.status == "done" else f" ({outcome.status}: {outcome.reason})")
    yield f"  {counted(listed, 'paper')} gathered, {new} new. On the front page of the issue:"
    shown = played.front[:_BRIEF] if brief else played.front
    yield from (f"    {rank:>2}  {_fitting(title, 8)}" for rank, title in enumerate(shown, 1))
    if more := len(played.front) - len(shown):
        yield f"        and {more} more"
    yield f"  {counted(len(played.mails), 'mail')} arrived:"
    yield from (f"    {mail.to:<{_ROOM - 4}}{_fitting(mail.subject, _ROOM)}" for mail in played.mails)
    yield ""


def _end(stage: Stage) -> Iterator[str]:
    made = stage.made
    yield ""
    yield _bold(f"Everything lies in {made.dir}")
    for path, what in (
        (made.config, "the configuration"),
        (made.database, "papers, issues, subscribers and deliveries"),
        (stage.inbox, "the mails, as a Maildir"),
        (made.dir / PAPERS, "the papers, in the format of the source 'file'"),
    ):
        yield f"  {path.name:<18}{what}"
    yield ""
    yield _bold("To look around")
    yield f"  export NEWSLETTER_CONFIG={shlex.quote(str(made.config))}"
    for command in (
        f"why mei@example.org --date {LAST_DAY}",
        "subscribers list",
        f"issues show {LAST_DAY}",
        "papers search video",
    ):
        yield f"  {_program()} {command}"


def _program() -> str:
    """Return what runs this very program on the command line."""
    if shutil.which("newsletter"):
        return "newsletter"
    return shlex.quote(sys.argv[0]) if sys.argv[0].endswith("newsletter") else f"{sys.executable} -m newsletter"


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in wrapped(text, _width() - 4)]


def _fitting(text: str, indent: int) -> str:
    return shorten(text, _width() - indent)


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _bold(text: str) -> str:
    return click.style(text, bold=True)

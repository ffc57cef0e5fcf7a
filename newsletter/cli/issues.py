"""``newsletter issues``: edit issues, seal them, and the stop button. Looking at the mails is ``preview``."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import click

from newsletter.cli.parameters import DAY, PAST_DAY
from newsletter.cli.preview import of_issue
from newsletter.cli.terminal import Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.domain.issue import Hand
    from newsletter.domain.paper import Paper

_date = click.argument("day", type=DAY, metavar="DATE")
_paper = click.argument("named", metavar="PAPER")

group = Group(
    "issues",
    help="Edit issues, seal them, and stop one that is being sent.\n\n"
    "A date is YYYY-MM-DD, today or yesterday. A paper is named by its arXiv id, DOI, link, or #id. A draft can be"
    " edited until it is sealed; what was done to it survives later gathers.",
    epilog=examples(
        "newsletter issues show today",
        "newsletter issues pin today 2607.01234",
        "newsletter issues note today 2607.01234 'The authors talk about it on Friday.'",
        "newsletter issues seal today",
        "newsletter issues halt today --reason 'wrong subject'",
    ),
)


@group.command("list", epilog=examples("newsletter issues list", "newsletter issues list --limit 5 --json"))
@click.option("--limit", type=click.IntRange(1, 10000), default=30, show_default=True, help="At most so many.")
@click.pass_obj
def list_(terminal: Terminal, /, limit: int) -> None:
    """Show the issues, the newest first."""
    from newsletter.cli.issues_view import answer_list
    from newsletter.storage import issues

    with terminal.app() as app, app.database.read() as session:
        found = issues.recent(session, limit)
        answer_list(terminal, found, issues.front_sizes(session, [issue.id for issue in found]))


@group.command(epilog=examples("newsletter issues show today", "newsletter issues show 2026-07-10 --json"))
@_date
@click.pass_obj
def show(terminal: Terminal, /, day: date) -> None:
    """Show an issue: sealed as it is, else the draft as it would be now."""
    with terminal.app() as app:
        _answer(terminal, app, day)


@group.command(epilog=examples("newsletter issues draft today"))
@_date
@click.pass_obj
def draft(terminal: Terminal, /, day: date) -> None:
    """Begin a draft. What arrives from now on is marked as new."""
    from newsletter.services import draft as drafts

    with terminal.app() as app:
        drafts.begin(app.database, day, terminal.now())
        _answer(terminal, app, day)


@group.command(epilog=examples("newsletter issues add today 2607.01234", "newsletter issues add today 10.1234/abc"))
@_date
@_paper
@click.pass_obj
def add(terminal: Terminal, /, day: date, named: str) -> None:
    """Put a paper into the front, also one that no source listed. 'unpin' takes that back."""
    from newsletter.services import gather

    with terminal.app() as app:
        paper = asyncio.run(gather.look_up(app.database, app.gathering, named, terminal.now()))
        _change(terminal, app, day, paper, lambda hand, paper_id: hand.add(paper_id), "is in the front")


@group.command(epilog=examples("newsletter issues pin today 2607.01234"))
@_date
@_paper
@click.pass_obj
def pin(terminal: Terminal, /, day: date, named: str) -> None:
    """Let a paper lead the front, after those pinned before."""
    with terminal.app() as app:
        _change(terminal, app, day, _find(app, named), lambda hand, paper_id: hand.pin(paper_id), "is pinned")


@group.command(epilog=examples("newsletter issues unpin today 2607.01234"))
@_date
@_paper
@click.pass_obj
def unpin(terminal: Terminal, /, day: date, named: str) -> None:
    """Take back 'pin', or 'add' of a paper that is not pinned."""
    with terminal.app() as app:
        paper = _find(app, named)
        _change(terminal, app, day, paper, lambda hand, paper_id: hand.unpin(paper_id), "stands where it stood before")


@group.command(epilog=examples("newsletter issues drop today 2607.01234"))
@_date
@_paper
@click.pass_obj
def drop(terminal: Terminal, /, day: date, named: str) -> None:
    """Leave a paper out of the issue, for every reader."""
    with terminal.app() as app:
        _change(terminal, app, day, _find(app, named), lambda hand, paper_id: hand.drop(paper_id), "is left out")


@group.command(epilog=examples("newsletter issues undrop today 2607.01234"))
@_date
@_paper
@click.pass_obj
def undrop(terminal: Terminal, /, day: date, named: str) -> None:
    """Take back 'drop'."""
    with terminal.app() as app:
        paper = _find(app, named)
        _change(terminal, app, day, paper, lambda hand, paper_id: hand.undrop(paper_id), "is no longer left out")


@group.command(
    epilog=examples("newsletter issues move today 2607.01234 3", "newsletter issues move today 2607.01234 0")
)
@_date
@_paper
@click.argument("position", type=int)
@click.pass_obj
def move(terminal: Terminal, /, day: date, named: str, position: int) -> None:
    """Let a paper stand at a position in the front, from 1. Position 0 takes that back."""
    said = f"stands at position {position}" if position else "stands where its order puts it"
    with terminal.app() as app:
        paper = _find(app, named)
        _change(terminal, app, day, paper, lambda hand, paper_id: hand.move(paper_id, position), said)


@group.command(
    epilog=examples(
        "newsletter issues note today 'No issue on Monday.'",
        "newsletter issues note today 2607.01234 'With code.'",
        "newsletter issues note today 2607.01234 ''",
    )
)
@_date
@click.argument("texts", nargs=-1, required=True, metavar="[PAPER] TEXT")
@click.pass_obj
def note(terminal: Terminal, /, day: date, texts: tuple[str, ...]) -> None:
    """Write a note on the issue, or on one paper of it. An empty TEXT takes it away."""
    from newsletter.domain.text import plain
    from newsletter.errors import UsageError
    from newsletter.services import draft as drafts

    *named, text = texts
    if len(named) > 1:
        raise UsageError(f"note: {len(texts)} texts where one is expected; put the note in quotes")
    with terminal.app() as app:
        if named:
            said = "has its note" if text else "has no note"
            _change(terminal, app, day, _find(app, named[0]), lambda hand, i: hand.note(i, plain(text)), said)
        else:
            drafts.retitle(app.database, day, terminal.now(), note=text)
            _answer(terminal, app, day, f"The issue of {day} has {'its' if text else 'no'} note.")


@group.command(epilog=examples("newsletter issues subject today 'Robots, and three more'"))
@_date
@click.argument("text")
@click.pass_obj
def subject(terminal: Terminal, /, day: date, text: str) -> None:
    """Set the subject of the issue's mails. An empty TEXT gives back the usual one."""
    from newsletter.services import draft as drafts

    with terminal.app() as app:
        drafts.retitle(app.database, day, terminal.now(), subject=text)
        _answer(terminal, app, day, f"The issue of {day} has {'its own' if text else 'the usual'} subject.")


@group.command(epilog=examples("newsletter issues undo today"))
@_date
@click.pass_obj
def undo(terminal: Terminal, /, day: date) -> None:
    """Take back what was last done to a draft, here or at the desk. Again and again, as far back as it goes."""
    from newsletter.services import draft as drafts

    with terminal.app() as app:
        _answer(terminal, app, day, f"Undone: {drafts.undo(app.database, day, terminal.now())}")


@group.command(epilog=examples("newsletter issues seal today"))
@click.argument("day", type=PAST_DAY, metavar="DATE")
@click.pass_obj
def seal(terminal: Terminal, /, day: date) -> None:
    """Seal an issue: it is final, and 'run' sends it. A date without anything new is recorded as empty instead.

    Not while a template does not work.
    """
    from newsletter.errors import ConfigurationError
    from newsletter.services import edit
    from newsletter.services.seal import refusal

    with terminal.app() as app:
        if broken := refusal(app.dispatch, day, terminal.now(), sealing=True):
            raise ConfigurationError(broken)
        with app.database.write() as session:
            issue = edit.seal(session, app.policy, day, terminal.now())
        said = f"The issue of {day} is {issue.status}" + (f": {issue.reason}." if issue.reason else ".")
        _answer(terminal, app, day, said)


@group.command(epilog=examples("newsletter issues halt today --reason 'wrong subject'"))
@_date
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the issue.")
@click.pass_obj
def halt(terminal: Terminal, /, day: date, reason: str) -> None:
    """Stop sending an issue at once, in every process, until 'resume'."""
    from newsletter.services import edit

    with terminal.app() as app:
        edit.halt(app.database, day, reason)
        _answer(terminal, app, day, f"The issue of {day} is halted; 'issues resume' or 'issues cancel' is next.")


@group.command(epilog=examples("newsletter issues resume today"))
@_date
@click.pass_obj
def resume(terminal: Terminal, /, day: date) -> None:
    """Go on sending an issue that was halted, with the next run."""
    from newsletter.services import edit

    with terminal.app() as app:
        edit.resume(app.database, day)
        _answer(terminal, app, day, f"The issue of {day} is no longer halted; the next run goes on sending it.")


@group.command(epilog=examples("newsletter issues cancel today"))
@_date
@click.pass_obj
def cancel(terminal: Terminal, /, day: date) -> None:
    """Send an issue to nobody who was not reached yet. This is final."""
    from newsletter.services import edit

    with terminal.app() as app:
        edit.cancel(app.database, day, terminal.now())
        _answer(terminal, app, day, f"The issue of {day} is cancelled for everyone not reached yet.")


@group.command(epilog=examples("newsletter issues correct 2026-07-10 'The code of Read It Back is not public yet.'"))
@_date
@click.argument("text")
@click.pass_obj
def correct(terminal: Terminal, /, day: date, text: str) -> None:
    """Say what was wrong in an issue that was sent. This is final.

    The archive shows it with the issue, and the next digest of everyone who had the issue begins with it, once.
    """
    from newsletter.services import edit

    with terminal.app() as app:
        edit.correct(app.database, day, text, terminal.now())
        said = "the archive shows it, and so does the next digest of everyone who had the issue"
        _answer(terminal, app, day, f"The issue of {day} has its correction: {said}.")


group.add_command(of_issue)


def _find(app: "App", named: str) -> "Paper":
    from newsletter.errors import NotFoundError
    from newsletter.storage import papers

    with app.database.read() as session:
        if paper := papers.find(session, named):
            return paper
    raise NotFoundError(f"no paper {named!r} was gathered; 'newsletter issues add' takes any other")


def _change(
    terminal: Terminal, app: "App", day: date, paper: "Paper", done: "Callable[[Hand, int], Hand]", said: str
) -> None:
    from newsletter.services import draft as drafts

    what = f"{paper.key} {said}: {paper.title}"
    drafts.change(app.database, day, terminal.now(), lambda hand: done(hand, paper.id), what=what)
    _answer(terminal, app, day, what)


def _answer(terminal: Terminal, app: "App", day: date, done: str = "") -> None:
    from newsletter.cli.issues_view import answer_one

    answer_one(terminal, app, day, done)

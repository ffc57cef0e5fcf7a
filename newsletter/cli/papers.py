"""``newsletter papers``: what was gathered."""

import re
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.parameters import PAST_DAY, today
from newsletter.cli.terminal import Command, Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.domain.paper import Listing, Paper
    from newsletter.domain.ranking import Candidate
    from newsletter.domain.search import Search

# Nearly all words of one letter are everywhere or nowhere: who leaves one out meant something else.
_LOOKS_LIKE_AN_OPTION = re.compile(r"-\w|--\w.*")
_LEFT_OUT = re.compile("-(?![vqh]+$)[^-].+", re.DOTALL)
_TAKES_A_VALUE = {"--limit", "--sort"}
_MARK = "\0"  # no argument of a program can hold it


class _Searching(Command):
    """Takes ``-graph`` for a word to leave out, where click would find ``-h`` among its letters."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, with a mark before such words."""
        words = [
            f"{_MARK}{arg}" if _LEFT_OUT.fullmatch(arg) and before not in _TAKES_A_VALUE else arg
            for before, arg in zip(["", *args], args, strict=False)
        ]
        return super().parse_args(ctx, words)


@click.group(
    cls=Group,
    epilog=examples(
        "newsletter papers list --date yesterday",
        "newsletter papers show 2607.01234",
        "newsletter papers search diffusion policy",
    ),
)
def group() -> None:
    """What was gathered. A paper is named by its arXiv id, DOI, link, or #id."""


@group.command("list", epilog=examples("newsletter papers list", "newsletter papers list --date 2026-07-10 --json"))
@click.option("--date", "day", type=PAST_DAY, help="The day of the lists; today by default.")
@click.pass_context
def list_(context: click.Context, /, day: date | None) -> None:
    """Show what the sources listed on a day, in the newsletter's order."""
    from newsletter.domain.ranking import newsletter_order
    from newsletter.storage import papers

    terminal, wanted = context.ensure_object(Terminal), day or today(context)
    with terminal.app() as app, app.database.read() as session:
        listed = papers.listed(session, wanted, wanted)
        ordered = newsletter_order(listed, wanted, app.policy.shares, app.policy.topics)
    document = {"date": wanted, "papers": [_listed(candidate) for candidate in ordered]}
    rows = [(c.paper.key, c.upvotes, c.comments, ", ".join(_sources(c)), c.paper.title) for c in ordered]
    empty = f"Nothing was listed on {wanted}."
    headings = ("paper", "upvotes", "comments", "sources", "title")
    terminal.answer(document, lambda: terminal.table(headings, rows) if rows else empty)


@group.command(epilog=examples("newsletter papers show 2607.01234", "newsletter papers show '#12' --json"))
@click.argument("named", metavar="ID")
@click.pass_obj
def show(terminal: Terminal, /, named: str) -> None:
    """Show all that is known of a paper, and when which source listed it."""
    from newsletter.errors import NotFoundError
    from newsletter.storage import papers

    with terminal.app() as app, app.database.read() as session:
        paper = papers.find(session, named)
        if paper is None:
            raise NotFoundError(f"no paper {named!r} was gathered; 'newsletter papers search WORDS' finds some")
        listings = papers.days_listed(session, paper.id)
    document = {"key": paper.key, **asdict(paper), "listings": [asdict(listing) for listing in listings]}
    terminal.answer(document, lambda: _told(terminal, paper, listings))


@group.command(
    cls=_Searching,
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "newsletter papers search diffusion policy",
        "newsletter papers search 'author:Müller year:2026 -robot' --sort date",
        "newsletter papers search --limit 5 'quanti*'",
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="WORDS...", type=click.UNPROCESSED)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option("--sort", type=click.Choice(["relevance", "date", "upvotes"]), default="relevance", show_default=True)
@click.pass_obj
def search(terminal: Terminal, /, words: tuple[str, ...], limit: int, sort: str) -> None:
    """Find papers that have all WORDS in title, authors, organisation or abstract.

    Case, accents and endings of words do not matter. Beside words: "a phrase", -word, begin*, author:NAME, org:NAME,
    cat:cs.CL, year:2026 or year:2024-2026.
    """
    from newsletter.domain.search import Sort, parse_search
    from newsletter.storage.search import find

    words = tuple(word.removeprefix(_MARK) for word in words)
    for word in filter(_LOOKS_LIKE_AN_OPTION.fullmatch, words):
        terminal.say(f"{word} is no option of this command, but leaves out a word; there are --limit and --sort")
    wanted = parse_search(" ".join(words))
    with terminal.app() as app, app.database.read() as session:
        results = find(session, wanted, Sort(sort), limit=limit)
    found = [candidate.paper for candidate in results.papers]
    rows = [(p.key, f"{p.published:%Y-%m-%d}" if p.published else "", p.title) for p in found]
    document = {"papers": [{"id": p.id, "key": p.key, "title": p.title, "published": p.published} for p in found]}
    headings = ("paper", "published", "title")
    terminal.answer(document, lambda: terminal.table(headings, rows) if rows else _none(wanted))


def _none(wanted: "Search") -> str:
    if wanted.is_empty:
        return "A search needs something to look for: a word, a phrase, somebody's name or a year."
    if wanted.misses_year:
        return "No such paper. A year has four digits, as in year:2026 or year:2024-2026."
    return "No such paper."


def _listed(candidate: "Candidate") -> dict[str, Any]:
    return {
        "id": candidate.paper.id,
        "key": candidate.paper.key,
        "title": candidate.paper.title,
        "upvotes": candidate.upvotes,
        "comments": candidate.comments,
        "sources": _sources(candidate),
        "first_listed": candidate.first_listed,
    }


def _sources(candidate: "Candidate") -> list[str]:
    return [listing.source for listing in candidate.listings]


def _told(terminal: Terminal, paper: "Paper", listings: "list[Listing]") -> str:
    facts = [(name, _said(value)) for name, value in asdict(paper).items() if value not in ("", (), None, False)]
    listed = [(n.day, n.source, n.position, n.upvotes, n.comments, n.submitter) for n in listings]
    headings = ("listed on", "by", "position", "upvotes", "comments", "submitter")
    return terminal.table(("", ""), facts) + ("\n\n" + terminal.table(headings, listed) if listed else "")


def _said(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value

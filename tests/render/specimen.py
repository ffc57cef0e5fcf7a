"""A small issue to render: papers, picks, a masthead and a reader."""

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from newsletter.domain.digest import Digest
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.pool import Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.render.digest import Encoded, IssueRenderer, Masthead, Reader
from newsletter.render.environment import environment
from newsletter.render.typesetting import Rendered

# Compiling the templates takes longer than all else.
_environment = cache(environment)

DAY = date(2026, 7, 9)


def candidate(number: int, *, upvotes: int | None = None, comments: int | None = None, **said: Any) -> Candidate:
    """Return paper *number*; what is not said of it, nobody knows."""
    paper = Paper(**{"id": number, "title": f"Paper number {number}", **said})
    listing = Listing(source="list", day=DAY, upvotes=upvotes, comments=comments)
    return Candidate(paper=paper, listings=(listing,), first_listed=DAY)


def digest(*candidates: Candidate, why: Why = Why.FRONT, detail: str = "", since: date | None = None) -> Digest:
    """Return a digest of *candidates*, all picked for the same reason."""
    return Digest(picks=tuple(Pick(c, why, detail) for c in candidates), since=since)


class TextRenderer:
    """Renders the digests of ``issue`` as text."""

    def __init__(self, issue: IssueRenderer) -> None:
        self.issue = issue

    def digest(self, digest: Digest, reader: Reader) -> Rendered:
        """Return *reader*'s mail with the picks of *digest*."""
        return _text(self.issue.digest(digest, reader))

    def nothing(self, reader: Reader) -> Rendered:
        """Return the mail that says that there is nothing new for *reader*."""
        return _text(self.issue.digest(Digest(picks=()), reader))


def _text(mail: Encoded) -> Rendered:
    return Rendered(subject=mail.subject, html=_unfolded(mail.html), text=b"".join(mail.text).decode())


def _unfolded(html: list[bytes]) -> str:
    """Return HTML on one line: where its lines end says nothing of what it says."""
    return b"".join(html).decode().replace("\n", " ")


def renderer(overrides: Path | None = None, notes: dict[int, str] | None = None, **said: Any) -> TextRenderer:
    """Return the renderer of the issue of 9 July 2026."""
    masthead = Masthead(**{"name": "Daily Papers", "date": DAY, "pool_size": 52, **said})
    return TextRenderer(IssueRenderer(_environment(overrides), masthead, notes or {}, str.encode))


READER = Reader(
    why_mail="You get this because you subscribed on 3 July 2026.",
    next_due="Next digest: Friday, 10 July, 08:00 (Europe/Zurich)",
    unsubscribe_url="https://papers.example.org/u/TOKEN",
    unsubscribe_mailto="mailto:bounces+TOKEN@example.org?subject=unsubscribe",
    reply_to="editors@example.org",
    preferences_url="https://papers.example.org/p/TOKEN",
)

FULL = candidate(
    7,
    upvotes=1234,
    comments=1,
    title="ReadItBack: Checking a Summary Against Its Source",
    summary="A checker reads each sentence back to the source. It finds most of what was made up.",
    abstract="A long abstract that is not shown where there is a summary.",
    authors=("Ada One", "Ben Two", "Cy Three", "Di Four", "Eve Five"),
    organisation="Example University",
    categories=("cs.CL", "cs.LG"),
    published=datetime(2026, 6, 28, tzinfo=UTC),
    link="https://arxiv.org/abs/2606.00007",
    pdf="https://arxiv.org/pdf/2606.00007",
    discussion="https://talk.example.org/2606.00007",
    code="https://code.example.org/readitback",
    code_stars=4321,
    project="https://readitback.example.org/",
)

"""Issues in the database: one per date, the editor's hand, and pools as they stood when they were sealed."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_database import put_database

from newsletter.domain.issue import Arranged, Brake, Hand, Issue, Status
from newsletter.domain.paper import Listing, Paper, Sighting
from newsletter.domain.ranking import Candidate
from newsletter.storage import hands, issues, papers, sightings
from newsletter.storage.database import Database
from newsletter.storage.issues import SealedPool
from newsletter.storage.tables import IssueRow

NOW = datetime(2026, 7, 15, 12, 0, 0, 7, tzinfo=UTC)
DAY = date(2026, 7, 15)
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterable[Database]:
    """Return a database with four papers, of the ids 1 to 4, listed on one day with 10 to 40 votes."""
    put_database(tmp_path / "newsletter.db")
    opened = Database(tmp_path / "newsletter.db")
    gather(opened, range(1, 5), votes=10)
    yield opened
    opened.close()


def gather(database: Database, numbers: Iterable[int], *, votes: int) -> None:
    """List papers of these ids, each with *votes* times its id."""
    with database.write() as session:
        for n in numbers:
            paper = Paper(title=f"Paper {n}", arxiv_id=f"2607.0000{n}")
            listing = Listing(source="file", day=DAY, upvotes=n * votes, comments=n, position=n)
            sightings.store(session, [Sighting(source="file", kind="file", seen_at=NOW, paper=paper, listing=listing)])


def seal(
    database: Database, day: date, pool: Sequence[int], front: Sequence[int], editors: Sequence[int] = ()
) -> Issue:
    """Seal an issue of the papers with these ids."""
    with database.write() as session:
        known = {c.paper.id: c for c in papers.listed(session, DAY, DAY)}
        arranged = Arranged(pool=tuple(known[n] for n in pool), front=tuple(known[n] for n in front))
        return issues.seal(session, issues.draft(session, day), arranged, editors, NOW)


def test_there_is_one_issue_of_a_date(database):
    """Begun once, found again under the same id."""
    with database.write() as session:
        assert issues.get(session, DAY) is None
        first = issues.draft(session, DAY)
        assert issues.draft(session, DAY) == first

    with database.read() as session:
        assert issues.get(session, DAY) == issues.by_id(session, first.id) == first
    assert first == Issue(id=first.id, date=DAY, status=Status.DRAFT)


def test_an_issue_comes_back_as_it_was_kept(database):
    """Every field of it; row and domain have the same."""
    with database.write() as session:
        begun = issues.draft(session, DAY)
        kept = Issue(
            id=begun.id,
            date=DAY,
            status=Status.SEALED,
            subject="A subject",
            note="A note",
            brake=Brake.HALTED,
            reason="wrong",
            sealed_at=NOW,
            edited_at=NOW - timedelta(hours=1),
        )
        issues.keep(session, kept)

    with database.read() as session:
        assert issues.get(session, DAY) == kept
    assert {f.name for f in fields(Issue)} - {"date"} | {"day", "hand", "mailed_at"} == set(IssueRow.model_fields)


ids = st.integers(1, 9)
any_hand = st.builds(
    Hand,
    added=st.lists(ids, unique=True).map(tuple),
    pinned=st.lists(ids, unique=True).map(tuple),
    dropped=st.frozensets(ids),
    moved=st.dictionaries(ids, st.integers(1, 100)),
    notes=st.dictionaries(ids, st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_hand)
def test_the_hand_comes_back_as_it_was_kept(database, hand):
    """With the order in which papers were added, pinned and moved, for the last move counts."""
    with database.write() as session:
        issue = issues.draft(session, DAY)
        hands.keep(session, issue.id, hand, NOW)

    with database.read() as session:
        kept = hands.of(session, issue.id)
        assert kept == hand
        assert list(kept.moved) == list(hand.moved)
        assert issues.get(session, DAY).edited_at == NOW


def test_a_sealed_pool_stays_as_it_stood(database):
    """Whatever is gathered later: order, front, votes, first day, and what was the editor's choice."""
    issue = seal(database, DAY, pool=[4, 3, 2, 1], front=[2, 4], editors=[2])
    gather(database, range(1, 5), votes=1000)

    with database.read() as session:
        pool = issues.pool(session, issue)

    assert isinstance(pool, SealedPool)
    assert [c.paper.title for c in pool.order] == ["Paper 4", "Paper 3", "Paper 2", "Paper 1"]
    assert [(c.upvotes, c.comments, c.first_listed) for c in pool.order[:2]] == [(40, 4, DAY), (30, 3, DAY)]
    assert pool.front == (2, 4)
    assert pool.editors == {2}
    assert (issue.status, issue.sealed_at) == (Status.SEALED, NOW)


def test_a_paper_of_the_front_is_in_the_pool_too(database):
    """Also one that the pool did not have."""
    with database.read() as session:
        known = {c.paper.id: c for c in papers.listed(session, DAY, DAY)}
    added = Candidate(paper=known[1].paper, listings=(), first_listed=DAY)
    with database.write() as session:
        arranged = Arranged(pool=(known[4],), front=(known[4], added))
        issue = issues.seal(session, issues.draft(session, DAY), arranged, [1], NOW)
        pool = issues.pool(session, issue)

    assert [c.paper.id for c in pool.order] == [4, 1]
    assert pool.order[1].upvotes is None


def test_earlier_fronts_and_pools(database):
    """A front never forgets; of pools only the last one counts, an issue without papers aside."""
    seal(database, DAY - timedelta(days=9), pool=[1, 2], front=[1])
    seal(database, DAY - timedelta(days=1), pool=[2, 3], front=[3])
    seal(database, DAY, pool=[], front=[])
    seal(database, NEXT + timedelta(days=1), pool=[4], front=[4])

    with database.read() as session:
        assert issues.fronts_before(session, NEXT) == {1, 3}
        assert issues.pooled_before(session, NEXT) == {2, 3}
        assert issues.fronts_before(session, DAY - timedelta(days=9)) == set()
        assert issues.pooled_before(session, DAY - timedelta(days=9)) == set()


def test_issues_are_found_by_age_state_and_papers(database):
    """What other rooms ask for."""
    old = seal(database, DAY - timedelta(days=9), pool=[1, 2], front=[1])
    new = seal(database, DAY, pool=[2, 3, 4], front=[3, 4])
    with database.write() as session:
        for day, status in ((NEXT, Status.EMPTY), (NEXT + timedelta(days=1), Status.SKIPPED)):
            begun = issues.draft(session, day)
            issues.keep(session, Issue(id=begun.id, date=day, status=status, reason="nothing"))

    with database.read() as session:
        assert [i.date.day for i in issues.recent(session)] == [17, 16, 15, 6]
        assert [i.date.day for i in issues.recent(session, 1)] == [17]
        assert issues.newest_sealed(session) == new
        assert issues.front_sizes(session, [old.id, new.id, 7]) == {old.id: 1, new.id: 2}
        assert issues.that_may_bring(session, [2], timedelta(days=14)) == {old.id, new.id}
        assert issues.that_may_bring(session, [3], timedelta(days=14)) == {new.id}
        assert issues.closed_days(session, DAY, NEXT) == {NEXT}

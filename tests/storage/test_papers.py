"""Papers in the database: gathered twice, joined, listed once, and read again as they were."""

import random
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_database import put_database

from newsletter.domain.issue import Arranged, Hand
from newsletter.domain.paper import OURS, Listing, Paper, Sighting, freshness, merge
from newsletter.domain.ranking import Candidate
from newsletter.storage import hands, issues, papers, sightings
from newsletter.storage.database import Database
from newsletter.storage.tables import ListingRow, PaperRow, SightingRow

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
DAY = date(2026, 7, 15)
HOUR = timedelta(hours=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterable[Database]:
    """Return a fresh database."""
    put_database(tmp_path / "newsletter.db")
    opened = Database(tmp_path / "newsletter.db")
    yield opened
    opened.close()


def told(
    source: str = "arxiv", *, at: datetime = NOW, kind: str = "", listing: Listing | None = None, **facts: object
) -> Sighting:
    """Return a source's word on a paper."""
    paper = Paper(**{"title": "A title", **facts})  # type: ignore[arg-type]
    return Sighting(source=source, kind=kind or source, seen_at=at, paper=paper, listing=listing)


def listed(source: str = "huggingface", day: date = DAY, upvotes: int | None = 1, **facts: object) -> Listing:
    """Return a listing with votes."""
    return Listing(source=source, day=day, upvotes=upvotes, **facts)  # type: ignore[arg-type]


def store(database: Database, *words: Sighting) -> sightings.Stored:
    """Store what was told, in one transaction."""
    with database.write() as session:
        return sightings.store(session, words)


def found(database: Database, named: str) -> Paper:
    """Return the paper that is named so."""
    with database.read() as session:
        paper = papers.find(session, named)
    assert paper is not None, f"no paper {named}"
    return paper


def on(database: Database, first: date, last: date | None = None) -> list[Candidate]:
    """Return what was listed on a day, or from one to another."""
    with database.read() as session:
        return papers.listed(session, first, last or first)


EVERYTHING = Paper(
    title="Every field of it",
    arxiv_id="2607.00001",
    doi="10.1234/abc",
    version=3,
    abstract="An abstract.",
    summary="A summary.",
    authors=("Ann Author", "李 明"),
    organisation="A Laboratory",
    categories=("cs.CL", "stat.ML"),
    keywords=("one", "two"),
    published=datetime(2026, 7, 1, 17, 59, 59, tzinfo=UTC),
    updated=datetime(2026, 7, 2, 0, 0, 0, 5, tzinfo=UTC),
    link="https://arxiv.org/abs/2607.00001",
    pdf="https://arxiv.org/pdf/2607.00001",
    discussion="https://huggingface.co/papers/2607.00001",
    project="https://lab.example/p",
    code="https://code.example/p",
    code_stars=0,
    thumbnail="https://lab.example/p.png",
    comment="12 pages",
    journal_reference="J. 1",
    withdrawn=True,
)


def test_a_paper_comes_back_as_it_went_in(database):
    """Every field, by every key, under the id that it was given."""
    assert all(getattr(EVERYTHING, f.name) != f.default for f in fields(Paper) if f.name not in OURS), (
        "a field is missing"
    )
    store(database, Sighting(source="arxiv", kind="arxiv", seen_at=NOW, paper=EVERYTHING))

    kept = found(database, "2607.00001")

    assert replace(kept, id=0) == EVERYTHING
    for named in ("arXiv:2607.00001v7", "10.1234/ABC", "https://arxiv.org/pdf/2607.00001v2", f"#{kept.id}"):
        assert found(database, named) == kept


@pytest.mark.parametrize(
    "named", ["", "#", "#0", "#²", "#99999999999999999999999", "2607.99999", "a title", "https://"]
)
def test_what_names_no_paper_finds_none(database, named):
    """Whatever a person types."""
    store(database, told(arxiv_id="2607.00001"))

    with database.read() as session:
        assert papers.find(session, named) is None


def test_listings_keep_all_that_a_listing_says(database):
    """Row and domain have the same fields, and lose none."""
    listing = Listing(source="blog", day=DAY, upvotes=3, comments=2, position=7, submitter="Ann", first_seen=True)
    store(database, told("blog", arxiv_id="2607.00001", listing=listing))

    assert on(database, DAY)[0].listings == (listing,)
    assert {f.name for f in fields(Listing)} | {"paper_id"} == set(ListingRow.model_fields)
    assert {f.name for f in fields(Sighting)} - {"listing", "paper"} | {"paper_id", "facts"} == set(
        SightingRow.model_fields
    )
    assert set(PaperRow.model_fields) == {"id", "title", "facts", "withdrawn", "first_seen_at"}


def test_gathering_twice_updates_and_never_duplicates(database):
    """A day's list at noon and at night: more papers, more votes, one row each."""
    noon = [told("huggingface", arxiv_id=f"2607.0000{n}", listing=listed(upvotes=n)) for n in range(1, 4)]
    night = [
        told("huggingface", at=NOW + HOUR, arxiv_id=f"2607.0000{n}", title="Better", listing=listed(upvotes=n * 10))
        for n in range(1, 6)
    ]

    first, again, second = store(database, *noon), store(database, *noon), store(database, *night)

    assert (first.papers, first.new) == (3, 3)
    assert (again.papers, again.new) == (3, 0)
    assert (second.papers, second.new) == (5, 2)
    kept = on(database, DAY)
    assert sorted(c.upvotes or 0 for c in kept) == [10, 20, 30, 40, 50]
    assert {c.paper.title for c in kept} == {"Better"}


def test_the_best_source_tells_each_field(database):
    """The archive the paper's own facts, the community what surrounds it; the newest version counts."""
    store(database, told("huggingface", title="old name", arxiv_id="2607.00001", summary="In short.", code_stars=0))
    store(database, told("arxiv", title="First", arxiv_id="2607.00001", version=1, abstract="Long."))
    store(database, told("arxiv", title="Second", arxiv_id="2607.00001", version=2, at=NOW - HOUR))

    paper = found(database, "2607.00001")

    assert (paper.title, paper.summary, paper.version, paper.code_stars) == ("Second", "In short.", 2, 0)


def test_a_source_without_a_list_of_its_own_lists_a_paper_once(database):
    """On the day on which it was first seen; another source may list it again."""
    for n, day in enumerate((DAY, DAY + timedelta(days=1))):
        first_seen = listed("arxiv", day=day, upvotes=None, first_seen=True)
        store(database, told("arxiv", at=NOW + n * 24 * HOUR, arxiv_id="2607.00001", listing=first_seen))
    store(database, told("huggingface", arxiv_id="2607.00001", listing=listed(day=DAY + timedelta(days=2))))

    days = [(n.source, n.day) for c in on(database, DAY, DAY + timedelta(days=9)) for n in c.listings]
    assert sorted(days) == [("arxiv", DAY), ("huggingface", DAY + timedelta(days=2))]


def test_what_is_not_news_is_known_and_not_listed(database):
    """A replacement, or a paper that an editor looked up."""
    stored = store(database, told("feed", arxiv_id="2607.00001"))

    assert (stored.papers, stored.new) == (0, 1)
    assert on(database, DAY) == []


def test_a_candidate_knows_its_first_day_ever(database):
    """Also when that was before the days that are asked for."""
    for day in (DAY - timedelta(days=20), DAY):
        store(database, told("huggingface", arxiv_id="2607.00001", listing=listed(day=day)))

    candidate = on(database, DAY)[0]

    assert candidate.first_listed == DAY - timedelta(days=20)
    assert [n.day for n in candidate.listings] == [DAY]


def test_two_papers_that_turn_out_to_be_one_are_joined(database):
    """The older id stays, the other leads to it, and what was said and listed of both is the one's."""
    store(database, told("biorxiv", doi="10.1234/x", title="By DOI", listing=listed("biorxiv", upvotes=None)))
    store(database, told("arxiv", arxiv_id="2607.00001", abstract="Long.", listing=listed("arxiv", upvotes=None)))
    older, newer = found(database, "10.1234/x"), found(database, "2607.00001")
    assert older.id < newer.id

    joined = store(
        database, told("blog", kind="feed", arxiv_id="2607.00001", doi="10.1234/x", link="https://lab.example/1")
    )

    paper = found(database, "2607.00001")
    assert joined.new == 0
    assert paper.id == older.id
    assert {found(database, named).id for named in ("10.1234/x", "https://lab.example/1", f"#{newer.id}")} == {older.id}
    assert (paper.title, paper.abstract) == ("A title", "Long.")
    assert sorted(n.source for c in on(database, DAY) for n in c.listings) == ["arxiv", "biorxiv"]
    with database.read() as session:
        assert papers.resolve(session, [older.id, newer.id]) == {older.id: older.id, newer.id: older.id}
        assert papers.load(session, [newer.id])[newer.id] == paper


def test_a_join_of_joined_papers_leads_to_the_oldest(database):
    """However often it happens."""
    for n in range(1, 5):
        store(database, told(f"s{n}", kind="feed", doi=f"10.1234/{n}"))
    ids = {n: found(database, f"10.1234/{n}").id for n in range(1, 5)}

    store(database, told("a", kind="feed", doi="10.1234/3", link="https://doi.org/10.1234/4"))
    store(database, told("b", kind="feed", doi="10.1234/2", link="https://doi.org/10.1234/3"))
    store(database, told("c", kind="feed", doi="10.1234/4", link="https://doi.org/10.1234/1"))

    with database.read() as session:
        assert set(papers.resolve(session, ids.values()).values()) == {ids[1]}


def test_papers_joined_within_one_gathering_count_once(database):
    """Two strangers and the one who knows both."""
    stored = store(
        database,
        told("a", kind="feed", doi="10.1234/1"),
        told("a", kind="feed", arxiv_id="2607.00001"),
        told("a", kind="feed", doi="10.1234/1", arxiv_id="2607.00001"),
    )

    assert stored.new == 1


def test_of_two_lists_of_one_day_the_older_papers_counts(database):
    """The same source listed both on the same day before they were one."""
    store(database, told("huggingface", doi="10.1234/x", listing=listed(upvotes=5)))
    store(database, told("huggingface", arxiv_id="2607.00001", listing=listed(upvotes=2)))

    store(database, told("arxiv", arxiv_id="2607.00001", doi="10.1234/x"))

    (candidate,) = on(database, DAY)
    assert candidate.upvotes == 5


def sealed(database: Database, day: date, pool: Sequence[str], front: Sequence[str]) -> None:
    """Seal an issue of the papers so named."""
    candidates = {n: Candidate(paper=found(database, n), listings=(listed(),), first_listed=day) for n in pool}
    arranged = Arranged(pool=tuple(candidates.values()), front=tuple(candidates[n] for n in front))
    with database.write() as session:
        issues.seal(session, issues.draft(session, day), arranged, (), NOW)


def test_sealed_issues_and_hands_follow_a_join(database):
    """A paper that was in a front stays there under its older id, and never enters another."""
    store(database, told(doi="10.1234/x"), told(arxiv_id="2607.00001"), told(arxiv_id="2607.00002"))
    sealed(database, DAY, pool=["2607.00002", "2607.00001", "10.1234/x"], front=["2607.00002", "2607.00001"])
    draft_day = DAY + timedelta(days=1)
    newer = found(database, "2607.00001").id
    with database.write() as session:
        hands.keep(session, issues.draft(session, draft_day).id, Hand().pin(newer).note(newer, "Good."), NOW)

    store(database, told("blog", kind="feed", arxiv_id="2607.00001", doi="10.1234/x"))

    kept = found(database, "2607.00001")
    with database.read() as session:
        pool = issues.pool(session, issues.get(session, DAY))
        assert pool.front == (found(database, "2607.00002").id, kept.id)
        assert [c.paper.id for c in pool.order] == [found(database, "2607.00002").id, kept.id]
        assert issues.fronts_before(session, draft_day) == set(pool.front)
        hand = hands.of(session, issues.get(session, draft_day).id)
        assert hand == Hand(pinned=(kept.id,), notes={kept.id: "Good."})


keys = st.fixed_dictionaries(
    {},
    optional={
        "arxiv_id": st.sampled_from(["2607.00001", "2607.00002", "2607.00003"]),
        "doi": st.sampled_from(["10.1234/a", "10.1234/b", "10.1234/c"]),
        "link": st.sampled_from(["https://lab.example/1", "https://lab.example/2"]),
    },
).filter(bool)
facts = st.fixed_dictionaries(
    {"title": st.sampled_from(["One", "Two"]), "version": st.integers(0, 2), "withdrawn": st.booleans()},
    optional={
        "abstract": st.sampled_from(["Long.", "Longer."]),
        "code_stars": st.none() | st.integers(0, 2),
        "authors": st.sampled_from([("Ann",), ("Ann", "Bob")]),
        "updated": st.sampled_from([NOW, NOW - HOUR]),
    },
)
words = st.builds(
    lambda source, hours, named, said: told(source[0], kind=source[1], at=NOW + hours * HOUR, **named, **said),
    st.sampled_from([("arxiv", "arxiv"), ("huggingface", "huggingface"), ("a", "feed"), ("b", "feed")]),
    st.integers(0, 2),
    keys,
    facts,
)


class _UndoneError(Exception):
    """Ends a transaction that must leave nothing behind."""


def merged(database: Database, batches: Iterable[Sequence[Sighting]]) -> dict[frozenset[str], Paper]:
    """Return the papers that storing *batches* one after the other makes, by their keys; nothing is kept."""
    result: dict[frozenset[str], Paper] = {}
    told_of = {key for batch in batches for word in batch for key in word.paper.keys}
    with suppress(_UndoneError), database.write() as session:
        for batch in batches:
            sightings.store(session, batch)
        named = {key: papers.find(session, key) for key in told_of}
        for paper in named.values():
            own = frozenset(key for key, other in named.items() if other.id == paper.id)
            result[own] = replace(paper, id=0)
        raise _UndoneError
    return result


def expected(said: Sequence[Sighting]) -> dict[frozenset[str], Paper]:
    """Return the same, worked out plainly: whoever shares a key is one paper, each source's freshest word counts."""
    groups: list[tuple[set[str], list[Sighting]]] = []
    for word in said:
        own = [group for group in groups if group[0] & set(word.paper.keys)]
        groups = [group for group in groups if group not in own]
        groups.append((set(word.paper.keys).union(*(g[0] for g in own)), [word, *(w for g in own for w in g[1])]))
    freshest = [(known, {w.source: w for w in sorted(group, key=freshness)}) for known, group in groups]
    return {frozenset(known): merge(by_source.values()) for known, by_source in freshest}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words, max_size=8), st.randoms(use_true_random=False))
def test_the_order_in_which_sources_speak_does_not_matter(database, said, shuffle: random.Random):
    """In one gathering or in many, in any order, the same papers come of it."""
    shuffled = list(said)
    shuffle.shuffle(shuffled)

    together = merged(database, [said])

    assert together == expected(said)
    assert together == merged(database, [[word] for word in shuffled])
    assert together == merged(database, [shuffled, said])

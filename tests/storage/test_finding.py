"""Search: what it finds, that its index is always that of the papers, and that nothing typed is ever syntax."""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_database import put_database
from sqlalchemy import text as sql
from sqlmodel import Session

from newsletter.domain.paper import Listing, Paper, Sighting
from newsletter.domain.search import Sort, parse_search
from newsletter.storage import search, sightings
from newsletter.storage.database import Database
from newsletter.storage.upgrade import MIGRATIONS, migrate, upgrade

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return a fresh database."""
    put_database(tmp_path / "newsletter.db")
    opened = Database(tmp_path / "newsletter.db")
    yield opened
    opened.close()


def store(database: Database, *papers: dict[str, object], source: str = "arxiv") -> None:
    """Store papers, in one transaction; ``upvotes`` are of a list of the day."""
    with database.write() as session:
        for facts in papers:
            votes = facts.pop("upvotes", None)
            listing = Listing(source=source, day=date(2026, 7, 15), upvotes=votes)  # type: ignore[arg-type]
            paper = Paper(**{"title": "A title", **facts})  # type: ignore[arg-type]
            said = Sighting(source=source, kind=source, seen_at=NOW, paper=paper, listing=listing)
            sightings.store(session, [said])


def find(database: Database, text: str, sort: Sort = Sort.RELEVANCE, **page: int) -> list[str]:
    """Return the titles that are found."""
    with database.read() as session:
        found = search.find(session, parse_search(text), sort, **{"limit": 20, **page})
    return [candidate.paper.title for candidate in found.papers]


def many(session: Session, count: int) -> None:
    """Store so many papers that say the same."""
    session.connection().exec_driver_sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO papers (id, title, facts, withdrawn, first_seen_at)"
        " SELECT i, 'One', '{\"title\": \"One of many\"}', 0, '2026-07-15 06:00:00.000000' FROM n",
        (count,),
    )


def some(database: Database) -> None:
    """Store a few papers."""
    store(
        database,
        {"arxiv_id": "2407.00001", "title": "Diffusion policies", "authors": ("Jürgen Müller", "Tri Dao"),
         "published": datetime(2024, 7, 1, tzinfo=UTC), "categories": ("cs.LG", "stat.ML"), "upvotes": 9},
        {"arxiv_id": "2607.00002", "title": "Policy gradients", "abstract": "Not diffusion.", "upvotes": 3,
         "published": datetime(2026, 7, 2, tzinfo=UTC), "categories": ("cs.CL",), "organisation": "Example University",
         "authors": ("Tri Nguyen", "Van Dao")},
        {"doi": "10.1101/2026.07.01.123456", "title": "Proteins in C++", "abstract": "A model of protein folding.",
         "published": datetime(2026, 7, 3, tzinfo=UTC), "keywords": ("biology",)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("DIFFUSION", ["Diffusion policies", "Policy gradients"]),
        ("diffusion policy", ["Diffusion policies", "Policy gradients"]),
        ('"diffusion policy"', ["Diffusion policies"]),
        ("policy -gradient", ["Diffusion policies"]),
        ("folding OR motion", []),
        ("prot*", ["Proteins in C++"]),
        ("C++", ["Proteins in C++"]),
        ("protein AND (", ["Proteins in C++"]),
        ('"protein fold', ["Proteins in C++"]),
        ("muller", ["Diffusion policies"]),
        ("author:Dao Tri", ["Diffusion policies"]),
        ('author:"Tri Dao"', ["Diffusion policies"]),
        ("author:dao", ["Policy gradients", "Diffusion policies"]),
        ("org:university", ["Policy gradients"]),
        ("cat:cs.LG", ["Diffusion policies"]),
        ("cat:cs -cat:cs.LG", ["Policy gradients"]),
        ("year:2024", ["Diffusion policies"]),
        ("policy year:2025-2026", ["Policy gradients"]),
        ("2607.00002", ["Policy gradients"]),
        ("2607.00002v3", ["Policy gradients"]),
        ("https://arxiv.org/abs/2607.00002 -protein", ["Policy gradients"]),
        ("https://doi.org/10.1101/2026.07.01.123456", ["Proteins in C++"]),
        ("10.1101/2026.07.01.123456", ["Proteins in C++"]),
        ("biology", ["Proteins in C++"]),
        ("-policy", []),
        ("+ ( %", []),
    ],
)
def test_what_is_found(database: Database, text: str, titles: list[str]):
    """Words in any form, phrases, exclusions, fields, names in any order but of one person, ids; never an error."""
    some(database)
    assert find(database, text) == titles


def test_results_are_sorted_and_paged(database: Database):
    """By relevance, where a title counts more; by date; by upvotes, then date."""
    some(database)
    assert find(database, "diffusion") == ["Diffusion policies", "Policy gradients"]
    assert find(database, "diffusion", Sort.DATE) == ["Policy gradients", "Diffusion policies"]
    assert find(database, "diffusion", Sort.UPVOTES) == ["Diffusion policies", "Policy gradients"]
    assert find(database, "diffusion", Sort.DATE, limit=1, offset=1) == ["Diffusion policies"]
    assert find(database, "diffusion", limit=1, offset=2) == []
    with database.read() as session:
        found = search.find(session, parse_search("diffusion"), limit=1)
        assert (found.total, found.papers[0].upvotes, found.papers[0].first_listed) == (2, 9, date(2024, 7, 1))


def test_search_follows_what_happens_to_papers(database: Database):
    """A newer word, more upvotes, two papers that turn out to be one."""
    some(database)
    store(database, {"arxiv_id": "2607.00002", "title": "Renamed", "version": 2, "upvotes": 30}, source="huggingface")
    assert find(database, "renamed") == []  # the archive knows the title
    store(database, {"arxiv_id": "2607.00002", "title": "Renamed", "version": 2, "upvotes": 30})
    assert find(database, "gradients") == []
    assert find(database, "renamed") == ["Renamed"]
    store(database, {"arxiv_id": "2407.00001", "doi": "10.1101/2026.07.01.123456", "title": "Diffusion policies"})
    assert len(find(database, "year:2024-2026", Sort.UPVOTES)) == 2


WORDS_OF_PAPERS = "title, body, people, org, cat, name, year"
INDEXES = {"search_words": WORDS_OF_PAPERS, "search_titles": "title", "search_upvoted": WORDS_OF_PAPERS}


def index(database: Database) -> list[list[tuple[object, ...]]]:
    """Return all that the indexes hold, and what results are sorted by."""
    said = []
    with database.write() as session:
        for name in INDEXES:
            session.execute(sql(f"CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, {name}, instance)"))
            said.append(rows(session, "SELECT * FROM temp.words ORDER BY term, doc, col, offset"))
            session.execute(sql("DROP TABLE temp.words"))
        return [*said, rows(session, "SELECT paper_id, upvotes FROM search_order ORDER BY paper_id")]


def rows(session: Session, statement: str) -> list[tuple[object, ...]]:
    """Return what a statement gives."""
    return [tuple(row) for row in session.execute(sql(statement))]


WORDS = st.text(alphabet="ab ü|", max_size=5)


@given(said=st.lists(st.tuples(*[WORDS] * 3, st.sampled_from("123"), st.sampled_from(["", "1", "2"])), max_size=9))
@settings(max_examples=25, deadline=None)
def test_the_index_is_always_that_of_the_papers(tmp_path_factory: pytest.TempPathFactory, said):
    """Whatever is stored in which order, joined or told anew: as if it were made of today's papers at once."""
    place = tmp_path_factory.mktemp("index") / "newsletter.db"
    upgrade(place, NOW)
    database = Database(place)
    for at, (title, abstract, author, arxiv, doi) in enumerate(said):
        names = {"doi": f"10.1234/{doi}"} if doi else {}
        facts = {"arxiv_id": f"2607.0000{arxiv}", "title": f"t {title}", "abstract": abstract, "authors": (author,)}
        days = {"published": datetime(2026, 7, 1 + at % 3, tzinfo=UTC)}
        store(database, {**facts, "version": at, "upvotes": 3**at, **days, **names})
    kept = index(database)
    with database.write() as session:
        votes = "(SELECT max(upvotes) FROM listings WHERE paper_id = id)"
        voted = f"({votes} << 43) + place", f"WHERE {votes} > 0"
        for name, columns in INDEXES.items():
            place, which = voted if name == "search_upvoted" else ("place", "")
            session.execute(sql(f"INSERT INTO {name} ({name}) VALUES ('delete-all')"))
            made = f"SELECT {place}, {columns} FROM search_papers {which}"
            session.execute(sql(f"INSERT INTO {name} (rowid, {columns}) {made}"))
    assert kept == index(database)
    database.close()


def test_a_database_from_before_search_is_indexed_by_its_upgrade(tmp_path: Path):
    """Everything ever gathered is found."""
    place = tmp_path / "newsletter.db"
    place.touch()
    migrate(place, MIGRATIONS, "0008")
    with closing(sqlite3.connect(place)) as old, old:
        facts = json.dumps(
            {"title": "An old paper", "authors": ["Ada Okafor"], "published": "2019-01-02T00:00:00+00:00"}
        )
        old.execute("INSERT INTO papers VALUES (7, 'An old paper', ?, 0, '2020-01-01 00:00:00.000000')", (facts,))
        old.execute("INSERT INTO listings VALUES ('x', '2020-01-01', 7, 5, 0, 1, '', 0)")
    upgrade(place, NOW)
    database = Database(place)
    assert find(database, "author:okafor year:2019", Sort.UPVOTES) == ["An old paper"]
    database.close()


FTS = [
    "NEAR(",
    "col:",
    "^",
    "{title}:",
    "*",
    '"',
    "'",
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    "-",
    "+",
    "a",
    "\x00",
    "title :",
    "ʼ",
    "Ⅷ",
]


@given(text=st.lists(st.sampled_from(FTS), max_size=9).map(" ".join) | st.text(), sort=st.sampled_from(Sort))
@settings(max_examples=150, deadline=None)
def test_nothing_typed_is_an_error(searched: Database, text: str, sort: Sort):
    """Not what FTS5 takes for syntax, and not any other text."""
    find(searched, text, sort)


def test_no_string_of_the_corpora_is_an_error(searched: Database, shared: Path):
    """Of the two lists of hostile strings, alone, as a field and as a phrase."""
    files = [shared / "corpora" / name for name in ("xss/payloads.json", "blns/blns.json")]
    if not all(file.is_file() for file in files):
        pytest.skip(f"{shared}/corpora is not there")
    texts = [text for file in files for text in json.loads(file.read_text("utf-8"))]
    for text in random.Random(1).sample(texts, min(len(texts), 1500)):
        find(searched, text)
        find(searched, f'author:{text} -"{text}')


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Return a database with a few papers, which nobody changes."""
    place = tmp_path_factory.mktemp("searched") / "newsletter.db"
    upgrade(place, NOW)
    opened = Database(place)
    some(opened)
    yield opened
    opened.close()


def test_what_is_counted_is_exact_as_far_as_one_looks(database: Database) -> None:
    """Of more than some hundreds it is said that there are more; whoever pages on still comes to the last."""
    with database.write() as session:
        many(session, 1025)
        session.connection().exec_driver_sql('UPDATE papers SET facts = \'{"title": "A rarity"}\' WHERE id <= 20')

    with database.read() as session:
        for sort in Sort:
            first, last = (search.find(session, parse_search("many"), sort, limit=20, offset=n) for n in (0, 1000))
            assert (len(first.papers), first.total > search.COUNTED) == (20, True)
            assert ([candidate.paper.id for candidate in last.papers], last.total) == ([25, 24, 23, 22, 21], 1005)
            assert (first.more, last.more) == (True, False)
        assert search.find(session, parse_search("rarity"), limit=20).total == 20


def test_one_goes_on_in_every_order_as_far_as_there_are_results(database: Database) -> None:
    """Of what very many papers say no result comes twice and none is left out, and the last knows that it is."""
    with database.write() as session:
        many(session, 1090)
        rarely = '{"title": "A paper", "abstract": "' + "many and " * 9 + '"}'
        session.connection().exec_driver_sql("UPDATE papers SET facts = ? WHERE id % 3 = 0", (rarely,))
    for sort in Sort:
        with database.read() as session:
            pages = [search.find(session, parse_search("many"), sort, limit=109, offset=109 * n) for n in range(10)]
        assert len({paper.paper.id for page in pages for paper in page.papers}) == 1090, sort
        assert [page.more for page in pages] == [True] * 9 + [False], sort


def test_the_most_upvoted_are_found_among_very_many(database: Database) -> None:
    """In the order of their upvotes, then of their days, on the first pages and on those behind them."""
    with database.write() as session:
        many(session, 1200)
        session.connection().exec_driver_sql(
            "INSERT INTO listings (source, day, paper_id, upvotes, comments, position, submitter, first_seen)"
            " SELECT 'arxiv', '2026-07-15', id, id * id % 701, 0, 0, '', 0 FROM papers WHERE id % 2"
        )
        votes = dict(session.connection().exec_driver_sql("SELECT paper_id, upvotes FROM listings").all())
    order = sorted(range(1, 1201), key=lambda i: (votes.get(i, 0), i), reverse=True)
    with database.read() as session:
        for first in (0, 20, 400, 1180):
            found = search.find(session, parse_search("many"), Sort.UPVOTES, limit=20, offset=first)
            assert [one.paper.id for one in found.papers] == order[first : first + 20]


def test_an_old_paper_is_found_by_its_title_among_very_many_that_are_newer(database: Database) -> None:
    """What a title says counts more than what is new, unless the paper has what was to be left out."""
    classic = {"arxiv_id": "1706.00001", "title": "Attention to many", "published": datetime(2017, 6, 12, tzinfo=UTC),
               "abstract": "A transformer.", "authors": ("Ada Okafor",)}  # fmt: skip
    store(database, classic)
    with database.write() as session:
        session.connection().exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
            " INSERT INTO papers (title, facts, withdrawn, first_seen_at) SELECT 'New', json_object('title', 'New',"
            " 'abstract', 'Many pay attention.'), 0, '2026-07-15 06:00:00.000000' FROM n"
        )
    for said in ("attention many", "many attention -vision", "attention many year:2017-2026"):
        assert find(database, said)[:2] == ["Attention to many", "New"], said
    assert find(database, "attention many -transformer")[0] == "New"
    assert find(database, "attention many year:2026")[0] == "New"
    assert find(database, "year:2017-2026", limit=1) != []
    newer = ({"arxiv_id": f"2607.{n:05}", "title": "Attention, many", "authors": ("Kim Lee",)} for n in range(600))
    store(database, *newer)
    assert find(database, "attention many", limit=1) == ["Attention, many"]
    assert find(database, "attention many -author:lee")[:2] == ["Attention to many", "New"]


def test_among_very_many_a_title_that_says_a_part_comes_before_newer_papers(database: Database) -> None:
    """First who says all of it in the title, then who says some of it there, then the others; on every page alike."""
    store(
        database,
        {"arxiv_id": "2001.00001", "title": "Planning", "abstract": "By diffusion.", "authors": ("Ada Okafor",)},
        {"arxiv_id": "2001.00002", "title": "Diffusion for planning", "authors": ("Kim Lee",)},
    )
    with database.write() as session:
        facts = '{"title": "New", "abstract": "Planning with diffusion."}'
        session.connection().exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
            " INSERT INTO papers (title, facts, withdrawn, first_seen_at)"
            " SELECT 'New', ?, 0, '2026-07-16 06:00:00.000000' FROM n",
            (facts,),
        )
    assert find(database, "diffusion planning")[:3] == ["Diffusion for planning", "Planning", "New"]
    paged = [find(database, "diffusion planning", limit=1, offset=n)[0] for n in range(3)]
    assert paged == ["Diffusion for planning", "Planning", "New"]
    assert find(database, "diffusion planning", limit=20, offset=600) == ["New"] * 2


def test_papers_of_days_that_no_place_can_hold_are_found(database: Database) -> None:
    """A paper of a time before journals and one of the far future stand at the ends, with their upvotes."""
    for number, year, upvotes in ((1, 1665, 2), (2, 9999, 0), (3, 2026, 2_000_000)):
        facts = {"published": datetime(year, 3, 6, tzinfo=UTC), "upvotes": upvotes}
        store(database, {"arxiv_id": f"2001.0000{number}", "title": f"Transactions {year}", **facts})
    titles = [f"Transactions {year}" for year in (9999, 2026, 1665)]
    assert find(database, "transactions", Sort.DATE) == titles
    assert find(database, "transactions", Sort.UPVOTES) == [titles[1], titles[2], titles[0]]

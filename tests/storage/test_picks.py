"""Picks as the ledger keeps them: in a few octets a paper, and nothing of them is lost."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from newsletter.domain.pool import Why
from newsletter.storage.database import Database
from newsletter.storage.picks import packed, papers_in, unpacked
from newsletter.storage.upgrade import MIGRATIONS, migrate

details = st.just("") | st.text(max_size=40).map(lambda said: " ".join(said.split()))
picks = st.lists(st.tuples(st.integers(1, 2**40), st.sampled_from([why.value for why in Why]), details), max_size=30)


@given(picks)
def test_what_is_packed_is_unpacked(some):
    """Papers, reasons and details in their order, whatever topics hold; the first line alone has the papers."""
    kept = packed(some)
    assert unpacked(kept) == tuple(some)
    assert papers_in(kept.split("\n", 1)[0]) == [paper_id for paper_id, _, _ in some]


def test_the_example_of_the_documentation():
    """Two papers of one topic name it once."""
    some = ((1010, "topic", "rag"), (982, "front", ""), (1000, "topic", "rag"))
    assert packed(some) == "3f2.0A-1cC12.0A\nrag"
    assert unpacked("3f2.0A-1cC12.0A\nrag") == some


def test_ten_papers_of_one_pool_take_fifty_octets():
    """As they are of one fortnight their ids lie near to one another."""
    some = [(40_000 + 37 * n % 500, "front", "") for n in range(10)]
    assert len(packed(some)) <= 50


def test_an_older_database_has_its_picks_packed(tmp_path):
    """Those of the ledger of before, whatever their reasons; an empty digest stays empty."""
    path = tmp_path / "newsletter.db"
    path.touch()
    migrate(path, MIGRATIONS, "0008")
    old = {1: '[[7, "front", ""], [5, "topic", "\\"kv cache\\""], [9, "topic", "\\"kv cache\\""]]', 2: "[]"}
    at = "2026-07-15 08:00:00.000000"
    with Database(path).write() as session:
        for number, kept in old.items():
            session.execute(
                text(
                    "INSERT INTO deliveries (id, subscriber_id, issue_id, day, status, message_id, made_at,"
                    " next_attempt_at, expires_at, attempts, uncertain, route, server, reply, picks, unlisted)"
                    " VALUES (:n, :n, 1, '2026-07-15', 'accepted', '<m>', :at, :at, :at, 0, 0, '', '', '', :kept, '')"
                ),
                {"n": number, "kept": kept, "at": at},
            )
    migrate(path, MIGRATIONS, "0009")
    with Database(path).read() as session:
        found = dict(session.execute(text("SELECT id, picks FROM deliveries")).all())
    assert unpacked(found[1]) == ((7, "front", ""), (5, "topic", '"kv cache"'), (9, "topic", '"kv cache"'))
    assert found[2] == ""

"""What a reader says of papers, and what counts of it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Paper
from newsletter.domain.taste import Feedback, Said, as_written, marks, weight

NOW = datetime(2026, 7, 15, tzinfo=UTC)
PAPER = Paper(
    title="KV-Cache Compression",
    abstract="We propose a KV cache of the Transformers.",
    authors=("Ada Lovelace",),
    categories=("cs.CL",),
)


def test_what_was_said_fades_over_months():
    """After ninety days it counts half, after a year a sixteenth; less counts against, and a save most."""
    said = [weight(Feedback(1, Said.SAVE, NOW - timedelta(days=days)), NOW) for days in (0, 90, 180, 360)]
    assert said == [1.5, 0.75, 0.375, 1.5 / 16]
    assert weight(Feedback(1, Said.LESS, NOW), NOW) == -1.0 < weight(Feedback(1, Said.MORE, NOW), NOW) == 1.0


@given(st.sampled_from(Said), st.integers(-400, 4000), st.integers(0, 400))
def test_nothing_grows_with_time_or_changes_its_sign(said, days, later):
    """Also where a clock was set back."""
    before = weight(Feedback(1, said, NOW - timedelta(days=days)), NOW)
    after = weight(Feedback(1, said, NOW - timedelta(days=days + later)), NOW)
    assert abs(after) <= abs(before)
    assert (before > 0) == (said is not Said.LESS)


def test_marks_are_words_pairs_people_and_categories():
    """Folded and singular, a title twice; words that every abstract has are none."""
    found = marks(PAPER)
    assert found["kv cache"] == 3
    assert found["transformer"] == 1
    assert found["cat:cs.cl"] == found["author:ada lovelace"] == 1
    assert not {"we", "propose", "the", "of", "a kv"} & found.keys()


def test_a_mark_is_shown_as_the_paper_writes_it():
    """*KV cache* rather than ``kv cache``, and people by their names."""
    assert as_written("kv cache", PAPER) == "KV Cache"
    assert as_written("transformer", PAPER) == "Transformers"
    assert as_written("author:ada lovelace", PAPER) == "Ada Lovelace"
    assert as_written("cat:cs.cl", PAPER) == "cs.CL"
    assert as_written("elsewhere", PAPER) == "elsewhere"

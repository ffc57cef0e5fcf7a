"""The front of an issue, and the editor's hand on it."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.issue import Arranged, Hand, arrange
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate
from newsletter.errors import IllegalMoveError, UsageError

DAY = date(2026, 7, 15)
UNLISTED = 99
UNTOUCHED = Hand()


def candidate(
    number: int, *, source: str = "huggingface", upvotes: int | None = None, withdrawn: bool = False
) -> Candidate:
    """Return a paper listed today, with fewer votes the higher its id."""
    votes = 1000 - number if upvotes is None else upvotes
    listing = Listing(source=source, day=DAY, upvotes=votes if source == "huggingface" else None, position=number)
    paper = Paper(title=f"Paper {number}", id=number, arxiv_id=f"2607.{number:05}", withdrawn=withdrawn)
    return Candidate(paper=paper, listings=(listing,), first_listed=DAY)


def unlisted(number: int = UNLISTED) -> Candidate:
    """Return a paper that only the editor knows."""
    return replace(candidate(number), listings=())


def arranged(
    hand: Hand = UNTOUCHED,
    pool: Iterable[Candidate] | None = None,
    *,
    earlier: Collection[int] = (),
    shares: dict[str, int] | None = None,
    size: int = 3,
) -> Arranged:
    """Return the issue of six papers, or of *pool*, with a front of three."""
    papers = pool if pool is not None else [candidate(number) for number in range(1, 7)]
    return arrange(
        papers,
        hand,
        day=DAY,
        earlier_fronts=frozenset(earlier),
        shares=shares or {"huggingface": 1},
        topics=(),
        max_papers=size,
    )


def front(hand: Hand = UNTOUCHED, pool: Iterable[Candidate] | None = None, **options: object) -> list[int]:
    """Return the ids of its front."""
    return [c.paper.id for c in arranged(hand, pool, **options).front]  # type: ignore[arg-type]


def with_unlisted(*numbers: int) -> list[Candidate]:
    """Return the six papers and some that no source listed."""
    return [*(candidate(number) for number in range(1, 7)), *(unlisted(number) for number in numbers or (UNLISTED,))]


def test_the_front_is_the_first_of_the_pool():
    """And the pool is everything, in the newsletter's order."""
    issue = arranged()

    assert [c.paper.id for c in issue.front] == [1, 2, 3]
    assert [c.paper.id for c in issue.pool] == [1, 2, 3, 4, 5, 6]


def test_what_was_in_an_earlier_front_stays_in_the_pool_and_out_of_the_front():
    """So that a reader who follows it still gets it."""
    issue = arranged(earlier=[1, 3])

    assert [c.paper.id for c in issue.front] == [2, 4, 5]
    assert [c.paper.id for c in issue.pool] == [1, 2, 3, 4, 5, 6]


def test_the_best_that_is_left_of_an_earlier_day_is_not_that_days_best():
    """What no front had yet is measured by all that was listed on its day: four votes do not lead today's hundreds."""
    before = DAY - timedelta(days=1)
    yesterday = [listed_on(before, candidate(n, upvotes=votes)) for n, votes in ((11, 60), (12, 50), (13, 4), (14, 3))]

    chosen = front(pool=[*(candidate(n) for n in range(1, 6)), *yesterday], earlier=[11, 12], size=7)

    assert chosen == [1, 2, 3, 4, 13, 5, 14]


def listed_on(day: date, other: Candidate) -> Candidate:
    """Return a paper as if it had been listed on *day*."""
    listings = tuple(replace(listing, day=day) for listing in other.listings)
    return replace(other, listings=listings, first_listed=day)


def test_sources_share_what_is_new_to_the_front():
    """Papers of earlier fronts neither use up their source's share nor push its other papers down."""
    pool = [candidate(n) for n in range(1, 9)] + [candidate(n, source="arxiv") for n in range(21, 29)]

    chosen = front(pool=pool, earlier=range(1, 5), shares={"huggingface": 2, "arxiv": 1}, size=6)

    assert chosen == front(pool=pool[4:], shares={"huggingface": 2, "arxiv": 1}, size=6)
    assert chosen == [5, 21, 6, 7, 22, 8]


def test_a_withdrawn_paper_is_in_neither_even_when_pinned():
    """A draft loses it at once."""
    pool = [candidate(1, withdrawn=True), candidate(2), candidate(3)]

    issue = arranged(Hand().pin(1).move(1, 1), pool)

    assert [c.paper.id for c in issue.front] == [2, 3]
    assert [c.paper.id for c in issue.pool] == [2, 3]


def test_pinned_papers_lead_in_the_order_of_pinning():
    """They take their room from the last of the front."""
    assert front(Hand().pin(5).pin(3)) == [5, 3, 1]
    assert front(Hand().pin(5).pin(3).unpin(5)) == [3, 1, 2]


def test_an_added_paper_is_in_the_front_whatever_its_rank():
    """One that a source lists at its own place, one that none lists at the end."""
    assert front(Hand().add(6)) == [1, 2, 6]
    assert front(Hand().add(UNLISTED), with_unlisted()) == [1, 2, UNLISTED]
    assert front(Hand().add(98).add(97), with_unlisted(97, 98)) == [1, 98, 97]
    assert front(Hand().add(1), earlier=[1, 2]) == [1, 3, 4]


def test_the_front_grows_only_for_what_the_editor_chose():
    """Four chosen papers make a front of four."""
    assert front(Hand().add(6).add(5).add(4).pin(3)) == [3, 4, 5, 6]


def test_a_dropped_paper_is_in_neither():
    """The next takes its place."""
    issue = arranged(Hand().drop(2))

    assert [c.paper.id for c in issue.front] == [1, 3, 4]
    assert 2 not in {c.paper.id for c in issue.pool}


def test_undropping_brings_back_what_was_done_before():
    """A pin, a place, and a paper that no source listed."""
    assert front(Hand().pin(5).drop(5).undrop(5)) == [5, 1, 2]
    assert front(Hand().move(5, 2).drop(5).undrop(5)) == [1, 5, 2]
    assert front(Hand().add(UNLISTED).drop(UNLISTED).undrop(UNLISTED), with_unlisted()) == [1, 2, UNLISTED]


@pytest.mark.parametrize("choose", [lambda h: h.add(2), lambda h: h.pin(2), lambda h: h.move(2, 3)])
def test_choosing_a_dropped_paper_brings_it_back(choose):
    """The last word counts."""
    assert 2 in front(choose(Hand().drop(2)))


def test_a_moved_paper_stands_where_it_was_moved_to():
    """Also one from below the front, and before the pinned ones."""
    assert front(Hand().move(3, 1)) == [3, 1, 2]
    assert front(Hand().move(6, 2)) == [1, 6, 2]
    assert front(Hand().pin(5).move(3, 1)) == [3, 5, 1]
    assert front(Hand().move(6, 50)) == [1, 2, 6]
    assert front(Hand().move(UNLISTED, 2), with_unlisted()) == [1, UNLISTED, 2]


def test_the_last_of_two_moves_to_one_place_gets_it():
    """The other follows."""
    assert front(Hand().move(4, 2).move(5, 2)) == [1, 5, 4]
    assert front(Hand().move(5, 2).move(4, 2).move(5, 2)) == [1, 5, 4]


def test_moving_to_nought_undoes_a_move():
    """It stands where its order puts it."""
    assert front(Hand().move(3, 1).move(3, 0)) == [1, 2, 3]


def test_unpinning_undoes_a_pin_then_an_addition():
    """An added paper that was pinned stays added, and both can be taken back."""
    hand = Hand().add(6).pin(6)

    assert front(hand) == [6, 1, 2]
    assert front(hand.unpin(6)) == [1, 2, 6]
    assert front(hand.unpin(6).unpin(6)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: Hand().unpin(1), IllegalMoveError, "neither pinned nor added"),
        (lambda: Hand().undrop(1), IllegalMoveError, "not dropped"),
        (lambda: Hand().move(1, -1), UsageError, "position -1"),
        (lambda: Hand().move(1, 101), UsageError, "position 101"),
    ],
)
def test_what_cannot_be_done_is_refused(wrong, error, said):
    """With a line that says why."""
    with pytest.raises(error, match=said):
        wrong()


def test_a_note_stays_with_its_paper_until_it_is_taken_away():
    """Whatever else is done."""
    hand = Hand().note(1, "With code.").note(2, "A talk on Friday.").drop(1).undrop(1)

    assert hand.notes == {1: "With code.", 2: "A talk on Friday."}
    assert hand.note(1, "").notes == {2: "A talk on Friday."}


papers = st.sampled_from([1, 2, 3, 4, 5, 6, 97, 98])
moves = st.one_of(
    st.tuples(st.sampled_from(["add", "pin", "unpin", "drop", "undrop"]), papers),
    st.tuples(st.just("move"), papers, st.integers(0, 9)),
    st.tuples(st.just("note"), papers, st.sampled_from(["", "A note."])),
)


def played(steps: Iterable[tuple]) -> Hand:
    """Return the hand after *steps*, of which illegal ones change nothing."""
    hand = Hand()
    for name, *arguments in steps:
        try:
            hand = getattr(hand, name)(*arguments)
        except IllegalMoveError:
            continue
    return hand


@given(st.lists(moves, max_size=20), st.sets(papers), st.sets(papers))
def test_whatever_the_editor_does_the_front_is_sound(steps, earlier, withdrawn):
    """No paper twice, none that was dropped or withdrawn, all that were chosen, pinned ones first among the rest."""
    hand = played(steps)
    known = [c for c in with_unlisted(97, 98) if c.listings or c.paper.id in hand.chosen]
    pool = [replace(c, paper=replace(c.paper, withdrawn=c.paper.id in withdrawn)) for c in known]

    issue = arranged(hand, pool, earlier=earlier)
    chosen = [c.paper.id for c in issue.front]

    assert len(chosen) == len(set(chosen))
    assert not set(chosen) & (hand.dropped | withdrawn)
    assert {c.paper.id for c in issue.front} <= {c.paper.id for c in issue.pool}
    assert hand.chosen - withdrawn <= set(chosen)
    assert len(chosen) <= max(3, len(hand.chosen))
    assert not set(chosen) & earlier - hand.chosen
    unmoved = [i for i in chosen if i not in hand.moved]
    pinned = [i for i in hand.pinned if i in unmoved]
    assert unmoved[: len(pinned)] == pinned


@given(st.lists(moves, max_size=12), papers, st.integers(1, 9))
def test_what_was_done_last_can_be_undone(steps, paper, position):
    """Undoing gives back the very same hand, where the paper was not so treated before."""
    hand = played(steps)

    if paper not in hand.pinned and paper not in hand.dropped:
        assert hand.pin(paper).unpin(paper) == hand
    if paper not in hand.added and paper not in hand.dropped and paper not in hand.pinned:
        assert hand.add(paper).unpin(paper) == hand
    if paper not in hand.dropped:
        assert hand.drop(paper).undrop(paper) == hand
    if paper not in hand.moved and paper not in hand.dropped:
        assert hand.move(paper, position).move(paper, 0) == hand
    if paper not in hand.notes:
        assert hand.note(paper, "A note.").note(paper, "") == hand


@given(st.lists(moves, max_size=12), papers, st.integers(1, 9))
def test_a_paper_stands_where_it_was_moved_last(steps, paper, position):
    """Or at the end of a front that is shorter."""
    hand = played(steps).move(paper, position)
    pool = [c for c in with_unlisted(97, 98) if c.listings or c.paper.id in hand.chosen]

    chosen = front(hand, pool)

    assert chosen.index(paper) == min(position, len(chosen)) - 1


@given(st.lists(moves, max_size=12), st.integers(0, 50), st.integers(1, 9))
def test_a_step_moves_one_paper_and_no_other(steps, which, place):
    """All others keep the order that they have, whatever was moved before."""
    hand = played(steps)
    pool = [c for c in with_unlisted(97, 98) if c.listings or c.paper.id in hand.chosen]
    before = front(hand, pool)
    if not before:
        return
    paper, position = before[which % len(before)], min(place, len(before))

    after = front(hand.stand(paper, position, before), pool)

    assert after.index(paper) == position - 1
    others = [i for i in before if i != paper]
    assert [i for i in after if i != paper] == others
    left = front(hand.leave(paper, before), pool)
    if set(left) <= set(others):  # a paper that takes the room stands where the newsletter's order puts it
        assert left == others


def test_a_step_to_nowhere_is_refused():
    """A paper that is not in the front, and a place that the front has not."""
    for paper, position in ((9, 1), (1, 0), (1, 4)):
        with pytest.raises(UsageError, match="from 1 to 3"):
            Hand().stand(paper, position, [1, 2, 3])

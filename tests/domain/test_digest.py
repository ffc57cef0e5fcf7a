"""What one reader gets of an issue."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.digest import NO_SCORES, LeftOut, WhyNot, choose, left_out
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.pool import Pick, Pool, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Matcher, Topic, parse_topic

DAY = date(2026, 7, 15)
TITLES = ("Vision", "Speech", "Robots", "Proteins", "Retrieval")


def candidate(number: int, title: str, upvotes: int | None) -> Candidate:
    """Return a paper with so many votes, or of a source without any."""
    listing = Listing(source="some", day=DAY, upvotes=upvotes)
    paper = Paper(title=title, id=number, arxiv_id=f"2607.{number:05}")
    return Candidate(paper=paper, listings=(listing,), first_listed=DAY)


def issue(front: tuple[int, ...] = (1, 2, 3), editors: tuple[int, ...] = ()) -> Pool:
    """Return an issue of five papers: Vision, Speech, Robots, Proteins and Retrieval, with 50 to 10 votes."""
    order = [candidate(n, title, 60 - 10 * n) for n, title in enumerate(TITLES, 1)]
    return Pool(order, front, editors)


@dataclass(frozen=True)
class Chosen:
    """What one reader gets, and what not."""

    picks: tuple[Pick, ...]
    left_out: tuple[LeftOut, ...]
    since: date | None


def digest(
    pool: Pool,
    *topics: str,
    room: int = 3,
    votes: int = 0,
    sent: tuple[int, ...] = (),
    since: date | None = None,
    scores: Mapping[int, float] = NO_SCORES,
) -> Chosen:
    """Return what a reader with these preferences gets."""
    parsed, had = [parse_topic(text) for text in topics], frozenset(sent)
    chosen = choose(pool, topics=parsed, max_papers=room, min_upvotes=votes, sent=had, since=since, scores=scores)
    left = left_out(pool, topics=parsed, max_papers=room, min_upvotes=votes, sent=had, since=since, scores=scores)
    return Chosen(chosen.picks, tuple(left), chosen.since)


def ids(chosen: Chosen) -> list[int]:
    """Return the papers that it picks."""
    return [pick.candidate.paper.id for pick in chosen.picks]


def reasons(chosen: Chosen) -> dict[int, tuple[str, str]]:
    """Return why each paper is in it, or not."""
    everything = (*chosen.picks, *chosen.left_out)
    return {each.candidate.paper.id: (str(each.why), each.detail) for each in everything}


def test_an_author_who_is_followed_is_the_reason_before_a_word():
    """A digest always says whom one follows: the name comes before the words that a paper matches as well."""
    by_ada = replace(candidate(1, "Vision", 50).paper, authors=("Ada Lovelace", "B. Other"))
    pool = Pool([replace(candidate(1, "Vision", 50), paper=by_ada)], (1,), ())
    assert reasons(digest(pool, "vision", "author:Lovelace"))[1] == (Why.TOPIC, "author:Lovelace")


def test_a_reader_without_preferences_gets_the_front():
    """With its reasons, and what found no room."""
    chosen = digest(issue())

    assert ids(chosen) == [1, 2, 3]
    assert reasons(chosen) == {
        1: (Why.TOP, ""),
        2: (Why.FRONT, ""),
        3: (Why.FRONT, ""),
        4: (WhyNot.ROOM, ""),
        5: (WhyNot.ROOM, ""),
    }


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ((50, 30, 20), Why.TOP),
        ((20, 20, 10), Why.FRONT),
        ((0, 0, 0), Why.FRONT),
        ((None, None, None), Why.FRONT),
        ((7, None, None), Why.TOP),
    ],
)
def test_the_most_upvoted_paper_of_the_front_is_called_so(votes, expected):
    """If it is one: not where two have as many, or nobody voted; and the editor's choice is called that first."""
    candidates = [candidate(number, "Vision", count) for number, count in enumerate(votes, 1)]

    assert reasons(digest(Pool(candidates, (2, 1, 3), ())))[1] == (expected, "")
    assert reasons(digest(Pool(candidates, (2, 1, 3), (1,))))[1] == (Why.EDITOR, "")


def test_no_paper_of_an_earlier_day_is_called_the_most_upvoted_of_today():
    """Nor is the best of today where a paper of an earlier day, that no front had yet, has more votes."""
    late = replace(candidate(1, "Vision", 50), first_listed=DAY - timedelta(days=1))
    chosen = digest(Pool([late, candidate(2, "Speech", 40)], (1, 2), ()))

    assert reasons(chosen) == {1: (Why.FRONT, ""), 2: (Why.FRONT, "")}


def test_the_front_keeps_its_own_order():
    """What the editor moved to the top is at the top of the mail."""
    assert ids(digest(issue(front=(4, 1, 2)))) == [4, 1, 2]


def test_the_worked_example():
    """A paper of the reader's topic first, one left out, one already sent, and the next of the pool in its place."""
    chosen = digest(issue(), "retrieval", "-speech", sent=(1,))

    assert ids(chosen) == [5, 3, 4]
    assert reasons(chosen) == {
        5: (Why.TOPIC, "retrieval"),
        3: (Why.FRONT, ""),
        4: (Why.POOL, ""),
        1: (WhyNot.SENT, ""),
        2: (WhyNot.EXCLUDED, "-speech"),
    }


def test_the_worked_example_of_a_taste():
    """Topics, then what the reader likes, then the newsletter's order with variety, then what they do not like."""
    titles = ("A", "B audio", "C", "D", "E rag", "F", "G", "H", "I")
    same = {4, 6, 7, 8}
    papers = [
        replace(candidate(n, title, None).paper, categories=("cs.CL",) if n in same else ())
        for n, title in enumerate(titles, 1)
    ]
    pool = Pool([replace(candidate(p.id, p.title, None), paper=p) for p in papers], (1, 2, 3), ())

    chosen = digest(pool, "rag", "-audio", room=5, sent=(1,), scores={6: 1.5, 7: 0.5, 3: -0.3})

    assert ids(chosen) == [5, 6, 7, 9, 3]
    assert reasons(chosen) == {
        5: (Why.TOPIC, "rag"),
        6: (Why.TASTE, ""),
        7: (Why.TASTE, ""),
        9: (Why.POOL, ""),
        3: (Why.FRONT, ""),
        1: (WhyNot.SENT, ""),
        2: (WhyNot.EXCLUDED, "-audio"),
        4: (WhyNot.VARIETY, "cs.CL"),
        8: (WhyNot.VARIETY, "cs.CL"),
    }


def test_whom_one_follows_finds_room_before_what_one_follows():
    """A word that many papers say does not crowd out the one paper of a person."""
    by_ada = replace(candidate(9, "Others", 1).paper, authors=("Ada Lovelace",))
    pool = Pool([*issue().order, replace(candidate(9, "Others", 1), paper=by_ada)], (1, 2, 3), ())
    chosen = digest(pool, "vision", "speech", "robots", "author:Lovelace", room=2)
    assert ids(chosen) == [9, 1]


def test_one_work_under_two_titles_comes_once():
    """Whichever is first, with the reason of the other; and not at all to who had it under the other title."""
    order = [
        candidate(1, "Reading Long Documents with Memory", 50),
        candidate(2, "Robots", 40),
        candidate(3, "Reading long documents with memory!", 30),
    ]
    pool = Pool(order, (1, 2, 3), ())

    assert ids(digest(pool)) == [1, 2]
    assert reasons(digest(pool))[3] == (WhyNot.TWIN, "")
    assert ids(digest(pool, sent=(3,))) == [2]
    assert reasons(digest(pool, sent=(3,)))[1] == (WhyNot.TWIN, "")
    assert ids(digest(pool, "reading")) == [1, 2]
    unlisted = choose(pool, topics=[], max_papers=3, min_upvotes=0, sent=()).barred
    assert set(unlisted) == {3}  # nor is it named among what else there is today


def test_a_reader_who_asked_for_nothing_gets_the_front_as_it_was_sealed():
    """Variety is for digests of one's own: the front is the newsletter's word, and the same in the archive."""
    alike = [
        replace(candidate(n, t, 9), paper=replace(candidate(n, t, 9).paper, categories=("cs.CL",)))
        for n, t in enumerate(TITLES, 1)
    ]
    other = candidate(9, "Other", 9)
    pool = Pool([*alike, other], (1, 2, 3, 4), ())

    assert ids(digest(pool, room=4)) == [1, 2, 3, 4]
    assert ids(digest(pool, "-nothing", room=4)) == [1, 2, 3, 9]


def test_papers_without_enough_votes_are_left_out():
    """But not where nobody votes, nor what the editor chose."""
    pool = Pool(
        [
            candidate(1, "Vision", 50),
            candidate(2, "Speech", 3),
            candidate(3, "Robots", None),
            candidate(4, "Proteins", 1),
        ],
        front=(1, 2, 3, 4),
        editors=(4,),
    )

    chosen = digest(pool, votes=10, room=9)

    assert ids(chosen) == [1, 3, 4]
    assert reasons(chosen)[2] == (WhyNot.VOTES, "3")
    assert reasons(chosen)[4] == (Why.EDITOR, "")


def test_a_topic_does_not_excuse_missing_votes():
    """Both were asked for."""
    assert 5 not in ids(digest(issue(), "retrieval", votes=20, room=9))


def test_a_reader_who_missed_issues_gets_the_best_of_all():
    """The pool counts alike, so that papers of fronts that they missed come before this one's last."""
    missed = DAY.replace(day=13)

    chosen = digest(issue(front=(4, 5)), since=missed, room=2)

    assert ids(chosen) == [1, 2]
    assert chosen.since == missed


def test_a_reader_who_had_everything_gets_nothing():
    """And every paper says so."""
    chosen = digest(issue(), sent=(1, 2, 3, 4, 5))

    assert chosen.picks == ()
    assert {why for why, _ in reasons(chosen).values()} == {WhyNot.SENT}


numbers = st.integers(1, 12)
pools = st.lists(
    st.builds(candidate, numbers, st.sampled_from(TITLES), st.none() | st.integers(0, 30)),
    unique_by=lambda c: c.paper.id,
)
topics = st.lists(
    st.sampled_from(["vision", "speech", "robots", "-vision", "-proteins", "retrieval -survey", "-robots -speech"]),
    max_size=3,
)


@given(
    pools,
    st.lists(numbers, unique=True, max_size=4),
    st.sets(numbers),
    topics,
    st.integers(1, 6),
    st.integers(0, 20),
    st.booleans(),
)
def test_whatever_a_reader_prefers_the_digest_is_sound(order, front, sent, wanted, room, votes, missed):
    """Nothing twice, nothing sent before, nothing excluded, never too much, and every paper accounted for."""
    chosen = digest(
        Pool(order, front, ()), *wanted, room=room, votes=votes, sent=tuple(sent), since=DAY if missed else None
    )
    picked = ids(chosen)
    left = [each.candidate.paper.id for each in chosen.left_out]

    assert sorted(picked + left) == sorted(c.paper.id for c in order)
    assert len(picked) <= room
    assert not set(picked) & sent
    for pick in chosen.picks:
        assert f"-{pick.candidate.paper.title.lower()}" not in wanted
        assert pick.candidate.upvotes is None or pick.candidate.upvotes >= votes
    followed = [pick.why is Why.TOPIC for pick in chosen.picks]
    assert followed == sorted(followed, reverse=True)
    if any(each.why is WhyNot.ROOM for each in chosen.left_out):
        assert len(picked) == room


@given(pools, st.lists(numbers, unique=True, max_size=4), st.integers(1, 6), st.data())
def test_a_digest_after_a_digest_repeats_nothing(order, front, room, data):
    """Day after day, until all was sent once."""
    pool, sent = Pool(order, front, ()), []
    for _ in range(14):
        picked = ids(digest(pool, room=room, sent=tuple(sent)))
        assert not set(picked) & set(sent)
        sent += picked

    assert sorted(sent) == sorted(c.paper.id for c in order)


def plainly(
    pool: Pool, topics: Sequence[Topic], room: int, votes: int, sent: Collection[int], since: date | None
) -> Chosen:
    """Choose the slow way: ask of every paper, one after the other, whether it may be in the digest and why."""
    by_id = {c.paper.id: c for c in pool.order}
    front = [by_id[i] for i in pool.front if i in by_id]
    order = pool.order if since else (*front, *(c for c in pool.order if c.paper.id not in pool.front))
    verdicts = [verdict(pool, candidate, topics, votes, sent) for candidate in order]
    wanted = [v for v in verdicts if isinstance(v, Pick)]
    wanted.sort(key=lambda pick: pick.why is not Why.TOPIC)
    left = [v for v in verdicts if isinstance(v, LeftOut)]
    left += [LeftOut(pick.candidate, WhyNot.ROOM) for pick in wanted[room:]]
    groups = [group(pick, wanted[:room]) for pick in wanted[:room]]
    chosen = [pick for name in dict.fromkeys(groups) for pick, own in zip(wanted, groups, strict=False) if own == name]
    return Chosen(tuple(chosen), tuple(left), since)


def group(pick: Pick, chosen: Sequence[Pick]) -> str:
    """Return which papers a pick stands with: those of its topic, if that brings several, or of all other topics."""
    if pick.why is not Why.TOPIC:
        return "others"
    several = sum(other.why is Why.TOPIC and other.detail == pick.detail for other in chosen) > 1
    return f"topic {pick.detail}" if several else "topics"


def verdict(
    pool: Pool, candidate: Candidate, topics: Sequence[Topic], votes: int, sent: Collection[int]
) -> Pick | LeftOut:
    """Return what becomes of one paper, if there is room."""
    paper_id, matcher = candidate.paper.id, Matcher(candidate.paper)
    if paper_id in sent:
        return LeftOut(candidate, WhyNot.SENT)
    if out := next((t for t in topics if matcher.excluded_by(t)), None):
        return LeftOut(candidate, WhyNot.EXCLUDED, out.text)
    if paper_id not in pool.editors and candidate.upvotes is not None and candidate.upvotes < votes:
        return LeftOut(candidate, WhyNot.VOTES, str(candidate.upvotes))
    matching = [t for t in topics if matcher.matches(t)]
    if matching:
        return Pick(candidate, Why.TOPIC, next((t for t in matching if t.follows_author), matching[0]).text)
    return Pick(candidate, untopical(pool, candidate))


def untopical(pool: Pool, candidate: Candidate) -> Why:
    """Return why a paper is in a digest that no topic brings there."""
    paper_id = candidate.paper.id
    if paper_id in pool.editors:
        return Why.EDITOR
    others = [c.upvotes or 0 for c in pool.order if c.paper.id in pool.front and c is not candidate]
    if paper_id in pool.front and (candidate.upvotes or 0) > max(others, default=0):
        return Why.TOP
    return Why.FRONT if paper_id in pool.front else Why.POOL


readers = st.tuples(topics, st.integers(1, 6), st.integers(0, 20), st.sets(numbers), st.booleans())


@given(pools, st.lists(numbers, unique=True, max_size=4), st.sets(numbers, max_size=3), st.lists(readers, max_size=5))
def test_the_fast_way_chooses_as_the_slow_one(order, front, editors, asked):
    """For one reader after the other of the same issue, each digest with its reasons and all that it leaves out."""
    pool = Pool(order, front, editors)

    for wanted, room, votes, sent, missed in asked:
        since = DAY if missed else None
        expected = plainly(pool, [parse_topic(text) for text in wanted], room, votes, sent, since)
        assert expected == digest(pool, *wanted, room=room, votes=votes, sent=tuple(sent), since=since)


@given(
    st.lists(
        st.builds(
            lambda number, title, kind: replace(
                candidate(number, f"{title} {number}", 9),
                paper=replace(candidate(number, f"{title} {number}", 9).paper, categories=kind),
            ),
            st.integers(1, 40),
            st.sampled_from(TITLES),
            st.sampled_from([("cs.CL",), ("cs.CV",), ("cs.RO", "cs.CL"), ()]),
        ),
        unique_by=lambda c: c.paper.id,
    ),
    topics,
    st.integers(1, 10),
    st.sets(st.integers(1, 40), max_size=6),
    st.dictionaries(st.integers(1, 40), st.floats(-2, 2).filter(bool)),
    st.sets(st.integers(1, 40), max_size=2),
)
def test_what_nobody_asked_for_is_varied_and_in_the_order_of_the_taste(order, wanted, room, sent, scores, editors):
    """Topics first, then by the scores; no category beyond half while another paper could take its place."""
    pool = Pool(order, [c.paper.id for c in order[:5]], editors)
    chosen = digest(pool, *wanted, room=room, sent=tuple(sent), scores=scores)
    others = [pick for pick in chosen.picks if pick.why is not Why.TOPIC]

    gains = [scores.get(pick.candidate.paper.id, 0.0) for pick in others]
    assert gains == sorted(gains, reverse=True)
    assert all((pick.why is Why.TASTE) == (gain > 0) for pick, gain in zip(others, gains, strict=True))
    assert [pick.why for pick in chosen.picks[: len(chosen.picks) - len(others)]].count(Why.TOPIC) == len(
        chosen.picks
    ) - len(others)
    again = digest(pool, *wanted, room=room, sent=tuple(sent), scores=scores)
    assert chosen == again
    if not (wanted or scores):
        return
    most = max((room - (len(chosen.picks) - len(others))) // 2, 1)
    counts = Counter(pick.candidate.paper.categories[0] for pick in others if counted(pick.candidate, editors))
    fitting = [out for out in chosen.left_out if out.why in {WhyNot.ROOM, WhyNot.VARIETY}]
    if others and any(count > most for count in counts.values()):
        assert all(
            counted(out.candidate, editors) and counts[out.candidate.paper.categories[0]] >= most for out in fitting
        )


def counted(one: Candidate, editors: Collection[int]) -> bool:
    """Return whether a paper counts for a category."""
    return bool(one.paper.categories) and one.paper.id not in editors

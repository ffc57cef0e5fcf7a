"""The newsletter's order of a pool, and how sources share it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate, newsletter_order
from newsletter.domain.topics import parse_topic

DAY = date(2026, 7, 15)
SHARES = {"huggingface": 7, "arxiv": 3}


def paper(number: int, title: str = "A paper", published: datetime | None = None) -> Paper:
    """Return the paper with this id."""
    return Paper(title=title, id=number, arxiv_id=f"2607.{number:05}", published=published)


def voted(
    number: int, upvotes: int, *, comments: int = 0, age: int = 0, position: int = 1, title: str = "A"
) -> Candidate:
    """Return a paper that a voting source listed *age* days before the issue."""
    day = DAY - timedelta(days=age)
    listing = Listing(source="huggingface", day=day, upvotes=upvotes, comments=comments, position=position)
    return Candidate(paper=paper(number, title), listings=(listing,), first_listed=day)


def plain(number: int, *, age: int = 0, position: int = 1, title: str = "A", hour: int | None = None) -> Candidate:
    """Return a paper that a source without votes listed *age* days before the issue."""
    day = DAY - timedelta(days=age)
    published = datetime(2026, 7, 14, hour, tzinfo=UTC) if hour is not None else None
    listing = Listing(source="arxiv", day=day, position=position, first_seen=True)
    return Candidate(paper=paper(number, title, published), listings=(listing,), first_listed=day)


def order(
    candidates: Iterable[Candidate], *, topics: tuple[str, ...] = (), shares: dict[str, int] = SHARES
) -> list[int]:
    """Return the ids in the newsletter's order."""
    ranked = newsletter_order(candidates, DAY, shares, [parse_topic(text) for text in topics])
    return [candidate.paper.id for candidate in ranked]


def test_two_sources_share_the_front_seven_to_three():
    """Fifty voted papers and a hundred and fifty-seven others, and a front of ten."""
    pool = [voted(n, upvotes=n) for n in range(1, 51)] + [plain(n, position=n) for n in range(101, 258)]

    front = order(pool)[:10]

    assert [n for n in front if n <= 100] == [50, 49, 48, 47, 46, 45, 44]
    assert [n for n in front if n > 100] == [101, 102, 103]
    assert front[0] == 50


def test_one_voting_source_and_one_day_are_the_order_of_upvotes():
    """Whatever its share is, and in whatever order they come."""
    pool = [voted(n, upvotes=(n * 37) % 101) for n in range(1, 51)]

    ranked = order(pool, shares={"huggingface": 3})

    assert sorted(range(1, 51), key=lambda n: -((n * 37) % 101)) == ranked


def test_equal_upvotes_are_told_apart_by_comments_then_position_then_key():
    """In that order, so that nothing is left to chance."""
    pool = [
        voted(4, 10, comments=1, position=2),
        voted(3, 10, comments=1, position=2),
        voted(2, 10, comments=1, position=1),
        voted(1, 10, comments=5, position=9),
    ]

    assert order(pool) == [1, 2, 3, 4]


def test_votes_count_against_the_same_day_only():
    """Two days of which one had many more votes: the best of each stand alike, less a tenth for the day's age."""
    today = [voted(n, upvotes=n) for n in range(1, 12)]  # percentiles 0, 0.1, … 1
    yesterday = [voted(n, upvotes=n * 100, age=1) for n in range(21, 32)]

    ranked = order(today + yesterday)

    assert ranked[:5] == [11, 10, 31, 9, 30]  # 1.0, 0.9 and 1.0 - 0.1, 0.8 and 0.9 - 0.1
    assert ranked[-1] == 21


def test_a_paper_loses_a_tenth_with_each_day():
    """The best of four days ago stands with the 0.6 of today."""
    today = [voted(n, upvotes=n) for n in range(1, 12)]
    old = [voted(100, upvotes=1000, age=4), voted(101, upvotes=1, age=4)]

    ranked = order(today + old)

    assert ranked == [11, 10, 9, 8, 7, 100, 6, 5, 4, 3, 2, 1, 101]


def test_what_was_listed_again_counts_from_its_first_day():
    """A paper that comes back to the list is not new, though its votes of today count."""
    back = Candidate(
        paper=paper(1),
        listings=(
            Listing(source="huggingface", day=DAY - timedelta(days=6), upvotes=2),
            Listing(source="huggingface", day=DAY, upvotes=900),
        ),
        first_listed=DAY - timedelta(days=6),
    )
    today = [voted(n, upvotes=n) for n in range(2, 13)]

    ranked = order([back, *today])

    assert ranked[0] == 12
    assert ranked.index(1) > ranked.index(8)


def test_a_topic_of_the_newsletter_gains_half_of_the_scale():
    """A middling paper on a topic passes the best without, and a poor one does not."""
    pool = [voted(n, upvotes=n, title="Vision") for n in range(1, 12)]
    pool[6] = voted(7, upvotes=7, title="Retrieval for agents")
    pool[0] = voted(1, upvotes=1, title="Retrieval of old")

    ranked = order(pool, topics=("retrieval",))

    assert ranked == [7, 11, 10, 9, 8, 1, 6, 5, 4, 3, 2]


def test_what_a_topic_excludes_gains_nothing():
    """An exclusion holds against every topic that matches."""
    pool = [voted(1, 5, title="Speech retrieval"), voted(2, 9, title="Vision"), voted(3, 1, title="Nothing")]

    assert order(pool, topics=("retrieval", "-speech")) == [2, 1, 3]
    assert order(pool, topics=("retrieval",)) == [1, 2, 3]


def test_without_votes_topics_come_first_then_what_is_recent():
    """By the day on which it was first seen, then by its publication, then as the source has it."""
    pool = [
        plain(1, age=2, title="Retrieval"),
        plain(2, hour=1),
        plain(3, hour=9),
        plain(4, age=1, hour=23),
        plain(5, position=2),
        plain(6, position=1),
    ]

    assert order(pool, topics=("retrieval",)) == [1, 3, 2, 6, 5, 4]


def test_a_paper_that_two_sources_list_stands_with_the_one_that_votes():
    """Its place in the other's list says nothing about its votes, nor about ties among them."""
    both = Candidate(
        paper=paper(1),
        listings=(
            Listing(source="arxiv", day=DAY, position=1, first_seen=True),
            Listing(source="huggingface", day=DAY, upvotes=3, position=9),
        ),
        first_listed=DAY,
    )

    ranked = order([both, voted(2, 3, position=8), voted(3, 4), plain(4)])

    assert [n for n in ranked if n != 4] == [3, 2, 1]


def test_a_source_that_runs_dry_leaves_its_room_to_the_others():
    """Two voted papers and many others still fill ten places."""
    pool = [voted(1, 5), voted(2, 4)] + [plain(n, position=n) for n in range(11, 60)]

    front = order(pool)[:10]

    assert {1, 2} < set(front)
    assert len(set(front)) == 10


def test_sources_that_the_configuration_does_not_name_come_last_with_a_share_of_one():
    """So do the papers that only the editor knows."""
    unknown = Candidate(paper=paper(3), listings=(Listing(source="gone", day=DAY),), first_listed=DAY)
    added = Candidate(paper=paper(4), listings=(), first_listed=DAY)

    assert order([added, unknown, plain(2), voted(1, 1)]) == [1, 2, 4, 3]


listings = st.builds(
    Listing,
    source=st.sampled_from(["huggingface", "arxiv", "blog"]),
    day=st.dates(DAY - timedelta(days=6), DAY),
    upvotes=st.none() | st.integers(0, 5),
    comments=st.none() | st.integers(0, 2),
    position=st.integers(0, 3),
)


@st.composite
def pools(draw: st.DrawFn) -> list[Candidate]:
    """Return some papers, listed here and there."""
    pool = []
    for number in range(draw(st.integers(0, 12))):
        said = tuple(draw(st.lists(listings, max_size=3)))
        first = min((listing.day for listing in said), default=DAY)
        title = draw(st.sampled_from(["Retrieval", "Vision"]))
        pool.append(Candidate(paper=paper(number + 1, title), listings=said, first_listed=first))
    return pool


@given(pools(), st.randoms(use_true_random=False))
def test_the_order_is_the_same_however_the_pool_comes(pool, random):
    """Each paper once, and the same order of any shuffling."""
    ranked = order(pool, topics=("retrieval",))
    shuffled = list(pool)
    random.shuffle(shuffled)

    assert sorted(c.paper.id for c in pool) == sorted(ranked)
    assert ranked == order(shuffled, topics=("retrieval",))


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 60))
def test_of_any_first_papers_each_source_has_its_share(first, second, count):
    """Of two long lists, within one paper."""
    pool = [voted(n, upvotes=n) for n in range(1, 61)] + [plain(n, position=n) for n in range(101, 161)]

    front = order(pool, shares={"huggingface": first, "arxiv": second})[:count]

    shares = Counter("huggingface" if n <= 100 else "arxiv" for n in front)
    assert abs(shares["huggingface"] - count * first / (first + second)) <= 1

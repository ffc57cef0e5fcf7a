"""Choosing by bits comes to what the rule says plainly, paper by paper."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.digest import choose, left_out
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.pool import Pick, Pool, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Matcher, Topic, parse_topic
from newsletter.domain.variety import varied
from newsletter.domain.works import same_work

DAY = date(2026, 7, 15)
PEOPLE = ("Ada Lovelace", "Charles Babbage", "Grace Hopper")
MATTERS = ("vision", "speech", "robots", "retrieval")


@dataclass(frozen=True)
class Reader:
    """What one reader wishes for, was sent and likes."""

    topics: Sequence[Topic]
    room: int
    votes: int
    sent: Set[int]
    scores: Mapping[int, float]
    missed: bool
    only_topics: bool


def plainly(pool: Pool, reader: Reader) -> list[Pick]:
    """Return the picks as the rule says it: look at every paper, sort, and take the first."""
    papers = {c.paper.id: c.paper for c in pool.order}
    matchers = {i: Matcher(paper) for i, paper in papers.items()}
    front = () if reader.missed else tuple(i for i in pool.front if i in papers)
    order = [*front, *(i for i in papers if i not in front)]
    asks = [topic for topic in reader.topics if not topic.excludes]

    def is_twin(paper_id: int, of: Sequence[int]) -> bool:
        return any(i != paper_id and same_work(papers[paper_id], papers[i]) for i in of)

    def is_barred(i: int) -> bool:
        few = i not in pool.editors and (pool.by_id[i].upvotes is not None and pool.by_id[i].upvotes < reader.votes)
        return (
            i in reader.sent
            or few
            or any(matchers[i].excluded_by(topic) for topic in reader.topics)
            or is_twin(i, [one for one in reader.sent if one in papers])
        )

    def why(i: int) -> Topic | None:
        matching = [topic for topic in asks if matchers[i].matches(topic)]
        return next((t for t in matching if t.follows_author), matching[0]) if matching else None

    fitting = sorted((i for i in order if not is_barred(i)), key=lambda i: -reader.scores.get(i, 0.0))
    asked = sorted((i for i in fitting if why(i)), key=lambda i: not why(i).follows_author)
    asked = once(asked, [], is_twin)
    others = [] if reader.only_topics and asks else once([i for i in fitting if not why(i)], asked, is_twin)
    room = max(reader.room - len(asked), 0)
    kinds = {i: p.categories[0] for i, p in papers.items() if p.categories and i not in pool.editors}
    is_own = reader.topics or reader.scores or reader.missed
    chosen = varied(others, room, kinds) if is_own else others[:room]
    first = [Pick(pool.by_id[i], Why.OURS if i in pool.ours else Why.TOPIC, why(i).text) for i in asked[: reader.room]]
    likes = [Why.TASTE if reader.scores.get(i, 0.0) > 0 else untopical(pool, i) for i in chosen]
    return [*together(first), *(Pick(pool.by_id[i], why) for i, why in zip(chosen, likes, strict=True))]


def once(order, taken, is_twin):
    """Return what is in *order* without what is one work with what was *taken* or stands before it."""
    found: list[int] = []
    for i in order:
        if not is_twin(i, [*taken, *found]):
            found.append(i)
    return found


def together(picks: list[Pick]) -> list[Pick]:
    """Return *picks* with those of one topic behind its best, where it brings several; the others count as one."""
    texts = [pick.detail for pick in picks]
    groups = [text if texts.count(text) > 1 else "" for text in texts]
    return [pick for name in dict.fromkeys(groups) for pick, own in zip(picks, groups, strict=True) if own == name]


def untopical(pool: Pool, paper_id: int) -> Why:
    """Return why a paper is in a digest that neither topic nor taste brings there."""
    if paper_id in pool.ours:
        return Why.OURS
    if paper_id in pool.editors:
        return Why.EDITOR
    votes = {i: pool.by_id[i].upvotes or 0 for i in pool.front if i in pool.by_id}
    most = max(votes.values(), default=0)
    if most and votes.get(paper_id) == most and list(votes.values()).count(most) == 1:
        return Why.TOP
    return Why.FRONT if paper_id in pool.front else Why.POOL


def candidate(number: int, matter: str, ending: int, people: Sequence[str], kinds: Sequence[str], votes: int | None):
    """Return a paper; those of one matter and ending are one work where the people are."""
    paper = Paper(
        title=f"Reading of {matter} with memory {'abc'[ending] * 2}",
        id=number,
        arxiv_id=f"2607.{number:05}",
        authors=tuple(people),
        categories=tuple(kinds),
    )
    listing = Listing(source="some", day=DAY, upvotes=votes)
    return Candidate(paper=paper, listings=(listing,), first_listed=DAY)


numbers = st.integers(1, 16)
candidates = st.builds(
    candidate,
    numbers,
    st.sampled_from(MATTERS),
    st.integers(0, 2),
    st.lists(st.sampled_from(PEOPLE), unique=True, min_size=1, max_size=2),
    st.lists(st.sampled_from(["cs.CL", "cs.CV"]), max_size=1),
    st.none() | st.integers(0, 9),
)
pools = st.builds(
    Pool,
    st.lists(candidates, unique_by=lambda c: c.paper.id, max_size=14),
    st.lists(numbers, unique=True, max_size=4),
    st.sets(numbers, max_size=2),
    st.sets(numbers, max_size=2),
)
texts = [
    *MATTERS,
    "author:Lovelace",
    "author:Hopper robots",
    "cat:cs.CL",
    "-speech",
    "vision -robots",
    "-author:Babbage",
]
readers = st.builds(
    Reader,
    topics=st.lists(st.sampled_from(texts).map(parse_topic), unique=True, max_size=4),
    room=st.integers(1, 12),
    votes=st.integers(0, 6),
    sent=st.frozensets(st.integers(1, 20), max_size=6),
    scores=st.just({}) | st.dictionaries(numbers, st.sampled_from([-1.5, -0.5, 0.5, 1.0, 1.5])),
    missed=st.booleans(),
    only_topics=st.booleans(),
)


@given(pools, st.lists(readers, min_size=1, max_size=4))
def test_bits_choose_as_the_plain_rule(pool: Pool, asked: list[Reader]):
    """Picks, their order and their reasons; with topics, taste, twins, variety and the editor's hand, all at once."""
    for reader in asked:
        since = DAY if reader.missed else None
        wish = {
            "topics": reader.topics,
            "max_papers": reader.room,
            "min_upvotes": reader.votes,
            "sent": reader.sent,
            "scores": reader.scores,
            "since": since,
            "only_topics": reader.only_topics,
        }
        chosen = choose(pool, **wish)
        assert list(chosen.picks) == plainly(pool, reader)
        left = left_out(pool, **wish)
        everything = [*(pick.candidate for pick in chosen.picks), *(out.candidate for out in left)]
        assert sorted(c.paper.id for c in everything) == sorted(pool.ids)
        assert set(reader.sent) & set(pool.ids) <= set(chosen.barred)
        assert not set(chosen.barred) & {pick.candidate.paper.id for pick in chosen.picks}
        assert pool.places(chosen.barred) == Pool(pool.order, (), ()).places(chosen.barred)


@given(pools, readers)
def test_who_wishes_for_the_same_gets_the_same(pool: Pool, reader: Reader):
    """Also of a pool that was asked for other things meanwhile, and of one made anew."""
    anew = Pool(pool.order, pool.front, pool.editors, pool.ours)
    topics = [replace(topic) for topic in reader.topics]
    found = [
        choose(one, topics=topics, max_papers=reader.room, min_upvotes=reader.votes, sent=reader.sent).picks
        for one in (pool, pool, anew)
    ]
    assert found[0] == found[1] == found[2]

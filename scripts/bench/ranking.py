"""Measure whether learned taste finds what a reader wants, and how fast, and print it as JSON.

    scripts/dev bench ranking --recorded FOLDER [--readers 120] [--days 30] [--part dev|report|all]

The recorded days are lists of Hugging Face's Daily Papers and one day of arXiv's announcements, dealt into nine lists.
The readers are simulated: each has an interest by ``category`` (one or two), ``author`` (a person and those with whom
they wrote twice) or ``keywords``, made from fields that no model is shown: they see titles and abstracts. A reader is
interested in between 2 and 30 % of the papers.

``after_five`` gives every contestant the same five papers (three interesting ones of the first half of the lists, two
not so, drawn four times) and asks for the order of the lists that come after, five lists at a time. ``living``
lets each contestant choose what a reader is shown, ten papers a day, and takes what they say: they save the first two
interesting ones, and the first other one is less wanted. ``days_to_double`` is the first day at which the precision of
the ten shown, in the mean over all readers and three days, is twice that of the newsletter's order of the same days.

Contestants: ``taste`` as the newsletter has it; ``svm``, TF-IDF and a linear support vector machine of scikit-learn as
the best known open recommender of this kind has them (balanced, C = 0.01); ``popularity``, the order of upvotes;
``random``. ``microseconds`` are processor time of training with five papers and scoring a pool of lists; the vectors of
papers are ready for both, and for ``taste`` how they are like one another.

Constants were chosen with ``--part dev`` and are reported by ``--part report``: other readers.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from _options import answer, parser

from newsletter.domain.paper import Paper
from newsletter.domain.taste import Feedback, Said
from newsletter.services.learning import Corpus
from newsletter.sources.arxiv import read_feed
from newsletter.sources.response import Response

NOW = datetime(2026, 7, 15, tzinfo=UTC)
SHOWN = 10
FIVE = 5
MEASURED = 10  # times that each reader is
TIMES = 4  # that a reader says five other things
POOLED = 5  # lists in a pool, as a week of weekdays
LISTS_OF_A_DAY = 9  # into which arXiv's day is dealt
KINDS = ("category", "author", "keywords")


@dataclass(frozen=True)
class Listed:
    """A paper as recorded: ``paper`` is what models see, the rest is hidden."""

    paper: Paper
    upvotes: int
    authors: frozenset[str]
    keywords: frozenset[str]
    category: str


@dataclass(frozen=True)
class Reader:
    """A simulated reader: the lists that they see, in order, and what they want."""

    kind: str
    name: str
    lists: Sequence[Sequence[Listed]]
    wanted: frozenset[int]


def community(folder: Path) -> list[list[Listed]]:
    """Return the recorded lists of Hugging Face's, without who wrote the papers."""
    seen: set[str] = set()
    lists = []
    for file in sorted((folder / "hf_daily_papers").glob("*.json")):
        entries = [entry["paper"] for entry in json.loads(file.read_text("utf-8"))]
        fresh = [entry for entry in entries if not (entry["id"] in seen or seen.add(entry["id"]))]  # type: ignore[func-returns-value]
        lists.append([_of_community(entry) for entry in fresh])
    return [some for some in lists if len(some) >= 5]


def _of_community(entry: dict[str, Any]) -> Listed:
    paper = Paper(title=entry["title"], abstract=entry["summary"], arxiv_id=entry["id"])
    keywords = frozenset(word.casefold() for word in entry.get("ai_keywords") or ())
    authors = frozenset(author["name"] for author in entry["authors"])
    return Listed(paper, entry.get("upvotes", 0), authors, keywords, "")


def archive(folder: Path) -> list[list[Listed]]:
    """Return arXiv's recorded day, dealt into lists, without the papers' categories and authors."""
    [file] = (folder / "arxiv_api_atom").glob("day_*_entries.xml")
    page = read_feed(Response(url=str(file), status=200, headers={}, body=file.read_bytes()))
    found = [
        Listed(
            replace(paper, categories=(), authors=(), organisation=""),
            0,
            frozenset(paper.authors),
            frozenset(),
            paper.categories[0],
        )
        for paper in page.papers
    ]
    random.Random(5).shuffle(found)
    return [found[n::LISTS_OF_A_DAY] for n in range(LISTS_OF_A_DAY)]


def numbered(lists: list[list[Listed]], first: int) -> list[list[Listed]]:
    """Return the lists with ids for their papers, from *first* on."""
    ids = iter(range(first, 1 << 30))
    return [[replace(one, paper=replace(one.paper, id=next(ids))) for one in some] for some in lists]


def interests(lists: list[list[Listed]], kinds: Sequence[str]) -> list[Reader]:
    """Return every reader that these lists can have, of so many papers that there is something to find."""
    papers = [one for some in lists for one in some]
    wanted: dict[tuple[str, str], set[int]] = defaultdict(set)
    if "category" in kinds:
        wanted |= _categories(papers)
    if "author" in kinds:
        wanted |= _circles(papers)
    if "keywords" in kinds:
        wanted |= _keyword_sets(papers)
    least, most = 0.02 * len(papers), 0.3 * len(papers)
    fitting = {who: found for who, found in wanted.items() if least <= len(found) <= most}
    return [Reader(kind, name, lists, frozenset(found)) for (kind, name), found in sorted(fitting.items())]


def _categories(papers: Sequence[Listed]) -> dict[tuple[str, str], set[int]]:
    """Return interests in one category or two."""
    of: dict[str, set[int]] = defaultdict(set)
    for one in papers:
        of[one.category].add(one.paper.id)
    large = sorted(category for category, found in of.items() if len(found) >= 0.025 * len(papers))
    return {("category", f"{one}, {other}"): of[one] | of[other] for one in large for other in large if one <= other}


def _circles(papers: Sequence[Listed]) -> dict[tuple[str, str], set[int]]:
    of_author: dict[str, list[Listed]] = defaultdict(list)
    for one in papers:
        for name in one.authors:
            of_author[name].append(one)
    circles: dict[tuple[str, str], set[int]] = {}
    for name, theirs in of_author.items():
        with_whom = Counter(other for one in theirs for other in one.authors)
        circle = [other for other, papers_together in with_whom.items() if papers_together >= 2]
        if len(theirs) >= 4:
            circles["author", name] = {one.paper.id for other in circle for one in of_author[other]}
    return circles


def _keyword_sets(papers: Sequence[Listed]) -> dict[tuple[str, str], set[int]]:
    counts = Counter(word for one in papers for word in one.keywords)
    sets: dict[tuple[str, str], set[int]] = {}
    for seed in sorted(word for word, count in counts.items() if count >= 5):
        beside = Counter(w for one in papers if seed in one.keywords for w in one.keywords if counts[w] >= 3)
        chosen = {seed, *sorted(beside, key=lambda word: (-beside[word], word))[:5]}
        sets["keywords", seed] = {one.paper.id for one in papers if chosen & one.keywords}
    return sets


class Contestant:
    """Ranks papers for a reader who spoke of some."""

    def order(self, pool: Sequence[Listed], said: Sequence[Feedback], now: datetime) -> list[Listed]:
        """Return *pool*, the best first."""
        if not said:
            return by_votes(pool)
        self.prepare(pool)
        scores = self.scores(pool, said, now)
        return sorted(by_votes(pool), key=lambda one: -scores.get(one.paper.id, 0.0))

    def prepare(self, pool: Sequence[Listed]) -> None:
        """Do what is done once for all readers of a pool."""

    def scores(self, pool: Sequence[Listed], said: Sequence[Feedback], now: datetime) -> dict[int, float]:
        """Return a number for each paper."""
        raise NotImplementedError


class Ours(Contestant):
    """The newsletter's own."""

    def __init__(self, papers: Sequence[Listed]) -> None:
        self.corpus = Corpus(one.paper for one in papers)
        for one in papers:  # as where readers before spoke of the same papers
            self.corpus.likeness(one.paper.id)

    def prepare(self, pool: Sequence[Listed]) -> None:
        """Find the pool in the corpus."""
        self.shelf = self.corpus.shelf(one.paper.id for one in pool)

    def scores(self, pool: Sequence[Listed], said: Sequence[Feedback], now: datetime) -> dict[int, float]:
        """Train and score."""
        return self.corpus.learn(said, now).scores(self.shelf)


class Machine(Contestant):
    """TF-IDF and a linear support vector machine: what was liked against all other papers."""

    def __init__(self, papers: Sequence[Listed]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

        texts = [f"{one.paper.title} {one.paper.abstract}" for one in papers]
        self.row = {one.paper.id: n for n, one in enumerate(papers)}
        # As that recommender has it, the number of its words too.
        self.x = TfidfVectorizer(
            strip_accents="unicode",
            lowercase=True,
            stop_words="english",
            token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b",
            ngram_range=(1, 2),
            max_features=20_000,
            norm="l2",
            use_idf=True,
            smooth_idf=True,
            sublinear_tf=True,
        ).fit_transform(texts)

    def prepare(self, pool: Sequence[Listed]) -> None:
        """Find the pool in the corpus."""
        self.rows = [self.row[one.paper.id] for one in pool]

    def scores(self, pool: Sequence[Listed], said: Sequence[Feedback], now: datetime) -> dict[int, float]:
        """Train and score."""
        import numpy as np  # noqa: PLC0415
        from sklearn.svm import LinearSVC  # noqa: PLC0415

        y = np.zeros(len(self.row))
        y[[self.row[one.paper_id] for one in said if one.said is not Said.LESS]] = 1
        if not y.any():
            return {}
        model = LinearSVC(class_weight="balanced", max_iter=10_000, tol=1e-6, C=0.01, random_state=0).fit(self.x, y)
        found = model.decision_function(self.x[self.rows])
        return {one.paper.id: float(score) for one, score in zip(pool, found, strict=True)}


class Chance(Contestant):
    """No order at all."""

    def scores(self, pool: Sequence[Listed], said: Sequence[Feedback], now: datetime) -> dict[int, float]:
        """Draw lots."""
        chance = random.Random(f"{now} {len(pool)} {said[0].paper_id}")
        return {one.paper.id: chance.random() for one in pool}


class Votes(Contestant):
    """The most upvoted, or as they were listed where nobody votes."""

    def scores(self, pool: Sequence[Listed], said: Sequence[Feedback], now: datetime) -> dict[int, float]:
        """Leave them as they are."""
        return {}


def by_votes(pool: Sequence[Listed]) -> list[Listed]:
    """Return the newsletter's order where there is one source: that of upvotes."""
    return sorted(pool, key=lambda one: -one.upvotes)


def precision(order: Sequence[Listed], reader: Reader) -> float:
    """Return which part of the first ten is wanted."""
    return sum(one.paper.id in reader.wanted for one in order[:SHOWN]) / SHOWN


def reciprocal(order: Sequence[Listed], reader: Reader) -> float:
    """Return the reciprocal rank of the first that is wanted."""
    return next((1 / n for n, one in enumerate(order, 1) if one.paper.id in reader.wanted), 0.0)


def after_five(reader: Reader, contestants: dict[str, Contestant]) -> dict[str, tuple[float, float]] | None:
    """Return each contestant's precision and reciprocal rank over the later lists; None without enough to say.

    In the mean over several times five words.
    """
    half = len(reader.lists) // 2
    early = [one for some in reader.lists[:half] for one in some]
    starts = [*range(half, len(reader.lists) - POOLED + 1, POOLED)] or [half]
    pools = [[one for some in reader.lists[n : n + POOLED] for one in some] for n in starts]
    pools = [pool for pool in pools if any(one.paper.id in reader.wanted for one in pool)]
    liked = [one.paper.id for one in early if one.paper.id in reader.wanted]
    others = [one.paper.id for one in early if one.paper.id not in reader.wanted]
    if len(liked) < 3 or not pools:
        return None
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    chance = random.Random(reader.name)
    for _ in range(TIMES):
        said = [Feedback(i, Said.SAVE, NOW) for i in chance.sample(liked, 3)]
        said += [Feedback(i, Said.LESS, NOW) for i in chance.sample(others, 2)]
        for name, contestant in contestants.items():
            orders = [contestant.order(pool, said, NOW) for pool in pools]
            found[name] += [(precision(order, reader), reciprocal(order, reader)) for order in orders]
    return {
        name: (statistics.mean(p for p, _ in some), statistics.mean(r for _, r in some)) for name, some in found.items()
    }


def living(reader: Reader, contestant: Contestant, days: int) -> list[float]:
    """Return the precision of what a reader is shown, day by day, while they say what they think of it."""
    said: list[Feedback] = []
    shown: set[int] = set()
    found = []
    for day in range(min(days, len(reader.lists))):
        now = NOW + timedelta(day)
        pool = [one for some in reader.lists[max(0, day - POOLED + 1) : day + 1] for one in some]
        order = contestant.order([one for one in pool if one.paper.id not in shown], said, now)[:SHOWN]
        found.append(precision(order, reader))
        shown |= {one.paper.id for one in order}
        said += [Feedback(i, Said.SAVE, now) for i in [o.paper.id for o in order if o.paper.id in reader.wanted][:2]]
        said += [
            Feedback(i, Said.LESS, now) for i in [o.paper.id for o in order if o.paper.id not in reader.wanted][:1]
        ]
    return found


def doubled_after(own: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> int | None:
    """Return the first day up to which the precision of three days, over all readers, is twice the newsletter's."""
    for day in range(3, min(map(len, own)) + 1):
        mine, theirs = (sum(sum(one[day - 3 : day]) for one in some) for some in (own, plain))
        if mine > 0 and mine >= 2 * theirs:
            return day
    return None


@dataclass(frozen=True)
class Found:
    """What became of one reader: by contestant, the figures after five words, and each day's precision."""

    after: dict[str, tuple[float, float]] | None
    lived: dict[str, list[float]]


def measured(reader: Reader, contestants: dict[str, Contestant], days: int) -> Found:
    """Measure every contestant with one reader."""
    lived = {name: living(reader, contestant, days) for name, contestant in contestants.items()}
    return Found(after_five(reader, contestants), lived)


def summary(found: Sequence[Found]) -> dict[str, Any]:
    """Return the figures of some readers, by contestant."""
    after = [one.after for one in found if one.after]
    return {
        name: {
            "after_five": {
                "precision_at_10": round(statistics.mean(one[name][0] for one in after), 4) if after else None,
                "mrr": round(statistics.mean(one[name][1] for one in after), 4) if after else None,
            },
            "living": _lived([one.lived[name] for one in found], [one.lived["popularity"] for one in found]),
        }
        for name in found[0].lived
    }


def _lived(own: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {
        "precision_at_10": round(statistics.mean(statistics.mean(one) for one in own), 4),
        "precision_at_10_last_5_days": round(statistics.mean(statistics.mean(one[-5:]) for one in own), 4),
        "days_to_double": doubled_after(own, plain),
    }


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--recorded", type=Path, required=True, metavar="FOLDER", help="the recorded days")
    options.add_argument("--readers", type=int, default=120, help="at most so many of each kind (%(default)s)")
    options.add_argument("--days", type=int, default=30, help="that readers live through (%(default)s)")
    options.add_argument("--part", choices=("dev", "report", "all"), default="report", help="which readers")
    asked = options.parse_args()
    if not (asked.recorded / "hf_daily_papers").is_dir():
        raise SystemExit(f"skipped: no recorded days in {asked.recorded}")
    listed = community(asked.recorded)
    worlds = [
        (numbered(listed, 1), ("author",)),
        (numbered([some for some in listed if any(one.keywords for one in some)], 50_000), ("keywords",)),
        (numbered(archive(asked.recorded), 100_000), ("category",)),
    ]
    contestants = {}
    readers: list[Reader] = []
    for lists, kinds in worlds:
        papers = [one for some in lists for one in some]
        contestants[id(lists)] = {
            "taste": Ours(papers),
            "svm": Machine(papers),
            "popularity": Votes(),
            "random": Chance(),
        }
        readers += interests(lists, kinds)
    chosen = [one for kind in KINDS for one in _some(readers, kind, asked)]
    found: dict[str, list[Found]] = defaultdict(list)
    for n, one in enumerate(chosen, 1):
        figures = measured(one, contestants[id(one.lists)], asked.days)
        found[one.kind].append(figures)
        found["all"].append(figures)
        print(f"\r{n} of {len(chosen)} readers", end="", file=sys.stderr)
    print(file=sys.stderr)
    answer(
        {
            "part": asked.part,
            "readers": dict(Counter(one.kind for one in chosen)),
            "papers": [sum(map(len, lists)) for lists, _ in worlds],
            "figures": {kind: summary(some) for kind, some in found.items()},
            "microseconds": (each := {name: microseconds(contestants, chosen, name) for name in ("taste", "svm")}),
            "times_as_fast": round(each["svm"] / each["taste"]),
        }
    )


def _some(readers: Sequence[Reader], kind: str, asked: argparse.Namespace) -> list[Reader]:
    """Return readers of a kind: every third for choosing constants, the others for the report."""
    mine = [one for one in readers if one.kind == kind]
    random.Random(3).shuffle(mine)
    parts = {"dev": mine[::3], "report": [one for n, one in enumerate(mine) if n % 3], "all": mine}
    return parts[asked.part][: asked.readers]


def microseconds(contestants: dict[int, dict[str, Contestant]], readers: Sequence[Reader], name: str) -> float:
    """Return the processor time of training and scoring, for one reader after the other as in a run of deliveries."""
    spent, chance = 0.0, random.Random(7)
    for reader in readers:
        contestant, pool = contestants[id(reader.lists)][name], [one for some in reader.lists[-POOLED:] for one in some]
        contestant.prepare(pool)
        for _ in range(MEASURED):
            drawn = chance.sample(sorted(one.paper.id for some in reader.lists for one in some), FIVE)
            said = [Feedback(i, Said.SAVE if n < 3 else Said.LESS, NOW) for n, i in enumerate(drawn)]
            began = time.process_time()
            contestant.scores(pool, said, NOW + timedelta(days=1))
            spent += time.process_time() - began
    return round(spent / len(readers) / MEASURED * 1e6, 1)


if __name__ == "__main__":
    main()

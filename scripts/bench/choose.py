"""Measure choosing and composing for a long list in which no two readers wish for the same, and print it as JSON.

    scripts/dev bench choose [--readers 1000000] [--papers 500] [--topics 20000] [--lengths 6 10]

Every reader has one to four topics of their own combination out of ``--topics`` different ones (words and phrases
that papers say or do not, categories, authors, exclusions; some are more popular than others), a length out of
``--lengths`` (the newsletter's ten at most, as in the measurements of delivering; ``5 20`` for longer ones), a number
of upvotes, and up to sixty papers of the pool that they were sent. ``choosing`` goes from stored preferences to stored
picks, ``composing`` from these to the message as it is handed to the server, both as the sender does them. Readers are
made before what is measured, a thousand at a time. Figures are processor time of this process; ``memory_mb`` is its
most resident size after a tenth of the readers, and after the last. ``learned`` chooses for readers with five papers
saved each, where the extra ``taste`` is there.

``yardstick`` chooses as plainly as it can be done, in the same run: of every paper it asks whether one of the reader's
topics matches it, by searching in its folded text, and sorts. It knows neither exclusions nor variety nor reasons.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from zlib import crc32

from _options import answer, parser
from composing import DAY, NOW, claimed, composer, peak

from newsletter.domain.digest import NO_SCORES, Digest, choose
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.pool import Pool
from newsletter.domain.ranking import Candidate
from newsletter.domain.taste import Feedback, Said
from newsletter.domain.text import words
from newsletter.domain.topics import parse_topic
from newsletter.render.languages import Languages
from newsletter.services import taste
from newsletter.services.dispatch import seldom_collecting

WANTED = 8000  # readers a second, chosen and composed
AT_ONCE = 1000  # readers made beforehand
CATEGORIES = ("cs.CL", "cs.LG", "cs.CV", "cs.AI", "cs.RO", "stat.ML", "cs.IR", "cs.SE")
FILLING = "a model of modest size reads long documents with less memory than was thought to be needed".split()  # noqa: SIM905
LEARNED = 2000  # readers with a taste
_SUMS = 1 << 24  # of wishes


class Wishing(NamedTuple):
    """One reader, as choosing gets them."""

    number: int
    topics: tuple[str, ...]
    max_papers: int
    min_upvotes: int
    sent: frozenset[int]


def vocabulary(count: int) -> list[str]:
    """Return so many words that mean nothing."""
    chance = random.Random(3)
    sounds = [a + b for a in "bdfgklmnprtvz" for b in "aeiou"]
    found = dict.fromkeys("".join(chance.choices(sounds, k=3)) for _ in range(4 * count))
    return list(found)[:count]


def papers(count: int, spoken: Sequence[str]) -> list[Candidate]:
    """Return papers of ordinary length, each with thirty of the words *spoken*, the first of them more often."""
    chance = random.Random(1)
    popular = list(accumulate(1 / (n + 1) ** 0.5 for n in range(len(spoken))))
    found = []
    for number in range(1, count + 1):
        own = chance.choices(spoken, cum_weights=popular, k=30)
        text = [*own[4:], *chance.choices(FILLING, k=130)]
        chance.shuffle(text)
        paper = Paper(
            id=number,
            title=f"On {' '.join(own[:4])}",
            arxiv_id=f"2607.{number:05}",
            abstract=" ".join(text) + ".",
            authors=tuple(f"Ada{n} Name{chance.randrange(4000)}" for n in range(5)),
            categories=tuple(chance.choices(CATEGORIES, weights=range(8, 0, -1), k=2)),
            published=NOW - timedelta(days=1),
            link=f"https://arxiv.org/abs/2607.{number:05}",
        )
        listing = Listing(source="lists", day=DAY, upvotes=int(chance.paretovariate(1)), position=number)
        found.append(Candidate(paper=paper, listings=(listing,), first_listed=DAY))
    return found


def topics(count: int, spoken: Sequence[str]) -> list[str]:
    """Return so many different topics, the more popular ones first."""
    chance = random.Random(4)
    found: dict[str, None] = {}
    while len(found) < count:
        one, other = chance.choice(spoken), chance.choice(spoken)
        kinds = (one, one, f'"{one} {other}"', f"{one} {other}", f"{one[:4]}*", f"author:Name{chance.randrange(4000)}")
        found[chance.choice((*kinds, f"-{one}", f"cat:{chance.choice(CATEGORIES)} {one}"))] = None
    return list(found)


def readers(count: int, known: Sequence[str], pool: int, lengths: Sequence[int]) -> Iterator[Wishing]:
    """Yield so many readers. No two wish for the same: topics, length and votes together."""
    chance = random.Random(2)
    popular = list(accumulate(1 / (n + 1) ** 0.7 for n in range(len(known))))
    # By a sum of it, which others may share that are left out then: so what is kept here does not grow with them.
    seen, number = bytearray(_SUMS), 0
    while number < count:
        chosen = tuple(dict.fromkeys(chance.choices(known, cum_weights=popular, k=chance.randint(1, 4))))
        wish = (chosen, chance.randint(*lengths), chance.choice((0, 0, 0, 1, 2, 5)))
        if not seen[mark := crc32(repr(wish).encode()) % _SUMS]:
            seen[mark] = 1
            number += 1
            yield Wishing(number, *wish, frozenset(chance.sample(range(1, pool + 1), chance.randrange(60))))


def digest_of(pool: Pool, one: Wishing, scores: Mapping[int, float] = NO_SCORES) -> Digest:
    """Return what a reader gets of *pool*."""
    return choose(
        pool,
        topics=[parse_topic(text) for text in one.topics],
        max_papers=one.max_papers,
        min_upvotes=one.min_upvotes,
        sent=one.sent,
        scores=scores,
    )


def chosen(pool: Pool, one: Wishing) -> tuple[tuple[int, str, str], ...]:
    """Return the picks of a reader as they are stored."""
    digest = digest_of(pool, one)
    pool.places(digest.barred)
    return tuple(pick.stored for pick in digest.picks)


def plainly(pool: Pool) -> Callable[[Wishing], list[int]]:
    """Return what chooses as plainly as can be."""
    texts = [
        (c.paper.id, c.upvotes or 0, f" {' '.join(words(f'{c.paper.title} {c.paper.abstract}'))} ") for c in pool.order
    ]

    def choosing(one: Wishing) -> list[int]:
        wanted = [f" {' '.join(words(topic))} " for topic in one.topics]
        fitting = [
            (not any(topic in text for topic in wanted), place, paper_id)
            for place, (paper_id, votes, text) in enumerate(texts)
            if paper_id not in one.sent and votes >= one.min_upvotes
        ]
        return [paper_id for _, _, paper_id in sorted(fitting)[: one.max_papers]]

    return choosing


def learned(pool: Pool, known: Sequence[Wishing]) -> dict[str, Any] | None:
    """Return what readers with a taste cost, each with five papers saved."""
    if not taste.is_there():
        return None
    from newsletter.services.learning import Corpus  # noqa: PLC0415

    began = time.process_time()
    corpus = Corpus(candidate.paper for candidate in pool.order)
    shelf = corpus.shelf(pool.by_id)
    for paper_id in pool.by_id:
        corpus.likeness(paper_id)
    prepared = time.process_time() - began
    said = [
        [Feedback(i, Said.SAVE, NOW) for i in random.Random(n).sample(range(1, len(pool.by_id) + 1), 5)]
        for n in range(len(known))
    ]
    began = time.process_time()
    for one, theirs in zip(known, said, strict=True):
        liked = corpus.learn(theirs, NOW)
        taste.explained(digest_of(pool, one, liked.scores(shelf)), liked)
    return {
        "prepared_ms": round(prepared * 1000, 1),
        "microseconds": round((time.process_time() - began) / len(known) * 1e6, 1),
    }


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Choose and compose for everybody, and return what it took."""
    spoken = vocabulary(6000)
    candidates = papers(asked.papers, spoken)
    pool = Pool(candidates, range(1, 11), ())
    compose = composer(candidates, Languages())
    choosing = composing = 0.0
    size = different = started = 0
    last, everybody = None, readers(asked.readers, topics(asked.topics, spoken), asked.papers, asked.lengths)
    began = time.process_time()
    pool.prepare()
    prepared = time.process_time() - began
    early = max(asked.readers // 10, AT_ONCE)
    for first in range(0, asked.readers, AT_ONCE):
        some = [one for one, _ in zip(everybody, range(min(AT_ONCE, asked.readers - first)), strict=False)]
        shapes = [claimed(one.number, asked.papers) for one in some]
        began = time.process_time()
        picks = [chosen(pool, one) for one in some]
        choosing += time.process_time() - began
        mails = [shape._replace(picks=own) for shape, own in zip(shapes, picks, strict=True) if own]
        began = time.process_time()
        lengths = [len(compose.message(mail).content) for mail in mails]
        composing += time.process_time() - began
        size += sum(lengths)
        different += len(set(picks))
        if first < early <= first + AT_ONCE:
            started = peak()
        last = some
    yardstick = plainly(pool)
    sample = (last or [])[:200]
    began = time.process_time()
    for one in sample:
        yardstick(one)
    plain = (time.process_time() - began) / len(sample)
    rate = asked.readers / (choosing + composing)
    return {
        "readers": asked.readers,
        "papers": asked.papers,
        "topics": asked.topics,
        "lengths": asked.lengths,
        "prepared_ms": round(prepared * 1000, 1),
        "choosing_us": round(choosing / asked.readers * 1e6, 1),
        "composing_us": round(composing / asked.readers * 1e6, 1),
        "readers_per_second": round(rate),
        "different_choices_of_a_thousand": round(different / asked.readers * 1000),
        "bytes_per_message": round(size / asked.readers),
        "topics_looked_for": pool.found.cache_info().misses,
        "memory_mb": {"early": round(started / 1024, 1), "late": round(peak() / 1024, 1)},
        "yardstick_us": round(plain * 1e6, 1),
        "ratio": round(choosing / asked.readers / plain, 4),
        "learned": learned(
            pool,
            [
                one
                for one, _ in zip(
                    readers(LEARNED, topics(asked.topics, spoken), asked.papers, asked.lengths),
                    range(min(LEARNED, asked.readers)),
                    strict=False,
                )
            ],
        ),
        "wanted": WANTED,
        "holds": rate >= WANTED,
    }


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=1_000_000)
    options.add_argument("--papers", type=int, default=500)
    options.add_argument("--topics", type=int, default=20_000, help="different ones (%(default)s)")
    options.add_argument("--lengths", type=int, nargs=2, default=[6, 10], help="of digests, in papers (%(default)s)")
    asked = options.parse_args()
    with seldom_collecting():
        answer(measured(asked))


if __name__ == "__main__":
    main()

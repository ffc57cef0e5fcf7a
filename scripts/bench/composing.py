"""Measure what composing one reader's digest costs, and print it as JSON.

    scripts/dev bench composing [--readers 20000] [--papers 60]

Every reader gets ten papers of their own choice with reasons of their own, as HTML and text. ``ours`` composes the
messages as the sender does; ``yardstick`` renders the same content with a compiled Jinja template and lets the
standard library's EmailMessage make the message, for each reader anew. Figures are CPU time of this process per
message; memory is what grew from the first thousand readers to the last. ``issue`` is the CPU time, in milliseconds,
of the first message of an issue of fifty papers, which renders every card, line and frame that later ones join:
``first`` compiles the templates too, ``later`` is the fastest of five further issues.
"""

import argparse
import gc
import json
import random
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from jinja2 import Environment

from newsletter.config.settings import Settings
from newsletter.domain.issue import Arranged, Hand, Issue
from newsletter.domain.issue import Status as Editing
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate
from newsletter.mail.message import message_id
from newsletter.mail.tokens import Signer
from newsletter.render.languages import Languages
from newsletter.services.compose import Composer
from newsletter.services.correspondence import Correspondence
from newsletter.services.dispatch import seldom_collecting
from newsletter.services.edit import Shown
from newsletter.storage.turns import Claimed

DAY = date(2026, 7, 15)
NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
CARDS = 10
ISSUE = 50  # papers of the issue that is rendered as a whole
WARM = 1000  # readers after whom every cache has met every paper
ABSTRACT = "We show that a model of modest size reads long documents with less memory than was thought to be needed. "
TOPICS = ("rag", '"speculative decoding"', "cat:cs.CL", "author:Tri Dao", "diffusion", "agents", "org:Example")
ZONES = (None, "Europe/Zurich", "America/New_York", "Asia/Shanghai", "UTC")

SETTINGS: dict[str, Any] = {
    "file": "/nowhere/newsletter.toml",
    "newsletter": {
        "name": "Daily Papers",
        "sender": "Daily Papers <papers@example.org>",
        "reply_to": "editors@example.org",
        "base_url": "https://papers.example.org",
        "postal_address": "Example Street 1\n8000 Zürich",
    },
    "bounces": {"address": "bounces@example.org"},
    "sources": [{"kind": "huggingface"}],
}

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title></head><body>
<h1 style="margin:0;font:bold 32px/1.2 Georgia,serif">Daily Papers</h1>
{% for card in cards %}
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">
<tr><td style="padding:24px 32px 26px;color:#1d2026;font:16px/1.5 sans-serif;border-top:1px solid #e2e0da">
<p style="margin:0 0 4px;font-size:14px;color:#1b4fa8"><strong>{{ loop.index }}</strong> · {{ card.reason }}</p>
<h2 style="margin:0 0 6px;font:bold 20px/1.35 Georgia,serif">
<a style="color:#1d2026;text-decoration:none" href="{{ card.paper.link }}">{{ card.paper.title }}</a></h2>
<p style="margin:0;font-size:14px">{{ card.authors }} · {{ card.paper.organisation }}</p>
<p style="margin:0;font-size:14px;color:#5a606b">▲ {{ card.upvotes }} upvotes · {{ card.paper.categories | join(", ") }}</p>
<p style="margin:12px 0 0">{{ card.paper.abstract }}</p>
<p style="margin:8px 0 0;font-size:14px;line-height:26px">
{% for link in (card.paper.link, card.paper.pdf) %}
<a style="color:#1b4fa8" href="{{ link }}" aria-label="{{ card.paper.title }}">{{ link }}</a> &nbsp;·&nbsp;
{% endfor %}
</p></td></tr></table>
{% endfor %}
<p style="margin:0">{{ why_mail }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>
"""  # noqa: E501
TEXT = """Daily Papers

{% for card in cards %}
{{ "%2d" % loop.index }}. {{ card.paper.title }}
    {{ card.authors }} · {{ card.paper.organisation }}
    {{ card.reason }}

    {{ card.paper.abstract | wordwrap(68, wrapstring="\n    ") }}

{% for link in (card.paper.link, card.paper.pdf) %}
    {{ link }}
{% endfor %}

{% endfor %}
{{ why_mail }}
Unsubscribe: {{ unsubscribe_url }}
"""


def candidate(number: int) -> Candidate:
    """Return a paper of ordinary length."""
    key = f"2607.{number:05}"
    paper = Paper(
        id=number,
        arxiv_id=key,
        title=f"Reading {number} Long Documents with Less Memory",
        abstract=ABSTRACT,
        authors=tuple(f"Firstname Lastname{n}" for n in range(7)),
        organisation="Example University",
        categories=("cs.CL", "cs.LG"),
        published=NOW - timedelta(days=1),
        link=f"https://arxiv.org/abs/{key}",
        pdf=f"https://arxiv.org/pdf/{key}",
    )
    return Candidate(paper=paper, listings=(Listing(source="huggingface", day=DAY, upvotes=number),), first_listed=DAY)


def claimed(number: int, papers: int) -> Claimed:
    """Return reader *number*'s delivery: other papers in another order, for other reasons, than any other's."""
    chance = random.Random(number)
    picks = tuple(
        (paper, "topic", topic) if (topic := chance.choice((*TOPICS, ""))) else (paper, "front", "")
        for paper in chance.sample(range(1, papers + 1), CARDS)
    )
    return Claimed(
        id=2**61 + number,
        subscriber_id=number,
        issue_id=1,
        day=DAY,
        message_id=message_id(2**61 + number, "example.org"),
        made_at=NOW + timedelta(seconds=number // 1000),
        since=None,
        picks=picks,
        email=f"reader{number}@university-{number % 997}.example.org",
        format=None,
        created_at=NOW - timedelta(hours=chance.randrange(20_000)),
        frequency=chance.choice((None, "daily", "weekdays", "weekly:wed")),
        hour=None,
        zone=chance.choice(ZONES),
    )


def composer(candidates: Sequence[Candidate], languages: Languages) -> Composer:
    """Return the composer of an issue with these candidates."""
    shown = Shown(
        issue=Issue(id=1, date=DAY, status=Editing.SEALED),
        hand=Hand(),
        arranged=Arranged(pool=tuple(candidates), front=tuple(candidates[:CARDS])),
        arrived=frozenset(),
    )
    correspondence = Correspondence(Settings(**SETTINGS), Signer(("a secret of some length, for measuring",)))
    return Composer(correspondence, languages, shown)


def plain_way(candidates: Sequence[Candidate]) -> Callable[[Claimed], bytes]:
    """Return what composes the same content with Jinja and EmailMessage."""
    by_id = {c.paper.id: c for c in candidates}
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(PAGE)
    lines = Environment(trim_blocks=True, lstrip_blocks=True).from_string(TEXT)

    def compose(one: Claimed) -> bytes:
        cards = [
            {
                "paper": by_id[paper].paper,
                "upvotes": by_id[paper].upvotes,
                "authors": ", ".join(by_id[paper].paper.authors[:3]) + " and 4 more",
                "reason": f"matches “{detail}”" if detail else "among the day’s best",
            }
            for paper, _, detail in one.picks
        ]
        said = {
            "subject": f"Daily Papers · 15 July: {by_id[one.picks[0][0]].paper.title[:60]} and 9 more",
            "cards": cards,
            "why_mail": f"You are subscribed since {one.created_at:%d %B %Y}.",
            "unsubscribe_url": f"https://papers.example.org/unsubscribe/{one.subscriber_id:048}",
        }
        message = EmailMessage(policy=SMTP)
        message["From"] = "Daily Papers <papers@example.org>"
        message["To"] = one.email
        message["Subject"] = said["subject"]
        message["Message-ID"] = one.message_id
        message["Date"] = one.made_at
        message.set_content(lines.render(said), cte="quoted-printable")
        message.add_alternative(page.render(said), subtype="html", cte="quoted-printable")
        return message.as_bytes()

    return compose


def measured(compose: Callable[[Claimed], bytes], readers: Iterable[Claimed]) -> dict[str, float]:
    """Return CPU microseconds and bytes per message. The readers are made beforehand: they are not what is measured."""
    waiting = list(readers)
    gc.collect()
    size = 0
    began = time.process_time()
    for one in waiting:
        size += len(compose(one))
    spent = time.process_time() - began
    return {"microseconds": round(spent / len(waiting) * 1e6, 1), "bytes": round(size / len(waiting))}


def in_chunks(first: int, last: int, papers: int, compose: Callable[[Claimed], bytes]) -> dict[str, float]:
    """Return the figures over the readers from *first* to *last*, who are made a thousand at a time."""
    found = [
        measured(compose, (claimed(number, papers) for number in range(start, min(start + WARM, last))))
        for start in range(first, last, WARM)
    ]
    return {name: round(sum(one[name] for one in found) / len(found), 1) for name in found[0]}


def issue() -> dict[str, float]:
    """Return CPU milliseconds for the cards and the frame of an issue, the first and a later time."""
    candidates = [candidate(number) for number in range(1, ISSUE + 1)]
    whole = claimed(1, ISSUE)._replace(picks=tuple((number, "front", "") for number in range(1, ISSUE + 1)))
    languages = Languages()
    spent = []
    for _ in range(6):
        gc.collect()
        began = time.process_time()
        composer(candidates, languages).message(whole)
        spent.append((time.process_time() - began) * 1000)
    return {"papers": ISSUE, "first": round(spent[0], 1), "later": round(min(spent[1:]), 1)}


def peak() -> int:
    """Return the peak resident size of this process in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--papers", type=int, default=60)
    asked = parser.parse_args()
    candidates = [candidate(number) for number in range(1, asked.papers + 1)]
    composing = composer(candidates, Languages())

    def ours(one: Claimed) -> bytes:
        return composing.message(one).content

    with seldom_collecting():
        in_chunks(0, WARM, asked.papers, ours)
        before = peak()
        figures = in_chunks(WARM, WARM + asked.readers, asked.papers, ours)
        grown = peak() - before
    yardstick = in_chunks(0, max(asked.readers // 20, 1), asked.papers, plain_way(candidates))
    found = {
        "issue": issue(),
        "readers": asked.readers,
        "papers": asked.papers,
        "ours": figures | {"peak_growth_kib": grown},
        "yardstick": yardstick,
        "ratio": round(figures["microseconds"] / yardstick["microseconds"], 4),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

"""An invented issue on which templates are tried: its papers have everything, nothing, and what lies between.

No reader gets any of it. Not here: what is made of it (``proofs``).
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from newsletter.domain.issue import Arranged, Hand, Issue, Status
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.pool import Why
from newsletter.domain.ranking import Candidate
from newsletter.services.edit import Shown
from newsletter.storage.picks import Picks

_FRONT = 6  # papers; the others of the pool are in nobody's mail
_NOTED = 2
BARE = 3  # the id of the paper of which only the title is known

_PAPERS: tuple[dict[str, Any], ...] = (
    {
        "title": "Read It Back: Checking a Summary Against Its Source",
        "summary": "A small model reads each sentence of a summary back to its source, and says where none holds.",
        "abstract": "Summaries are fluent and often wrong. We ask for each sentence where the source says so.",
        "authors": ("Ada Okafor", "Ben Lindqvist", "Chiara Rossi", "Daniel Weiss", "Eun-ji Park"),
        "organisation": "Example University",
        "categories": ("cs.CL", "cs.LG"),
        "pdf": "https://arxiv.org/pdf/{id}",
        "discussion": "https://papers.example.com/{id}",
        "project": "https://project.example.com/read-it-back",
        "code": "https://code.example.com/read-it-back",
        "code_stars": 1234,
        "thumbnail": "https://images.example.com/{id}.png",
        "upvotes": 128,
        "comments": 1,
    },
    {
        "title": "Counting in $\\mathcal{O}(n \\log n)$: Sketches That Never Underestimate",
        "abstract": "We keep 2.5% of the counters and all of the guarantees. The bound $n^2$ falls to $n \\log n$.",
        "authors": ("Farid Haddad",),
        "categories": ("cs.DS",),
        "code": "https://code.example.com/sketches",
        "upvotes": 41,
        "comments": 12,
    },
    {"title": "A Paper of Which Nothing Else Is Known"},
    {
        "title": "从少量样本中学习规划",
        "abstract": "我们研究如何在样本很少时学习规划。结果表明,该方法在三个任务上都更好。",
        "authors": ("王芳", "李明"),
        "organisation": "示例大学",
        "upvotes": 17,
    },
    {
        "title": "قراءة المخطوطات القديمة بنماذج صغيرة",
        "abstract": "نعرض طريقة لقراءة المخطوطات القديمة بنماذج صغيرة تعمل على حاسوب واحد.",
        "authors": ("ليلى حسن",),
        "upvotes": 9,
    },
    {
        "title": 'Tables & <Trees>: "What Is Parsed Is Not What Was Said"',
        "abstract": "Angle < brackets > and ampersands & quotes are letters like all others.",
        "authors": tuple(f"Author {number}" for number in range(1, 41)),
        "upvotes": 3,
    },
    *({"title": f"Further Reading, Part {number}", "authors": ("Gao Min",)} for number in range(1, 9)),
)  # fmt: skip


def issue(day: date, *, subject: str = "", note: str = "", papers: int = len(_PAPERS), front: int = _FRONT) -> Shown:
    """Return an invented issue of *day* with so many papers, two of them with notes of the editor.

    Where more are wanted than there are, the first ones come again.
    """
    pool = tuple(_candidate(n, day, dict(_PAPERS[(n - 1) % len(_PAPERS)])) for n in range(1, papers + 1))
    notes = dict.fromkeys(range(1, _NOTED + 1), "The authors talk about it on Friday.") if note else {}
    found = Issue(id=0, date=day, status=Status.SEALED, subject=subject, note=note)
    arranged = Arranged(pool=pool, front=pool[:front])
    return Shown(issue=found, hand=Hand(notes=notes), arranged=arranged, arrived=frozenset())


def picks(shown: Shown, *topics: str) -> Picks:
    """Return the front as a reader's picks: the first papers for their *topics*, the others as the issue has them."""
    whys = [(Why.TOPIC.value, topic) for topic in topics]
    whys += [(why.value, "") for why in (Why.EDITOR, Why.POOL)] if topics else []
    whys += [(Why.FRONT.value, "")] * len(shown.arranged.front)
    return tuple((c.paper.id, *why) for c, why in zip(shown.arranged.front, whys, strict=False))


def _candidate(number: int, day: date, said: dict[str, Any]) -> Candidate:
    upvotes, comments = said.pop("upvotes", None), said.pop("comments", None)
    name = f"{day:%y%m}.{number:05}"
    known: dict[str, Any] = {key: _linked(value, name) for key, value in said.items()}
    if "abstract" in said:
        published = datetime.combine(day - timedelta(days=number), time(12), UTC)
        known |= {"link": f"https://arxiv.org/abs/{name}", "published": published}
    listing = Listing(source="specimens", day=day, upvotes=upvotes, comments=comments, position=number)
    return Candidate(paper=Paper(id=number, arxiv_id=name, **known), listings=(listing,), first_listed=day)


def _linked(value: object, name: str) -> object:
    return value.format(id=name) if isinstance(value, str) and value.startswith("https://") else value

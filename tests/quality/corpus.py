"""The mails that are judged: one newsletter's, each as a server took it, signed, over the days that make them differ.

Real to the last byte: a whole newsletter (``newsroom``) gathers, seals and sends. Whoever adds a kind of mail adds it
here, and every check of this folder looks at it. Not here: what is demanded of a mail (the tests).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from keys import signing_keys
from newsroom import Mail, Newsroom, instant

from newsletter.services.proofs import proofs
from newsletter.sources import values

OWN_DAYS = tuple(date(2026, 7, day) for day in (6, 7, 8, 9, 10))
RECORDED_DAYS = tuple(date(2026, 7, day) for day in (7, 8, 9, 10, 13))
SIZES = (10, 25, 50)
TRANSLATIONS = ("de", "zh-Hans")
_DEMO = Path(__file__).parents[2] / "newsletter" / "demo" / "papers.jsonl"
_PICTURE = "https://cdn.example.org/thumbnail.png"
_BEFORE_DAYS = "2026-05-01T12:00Z"
_A_DAY = 30  # hostile papers
_POOL = 110  # papers at hand on the last day: 50 with a card, 40 in a line, and some that are only counted

# What comes alive where a text is taken for markup, a header, a link, a template or a path; and what no layout likes.
HOSTILE = (
    "<script>alert(1)</script>",
    "</td></tr></table></body></html><h1>After the end",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<style>*{display:none}</style><svg/onload=alert(1)>",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "--><b>bold</b><!--",
    "<![CDATA[<a href=javascript:alert(1)>here</a>]]>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62; &amp;amp; &nbsp;",
    "<a href=javascript:alert(1)>javascript:alert(1)</a>",
    "</title><meta http-equiv=refresh content=0;url=https://evil.example/>",
    "{{ 7*7 }} {% for x in range(9) %}{% endfor %} ${7*7} #{7*7} <%= 7*7 %>",
    "Subject\r\nBcc: everyone@example.org\r\n\r\nAnother body",
    "=?utf-8?q?=0ABcc:_everyone@example.org?= =3Cscript=3E",
    "\ue000rank\ue001 \ue000foot\ue001 \xffheaders",
    "From here\r\n.\r\nQUIT\r\n--=_alternative--",
    "\x00\x01\x08\x1b[31mred\x7f\x85\u2028next\u2029line",
    "\u202etxet desrever\u202c and \u2066isolated\u2069 \u200b\u200d\ufeff",
    "نموذج لغوي كبير يقرأ المستندات الطويلة (RTL) مع 42 و $O(n^2)$",
    "מודל שפה גדול: קריאה חוזרת של המקור, עם English באמצע",
    "大規模言語モデルによる長文読解の効率化と検証、および再現可能な評価基盤の構築",
    "Z͑ͫ̓a̴l̷g̵o̶ " + "o\u0301\u0302\u0303\u0304\u0306\u0307" * 12,
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽 emoji 🧑‍🚀 and ✂︎ and 1️⃣",
    "A" * 500,
    "W" * 120 + " https://evil.example/" + "a" * 200,
    "A title of words that goes on and on without any end " * 10,
    r"$\mathcal{O}(n^2)$ \href{javascript:alert(1)}{x} \unknown{ $ % _ \\ 2.16timessim2.50times",
    "../../etc/passwd; DROP TABLE subscribers; -- ' OR 1=1",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "@import url(https://evil.example/x.css); } * { background: url(https://evil.example/p.png) } /*",
)


@dataclass(frozen=True)
class Judged:
    """A mail with the name by which tests speak of it; ``papers`` were asked for in ``language``, 0 if no digest."""

    name: str
    mail: Mail
    papers: int = 0
    language: str = "en"

    @property
    def file(self) -> str:
        """Return the name as one of a file."""
        return self.name.replace(" ", "-")

    def write_html(self, folder: Path) -> Path:
        """Return the file in *folder* that now holds the HTML part."""
        file = folder / f"{self.file}.html"
        file.write_text(self.mail.html, "utf-8")
        return file


def newsroom(folder: Path, **tables: Any) -> Newsroom:
    """Return a newsletter that signs with a key of each kind, shows images, and has an operator."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Newsroom(folder, **tables)
    made.configure(
        look={"images": True, "logo": "https://papers.example.org/logo.png"},
        operator={"email": "me@example.net"},
        bounces={"address": "bounces@example.org"},
        dkim=signing_keys(folder),
    )
    return made


def digests(room: Newsroom, days: Sequence[date], languages: Sequence[str] = ("en",)) -> Iterator[Judged]:
    """Yield the digests of 10, 25 and 50 papers of each of the *days*, of readers who come new on each."""
    for day in days:
        asked = [(size, language) for language in languages for size in SIZES]
        readers = {f"reader{size}-{language}-{day}@example.net": (size, language) for size, language in asked}
        for email, (size, language) in readers.items():
            room.subscribe(email, at=_BEFORE_DAYS, max_papers=str(size), language=language)
        room.tick(f"{day}T08:00Z")
        for email, (size, language) in readers.items():
            (mail,) = room.sink.to(email)
            room.run("subscribers", "unsubscribe", email)
            yield Judged(f"{day} {size} papers {language}".removesuffix(" en"), mail, size, language)


def own_days(room: Newsroom) -> Newsroom:
    """List the demo's papers with pictures on their days, and lookalikes of them on the first."""
    papers = [json.loads(line) | {"thumbnail": _PICTURE} for line in _DEMO.read_text().splitlines()]
    papers += [_lookalike(paper, number) for number, paper in enumerate(papers[: _POOL - len(papers)])]
    write(room, papers)
    return room


def recorded_days(room: Newsroom, upstream: str) -> Newsroom:
    """Gather from the recorded upstream at this URL."""
    room.configure(sources=[{"kind": "huggingface", "base_url": upstream, "allow_private_address": True}])
    return room


def hostile(room: Newsroom, texts: Sequence[str]) -> Iterator[Judged]:
    """Yield digests of 30 papers, of which every one says one of the *texts* in all its fields.

    After each, digests of three: every text comes first once, which makes it the subject, and stands in the preheader.
    """
    room.configure(newsletter={"max_papers": _A_DAY, "lookback_days": 1})
    room.subscribe("all@example.net", at=_BEFORE_DAYS)
    for at in range(_A_DAY):
        topics = ";".join(f"cat:{_place(at + further)}" for further in range(3))
        room.subscribe(f"three-{at}@example.net", at=_BEFORE_DAYS, topics=topics, max_papers="3")
    for number, start in enumerate(range(0, len(texts), _A_DAY)):
        day, said = date(2026, 6, 1) + timedelta(days=number), texts[start : start + _A_DAY]
        write(room, (hostile_paper(text, day, start + at) for at, text in enumerate(said)))
        room.run("gather", "--date", str(day))
        room.run("issues", "note", "--", str(day), _argument(said[0]))
        known = len(room.sink.mails)
        room.run("run", "--date", str(day), "--now")
        for mail in sorted(room.sink.mails[known:], key=lambda mail: mail.recipient):
            kind = mail.recipient.partition("@")[0].replace("-", " ")
            yield Judged(f"hostile {day} {kind}", mail, _A_DAY if kind == "all" else 3)


def one_paper(room: Newsroom) -> Judged:
    """Return a digest of one paper of which nothing but its title is known."""
    write(room, [{"day": "2026-07-15", "title": "Alone", "arxiv_id": "2607.00001"}])
    return _digest_of_day(room, "one paper")


def other_mails(room: Newsroom) -> Iterator[Judged]:
    """Yield every kind of mail that the newsletter can send, on the data that it has invented for looking at them."""
    now = instant("2026-07-09T08:00Z")
    with room.app(now) as app:
        for proof in proofs(app.dispatch, now):
            assert not proof.error, proof.error
            yield Judged(proof.name, Mail("papers@example.org", "reader@example.org", proof.content))


def hostile_paper(text: str, day: date, number: int) -> dict[str, Any]:
    """Return a paper that says *text* wherever it can, as a line of the file of papers."""
    # Encoded it is longer, and may be too long.
    link = values.link(values.link(f"https://evil.example/{text}")) or f"https://evil.example/{number}"
    said = text if text.isprintable() and text.strip() else f"Paper {number}: {text}"
    return {
        "day": str(day),
        "arxiv_id": f"2607.{number:05}",
        "title": said,
        "abstract": said,
        "summary": said if number % 2 else "",
        "authors": [said] * (1 + number % 5),
        "organisation": said,
        "categories": [_place(number), said],
        "keywords": [said],
        "links": {"abstract": f"https://arxiv.org/abs/2607.{number:05}", "pdf": link, "code": link},
        "thumbnail": link,
        "comment": said,
        "upvotes": 1000 - number,
        "submitter": said,
    }


def write(room: Newsroom, lines: Iterable[dict[str, Any]]) -> None:
    """Let the file of papers have these *lines*."""
    room.file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _digest_of_day(room: Newsroom, name: str) -> Judged:
    room.subscribe("reader@example.net")
    room.tick("2026-07-15T08:00Z")
    (mail,) = room.sink.to("reader@example.net")
    return Judged(name, mail)


def _lookalike(paper: dict[str, Any], number: int) -> dict[str, Any]:
    """Return another paper with an abstract in place of the summary, and none of the links."""
    return {
        "day": str(OWN_DAYS[0]),
        "title": f"Another Look at {paper['title']}",
        "arxiv_id": f"2601.{number + 1:05}",
        "abstract": f"{paper['summary']} " * 4,
        "authors": paper["authors"],
        "upvotes": 9,
    }


def _place(number: int) -> str:
    return f"x.P{number % _A_DAY}"


def _argument(text: str) -> str:
    return text.replace("\x00", "") or "A note"

"""The fast composer and a plain one say the same: headers, text and HTML, whatever papers, readers and issues hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.config.settings import Settings
from newsletter.domain.calendar import Rhythm, next_due
from newsletter.domain.digest import Digest, Named
from newsletter.domain.issue import Arranged, Correction, Hand, Issue
from newsletter.domain.issue import Status as Editing
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.pool import Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import plain
from newsletter.mail.message import message_id
from newsletter.mail.tokens import Purpose, Signer
from newsletter.render.digest import IssueRenderer, Masthead, Reader
from newsletter.render.languages import Languages
from newsletter.services.compose import Composer
from newsletter.services.correspondence import Correspondence
from newsletter.services.edit import Shown
from newsletter.storage.turns import Claimed

DAY = date(2026, 7, 15)  # a Wednesday: the next issue is Thursday's, at eight
NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
NEXT_ISSUE = datetime(2026, 7, 16, 7, 59, 59, tzinfo=UTC)
SIGNER = Signer(("a secret of some length, for these tests",))
CORRECTIONS = {
    1: Correction(id=1, issue_date=date(2025, 12, 30), text="It was <b>not</b> public: 100 %.", made_at=NOW),
    2: Correction(id=2, issue_date=date(2026, 7, 14), text=30 * "Ein längerer Satz. ", made_at=NOW),
}

LANGUAGES = Languages()
_GERMAN_MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
_GERMAN_DAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_CHINESE_DAYS = "一二三四五六日"


def _in_english(joined: datetime) -> str:
    return f"You get this because you have been subscribed to Daily Päpers since {joined.day} {joined:%B %Y}."


def _next_in_english(due: datetime, zone: str) -> str:
    return f"Next digest: {due:%A}, {due.day} {due:%B %Y, %H:%M} ({zone})."


# By what readers prefer; nobody speaks the last.
WHY_MAIL: dict[str | None, Callable[[datetime], str]] = {
    None: _in_english,
    "de-CH": lambda joined: (
        "Sie erhalten diese E-Mail, weil Sie Daily Päpers seit dem "
        f"{joined.day}. {_GERMAN_MONTHS[joined.month - 1]} {joined.year} abonniert haben."
    ),
    "zh": lambda joined: f"您自{joined.year}年{joined.month}月{joined.day}日起订阅 Daily Päpers，因此收到这封邮件。",
    "tlh": _in_english,
}
NEXT_DUE: dict[str | None, Callable[[datetime, str], str]] = {
    None: _next_in_english,
    "de-CH": lambda due, zone: (
        f"Nächste Ausgabe: {_GERMAN_DAYS[due.weekday()]}, {due.day}. {_GERMAN_MONTHS[due.month - 1]} {due.year}, "
        f"{due:%H:%M} Uhr ({zone})."
    ),
    "zh": lambda due, zone: (
        f"下一期：{due.year}年{due.month}月{due.day}日星期{_CHINESE_DAYS[due.weekday()]} {due:%H:%M}（{zone}）。"
    ),
    "tlh": _next_in_english,
}


def configured(*, pages: bool, bounces: bool) -> Settings:
    """Return the settings of a newsletter, with or without web pages and an address for what comes back."""
    newsletter = {
        "name": "Daily Päpers",
        "sender": "papers@example.org",
        "reply_to": "editors@example.org",
        "postal_address": "Example Street 1\n8000 Zürich",
        **({"base_url": "https://papers.example.org"} if pages else {}),
    }
    address = {"bounces": {"address": "bounces@example.org"}} if bounces else {}
    said: dict[str, Any] = {"file": "/nowhere/x.toml", "newsletter": newsletter, "sources": [{"kind": "huggingface"}]}
    return Settings(**said, **address)


@dataclass(frozen=True)
class Story:
    """An issue and its readers."""

    settings: Settings
    shown: Shown
    readers: list[Claimed]

    @property
    def composer(self) -> Composer:
        """Return the one that sends."""
        return Composer(Correspondence(self.settings, SIGNER), LANGUAGES, self.shown, CORRECTIONS)


def plainly(story: Story, one: Claimed) -> EmailMessage:
    """Return one reader's message, built the slow way from whole texts."""
    newsletter = story.settings.newsletter
    by_id = {c.paper.id: c for c in story.shown.arranged.pool}
    picks = tuple(Pick(by_id[paper], Why(why), detail) for paper, why, detail in one.picks)
    weekly = str(one.frequency).startswith("weekly") and one.since and (DAY - one.since).days <= 7
    had = {paper for paper, _, _ in one.picks}
    named = [c for at, c in enumerate(story.shown.arranged.pool) if not int(one.unlisted or "0", 16) >> at & 1]
    also = Named(tuple(c for c in named if c.paper.id not in had))
    digest = Digest(picks=picks, since=one.since, missed=not weekly, named=also)
    own = LANGUAGES.templates(one.language)
    language = own.language.tag
    base_url = newsletter.base_url and f"{newsletter.base_url}{'' if language == 'en' else '/' + language}"
    masthead = Masthead(
        name=newsletter.name,
        postal_address=newsletter.postal_address,
        base_url=base_url,
        archive_url=base_url and f"{base_url}/archive",
        view_url=base_url and f"{base_url}/archive/{DAY}",
        react_url=newsletter.base_url and f"{newsletter.base_url}/react/{link_token(one)}",
        date=DAY,
        pool_size=len(by_id),
        note=story.shown.issue.note,
        subject=story.shown.issue.subject,
    )
    reader = foot(story, one)
    issue = IssueRenderer(own, masthead, story.shown.hand.notes, str.encode)
    rendered = issue.digest(digest, reader, tuple(map(CORRECTIONS.__getitem__, one.corrections)))
    message = EmailMessage(policy=SMTP)
    for name, value in headers(story, one, reader, rendered.subject).items():
        message[name] = value
    text, html = (b"".join(pieces).decode() for pieces in (rendered.text, rendered.html))
    if one.format == "html":
        message.set_content(html, subtype="html", cte="quoted-printable")
    else:
        message.set_content(text, cte="quoted-printable")
        if one.format != "text":
            message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def link_token(one: Claimed) -> str:
    """Return the token of the links that last for ninety days."""
    ends = one.made_at + timedelta(days=90)
    return SIGNER.token(Purpose.PREFERENCES, subscriber=one.subscriber_id, delivery=one.id, expires=ends)


def foot(story: Story, one: Claimed) -> Reader:
    """Return what the foot says, its links whole."""
    newsletter, token = story.settings.newsletter, SIGNER.token(Purpose.UNSUBSCRIBE, subscriber=one.id)
    zone = ZoneInfo(one.zone or "UTC")
    joined = one.created_at.astimezone(zone)
    rhythm = Rhythm(frequency=one.frequency or "daily", hour=one.hour or time(8), zone=zone)
    due = next_due(rhythm, max(one.made_at, NEXT_ISSUE), one.day).at.astimezone(zone)
    return Reader(
        why_mail=WHY_MAIL[one.language](joined),
        next_due=NEXT_DUE[one.language](due, zone.key),
        unsubscribe_url=newsletter.base_url and f"{newsletter.base_url}/unsubscribe/{token}",
        preferences_url=newsletter.base_url and f"{newsletter.base_url}/preferences/{link_token(one)}",
        unsubscribe_mailto=story.settings.bounces.address and f"mailto:bounces+{token}@example.org?subject=unsubscribe",
        reply_to="editors@example.org",
    )


def reply_to(story: Story, one: Claimed) -> str:
    """Return where answers go: to the editors, or with commands by mail to an address signed for this delivery."""
    if not story.settings.bounces.address:
        return "editors@example.org"
    expires = one.made_at + timedelta(days=90)
    token = SIGNER.token(Purpose.REPLY, subscriber=one.subscriber_id, delivery=one.id, expires=expires)
    return f"bounces+{token}@example.org"


def headers(story: Story, one: Claimed, reader: Reader, subject: str) -> dict[str, str]:
    """Return the headers, unfolded and decoded; '' where there is none."""
    base_url = story.settings.newsletter.base_url
    stop = "" if base_url or reader.unsubscribe_mailto else "mailto:editors@example.org?subject=stop"
    leave = [f"<{way}>" for way in (reader.unsubscribe_url, reader.unsubscribe_mailto or stop) if way]
    keys = {c.paper.id: c.paper.key for c in story.shown.arranged.pool}
    said = {
        "From": "Daily Päpers <papers@example.org>",
        "To": one.email,
        "Reply-To": reply_to(story, one),
        "Subject": " ".join(plain(subject).replace("=?", "= ?").split()),
        "Date": format_datetime(one.made_at),
        "Message-ID": one.message_id,
        "List-Id": "Daily Päpers <daily-p-pers.example.org>",
        "List-Unsubscribe": ", ".join(leave),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" if base_url else "",
        "List-Archive": f"<{base_url}/archive>" if base_url else "",
        "List-Help": f"<{base_url or 'mailto:editors@example.org?subject=help'}>",
        "List-Owner": "<mailto:editors@example.org>",
        "Feedback-ID": "20260715:digest:daily-p-pers",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "X-Papers": " ".join(keys[paper] for paper, _, _ in one.picks),
    }
    return {name: value for name, value in said.items() if value}


def assert_agrees(story: Story, one: Claimed, raw: bytes) -> None:
    """The message on the wire is well formed, and says what the plain one says."""
    assert_well_formed(raw)
    sent = message_from_bytes(raw, policy=default)
    wanted = plainly(story, one)
    assert isinstance(sent, EmailMessage)
    assert not sent.defects
    own = {"mime-version", "content-type", "content-transfer-encoding"}
    names = [name for name in sent.keys() if name.lower() not in own]  # noqa: SIM118 - a message is no dict
    assert sorted(names) == sorted(name for name in wanted.keys() if name.lower() not in own)  # noqa: SIM118
    assert {n: str(sent[n]) for n in names} == {n: str(wanted[n]) for n in names}
    assert sent.get_content_type() == wanted.get_content_type()
    assert contents(sent) == contents(wanted)


def contents(message: EmailMessage) -> list[tuple[str, str]]:
    """Return kind and text of each part, in order; where lines of HTML end says nothing."""
    parts = message.iter_parts() if message.is_multipart() else [message]
    said = [(part.get_content_type(), part.get_content().replace("\r\n", "\n")) for part in parts]
    return [(kind, text.replace("\n", " ") if kind == "text/html" else text) for kind, text in said]


def assert_well_formed(raw: bytes) -> None:
    """CRLF everywhere, no line too long, none that begins with a dot, seven bits."""
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    assert raw.isascii()
    assert not re.search(rb"^\.", raw, re.MULTILINE)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76


SCRIPTS = "نموذج大規模言語👩‍👩‍👧‍👦é\u0301\ud800\u202e"
texts = st.one_of(
    st.text(max_size=80),
    st.text(st.sampled_from("=. \t\r\n-_?<>&\"'\\{}aF" + SCRIPTS), max_size=120),
    st.text(st.sampled_from(". =a" + SCRIPTS), min_size=7, max_size=40).map(lambda t: (70 * t)[: 480 + len(t)]),
    st.sampled_from(["", ".", "..", ".\n.", "=", "=20", "=?utf-8?q?a=0ABcc:_x@y.example?=", "w" * 500, "語" * 500]),
    st.lists(st.sampled_from([".", "..", "=3D", "a" * 74, "a" * 75, "b ", "From x", "-- "])).map(" ".join),
)
links = st.sampled_from(
    ["", "https://x.example/?q=1&r==2", "https://x.example/" + "a" * 300, "https://x.example/" + "." * 99]
)


@st.composite
def candidates(draw: st.DrawFn, number: int) -> Candidate:
    """Return a paper that says odd things."""
    paper = Paper(
        id=number,
        arxiv_id=f"2607.{number:05}",
        title=draw(texts),
        abstract=draw(texts),
        summary=draw(st.just("") | texts),
        authors=tuple(draw(st.lists(texts, max_size=4))),
        organisation=draw(st.just("") | texts),
        published=draw(st.none() | st.just(NOW)),
        link=draw(links),
        code=draw(links),
    )
    votes = draw(st.none() | st.integers(0, 5000))
    return Candidate(paper=paper, listings=(Listing(source="list", day=DAY, upvotes=votes),), first_listed=DAY)


@st.composite
def readers(draw: st.DrawFn, number: int, papers: list[int], details: list[str]) -> Claimed:
    """Return a reader with any of the papers, in any order, for any reasons with any of the *details*."""
    chosen = draw(st.lists(st.sampled_from(papers), unique=True))
    why = st.sampled_from([*Why]).map(str)
    detail = st.sampled_from(details)
    return Claimed(
        id=number,
        subscriber_id=number,
        issue_id=1,
        day=DAY,
        message_id=message_id(number, "example.org"),
        made_at=NOW + timedelta(seconds=draw(st.integers(0, 100_000))),
        since=draw(st.none() | st.dates(date(2025, 12, 1), DAY)),
        picks=tuple((paper, draw(why), draw(detail)) for paper in chosen),
        email=draw(st.sampled_from(["ann@example.com", f"{'a' * 64}@example.com", "o'brien+x=y@a-b.example"])),
        format=draw(st.sampled_from([None, "both", "html", "text"])),
        created_at=draw(st.timedeltas(timedelta(), timedelta(days=3000)).map(NOW.__sub__)),
        frequency=draw(st.sampled_from([None, "daily", "weekdays", "weekly:wed"])),
        hour=draw(st.sampled_from([None, time(6, 30), time(23)])),
        zone=draw(st.sampled_from([None, "Europe/Zurich", "Asia/Kathmandu", "America/Los_Angeles"])),
        corrections=draw(st.sampled_from([(), (1,), (1, 2)])),
        unlisted=draw(st.sampled_from(["", "1", "6", "ff"])),
        language=draw(st.sampled_from([*WHY_MAIL])),
    )


@st.composite
def stories(draw: st.DrawFn, fewest: int, most: int) -> Story:
    """Return an issue of some papers, and so many of its readers."""
    pool = tuple(draw(candidates(number)) for number in range(1, draw(st.integers(2, 5))))
    issue = Issue(id=1, date=DAY, status=Editing.SEALED, note=draw(texts), subject=draw(st.just("") | texts))
    shown = Shown(
        issue=issue,
        hand=Hand(notes=draw(st.dictionaries(st.sampled_from([c.paper.id for c in pool]), texts))),
        arranged=Arranged(pool=pool, front=pool),
        arrived=frozenset(),
    )
    papers = [c.paper.id for c in pool]
    details = draw(st.lists(texts.map(plain), min_size=4, max_size=4))  # as topics are stored
    claimed = [draw(readers(n, papers, details)) for n in range(1, 1 + draw(st.integers(fewest, most)))]
    return Story(configured(pages=draw(st.booleans()), bounces=draw(st.booleans())), shown, claimed)


def check(story: Story) -> None:
    """All readers, the first of them twice: who comes first must leave nothing behind."""
    composer = story.composer
    sent = [composer.message(one) for one in (*story.readers, story.readers[0])]
    for one, message in zip(story.readers, sent, strict=False):
        assert_agrees(story, one, message.content)
        assert message.recipient == one.email
    assert sent[-1] == sent[0]


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@settings(max_examples=25, suppress_health_check=QUIET)
@given(stories(1, 10))
def test_both_composers_agree(story: Story) -> None:
    """A join of encoded pieces is the message that the standard library would have made of the whole."""
    check(story)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=110, suppress_health_check=QUIET)
@given(stories(16, 24))
def test_both_composers_agree_for_thousands_of_readers(story: Story) -> None:
    """The same for thousands."""
    check(story)

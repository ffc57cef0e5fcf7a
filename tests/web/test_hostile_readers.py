"""Hostile texts in every field and parameter of a reader's pages: nothing of them lives, and no answer is a fault."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from hostile import alive, sendable, well_known
from served import Site

from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.storage import address_changes
from newsletter.web.forms import Stamps

ANN, BOB, NEW = "ann@example.net", "bob@example.net", "new@example.net"
EVERY = 60  # of the corpora
TABLES = {"web": {"requests_per_minute": 0}}
OWN = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</textarea><svg/onload=alert(1)>",
    "javascript:alert(1)//https://evil.example",
    "{{ 7 * 7 }}{% for x in range(9**9) %}",
    "\x00\ue000token\ue001\u202e\r\nBcc: eve@example.net",
    "' OR 1=1; DROP TABLE subscribers; --",
    "=cmd|' /C calc'!A0",
    "../../../../etc/passwd%00",
    "𝓤nicode \ud83d\ude00 田中さんにあげて下さい",
)
FIELDS = (
    "address", "topics", "people", "alerts", "only_topics", "frequency", "hour", "zone", "max_papers", "min_upvotes",
    "format", "language", "weeks", "said", "paper", "feed", "stamp", "website", "reason", "words", "by",
)  # fmt: skip
_TYPED = re.compile("<textarea[^>]*>[^<]*")
_RUNS = ("=", "+", "-", "@", "\t", "\r")  # what begins a cell that a spreadsheet would run


class Reader:
    """Somebody whose pages are open, and what types into all of them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        for email in (ANN, BOB):
            site.room.run("subscribers", "add", email)
        site.room.run("subscribers", "add", NEW, "--confirm")
        self._ann, bob, new = (subscribe.find(site.app.database, email).id for email in (ANN, BOB, NEW))
        self._stamps = Stamps(site.app.settings.secrets)
        with site.app.database.write() as session:
            address_changes.ask(session, self._ann, 7, "ann@elsewhere.example", datetime.now(UTC))
        mine = self._token(Purpose.PREFERENCES)
        self.below = f"/preferences/{mine}"
        acts = ("", "/saved", "/address", "/pause", "/resume", "/taste", "/data")
        self._forms = [f"{self.below}{act}" for act in acts]
        self._forms += [f"/react/{mine}/1/save", "/subscribe", "/unsubscribe", "/de/subscribe"]
        self._others = [
            f"/unsubscribe/{self._token(Purpose.UNSUBSCRIBE, bob)}",
            f"/data/{mine}/delete",
        ]
        data, feed = self._token(Purpose.DATA), self._token(Purpose.FEED)
        self._places = [
            f"/confirm/{self._token(Purpose.CONFIRM, new)}",
            self.below,
            f"{self.below}/saved",
            f"{self.below}/taste",
            f"/data/{data}",
        ]
        self._places += [f"/data/{data}/newsletter.json", f"/saved/{feed}/atom", f"/saved/{feed}/json"]
        self._places += [f"{self.below}/saved/papers.{kind}" for kind in ("bib", "ris", "json")]
        self._places += [
            "/subscribe",
            "/unsubscribe",
            f"/react/{mine}/1/less",
            f"/move/{self._token(Purpose.MOVE, at=7)}",
        ]

    def _token(self, purpose: Purpose, who: int = 0, at: int = 0) -> str:
        ends = datetime.now(UTC) + timedelta(days=1)
        return self._site.app.correspondence.signer.token(
            purpose, subscriber=who or self._ann, delivery=at, expires=ends
        )

    def _stamp(self, form: str) -> str:
        return self._stamps.make(form, datetime.now(UTC) - timedelta(minutes=1))

    def types(self, text: str) -> Iterator[httpx2.Response]:
        """Type *text* into every field at once, into each that is checked alone, and ask every page for it."""
        with self._site.app.database.write() as session:
            session.connection().exec_driver_sql("DELETE FROM limits")
        sent = dict.fromkeys(FIELDS, text)
        for path in [*self._forms, *self._others]:
            yield self._site.client.post(path, data=sent)
        said, signed = text.replace('"', ""), {"website": "", "stamp": self._stamp("subscribe")}
        yield self._site.client.post("/subscribe", data=sent | signed)
        yield self._site.client.post("/subscribe", data={"topics": f'"{said}"', "address": NEW} | signed)
        yield self._site.client.post("/unsubscribe", data=sent | {"website": "", "stamp": self._stamp("leave")})
        for field in ("topics", "people", "alerts"):
            yield self._site.client.post(self.below, data={field: f'"{said}"\norg:"{said}"\n{said}'})
        yield self._site.client.post(self._others[0], data={"by": "button", "reason": "other", "words": text})
        for path in self._places:
            yield self._site.client.get(path, params=sent)


def judge(site: Site, texts: Sequence[str]) -> int:
    """Type all *texts*, and hold every answer against what may be said."""
    site.room.publish("2026-07-15", "Alpha")
    site.room.run("gather", "--date", "2026-07-15")
    reader, count = Reader(site), 0
    for text in map(sendable, texts):
        for answer in reader.types(text):
            count += 1
            assert answer.status_code in _SOUND, (text, answer.status_code, answer.request.method, answer.url.path)
            assert not alive(answer), (text, alive(answer), answer.url.path)
            assert not {"set-cookie", "location"} & set(answer.headers)
            assert "7 * 7" not in text or "49" not in "".join(_TYPED.findall(answer.text))
    assert subscribe.find(site.app.database, ANN).email == ANN
    _goes_out_inert(site)
    return count


_SOUND = {200, 400, 404, 410, 413, 422}


def _goes_out_inert(site: Site) -> None:
    """Hold what leaves as files against what a spreadsheet runs, and against itself."""
    given = site.room.run("subscribers", "export", "--format", "csv").out
    cells = [cell for row in csv.reader(io.StringIO(given)) for cell in row]
    assert [cell for cell in cells if cell.startswith(_RUNS)] == []
    for line in site.room.run("subscribers", "export", "--format", "jsonl").out.splitlines():
        assert json.loads(line)["email"]


def test_nothing_hostile_lives(site: Site) -> None:
    """No element, attribute or address that a text brought along, and nothing but pages and refusals."""
    assert judge(site, OWN) > len(OWN) * len(FIELDS)


def test_nothing_well_known_lives(site: Site, shared: Path) -> None:
    """The same with some of the corpora of hostile strings."""
    judge(site, well_known(shared, EVERY))

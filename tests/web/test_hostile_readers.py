"""Hostile texts in every field and parameter of a reader's pages: nothing of them lives, and no answer is a fault."""

from datetime import UTC, datetime, timedelta

from lxml import html
from served import Site

from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.web.forms import Stamps

ANN = "ann@example.net"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</textarea><svg/onload=alert(1)>",
    "javascript:alert(1)//https://evil.example",
    "{{ 7 * 7 }}{% for x in range(9**9) %}",
    "\x00\ue000token\ue001\u202e\r\nBcc: eve@example.net",
    "' OR 1=1; DROP TABLE subscribers; --",
    "../../../../etc/passwd%00",
    "𝓤nicode \ud83d\ude00 田中さんにあげて下さい",
)
FIELDS = (
    "address", "topics", "people", "alerts", "only_topics", "frequency", "hour", "zone", "max_papers", "min_upvotes",
    "format", "language", "weeks", "said", "paper", "feed", "stamp", "website", "reason", "words", "by",
)  # fmt: skip


def test_nothing_hostile_lives(site: Site) -> None:
    """No element, attribute or address that a text brought along, and nothing but pages and refusals."""
    site.room.publish("2026-07-15", "Alpha")
    site.room.run("gather", "--date", "2026-07-15")
    site.room.run("subscribers", "add", ANN)
    who, ends = subscribe.find(site.app.database, ANN).id, datetime.now(UTC) + timedelta(days=1)
    mine, move = (
        site.app.correspondence.signer.token(purpose, subscriber=who, expires=ends)
        for purpose in (Purpose.PREFERENCES, Purpose.MOVE)
    )
    stamp = Stamps(site.app.settings.secrets).make("subscribe", datetime.now(UTC) - timedelta(minutes=1))
    below = f"/preferences/{mine}"
    paths = [
        "/subscribe",
        below,
        f"{below}/saved",
        f"{below}/address",
        f"{below}/pause",
        f"/react/{mine}/1/save",
        f"/move/{move}",
    ]
    answers = []
    for text in HOSTILE:
        sent = dict.fromkeys(FIELDS, text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        for path in paths:
            answers.append(site.client.post(path, data=sent))
            answers.append(site.client.post(path, data=sent | {"stamp": stamp, "website": ""}))
        answers.append(site.client.get(f"{below}/saved", params=sent))
    assert {answer.status_code for answer in answers} <= {200, 400, 404, 410, 413, 422, 429}
    for answer in answers:
        page = html.document_fromstring(answer.text)
        assert page.xpath("//script[not(@src='/forms.js')] | //img | //svg | //@onerror | //@onload") == []
        assert not [link for link in page.xpath("//@href") if link.startswith("javascript:")]
        assert "49" not in page.xpath("string(//main//textarea)")
    assert subscribe.find(site.app.database, ANN).email == ANN

"""Messages: the headers that were asked for and no other, and texts that come back as they were."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, compat32, default
from email.utils import getaddresses
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.errors import UsageError
from newsletter.mail.addresses import parse_address
from newsletter.mail.message import Head, message_bytes, message_id, needs_smtputf8, wire_address

TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnop"
HEAD = Head(
    sender="Daily Papers <papers@example.org>",
    to="ann@example.com",
    subject="Three papers for Wednesday",
    message_id=message_id(2**62 + 5, "example.org"),
    date=datetime(2026, 7, 15, 8, tzinfo=UTC),
)
LIST_HEAD = replace(
    HEAD,
    reply_to="editors@example.org",
    list_id="Daily Papers <daily.papers.example.org>",
    unsubscribe_url=f"https://papers.example.org/unsubscribe/{TOKEN}",
    unsubscribe_mailto=f"mailto:u-{TOKEN}@bounces.example.org?subject=unsubscribe",
    archive_url="https://papers.example.org/archive",
    help="https://papers.example.org/help",
    owner="mailto:editors@example.org",
    feedback_id="2026-07-15:daily:digest:papers",
    papers=("2607.01234", "10.1101/2026.07.14.123456"),
)
LIST_HEADERS = [
    "To", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "From", "Reply-To", "Subject", "List-Id",
    "List-Archive", "List-Help", "List-Owner", "Feedback-ID", "Auto-Submitted", "Precedence", "X-Papers",
    "MIME-Version", "Content-Type",
]  # fmt: skip
INJECTION = "=?utf-8?q?a=0ABcc:_x@y.example?="
HOSTILE = [
    INJECTION,
    f"{INJECTION} {INJECTION}",
    "=\r\n ?utf-8?q?a=0ABcc:_x@y.example?=",
    "=\0?utf-8?q?a=0ABcc:_x@y.example?=",
    "=\u200b?utf-8?b?YQpCY2M6IHhAeS5leGFtcGxl?=",
    "=?=?utf-8?q?x?=utf-8?q?a=0ABcc:_x@y.example?=",
    "é =?utf-8?q?a=0ABcc:_x@y.example?=",
    "A title\r\nBcc: x@y.example",
    "A title\n\nand a body",
    "nul \0 bell \a escape \x1b[31m next line \x85 separator \u2028 lone \ud800",
    'Doe, "Jane" \\ <jane@example.net>, bob@example.net',
    "a" * 3000,
    "日本語の論文" * 300,
    "x " * 600,
    '"',
    '""',
    '"quoted"',
    "\\",
    "a.b",
    "",
    "   ",
]


def parsed(message: bytes) -> EmailMessage:
    """Return *message* as a mail program reads it."""
    found = BytesParser(policy=default).parsebytes(message)
    assert isinstance(found, EmailMessage)
    return found


def expected(text: str) -> str:
    """Return what a reader shall see of a foreign *text*: harmless, and an encoded-word as what it looks like."""
    return " ".join(plain(text).replace("=?", "= ?").split())


def assert_well_formed(message: bytes) -> None:
    """CRLF only, no line above 998 octets, none above 76 in a body, seven bits, no stray control."""
    assert message.endswith(b"\r\n")
    assert message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r")
    assert message.isascii()
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", message)
    head, _, body = message.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not re.search(rb"^\.", message, re.MULTILINE)  # or SMTP would have to stuff it
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S*\?=", head))


def assert_headers(names: list[str], message: bytes) -> None:
    """The header set is *names*, for a parser, and for whoever looks at the lines."""
    assert BytesParser(policy=compat32).parsebytes(message, headersonly=True).keys() == names
    lines = message.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert [line.partition(":")[0] for line in lines if line[0] not in " \t"] == names


def assert_survives_rewriting(names: list[str], message: bytes) -> None:
    """The header set is *names* also after a program has decoded a header and written it anew."""
    rewritten = parsed(message)
    for name in ("Subject", "From", "To"):
        rewritten.replace_header(name, str(rewritten[name]))
    assert parsed(rewritten.as_bytes(policy=SMTP)).keys() == names


def sender_of(message: bytes) -> tuple[str, str]:
    """Return display name and address of the one sender.

    The name is decoded by the older part of the library, which joins encoded-words as RFC 2047 says; the newer
    one, which sees the same single address, leaves blanks between them.
    """
    (sender,) = parsed(message)["From"].addresses
    ((name, address),) = getaddresses([unfolded(message, "From")])
    assert address == sender.addr_spec
    return str(make_header(decode_header(name))), address


def unfolded(message: bytes, header: str) -> str:
    """Return the raw value of *header* on one line."""
    return str(BytesParser(policy=compat32).parsebytes(message, headersonly=True)[header]).replace("\r\n", "")


def assert_foreign_texts_are_harmless(subject: str, name: str) -> bytes:
    """The headers stay, and subject and name come back as far as they are harmless. Returns the message."""
    head = replace(LIST_HEAD, subject=subject, sender=f"{name} <papers@example.org>", list_id=f"{name} <l.example.org>")
    raw = message_bytes(head, text="x", html="y")
    assert_well_formed(raw)
    assert_headers(LIST_HEADERS, raw)
    assert str(make_header(decode_header(unfolded(raw, "Subject")))) == expected(subject)
    found, address = sender_of(raw)
    assert address == "papers@example.org"
    if not name.strip().startswith('"'):
        assert found == expected(name)
    return raw


def test_a_digest_names_every_header_and_nothing_else():
    """The list headers are there, raw on one line, and the body is multipart with the text first."""
    raw = message_bytes(LIST_HEAD, text="Three papers — at last.\n", html="<p>Three papers</p>\n")
    assert_well_formed(raw)
    assert_headers(LIST_HEADERS, raw)
    message = parsed(raw)
    assert message["From"].addresses[0].display_name == "Daily Papers"
    assert message["From"].addresses[0].addr_spec == "papers@example.org"
    assert message["To"] == "ann@example.com"
    assert message["Subject"] == "Three papers for Wednesday"
    assert message["Date"].datetime == LIST_HEAD.date
    assert f"List-Unsubscribe: <{LIST_HEAD.unsubscribe_url}>, <{LIST_HEAD.unsubscribe_mailto}>\r\n".encode() in raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert b"List-Id: Daily Papers <daily.papers.example.org>\r\n" in raw
    assert b"Message-ID: <4000000000000005@example.org>\r\n" in raw
    assert b"Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\n" in raw
    assert message["X-Papers"].split() == ["2607.01234", "10.1101/2026.07.14.123456"]
    text, html = message.iter_parts()
    assert [text.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert text.get_content() == "Three papers — at last.\r\n"
    assert html.get_content() == "<p>Three papers</p>\r\n"


@pytest.mark.parametrize(("kind", "bodies"), [("plain", {"text": "Hello.\n"}), ("html", {"html": "<p>Hello.</p>\n"})])
def test_a_reader_may_want_one_part_only(kind: str, bodies: dict[str, str]):
    """One body is a message of one part, without list headers where it is no list mail."""
    raw = message_bytes(HEAD, **bodies)
    assert_well_formed(raw)
    names = ["To", "Date", "Message-ID", "From", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"]
    assert_headers([*names, "Content-Transfer-Encoding"], raw)
    assert parsed(raw).get_content_type() == f"text/{kind}"
    assert parsed(raw).get_content() == next(iter(bodies.values())).replace("\n", "\r\n")


def test_a_repeat_is_the_same_message():
    """The boundary too: a repeat can be recognised byte for byte."""
    first, again = (message_bytes(LIST_HEAD, text="a", html="b") for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("url", "mailto", "one_click"),
    [("https://p.example.org/u/x", "", True), ("http://p.example.org/u/x", "", False), ("", "mailto:u@e.org", False)],
)
def test_one_click_is_offered_only_over_https(url: str, mailto: str, one_click: bool):
    """RFC 8058 asks for https, and a POST header without it is a promise that nobody keeps."""
    raw = message_bytes(replace(LIST_HEAD, unsubscribe_url=url, unsubscribe_mailto=mailto), text="x")
    assert (b"\r\nList-Unsubscribe-Post:" in raw) is one_click
    assert f"List-Unsubscribe: <{url or mailto}>\r\n".encode() in raw


def test_long_links_stay_raw():
    """No client decodes or unfolds List-Unsubscribe, so 900 characters of it stay on one line."""
    url = "https://papers.example.org/" + "a" * 440
    raw = message_bytes(replace(LIST_HEAD, unsubscribe_url=url, unsubscribe_mailto=f"mailto:{url}"), text="x")
    assert f"\r\nList-Unsubscribe: <{url}>, <mailto:{url}>\r\n".encode() in raw


foreign = (
    st.text() | st.text(st.sampled_from('=?utf8qb_\r\n\t\0 "\\,<>@:;()é日')) | st.lists(st.text()).map(INJECTION.join)
)


@given(foreign, foreign)
@example(INJECTION, INJECTION)
def test_hostile_texts_change_no_header(subject: str, name: str):
    """Whatever a title or a name holds, the headers stay, and the text comes back as far as it is harmless."""
    raw = assert_foreign_texts_are_harmless(subject, name)
    assert_survives_rewriting(LIST_HEADERS, raw)
    assert parsed(raw)["Subject"] == expected(subject)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_each_known_attack_is_harmless(text: str):
    """The attacks on record, each in every place where foreign text goes."""
    assert_survives_rewriting(LIST_HEADERS, assert_foreign_texts_are_harmless(text, text))
    raw = message_bytes(replace(LIST_HEAD, papers=("2607.01234", text)), text=text, html=text)
    assert_well_formed(raw)
    assert_headers(LIST_HEADERS, raw)
    assert len(parsed(raw)["X-Papers"].split()) == (2 if text else 1)


def test_the_corpora_of_naughty_strings_are_harmless(shared: Path):
    """The Big List of Naughty Strings and DOMPurify's payloads, as titles, names, keys, addresses and bodies."""
    texts = [
        *json.loads((shared / "corpora/blns/blns.json").read_text()),
        *json.loads((shared / "corpora/xss/payloads.json").read_text()),
    ]
    for text in texts:
        assert_foreign_texts_are_harmless(text, text)
        test_an_address_is_taken_whole_or_refused.hypothesis.inner_test(text)
        test_bodies_come_back_as_they_were.hypothesis.inner_test(text, text)


@given(
    st.text()
    | st.emails()
    | st.sampled_from(HOSTILE)
    | st.tuples(st.text(), st.sampled_from(["example.org", "exämple.org", "a.example>\r\nBcc: b@c.example"])).map(
        "@".join
    )
)
@example("ann@example.org\r\nBcc: b@example.org")
@example("ann@example.org <bob@example.net>")
@example("ann@example.org, bob@example.net")
@example(f"{INJECTION}@example.org")
def test_an_address_is_taken_whole_or_refused(address: str):
    """An address is one recipient as it stands, its domain in ASCII, or it is an error; it is never two."""
    try:
        wire = wire_address(address)
        raw = message_bytes(replace(LIST_HEAD, to=address), text="x", html="y", smtputf8=True)
    except UsageError:
        return
    assert wire.rpartition("@")[0] == address.rpartition("@")[0]
    assert wire.rpartition("@")[2].isascii()
    assert raw.startswith(f"To: {wire}\r\n".encode())
    if wire.isascii():
        assert_headers(LIST_HEADERS, raw)
        assert [found.addr_spec for found in parsed(raw)["To"].addresses] == [wire]


def as_taken(address: str) -> str:
    """Return the address as the wire has it, '' where it is refused."""
    try:
        return wire_address(address)
    except UsageError:
        return ""


@given(st.text(st.sampled_from("aZ9.@-_+'\"<>:;,\r\n \0\\é"), max_size=12) | st.emails(domains=st.just("a.example")))
@example("a@example\n")
@example("a" * 64 + "@b")
@example("a@" + "b" * 63)
def test_a_short_address_is_judged_like_a_long_one(address: str):
    """Addresses of common length are looked at in a quicker way, and labels behind the domain change nothing."""
    more = ".example" * 8
    taken = as_taken(address)
    assert as_taken(address + more) == (taken and taken + more)


@given(st.emails())
def test_a_subscribers_address_is_mailed_as_it_was_taken(address: str):
    """What the list takes, the wire takes, and nothing about it changes."""
    try:
        taken = parse_address(address).email
    except UsageError:
        return
    assert wire_address(taken) == taken


@given(st.text(), st.text(st.sampled_from(" \t\r\n.=-_aé日\0")))
def test_bodies_come_back_as_they_were(text: str, html: str):
    """All but the kind of line ends, and surrogates, which are no characters."""
    raw = message_bytes(HEAD, text=text, html=html)
    assert_well_formed(raw)
    parts = [part.get_payload(decode=True) for part in parsed(raw).iter_parts()]
    for wanted, got in zip((text, html), parts, strict=True):
        kept = re.sub(r"\r\n?", "\n", wanted).removesuffix("\n") + "\n"
        assert got == kept.replace("\n", "\r\n").encode("utf-8", "replace")


@pytest.mark.parametrize(
    "name",
    [
        "Papers, Daily",
        "The Daily Papers of the Reading Group, the Journal Club, and Friends of the Department of Things, Inc.",
        'The "Daily" Papers',
        "Dr. A. N. Other (editor)",
        "Les papiers du matin, à l'heure, et leurs éditeurs, qui écrivent longuement de tout et de rien",
    ],
)
def test_a_name_with_commas_and_quotes_survives(name: str):
    """However long, it is one sender and one reply address, whether the name came quoted or not."""
    quoted = '"' + name.replace('"', '\\"') + '"'
    for written in (name, quoted):
        message = message_bytes(replace(HEAD, sender=f"{written} <papers@example.org>"), text="x")
        assert sender_of(message) == (name, "papers@example.org")


def test_an_address_in_the_name_is_no_address():
    """The sender is who stands in angle brackets."""
    message = message_bytes(replace(HEAD, sender="a@example.net <b@example.org>"), text="x")
    assert sender_of(message) == ("a@example.net", "b@example.org")


def test_domains_travel_in_ascii():
    """IDNA 2008, in To, in From and in the Message-ID: ß stays ß there."""
    head = replace(
        HEAD, to="ann@straße.example", sender="Ann <a@straße.example>", message_id=message_id(1, "ü.example")
    )
    raw = message_bytes(head, text="x")
    assert raw.startswith(b"To: ann@xn--strae-oqa.example\r\n")
    assert b"From: Ann <a@xn--strae-oqa.example>\r\n" in raw
    assert b"\r\nMessage-ID: <0000000000000001@xn--tda.example>\r\n" in raw
    assert not needs_smtputf8(head.to)


def test_a_local_part_in_another_script_needs_consent():
    """Raw UTF-8 goes into To only where the caller will ask the server for SMTPUTF8."""
    head = replace(HEAD, to="用户@例子.example")
    assert needs_smtputf8(head.to)
    with pytest.raises(UsageError, match="SMTPUTF8"):
        message_bytes(head, text="x")
    assert "To: 用户@xn--fsqu00a.example\r\n".encode() in message_bytes(head, text="x", smtputf8=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "Ann <ann@example.com>"},
        {"to": "ann@example.com, bob@example.com"},
        {"to": '"ann b"@example.com'},
        {"to": "ann"},
        {"to": f"{'a' * 65}@example.com"},
        {"sender": "nobody"},
        {"message_id": "1@example.org"},
        {"message_id": "<1@example.org>\r\nBcc: x@y.example"},
        {"list_id": "Papers <a b>"},
        {"unsubscribe_url": "https://example.org/a b"},
        {"unsubscribe_url": "https://example.org/>\r\nBcc: x@y.example"},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"unsubscribe_mailto": "u@example.org"},
        {"archive_url": "https://example.org/" + "a" * 1000},
        {"feedback_id": "a\r\nBcc: x@y.example"},
        {"auto_submitted": "né"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_ours_must_be_right(wrong: dict[str, str]):
    """Addresses, links and ids are not mended: a wrong one is an error that shows it."""
    with pytest.raises(UsageError):
        message_bytes(replace(LIST_HEAD, **wrong), text="x")


def test_papers_fold_between_keys():
    """A hundred keys stay readable lines; a key of blanks and other scripts stays one word."""
    keys = (*(f"2607.{number:05}" for number in range(100)), "https://lab.example/a b/é", "https://x.example/=?q?=")
    raw = message_bytes(replace(LIST_HEAD, papers=keys), text="x")
    value = raw.partition(b"X-Papers: ")[2].partition(b"\r\nMIME")[0]
    assert max(map(len, value.split(b"\r\n"))) <= 76
    ends = ["https://lab.example/a%20b/%C3%A9", "https://x.example/=%3Fq?="]
    assert parsed(raw)["X-Papers"].split() == [*keys[:100], *ends]

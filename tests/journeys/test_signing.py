"""Signing: whatever leaves the house verifies with the records that ``doctor`` says to publish."""

import shlex
from collections.abc import Callable
from pathlib import Path

import dkim
import pytest
from keys import signing_keys
from newsroom import DROPPED, TAKEN, Mail, Newsroom

DAY = "2026-07-15"
ANN = "ann@example.net"


@pytest.fixture
def signing(newsroom: Newsroom) -> Newsroom:
    """Return a newsroom with a key of each kind."""
    newsroom.configure(
        newsletter={"sender": "Daily Papers <papers@mail.example.org>"},
        dkim=signing_keys(newsroom.folder),
    )
    return newsroom


def published(newsroom: Newsroom) -> Callable[..., bytes]:
    """Return a name server that knows the records that ``doctor`` shows."""
    found = newsroom.run("doctor", "--json").json["findings"]
    lines = [one["text"].partition("DNS: ")[2] for one in found if one["name"].startswith("dkim papers")]
    zone = {name: "".join(strings) for name, _, *strings in map(shlex.split, lines)}
    assert list(zone) == ["papers._domainkey.example.org.", "papers-ed25519._domainkey.example.org."]
    return lambda name, timeout=5: zone[name.decode()].encode()


def assert_signed(mail: Mail, records: Callable[..., bytes]) -> None:
    """Let dkimpy look up the records, and verify both signatures."""
    assert [dkim.DKIM(mail.content).verify(number, dnsfunc=records) for number in range(2)] == [True, True]
    assert mail.message["DKIM-Signature"] is not None


def test_a_digest_is_signed_with_both_keys(signing):
    """As it arrives, with its own Message-ID, links and To under the signature of the sender's organisation."""
    signing.subscribe(ANN, "zoë@example.net", "bücher@bücher.example")
    signing.publish(DAY, "Alpha", "Über “Ωmega” . and more")
    signing.tick(f"{DAY}T08:00Z")

    records = published(signing)
    assert len(signing.sink.mails) == 3
    for mail in signing.sink.mails:
        assert_signed(mail, records)
        assert len(mail.papers) == 2


def test_a_repeat_is_the_same_to_the_last_byte(signing):
    """Its signature too, so that nobody who gets both can take them for two."""
    said = iter([DROPPED, TAKEN])
    tried: list[bytes] = []
    signing.subscribe(ANN)
    signing.publish(DAY, "Alpha")
    signing.sink.at_dot = lambda mail: tried.append(mail.content) or next(said)
    signing.tick(f"{DAY}T08:00Z")
    signing.tick(f"{DAY}T09:00Z")

    assert len(tried) == 2
    assert tried[0] == tried[1]
    assert_signed(signing.sink.mails[0], published(signing))


def test_confirmations_and_notices_are_signed_too(signing):
    """A mail that asks a stranger, and one that tells the operator, leave by the same door."""
    signing.configure(operator={"email": "me@example.net"})
    signing.run("subscribers", "add", ANN, "--confirm")
    signing.file.write_text("not JSON\n")
    signing.tick(f"{DAY}T08:00Z")

    records = published(signing)
    assert {mail.recipient for mail in signing.sink.mails} == {ANN, "me@example.net"}
    for mail in signing.sink.mails:
        assert_signed(mail, records)


def test_without_keys_nothing_is_signed(newsroom):
    """The relay does it then, and ``doctor`` has nothing to say about it."""
    newsroom.subscribe(ANN)
    newsroom.publish(DAY, "Alpha")
    newsroom.tick(f"{DAY}T08:00Z")

    (mail,) = newsroom.sink.mails
    assert mail.message["DKIM-Signature"] is None
    assert not [one for one in newsroom.run("doctor", "--json").json["findings"] if "dkim" in one["name"]]


def test_a_key_that_is_gone_stops_before_anything_is_sent(signing):
    """Unsigned mail would go into the junk of those who expect it signed."""
    signing.subscribe(ANN)
    signing.publish(DAY, "Alpha")
    Path(signing.folder / "rsa.pem").unlink()

    answer = signing.run("run", "--date", DAY, "--now", expect=2)

    assert answer.err.startswith("newsletter: dkim.key_file = ")
    assert signing.sink.mails == []

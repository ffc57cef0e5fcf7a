"""``newsletter doctor`` beyond this machine: what the DNS says of the sender, the pages, and a mail that arrived."""

import mailbox
import socket
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from imap_server import PASSWORD, imap_server
from mail.name_server import name_server

from newsletter.mail.dkim import Key
from newsletter.mail.published import Names
from newsletter.services.arrival import mailbox_named, read_back, verdicts
from newsletter.services.reachable import reachable
from newsletter.services.reputation import reputation
from newsletter.web.server import serving

HERE = socket.getfqdn()
SOUND = f"""
papers.dev. MX 10 mail.papers.dev.
papers.dev. TXT "v=spf1 ip4:198.51.100.7 -all"
_dmarc.papers.dev. TXT "v=DMARC1; p=quarantine"
{HERE}. A 198.51.100.7
7.100.51.198.in-addr.arpa. PTR {HERE}.
"""
RECEIVED = """mx.receiver.example (a (nested) word; spf=fail);
 dkim=fail (body hash) header.d=relay.example; dkim=pass header.d=papers.dev;
 spf=softfail smtp.mailfrom=papers@papers.dev; DMARC=Pass (p=NONE) header.from=papers.dev"""


@pytest.fixture
def newsroom(newsroom):
    """Send as a domain that may be looked up, without pages."""
    newsroom.configure(newsletter={"sender": "papers@papers.dev", "base_url": ""})
    return newsroom


def findings(newsroom, zone, *args, expect=0):
    """Return level, text and remedy of each of doctor's findings, by name, with *zone* as all that the DNS knows."""
    with name_server(zone) as server:
        answer = newsroom.run("doctor", "--json", "--resolver", server, *args, expect=expect)
    return {one["name"]: (one["level"], one["text"], one["remedy"]) for one in answer.json["findings"]}


def looked_up(newsroom, zone):
    """Return the same of what doctor asks the DNS and the pages for."""
    with newsroom.app() as app, name_server(zone) as server:
        host, _, port = server.partition(":")
        names = Names((host, int(port)))
        found = [*reachable(app.settings.newsletter.base_url, names), *reputation(app.dispatch, names)]
    return {one.name: (one.level, one.text, one.remedy) for one in found}


def signing(newsroom):
    """Let the newsletter sign, and return the key."""
    private = Ed25519PrivateKey.generate()
    file = newsroom.folder / "key.pem"
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    newsroom.configure(dkim={"selector": "s1", "key_file": "key.pem"})
    return Key("s1", private)


def test_a_sender_that_publishes_everything_is_in_order(newsroom):
    """Each record is found, read, and fits what sends."""
    key = signing(newsroom)
    found = findings(newsroom, SOUND + f's1._domainkey.papers.dev. TXT "{key.record()}"')
    records = {name: said for name, said in found.items() if name.split()[0] in {"mx", "spf", "dmarc", "ptr"}}
    assert {level for level, _, _ in records.values()} == {"ok"}
    assert records["spf papers.dev"][1] == "0 of 10 look-ups; v=spf1 ip4:198.51.100.7 -all"
    assert records["dmarc papers.dev"][1].endswith("DKIM and SPF aligned with the sender")
    assert records["ptr 198.51.100.7"][1] == f"leads to {HERE}, and back"
    assert found["dkim s1._domainkey.papers.dev"][:2] == ("ok", "publishes the key that signs")


def test_another_key_than_the_published_one_fails_every_signature(newsroom):
    """So it fails here, with the record to publish; and so does one that is not published."""
    key = signing(newsroom)
    found = looked_up(newsroom, SOUND + 's1._domainkey.papers.dev. TXT "v=DKIM1; k=ed25519; p=AAAA"')
    assert found["dkim s1._domainkey.papers.dev"] == (
        "fail",
        "publishes another key than the one that signs",
        f"publish {key.record()}",
    )
    found = looked_up(newsroom, SOUND)
    assert found["dkim s1._domainkey.papers.dev"][1] == "is not published"


def test_a_domain_that_publishes_nothing_is_told_what_to_publish(newsroom):
    """It takes no mail, which fails; the rest works, and is looked into."""
    found = looked_up(newsroom, "")
    assert found["mx papers.dev"][0] == "fail"
    assert found["spf papers.dev"][:2] == ("warn", "is not published")
    assert found["dmarc papers.dev"][0] == "warn"
    assert "_dmarc.papers.dev" in found["dmarc papers.dev"][2]
    assert found["ptr"][0] == "warn"


@pytest.mark.parametrize(
    ("record", "level", "said"),
    [
        ("v=spf1 ip4:198.51.100.0/24 +all", "warn", "lets everybody send in your name"),
        ("v=spf1 ip4:198.51.100.0/24", "warn", "says nothing of everybody else"),
        ("v=spf1 include:nowhere.dev -all", "fail", "nowhere.dev, which it names, has no SPF record"),
    ],
)
def test_an_spf_record_that_does_not_do_its_work_says_so(newsroom, record, level, said):
    """What receivers would make of it."""
    zone = SOUND.replace("v=spf1 ip4:198.51.100.7 -all", record)
    found = looked_up(newsroom, zone)
    assert found["spf papers.dev"][0] == level
    assert said in found["spf papers.dev"][1]


def test_a_machine_that_its_own_record_does_not_name_is_warned_of(newsroom):
    """Its address is not in the SPF record, and leads back to another name."""
    zone = SOUND.replace("ip4:198.51.100.7", "ip4:203.0.113.1").replace(f"PTR {HERE}.", "PTR rented.host.dev.")
    found = looked_up(newsroom, zone)
    assert found["spf 198.51.100.7"][2] == "add ip4:198.51.100.7 to it"
    assert found["ptr 198.51.100.7"][:2] == ("warn", f"leads to rented.host.dev, not to {HERE}")


def test_dmarc_wants_one_of_both_for_the_senders_own_domain(newsroom):
    """SPF for the domain of bounces alone is not aligned when strictness is asked for."""
    newsroom.configure(bounces={"address": "back@bounces.papers.dev"})
    zone = (
        SOUND + 'bounces.papers.dev. MX 10 mail.papers.dev.\nbounces.papers.dev. TXT "v=spf1 ip4:198.51.100.7 -all"\n'
    )
    assert looked_up(newsroom, zone)["dmarc papers.dev"][1].endswith("SPF aligned with the sender")
    found = looked_up(newsroom, zone.replace("p=quarantine", "p=quarantine; aspf=s"))
    assert found["dmarc papers.dev"][0] == "warn"


def test_a_domain_for_examples_is_not_looked_up(newsroom):
    """One line says to set one's own."""
    newsroom.configure(newsletter={"sender": "papers@example.org"})
    found = looked_up(newsroom, "")
    assert found["dns"][0] == "warn"
    assert "set newsletter.sender" in found["dns"][2]
    assert not any(name.startswith(("mx", "spf", "dmarc")) for name in found)


def test_the_pages_are_asked_as_a_provider_asks_them(newsroom):
    """They answer a one-click request under their address; where they are not, something is wrong."""
    with newsroom.app() as app, serving(app, "127.0.0.1", 0) as url:
        newsroom.configure(newsletter={"base_url": url.rstrip("/")})
        found = looked_up(newsroom, SOUND + "127.0.0.1. A 127.0.0.1\n")
    level, text, _ = found["pages"]
    assert (level, text.endswith("answers, and takes one-click requests")) == ("ok", True)
    found = looked_up(newsroom, SOUND)
    assert found["pages"][0] == "fail"
    assert "does not answer" in found["pages"][1]


def test_a_mail_that_arrived_is_read_back(newsroom):
    """What its receiver checked is said line by line, as its Authentication-Results has it."""
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.run("run", "--date", "2026-07-15", "--now")
    maildir = mailbox.Maildir(newsroom.folder / "Maildir")

    def receive():
        newsroom.sink.wait(1)
        message = newsroom.sink.mails[0].message
        message["Authentication-Results"] = " ".join(RECEIVED.split())
        maildir.add(message)

    receiver = threading.Thread(target=receive)
    receiver.start()
    found = findings(newsroom, SOUND, "--send-to", "me@example.net", "--mailbox", str(newsroom.folder / "Maildir"))
    receiver.join()
    assert found["mail to me@example.net"][1].startswith("was taken: [Test] ")
    assert found["arrival dkim"][:2] == ("ok", "pass")
    assert found["arrival spf"][:2] == ("warn", "softfail")
    assert found["arrival dmarc"][:2] == ("ok", "pass")


def test_a_mail_that_arrived_in_the_mailbox_of_bounces_is_read_back(newsroom):
    """By IMAP, and it stays where it is."""
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.run("run", "--date", "2026-07-15", "--now")
    with imap_server() as server:
        settings = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        newsroom.configure(
            bounces={"address": "back@papers.dev", "imap": settings | {"username": "me", "password": PASSWORD}}
        )
        mail = b"Message-ID: <1@papers.dev>\r\nAuthentication-Results: mx.example; dmarc=pass\r\n\r\nHello\r\n"
        server.deliver(mail)
        with newsroom.app() as app:
            found = {one.name: one.level for one in read_back(mailbox_named(app.dispatch, "imap"), "<1@papers.dev>", 5)}
        assert list(server.folders["INBOX"].values()) == [mail]
    assert found == {"arrival spf": "warn", "arrival dkim": "warn", "arrival dmarc": "ok"}


def test_a_mail_that_does_not_arrive_is_not_waited_for_long(newsroom):
    """It says for how long, and where to look."""
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.run("run", "--date", "2026-07-15", "--now")
    mailbox.Maildir(newsroom.folder / "Maildir")
    args = ("--send-to", "me@example.net", "--mailbox", str(newsroom.folder / "Maildir"), "--patience", "1")
    found = findings(newsroom, SOUND, *args)
    assert found["arrival"][0] == "warn"
    assert "did not arrive" in found["arrival"][1]


def test_a_mailbox_that_is_none_and_a_resolver_that_is_none_are_wrong_usage(newsroom):
    """One line each."""
    newsroom.run("doctor", "--mailbox", str(newsroom.folder), expect=2)
    args = ("doctor", "--send-to", "me@example.net", "--mailbox", str(newsroom.folder))
    assert "is no Maildir" in newsroom.run(*args, expect=2).err
    assert not newsroom.sink.mails
    assert "use an address such as" in newsroom.run("doctor", "--resolver", "nowhere", expect=2).err


def test_a_verdict_in_a_comment_is_none():
    """Comments are anybody's words; of several signatures one that passes is enough."""
    assert verdicts(RECEIVED) == {"dkim": "pass", "spf": "softfail", "dmarc": "pass"}
    assert verdicts("mx.example; none") == {}

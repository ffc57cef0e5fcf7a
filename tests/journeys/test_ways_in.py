"""The ways by which mail comes back: a mailbox by IMAP, a Maildir at each tick, and LMTP."""

import smtplib
from datetime import UTC, datetime

from imap_server import PASSWORD, imap_server
from newsroom import Newsroom
from returned import dsn

from newsletter.lmtp import listening
from newsletter.services.subscribe import find

READERS = ("ann@there.example", "ben@there.example")


def gone(mailed: Newsroom, email: str) -> bytes:
    """Return a report that a reader's address does not exist."""
    report = dsn("550 5.1.1 no such user", to=email)
    return report.replace(b"letters+bbbb@papers.example", mailed.sink.to(email)[-1].sender.encode())


def statuses(mailed: Newsroom) -> list[str]:
    """Return how the readers stand."""
    with mailed.app() as app:
        return [str(find(app.database, email).status) for email in READERS]


def test_a_mailbox_by_imap_is_read_at_each_tick(mailed: Newsroom) -> None:
    """Each mail is moved when it was acted on; nothing is marked or deleted, and the rest of the mailbox stays."""
    with imap_server() as server:
        server.deliver(gone(mailed, READERS[0]), b"Subject: not for a program\r\n\r\nHello!\r\n")
        imap = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        mailed.configure(bounces={"imap": imap | {"username": "letters", "password": PASSWORD}})
        mailed.run("run", expect=None)
        assert statuses(mailed) == ["suppressed", "active"]
        assert server.folders["INBOX"] == {}
        assert len(server.folders["Newsletter"]) == 2
        assert not [command for command in server.heard if "STORE" in command or "EXPUNGE" in command]


def test_a_mailbox_that_cannot_be_read_is_told_and_holds_up_nothing(mailed: Newsroom) -> None:
    """A wrong password is one line for the operator, and every mail stays where it is."""
    with imap_server() as server:
        server.deliver(gone(mailed, READERS[0]))
        imap = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        mailed.configure(bounces={"imap": imap | {"username": "letters", "password": "wrong"}})
        done = mailed.run("run", expect=None)
        assert "the mailbox of letters at 127.0.0.1 could not be read" in done.err
        assert len(server.folders["INBOX"]) == 1


def test_a_maildir_is_read_at_each_tick(mailed: Newsroom) -> None:
    """What a mail server put there is acted on by the next run."""
    maildir = mailed.folder / "back"
    (maildir / "new").mkdir(parents=True)
    (maildir / "new" / "1.a").write_bytes(gone(mailed, READERS[1]))
    mailed.configure(bounces={"maildir": "back"})
    mailed.run("run", expect=None)
    assert statuses(mailed) == ["active", "suppressed"]
    assert not list((maildir / "new").iterdir())


def test_lmtp_takes_what_comes_back_and_nothing_else(mailed: Newsroom) -> None:
    """Each recipient is answered; the envelope alone tells whose mail it was; other addresses are refused."""
    now = datetime.now(UTC)
    with mailed.app(now) as app, listening(app.dispatch, "127.0.0.1:0", lambda: now) as place:
        host, _, port = place.rpartition(":")
        with smtplib.LMTP(host, int(port)) as server:
            envelope = mailed.sink.to(READERS[0])[-1].sender
            raw = dsn("550 5.1.1 no such user", to="elsewhere@there.example").replace(b"\n", b"\r\n")
            server.ehlo()  # which is LHLO here
            server.mail("")
            assert [server.rcpt(one)[0] for one in (envelope, "letters@example.org", "me@example.org")] == [
                250,
                250,
                550,
            ]
            server.docmd("DATA")
            server.send(raw + b"\r\n.\r\n")
            assert [server.getreply()[0] for _ in range(2)] == [250, 250]
    assert statuses(mailed) == ["suppressed", "active"]


def test_a_way_in_without_an_address_is_refused(mailed: Newsroom) -> None:
    """The configuration says what is missing, and a password never travels in clear."""
    mailed.configure(bounces={"address": "", "lmtp": "127.0.0.1:8024"})
    assert "lmtp is set, but no address" in mailed.run("subscribers", "list", expect=2).err
    mailed.configure(bounces={"address": "letters@example.org", "lmtp": "everywhere"})
    assert 'use an address and a port of this machine, like "127.0.0.1:8024"' in mailed.run("stats", expect=2).err
    imap = {"host": "imap.example.org", "username": "a", "password": "secret word", "security": "none"}
    mailed.configure(bounces={"lmtp": "", "imap": imap})
    done = mailed.run("stats", expect=2)
    assert "in clear" in done.err
    assert "secret word" not in done.err

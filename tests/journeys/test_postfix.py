"""Debian's Postfix on loopback takes a day's digest and delivers it to Maildirs, from which it reads back intact."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path

import pytest
from newsroom import Newsroom
from sqlmodel import select

from newsletter.storage.deliveries import delivery
from newsletter.storage.tables import DeliveryRow, SubscriberRow
from newsletter.storage.turns import Claimed

DAY = "2026-07-15"
READERS = ("ann", "bob", "cy")

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mail.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
virtual_mailbox_domains = example.net, example.org
recipient_delimiter = +
transport_maps = texthash:{folder}/transport
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix with folders of its own, outside of ``tmp_path``, into which its user may not look."""

    def __init__(self, remote: int) -> None:
        """Mail to there.example goes to the port *remote*, what comes back to the Maildir of ``back``."""
        self.folder = Path(tempfile.mkdtemp(prefix="newsletter-postfix-"))
        self.folder.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        user = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        for name in ("data", "mail"):
            os.chown(self.folder / name, user.pw_uid, user.pw_gid)
        boxes = "".join(f"{name}@example.net {name}/\n" for name in READERS)
        (self.folder / "mailboxes").write_text(f"{boxes}papers-bounces@example.org back/\n")
        (self.folder / "transport").write_text(f"there.example smtp:[127.0.0.1]:{remote}\n")
        main = MAIN.format(folder=self.folder, uid=user.pw_uid, gid=user.pw_gid)
        (self.folder / "etc/main.cf").write_text(main)
        (self.folder / "etc/master.cf").write_text(MASTER.format(port=self.port))

    def command(self, word: str) -> str:
        """Tell it to start or stop, and return what it said."""
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        said = subprocess.run(
            [shutil.which("postfix", path=path) or "postfix", "-c", str(self.folder / "etc"), word],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert said.returncode == 0, said.stdout + said.stderr + self.log
        return said.stdout + said.stderr

    @property
    def log(self) -> str:
        """Return its log."""
        file = self.folder / "mail.log"
        return file.read_text() if file.exists() else ""

    def mails(self, name: str, count: int = 1) -> list[bytes]:
        """Return what was delivered to a reader, as it lies there, waiting until there are so many."""
        ends = time.monotonic() + 30
        while len(list((self.folder / "mail" / name / "new").glob("*"))) < count:
            assert time.monotonic() < ends, self.log
            time.sleep(0.05)
        inbox = Maildir(self.folder / "mail" / name, create=False)
        return [inbox.get_bytes(key) for key in inbox.iterkeys()]


@pytest.fixture
def postfix(newsroom: Newsroom) -> Iterator[Postfix]:
    """Return a running Postfix; skip where it may not be started."""
    if os.geteuid() != 0:
        pytest.skip("Postfix can be started by root only")
    server = Postfix(newsroom.sink.port)
    try:
        server.command("start")
        try:
            yield server
        finally:
            server.command("stop")
    finally:
        shutil.rmtree(server.folder)


@pytest.mark.system("postfix")
def test_postfix_delivers_a_day_s_digest_that_reads_back_intact(newsroom: Newsroom, postfix: Postfix) -> None:
    """Each reader's Maildir has one message, byte for byte what was composed but for the lines that Postfix adds."""
    newsroom.configure(smtp={"port": postfix.port}, bounces={"address": "papers-bounces@example.org"})
    keys = newsroom.publish(DAY, "Über Größe: a study of “quotes”", "Beta, or: ¿Qué?", "Γάμμα")
    newsroom.subscribe("ann@example.net")
    newsroom.subscribe("bob@example.net", format="text")
    newsroom.subscribe("cy@example.net", format="html", max_papers="1")
    report = newsroom.run("run", "--date", DAY, "--now", "--json").json
    assert (report["status"], report["deliveries"]["accepted"]) == ("done", 3)

    read = {name: postfix.mails(name) for name in READERS}
    assert [len(mails) for mails in read.values()] == [1, 1, 1]
    for name, (raw,) in read.items():
        assert without_trace(raw) == composed(newsroom, f"{name}@example.net")
        (line,) = re.findall(rb"(?m)^List-Unsubscribe: .*$", raw)
        assert re.fullmatch(rb"List-Unsubscribe: <https://papers\.example\.org/[^ >]+>, <mailto:[^ >]+>", line)
        mail = parsed(raw)
        assert str(mail["Return-Path"]).startswith("<papers-bounces+")
        assert mail["Delivered-To"] == mail["To"] == f"{name}@example.net"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    ann, bob, cy = (parsed(raw) for (raw,) in read.values())
    assert str(ann["X-Papers"]).split() == str(bob["X-Papers"]).split() == keys
    assert str(cy["X-Papers"]).split() == keys[:1]
    kinds = [[part.get_content_type() for part in mail.walk()] for mail in (ann, bob, cy)]
    assert kinds == [["multipart/alternative", "text/plain", "text/html"], ["text/plain"], ["text/html"]]
    assert "Über Größe: a study of “quotes”" in bob.get_content()
    assert "Über Größe: a study of “quotes”" in str(ann["Subject"])
    assert newsroom.sink.mails == []


@pytest.mark.system("postfix")
def test_postfix_s_own_bounces_are_read(newsroom: Newsroom, postfix: Postfix) -> None:
    """A relay that takes all and is refused behind us reports it: who is gone is suppressed, the others are not."""
    newsroom.configure(smtp={"port": postfix.port}, bounces={"address": "papers-bounces@example.org"})
    newsroom.publish(DAY, "Alpha")
    replies = {
        "gone": "550 5.1.1 no such user here",
        "full": "552 5.2.2 mailbox full",
        "strict": "554 5.7.1 looks like spam",
        "well": "",
    }
    addresses = {name: f"{name}@there.example" for name in replies}
    newsroom.sink.refusals = {addresses[name]: reply for name, reply in replies.items() if reply}
    newsroom.subscribe(*addresses.values())
    assert newsroom.run("run", "--date", DAY, "--now", "--json").json["deliveries"]["accepted"] == 4

    postfix.mails("back", 3)
    kept = newsroom.run("bounces", "read", str(postfix.folder / "mail" / "back"), "--json").json["returns"]
    assert {one["address"]: (one["reason"], one["effect"]) for one in kept} == {
        addresses["gone"]: ("no such address", "suppressed"),
        addresses["full"]: ("mailbox full", "counted"),
        addresses["strict"]: ("taken for spam", "told"),
    }
    listed = newsroom.run("subscribers", "list", "--json").json["subscribers"]
    assert {one["email"]: one["status"] for one in listed} == {
        address: "suppressed" if name == "gone" else "active" for name, address in addresses.items()
    }
    newsroom.sink.wait(1)
    assert [mail.recipient for mail in newsroom.sink.mails] == [addresses["well"]]


def parsed(raw: bytes) -> EmailMessage:
    """Return the message, parsed."""
    return message_from_bytes(raw, policy=policy.default)


def without_trace(content: bytes) -> bytes:
    """Return a message without the lines that Postfix put before it."""
    added = rb"(?:Return-Path|X-Original-To|Delivered-To|Received): .*\n(?:[ \t].*\n)*"
    return re.sub(rb"\A(?:" + added + rb")+", b"", content)


def composed(room: Newsroom, email: str) -> bytes:
    """Return the message of the reader's delivery as it was composed, with the line ends of a Maildir."""
    with room.app(datetime.now(UTC)) as app, app.database.read() as session:
        reader = session.exec(select(SubscriberRow).where(SubscriberRow.email == email)).one()
        row = session.exec(select(DeliveryRow).where(DeliveryRow.subscriber_id == reader.id)).one()
        stored = delivery(row)
        # The id and all that the delivery says, and what is the reader's alone.
        facts = {name: getattr(stored if hasattr(stored, name) else reader, name) for name in Claimed._fields}
        made = Claimed(**facts)
        return app.dispatch.composer(session, row.day).message(made).content.replace(b"\r\n", b"\n")

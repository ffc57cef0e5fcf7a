"""DKIM: whoever has the published record can verify what is signed, and nothing signed can be changed unseen."""

import os
import re
import shlex
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.dkim import DkimSigner, Key
from newsletter.mail.message import Head, message_bytes

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
RSA = Key("papers", rsa.generate_private_key(65537, 2048))
ED25519 = Key("papers-ed25519", ed25519.Ed25519PrivateKey.generate())
SIGNER = DkimSigner("example.org", (RSA, ED25519))
SYSTEM = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
RECORDS = {f"{key.selector}._domainkey.example.org.": key.record() for key in SIGNER.keys}


def verified(message: bytes) -> list[bool]:
    """Return of each signature whether dkimpy, a foreign implementation, accepts it."""
    count = len(re.findall(rb"^DKIM-Signature:", message, re.MULTILINE))
    return [_verified(message, i) for i in range(count)]


def _verified(message: bytes, number: int) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(number, dnsfunc=lambda name, timeout=5: RECORDS[name.decode()].encode()))
    except dkim.ValidationError:  # of the body; of the headers it answers False
        return False


def mail(subject: str = "Papers of today", text: str = "Good morning.\n") -> bytes:
    """Return a message as the newsletter sends it."""
    head = Head(
        sender="Daily Papers <papers@example.org>",
        to="reader@example.com",
        subject=subject,
        message_id="<1f@example.org>",
        date=NOW,
        reply_to="editors@example.org",
        list_id="Daily Papers <daily.example.org>",
        unsubscribe_url="https://papers.example.org/unsubscribe/abc",
        archive_url="https://papers.example.org/archive",
        feedback_id="a:b:c:papers",
    )
    return message_bytes(head, text=text, html=f"<p>{text}</p>")


def test_both_keys_sign_what_is_sent() -> None:
    """The message itself stays as it is, and has a signature of each kind before it."""
    signed = SIGNER.signed(mail(), NOW)

    assert verified(signed) == [True, True]
    assert signed.endswith(mail())
    assert re.findall(rb" a=([\w-]+);", signed) == [b"rsa-sha256", b"ed25519-sha256"]
    assert re.findall(rb" t=(\d+);", signed) == [b"1784102400"] * 2
    assert b" l=" not in signed.partition(b"\r\nFrom:")[0]


def test_one_key_alone_signs() -> None:
    """Either kind does."""
    for key in SIGNER.keys:
        assert verified(DkimSigner("example.org", [key]).signed(mail(), NOW)) == [True]


def test_what_receivers_look_at_is_signed() -> None:
    """Above all what RFC 8058 asks for; and From once more than it is there, so that nobody can add a second."""
    signature = SIGNER.signed(mail(), NOW).partition(b"\r\nDKIM-Signature:")[0]
    listed = re.sub(rb"\s", b"", signature).partition(b"h=")[2].partition(b";")[0].decode().split(":")
    theirs = """from from to subject date message-id reply-to list-id list-unsubscribe list-unsubscribe-post
        list-archive feedback-id auto-submitted mime-version content-type"""
    assert " ".join(sorted(listed)) == " ".join(sorted(theirs.split()))


def test_lines_are_short() -> None:
    """No server on the way has a reason to fold, even where names are long."""
    signer = DkimSigner("a-rather-long-name-of-a-department.of-a-university.example.org", [RSA, ED25519])
    head = signer.signed(mail(), NOW).partition(b"\r\nFrom:")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Good morning", b"Good evening"),
        (b"Subject: Papers", b"Subject: Offers"),
        (b"To: reader@", b"To: other@"),
        (b"unsubscribe/abc", b"unsubscribe/abd"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=No"),
        (b"\r\nFrom: ", b"\r\nFrom: Another <x@example.org>\r\nFrom: "),
        (b"--\r\n", b"--\r\nand one line more\r\n"),
    ],
)
def test_a_change_on_the_way_is_seen(old: bytes, new: bytes) -> None:
    """In the body, in a signed header, by a second From or by an appended line."""
    signed = SIGNER.signed(mail(), NOW)
    changed = new.join(signed.rsplit(old, 1))
    assert changed != signed
    assert verified(changed) == [False, False]


def test_what_servers_do_on_the_way_is_borne() -> None:
    """Trace headers before it, other folding, blanks at the ends of lines, empty lines at the end."""
    signed = SIGNER.signed(mail("Papers " * 20), NOW)
    relayed = b"Received: from a by b;\r\n now\r\nX-Spam: no\r\n" + signed.replace(b"\r\n Papers", b"\r\n\t  Papers")
    assert verified(relayed.replace(b"morning.\r\n", b"morning. \t\r\n") + b"\r\n\r\n") == [True, True]


def test_the_examples_of_the_rfc() -> None:
    """RFC 6376 section 3.4.5, and the hash of an empty body of section 3.4.4."""
    hashes = {
        b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n": b" C\r\nD E\r\n",
        b"A: X\r\n\r\n": b"",
        b"A: X\r\n\r\n\r\n \t\r\n": b"",
        b"A: X\r\n": b"",
        b"\r\nbody": b"body\r\n",
        b"A: X\r\n\r\nno line end \t": b"no line end\r\n",
    }
    for content, canonical in hashes.items():
        assert b" bh=" + b64encode(sha256(canonical).digest()) + b";" in SIGNER.signed(content, NOW)


def test_the_record_to_publish() -> None:
    """Strings of at most 255 octets, which together are the record (RFC 1035, 6376 section 3.6.2.2)."""
    lines = dict(SIGNER.records())
    for key, record in lines.items():
        name, kind, *strings = shlex.split(record)
        assert (name, kind) == (f"{key.selector}._domainkey.example.org.", "TXT")
        assert max(map(len, strings)) <= 255
        assert "".join(strings) == key.record()
    assert RSA.record().startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkq")
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[\w+/]{43}=", ED25519.record())


WSP = st.text(" \t", max_size=4)
WORD = st.text("abcXYZ019:;=?_.,<>@\"'()äß日\x0b\x0c\x7f", min_size=1, max_size=12).filter(
    lambda word: not re.search(r"^\s|\s$", word)
)
NAMES = """Subject SUBJECT to To Cc Date Message-ID Reply-To List-Id List-Unsubscribe MIME-Version Content-Type
    Content-Transfer-Encoding Feedback-ID Received X-Other Precedence x-papers Auto-Submitted"""
NAME = st.sampled_from(NAMES.split())
FOLD = st.sampled_from(["\r\n ", "\r\n\t", " \r\n  ", "\t\r\n\t "])
FIELD = st.builds(
    lambda name, before, words, after: f"{name}:{before}{''.join(words)}{after}\r\n",
    NAME,
    WSP,
    st.lists(st.one_of(WORD, WSP, st.builds(lambda fold, word: fold + word, FOLD, WORD)), max_size=8),
    WSP,
)
LINE = st.builds("".join, st.lists(st.one_of(WORD, WSP, st.just("=")), max_size=8))
BODY = st.builds(
    lambda lines, empty, last: "".join(f"{line}\r\n" for line in lines) + "\r\n" * empty + last,
    st.lists(LINE, max_size=12),
    st.integers(0, 4),
    st.one_of(st.just(""), WORD),
)


@given(before=st.lists(FIELD, max_size=6), after=st.lists(FIELD, max_size=6), body=BODY)
def test_any_message_verifies(before: list[str], after: list[str], body: str) -> None:
    """Whatever is folded, repeated, blank or missing: both sides see the same canonical form."""
    content = f"{''.join(before)}From: Daily  Papers\r\n\t<papers@example.org>\r\n{''.join(after)}\r\n{body}"
    assert verified(SIGNER.signed(content.encode(), NOW)) == [True, True]


# Asks Mail::DKIM, which comes with SpamAssassin, with the lines of the zone file in place of the network.
PERL = """
use Mail::DKIM::Verifier; use Net::DNS;
my %zone = map { my $rr = Net::DNS::RR->new($_); lc $rr->owner => $rr } @ARGV;
no warnings 'redefine';
*Mail::DKIM::DNS::query_async = sub { my ($name, $type, %p) = @_; sub { $p{Callbacks}{Success}->($zone{lc $name}) } };
my $verifier = Mail::DKIM::Verifier->new; binmode STDIN; local $/; $verifier->PRINT(scalar <STDIN>); $verifier->CLOSE;
print join ' ', map { $_->algorithm . '=' . $_->result } grep { $_->algorithm eq 'rsa-sha256' } $verifier->signatures;
"""


@pytest.mark.system("spamassassin", "perl")
@pytest.mark.parametrize(("changed", "result"), [(b"morning", "pass"), (b"evening", "fail")])
def test_another_verifier_agrees(changed: bytes, result: str) -> None:
    """Mail::DKIM knows RSA only; it reads the published lines as a name server does."""
    message = SIGNER.signed(mail("Papers " * 20), NOW).replace(b"Good morning", b"Good " + changed)
    zone = [line for _, line in SIGNER.records()]
    done = subprocess.run(["perl", "-e", PERL, *zone], input=message, capture_output=True, check=True, timeout=30)
    assert done.stdout.decode() == f"rsa-sha256={result}"


@pytest.mark.system("opendkim-testmsg", "unshare", "ip")
@pytest.mark.parametrize("keys", [[RSA], [ED25519], [RSA, ED25519]], ids=lambda keys: "+".join(k.kind for k in keys))
def test_opendkim_agrees(tmp_path: Path, keys: list[Key]) -> None:
    """The verifier of many receivers asks a name server, which here knows the published lines and nothing else."""
    alone = ["unshare", "--net", "--mount", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a network of its own")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    signer = DkimSigner("example.org", keys)
    message = signer.signed(mail("Papers " * 20), NOW)
    zone = [sys.executable, str(Path(__file__).with_name("zone.py")), str(tmp_path / "resolv.conf")]
    asked = [*alone, *zone, "opendkim-testmsg", *(line for _, line in signer.records())]
    said = []
    for content in (
        message,
        message.replace(b"Good morning", b"Good evening"),
        message.replace(b"\r\nTo: r", b"\r\nTo: d"),
    ):
        done = subprocess.run(
            asked, input=content.replace(b"\r\n", b"\n"), capture_output=True, check=False, timeout=60, env=SYSTEM
        )
        said.append(done.stderr.decode().rpartition(": ")[2].strip())
    assert said == ["", "Bad signature", "Bad signature"]

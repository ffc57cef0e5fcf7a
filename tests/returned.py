"""Mails that came back, as programs of the field write them, with texts of our own."""

from datetime import UTC, datetime

TODAY = datetime.now(UTC).date().isoformat()  # what is long ago is forgotten
SIGNED = "letters+bbbb@papers.example"
SENT_ID = "<00f0c8a5d2b3e4f6@papers.example>"
HEADERS = f"""\
Return-Path: <{SIGNED}>
From: Daily Papers <papers@papers.example>
To: ann@there.example
Message-ID: {SENT_ID}
"""


def dsn(
    words: str, *, status: str = "5.1.1", action: str = "failed", text: str = "", to: str = "ann@there.example"
) -> bytes:
    """Return a delivery status (RFC 3464) as Postfix sends it."""
    said = f"\nDiagnostic-Code: smtp; {words}" if words else ""
    return f"""\
Return-Path: <>
Delivered-To: {SIGNED}
From: MAILER-DAEMON@mx.papers.example (Mail Delivery System)
To: {SIGNED}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

This is a MIME-encapsulated message.

--b1
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.papers.example. For further assistance, please send mail to postmaster.

{text or f"<{to}>: host mx.there.example[192.0.2.7] said: {words} (in reply to RCPT TO command)"}

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.papers.example
Arrival-Date: Sat, 28 Nov 2026 08:00:00 +0100 (CET)

Final-Recipient: rfc822; {to}
Original-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.there.example{said}

--b1
Content-Type: message/rfc822

{HEADERS}Subject: Papers of the day

A paper.
--b1--
""".encode()


def from_daemon(text: str, *, subject: str = "failure notice", headers: str = "", charset: str = "utf-8") -> bytes:
    """Return a report that is a text for people, as it was before RFC 3464 and still is."""
    head = f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.papers.example\nTo: {SIGNED}\nSubject: {subject}\n{headers}"
    return f"{head}Content-Type: text/plain; charset={charset}\n\n{text}".encode(charset)


COMPLAINT = f"""\
From: abuse@there.example
To: {SIGNED}
Subject: FW: Papers of the day
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="c1"

--c1
Content-Type: text/plain

This is an email abuse report for a message received from IP 192.0.2.1.

--c1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{SIGNED}>
Original-Rcpt-To: <ann@there.example>

--c1
Content-Type: message/rfc822

{HEADERS}Subject: Papers of the day

A paper.
--c1--
""".encode()


def reply(
    text: str,
    *,
    subject: str = "Re: Papers of the day",
    headers: str = "",
    sender: str = "ann@there.example",
    to: str = SIGNED,
) -> bytes:
    """Return a mail that a person, or a program of theirs, sends."""
    way = f"Return-Path: <{sender}>\nFrom: Ann <{sender}>\nTo: {to}\n"
    head = f"{way}Subject: {subject}\nIn-Reply-To: {SENT_ID}\n{headers}"
    return f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}".encode()

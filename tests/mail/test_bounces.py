"""Reading what comes back: which mail is what, whom it is about, and whether they are gone for good."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returned import COMPLAINT, SENT_ID, SIGNED, dsn, from_daemon, reply

from newsletter.domain.bounce import Kind, Reason
from newsletter.mail.bounces import read


def test_a_delivery_status_says_who_is_gone() -> None:
    """Of a report by RFC 3464 we know the address, the status, the server's words, our Message-ID and the way back."""
    report = read(dsn("550 5.1.1 <ann@there.example>: Recipient address rejected: User unknown"))
    [one] = report.recipients
    assert (report.kind, one.address, one.status, one.permanent) == (Kind.BOUNCE, "ann@there.example", "5.1.1", True)
    assert one.reason is Reason.UNKNOWN
    assert "User unknown" in one.said
    assert report.ids == (SENT_ID,)
    assert SIGNED in report.returned_to


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("552 5.2.2 mailbox full", "5.2.2", Reason.FULL),
        ("", "5.2.2", Reason.FULL),
        ("", "4.4.7", Reason.LATE),
        ("552 5.3.4 message size exceeds fixed limit", "5.3.4", Reason.SIZE),
        ("550 5.7.1 looks like spam", "5.7.1", Reason.SPAM),
        ("550 5.7.26 fails the DMARC policy of papers.example", "5.7.26", Reason.POLICY),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example", "5.7.1", Reason.POLICY),
        ("550 5.2.1 the account is disabled", "5.2.1", Reason.DISABLED),
        ("450 4.7.1 come back later", "4.7.1", Reason.POLICY),
        ("450 4.1.1 ann@there.example: user unknown, try later", "4.1.1", Reason.BUSY),
    ],
)
def test_what_is_not_the_address_is_not_permanent(words: str, status: str, reason: Reason) -> None:
    """Full mailboxes, expiry, size, spam and policy leave an address alive, whatever the first digit says."""
    [one] = read(dsn(words, status=status, text="It did not arrive.")).recipients
    assert (one.reason, one.permanent) == (reason, False)


def test_unknown_after_the_data_is_a_filter() -> None:
    """A server that knows an address well enough to take the mail for it and then says "unknown" filters."""
    words = "550 Unknown user ann@there.example"
    seen = dsn(words, status="5.0.0", text=f"<ann@there.example>: said: {words} (in reply to end of DATA command)")
    named = dsn(words, status="5.0.0", text=f"<ann@there.example>: said: {words} (in reply to RCPT TO command)")
    assert [one.reason for one in read(seen).recipients] == [Reason.REFUSED]
    assert [one.reason for one in read(named).recipients] == [Reason.UNKNOWN]


def test_delivered_and_delayed_are_no_failures() -> None:
    """A receipt is no bounce, and a delay says nothing for good, even where the server says unknown so far."""
    assert read(dsn("250 2.0.0 ok", status="2.0.0", action="delivered")).kind is Kind.OTHER
    [late] = read(dsn("450 4.1.2 host not found, try again", status="4.4.3", action="delayed")).recipients
    assert not late.permanent


QMAIL = """\
Hi. This is the qmail-send program at mx.papers.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@there.example>:
192.0.2.7 does not like recipient.
Remote host said: 550 sorry, no mailbox here by that name (#5.1.1)
Giving up on 192.0.2.7.

<ben@there.example>:
192.0.2.7 failed after I sent the message.
Remote host said: 552 mailbox is full

--- Below this line is a copy of the message.

Return-Path: <letters@papers.example>
Message-ID: <1@papers.example>
To: ann@there.example

The user unknown to many.
"""
EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@there.example
    host mx.there.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<ann@there.example>:
    550 Unknown recipient

------ This is a copy of the message, including all the headers. ------

Return-path: <letters@papers.example>
Message-ID: <2@papers.example>
"""


def test_texts_for_people_are_read_too() -> None:
    """qmail's and Exim's reports name several addresses, each with its own fate, and quote the mail."""
    report = read(from_daemon(QMAIL))
    assert {one.address: one.reason for one in report.recipients} == {
        "ann@there.example": Reason.UNKNOWN,
        "ben@there.example": Reason.FULL,
    }
    assert report.ids == ("<1@papers.example>",)
    failed = "X-Failed-Recipients: ann@there.example\nAuto-Submitted: auto-replied\n"
    report = read(from_daemon(EXIM, subject="Mail delivery failed: returning message to sender", headers=failed))
    assert [(one.address, one.permanent) for one in report.recipients] == [("ann@there.example", True)]
    assert report.ids == ("<2@papers.example>",)


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (
            "Die Adresse <ann@there.example> existiert nicht, Ihre Nachricht konnte nicht zugestellt werden.",
            "iso-8859-1",
        ),
        ("Votre message n'a pas pu être remis : l'adresse <ann@there.example> est inconnue.", "utf-8"),
        ("No se pudo entregar el mensaje a <ann@there.example>: el usuario no existe.", "utf-8"),
        ("Письмо не доставлено: почтовый ящик <ann@there.example> не найден.", "koi8-r"),
        ("以下の宛先 <ann@there.example> が見つかりませんでした。", "iso-2022-jp"),
        ("您的邮件无法投递：收件人 <ann@there.example> 不存在。", "gb18030"),
        ("메일을 전송하지 못했습니다. 수신자 <ann@there.example> 를 찾을 수 없습니다.", "euc-kr"),
    ],
)
def test_reports_in_many_languages(text: str, charset: str) -> None:
    """That there is no such address is understood in the languages in which servers say it, in their own charsets."""
    [one] = read(from_daemon(text, charset=charset)).recipients
    assert (one.address, one.reason) == ("ann@there.example", Reason.UNKNOWN)


def test_quoted_headers_say_whom_where_nothing_else_does() -> None:
    """A report that names nobody is about whom the returned mail went to."""
    text = (
        "Your message could not be delivered: no such user.\n\nReceived: by mx.papers.example\nTo: ann@there.example\n"
    )
    [one] = read(from_daemon(text)).recipients
    assert one.address == "ann@there.example"


def test_a_report_passed_on_by_a_person() -> None:
    """Who forwards a report to us quotes it, and it is read behind the marks."""
    quoted = dsn("550 5.1.1 no such user").decode().replace("\n", "\n> ")
    report = read(reply(f"Look at this!\n\n> {quoted}", subject="Fwd: Undelivered Mail Returned to Sender"))
    assert [one.address for one in report.recipients] == ["ann@there.example"]


def test_a_complaint() -> None:
    """An abuse report (RFC 5965) says who complained, and of which mail; one of another kind is no complaint."""
    report = read(COMPLAINT)
    assert (report.kind, [one.address for one in report.recipients]) == (Kind.COMPLAINT, ["ann@there.example"])
    assert report.ids == (SENT_ID,)
    assert read(COMPLAINT.replace(b"abuse\n", b"not-spam\n")).kind is Kind.OTHER


@pytest.mark.parametrize(
    ("subject", "headers", "text"),
    [
        ("Out of Office: Papers of the day", "", "I am back on Monday."),
        ("Automatische Antwort: Papers of the day", "", "Ich bin bis Montag nicht im Haus."),
        ("自動返信: 論文", "", "休暇中です。"),
        ("Papers of the day", "Auto-Submitted: auto-replied (vacation)\n", "Unknown users write to ben@there.example."),
        ("Papers of the day", "X-Autoreply: yes\n", "I have left, this mailbox does not exist much longer."),
        ("Please confirm your message", "", "To prove that you are human, click the link."),
    ],
)
def test_who_is_away_or_wants_a_proof_has_not_bounced(subject: str, headers: str, text: str) -> None:
    """Vacation and challenge replies are no bounces, whatever they say of addresses."""
    report = read(reply(text, subject=subject, headers=headers))
    assert (report.kind, report.recipients) == (Kind.AUTO_REPLY, ())


def test_what_people_write_is_none_of_it() -> None:
    """A person's mail is no report, even where it speaks of mail that fails."""
    report = read(reply("Thanks! By the way: mail to ben@there.example fails, he is unknown there."))
    assert (report.kind, report.recipients, report.ids) == (Kind.OTHER, (), (SENT_ID,))


def test_a_notification_of_amazon_ses() -> None:
    """What SES mails by SNS is JSON, and says the same as a delivery status."""
    text = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":'
        '"ann@there.example","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},"mail":{}}\n\n--\nStop'
    )
    [one] = read(reply(text, subject="AWS Notification Message", sender="no-reply@sns.example")).recipients
    assert (one.address, one.permanent) == ("ann@there.example", True)


def test_a_status_in_base64_and_one_without_a_type_are_read() -> None:
    """Some encode the delivery status, some call it text; an address with its own quotes is taken whole."""
    whole = dsn("550 5.1.1 no such user", to='"ann b"@there.example').decode()
    typed = whole.replace("message/delivery-status", "text/plain")
    assert [one.permanent for one in read(typed.replace('"ann b"', "ann").encode()).recipients] == [True]
    begin, end = whole.index("Reporting-MTA"), whole.index("--b1\nContent-Type: message/rfc822")
    encoded = base64.encodebytes(whole[begin:end].replace('"ann b"', "ann").encode()).decode()
    coded = whole[:begin].replace("delivery-status\n\n", "delivery-status\nContent-Transfer-Encoding: base64\n\n")
    assert [one.permanent for one in read((coded + encoded + "\n" + whole[end:]).encode()).recipients] == [True]


SEEDS = [dsn("550 5.1.1 no such user"), COMPLAINT, from_daemon(QMAIL), from_daemon(EXIM), reply("stop")]


_NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1500))


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: =?utf-7?Q?+2AA-?= stop\n\nx",
        b"Subject: x\nContent-Type: text/plain; charset=utf-7\n\n<a@there.example>: 550 user unknown +2AA- here\n",
        dsn("=?utf-7?Q?550_+2AA-_no_such_user?="),
        b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: " + b"(" * 5000,
        b"From: a@there.example\n" + _NESTED,
        b"Content-Type: message/rfc822\n\n" * 5000,
        (
            b'Subject: x\n\n{"notificationType": "Bounce", "bounce": {"bouncedRecipients": '
            b'[{"emailAddress": "a@there.example", "diagnosticCode": "550 \\ud800"}]}}'
        ),
    ],
    ids=[
        "half a character",
        "in the text",
        "in a status",
        "remarks in remarks",
        "parts in parts",
        "mails in mails",
        "in JSON",
    ],
)
def test_what_libraries_choke_on_is_read_and_can_be_kept(raw: bytes) -> None:
    """Whatever is read is text that a database takes: a mail on which reading fails would stop all behind it."""
    report = read(raw)
    said = [report.subject, report.sender, *(one.address + one.said for one in report.recipients)]
    assert "".join(said).encode("utf-8", "replace").decode() == "".join(said)


def test_a_report_of_thousands_is_read_in_part() -> None:
    """A mail of ours has one recipient, so that who writes a report of thousands means us no good."""
    blocks = b"".join(b"\nFinal-Recipient: rfc822;a%d@there.example\nStatus: 5.1.1\n" % n for n in range(1000))
    raw = b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; there.example\n" + blocks
    assert 0 < len(read(raw).recipients) <= 200


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_raise_nothing(raw: bytes) -> None:
    """Whatever comes in is read as something."""
    assert read(raw).kind in Kind


@settings(max_examples=60)
@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12), st.integers(0, 40)), max_size=6)
)
def test_mutated_reports_raise_nothing(seed: bytes, cuts: list[tuple[float, bytes, int]]) -> None:
    """A report with bytes lost, changed and added is read as something too, and its addresses are addresses."""
    raw = seed
    for where, put, lost in cuts:
        at = int(where * len(raw))
        raw = raw[:at] + put + raw[at + lost :]
    assert all("@" in one.address for one in read(raw).recipients)

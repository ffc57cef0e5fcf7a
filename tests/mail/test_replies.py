"""What replies mean: said by real servers, and by none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.domain.delivery import Verdict
from newsletter.mail.replies import DROPPED, LONGEST_REPLY, MALFORMED, SILENT, Phase, classify

ACCEPTED = Verdict.ACCEPTED, False, False
LATER = Verdict.TEMPORARY, False, False
NEVER = Verdict.PERMANENT, False, False
NO_SUCH_ADDRESS = Verdict.PERMANENT, False, True
SITE = Verdict.TROUBLE, True, False
UNCERTAIN = Verdict.UNCERTAIN, False, False

CASES = [
    # Opening a session.
    ("connect", DROPPED, "refused the connection", SITE),
    ("greeting", 421, "4.3.2 shutting down", SITE),
    ("greeting", 554, "No SMTP service here", SITE),
    ("greeting", MALFORMED, "Malformed SMTP response line: SSH-2.0", SITE),
    ("tls", 454, "4.7.0 TLS not available due to local problem", SITE),
    ("login", 535, "5.7.8 authentication failed", SITE),
    ("login", 454, "4.7.0 Temporary authentication failure", SITE),
    # The address.
    ("rcpt", 550, "5.1.1 no such user", NO_SUCH_ADDRESS),
    ("rcpt", 550, "#5.1.0 Address rejected.", NO_SUCH_ADDRESS),
    ("rcpt", 553, "sorry, no mailbox here by that name (#5.1.1)", NO_SUCH_ADDRESS),
    ("rcpt", 556, "5.1.10 Domain does not accept mail", NO_SUCH_ADDRESS),
    ("rcpt", 550, "No such user", NO_SUCH_ADDRESS),
    ("rcpt", 551, "User not local", NO_SUCH_ADDRESS),
    ("rcpt", 553, "Mailbox name not allowed", NO_SUCH_ADDRESS),
    ("dot", 550, "5.1.1 unknown after all", NO_SUCH_ADDRESS),
    ("dot", 550, "Mailbox unavailable", NEVER),
    ("rcpt", 554, "Transaction failed", NEVER),
    ("rcpt", 550, "5.2.1 mailbox disabled", NEVER),
    ("rcpt", 550, "5.4.1 Recipient address rejected: Access denied", NEVER),
    ("rcpt", 553, "5.6.7 the server takes no addresses in UTF-8", NEVER),
    # ... who has one of our words in the name.
    ("rcpt", 550, "No such user <spam.policy@relay.example>", NO_SUCH_ADDRESS),
    ("rcpt", 550, "5.1.1 <sender-not-verified@throttled.example> unknown", NO_SUCH_ADDRESS),
    # Not now.
    ("rcpt", 450, "4.7.1 greylisted, try again later", LATER),
    ("rcpt", 451, "4.3.0 try again later", LATER),
    ("rcpt", 452, "4.2.2 mailbox full", LATER),
    ("rcpt", 450, "5.1.1 the code decides", LATER),
    ("rcpt", 450, "4.2.1 The user is receiving mail at a rate that prevents more", LATER),
    ("mail", 451, "4.3.0 lookup failure", LATER),
    ("dot", 451, "4.3.0 queue file write error", LATER),
    ("rcpt", SILENT, "no answer within 300 s", LATER),
    # A full mailbox is temporary, whatever the code.
    ("rcpt", 552, "5.2.2 over quota", LATER),
    ("rcpt", 550, "4.2.2 the class follows the code, the mailbox stays full", LATER),
    ("rcpt", 552, "Requested mail action aborted: exceeded storage allocation", LATER),
    ("rcpt", 550, "Mailbox is full", LATER),
    ("dot", 554, "5.2.2 mailbox full", LATER),
    ("rcpt", 550, "5.2.121 The recipient's limit exceeded", LATER),
    # Too big.
    ("mail", 552, "5.3.4 message size exceeds fixed limit", NEVER),
    ("dot", 552, "5.2.3 too long for this mailbox", NEVER),
    ("dot", 552, "message size limit exceeded", NEVER),
    ("mail", 552, "message too big", NEVER),
    ("dot", 554, "5.6.0 bad content", NEVER),
    # The site.
    ("mail", 452, "4.3.1 Insufficient system storage", SITE),
    ("rcpt", 452, "Requested action not taken: insufficient system storage", SITE),
    ("mail", 530, "5.7.0 authentication required", SITE),
    ("rcpt", 530, "Must issue a STARTTLS command first", SITE),
    ("rcpt", 554, "5.7.1 Relay access denied", SITE),
    ("rcpt", 550, "relay not permitted", SITE),
    ("rcpt", 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", SITE),
    ("dot", 554, "5.7.1 rejected as spam", SITE),
    ("dot", 550, "5.7.26 This mail has been blocked because the sender is unauthenticated", SITE),
    ("dot", 550, "5.7.515 Access denied, sending domain does not meet the required level", SITE),
    ("rcpt", 554, "Your address 192.0.2.1 is blocked using a DNSBL", SITE),
    ("mail", 550, "5.1.0 sender rejected", SITE),
    ("mail", 553, "5.1.8 sender domain not found", SITE),
    ("rcpt", 550, "5.1.8 Sender address rejected: Domain not found", SITE),
    ("rcpt", 550, "5.1.0 Sender address rejected: User unknown", SITE),
    ("rcpt", 550, "Sender verify failed", SITE),
    ("dot", 550, "5.2.252 SendAsDenied", SITE),
    # ... and its quotas.
    ("dot", 550, "5.4.5 Daily user sending limit exceeded", SITE),
    ("mail", 454, "Throttling failure: Maximum sending rate exceeded.", SITE),
    ("dot", 454, "Throttling failure: Daily message quota exceeded.", SITE),
    ("mail", 450, "4.7.1 Error: too much mail from 192.0.2.1", SITE),
    ("rcpt", 421, "4.7.28 Our system has detected an unusual rate of mail", SITE),
    ("dot", 451, "4.7.650 The mail server has been temporarily rate limited", SITE),
    ("dot", 451, "You've exceeded your messaging limits", SITE),
    # ... which providers put in words of their own.
    ("mail", 550, "5.4.5 You have reached a limit for sending mail", SITE),
    ("rcpt", 550, "5.4.5 Daily SMTP relay limit exceeded for customer", SITE),
    ("mail", 421, "4.7.0 Try again later, closing connection", SITE),
    ("dot", 421, "4.7.26 rate limited because it is unauthenticated", SITE),
    ("mail", 451, "4.7.24 The SPF record has a problem", SITE),
    ("mail", 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", SITE),
    ("mail", 421, "4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred", SITE),
    ("rcpt", 451, "4.7.500 Server busy. Please try again later from [192.0.2.1]", SITE),
    ("dot", 432, "4.3.2 Concurrent connections limit exceeded", SITE),
    ("dot", 550, "5.1.90 You have reached your daily limit for message recipients", SITE),
    ("dot", 554, "5.2.2 mailbox full; STOREDRV.Submission.Exception:SubmissionQuotaExceededException", SITE),
    ("dot", 550, "5.7.708 Access denied, traffic not accepted from this IP", SITE),
    ("dot", 554, "Sending paused for this account. Look into the inbox of the account's address", SITE),
    ("dot", 554, "Message rejected: Email address is not verified.", SITE),
    ("login", 451, "Authentication failed: Maximum credits exceeded", SITE),
    ("mail", 450, "4.7.1 Error: too many recipients from 192.0.2.1", SITE),
    ("rcpt", 550, "Domain example.org has exceeded the max emails per hour (100/100) allowed", SITE),
    ("mail", 550, "Ip frequency limited", SITE),
    ("rcpt", 550, "Ip frequency limited", SITE),
    # ... and its blocks, where no status says so.
    ("rcpt", 550, "Administrative prohibition", SITE),
    ("rcpt", 550, "Rejected because 192.0.2.1 is listed in a list of open proxies", SITE),
    ("rcpt", 550, "Access denied - Invalid HELO name", SITE),
    ("rcpt", 550, "Your server has no reverse name", SITE),
    ("rcpt", 553, "sorry, your envelope sender is in my badmailfrom list (#5.7.1)", SITE),
    ("dot", 554, "Transaction failed; Reject due to policy restrictions.", SITE),
    ("dot", 571, "Email from 192.0.2.1 is currently blocked", SITE),
    ("dot", 550, "5.2.0 refused as unsolicited", SITE),
    # ... and what it set up wrong, or cannot look up of us.
    ("rcpt", 451, "4.3.5 Server configuration error", SITE),
    ("rcpt", 554, "5.3.2 System not accepting network messages", SITE),
    ("rcpt", 450, "4.1.8 Sender address rejected: Domain not found", SITE),
    # What looks like a quota or a block, and is not.
    ("rcpt", 550, "Mailbox unavailable or access denied", NO_SUCH_ADDRESS),
    ("rcpt", 511, "sorry, no mailbox here by that name (#5.1.1 - chkuser)", NO_SUCH_ADDRESS),
    ("rcpt", 552, "sorry, the mailbox is over quota (#5.2.2 - chkuser)", LATER),
    ("rcpt", 450, "4.2.0 Recipient address rejected: Greylisted, see the help page", LATER),
    ("dot", 552, "5.3.0 message size limit exceeded", NEVER),
    ("rcpt", 550, "5.5.0 Requested action not taken: mailbox unavailable", NEVER),
    ("dot", 554, "delivery error: dd This user has no account here", NEVER),
    ("rcpt", 550, "5.7.17 mailbox owner has changed", NEVER),
    # A mailbox that takes no mail from outside is nobody else's trouble.
    ("rcpt", 550, "5.7.133 sender not authenticated for group", NEVER),
    ("dot", 550, "5.7.124 sender not in allowed-senders list", NEVER),
    # The end.
    ("dot", 250, "2.0.0 accepted", ACCEPTED),
    ("dot", DROPPED, "the server closed the connection", UNCERTAIN),
    ("dot", SILENT, "no answer within 600 s", UNCERTAIN),
    ("dot", MALFORMED, "Malformed SMTP response line: 2?? huh", UNCERTAIN),
    ("dot", 25, "0 accepted", UNCERTAIN),
    ("dot", 354, "again?", UNCERTAIN),
    ("dot", 650, "what?", UNCERTAIN),
]


@pytest.mark.parametrize(("phase", "code", "text", "expected"), CASES)
def test_a_reply_means(phase: str, code: int, text: str, expected: tuple[Verdict, bool, bool]):
    """Every reply of the list is read as a postmaster reads it."""
    outcome = classify(Phase(phase), code, text)
    assert expected == (outcome.verdict, outcome.pauses_route, outcome.suppresses)


SESSION_TROUBLES = [
    ("mail", 421, "4.7.0 too many messages on this connection"),
    ("rcpt", 421, "4.3.2 shutting down"),
    ("dot", 421, "4.3.2 shutting down"),
    ("mail", DROPPED, "the server closed the connection"),
    ("mail", SILENT, "no answer within 300 s"),
    ("data", MALFORMED, "Malformed SMTP response line"),
    ("data", 250, "this is no 354"),
    ("rcpt", 503, "5.5.1 no sender"),
    ("mail", 421, "too many messages in this connection"),
    ("mail", 450, "4.7.1 Error: message limit of one SMTP session is reached"),
    ("rcpt", 421, "4.7.0 Error: too many errors"),
    ("rcpt", 421, "4.4.2 Error: timeout exceeded"),
]


@pytest.mark.parametrize(("phase", "code", "text"), SESSION_TROUBLES)
def test_a_session_that_ends_pauses_the_route_only_if_it_carried_nothing(phase: str, code: int, text: str):
    """A server that takes ten messages per connection is well; one that takes none is not."""
    fresh, used = classify(Phase(phase), code, text), classify(Phase(phase), code, text, carried=10)
    assert (fresh.verdict, fresh.pauses_route, fresh.suppresses) == (Verdict.TROUBLE, True, False)
    assert (used.verdict, used.pauses_route, used.suppresses) == (Verdict.TROUBLE, False, False)


WORDS = st.sampled_from(
    ["5.1.1", "4.2.2", "5.7.1", "(#5.1.1)", "mailbox", "full", "quota", "sender", "rejected", "spam", "rate limit"]
)
texts = st.text() | st.lists(WORDS | st.text()).map(" ".join)
codes = st.integers(-10, 1000) | st.integers() | st.sampled_from([250, 421, 450, 550, 552])


@given(st.sampled_from(Phase), codes, texts, st.integers(0, 3))
@example(Phase.RCPT, 450, "5.1.1 user unknown", 0)
def test_the_laws_hold_for_every_reply(phase: Phase, code: int, text: str, carried: int):
    """No reply raises; the first digit decides; only a permanent refusal suppresses; silence is never acceptance."""
    outcome = classify(phase, code, text, carried=carried)
    positive, temporary, permanent = 200 <= code <= 299, 400 <= code <= 499, 500 <= code <= 599
    answers = {
        Verdict.ACCEPTED: positive and phase is Phase.DOT,
        Verdict.TEMPORARY: temporary or permanent or (code == SILENT and phase is Phase.RCPT),
        Verdict.PERMANENT: permanent,
        Verdict.TROUBLE: not (phase is Phase.DOT and not (temporary or permanent)),
        Verdict.UNCERTAIN: phase is Phase.DOT and not (positive or temporary or permanent),
    }
    assert answers[outcome.verdict]
    assert not outcome.suppresses or outcome.verdict is Verdict.PERMANENT
    assert not outcome.pauses_route or outcome.verdict is Verdict.TROUBLE


@pytest.mark.parametrize(("phase", "code", "text", "expected"), [case for case in CASES if case[3] == SITE])
def test_what_the_site_says_pauses_the_route_however_much_it_took(phase: str, code: int, text: str, expected: object):
    """A quota is reached after many messages, and a block may come in the middle of a session."""
    outcome = classify(Phase(phase), code, text, carried=1000, server="mx.example")
    assert expected == (outcome.verdict, outcome.pauses_route, outcome.suppresses)
    assert text.partition(":")[0] in outcome.reply  # the operator reads it in the server's words
    assert outcome.server == "mx.example"


def test_what_was_said_is_kept_on_one_line():
    """The ledger and the terminal show the server's words, not its control sequences, nor a novel."""
    outcome = classify(Phase.RCPT, 550, "5.1.1 no\x1b[2J\nsuch user" + "!" * 10_000)
    assert outcome.reply.startswith("550 5.1.1 no[2J such user!!!")
    assert len(outcome.reply) == len("550 ") + LONGEST_REPLY

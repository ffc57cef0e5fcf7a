"""What servers write, read for what it says of the address: in the words of the field, in any order and case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.bounce import Reason
from newsletter.mail.bounce_reasons import Said, judge

GONE = """
#5.1.1 bad address
550 does not exist.
550 is not a valid mailbox
550 mailbox unavailable
550 no such address here
550 address invalid
550 address unknown
550 cet utilisateur n existe pas
550 email address does not exist
550 mailbox invalid
550 mailbox not present
550 nessun utente
550 no existe dicha persona
550 no mail box available for this user
550 no mailbox found
550 no such mailbox
550 no such recipient
550 no thank you rejected: account unavailable
550 not a valid recipient
550 not listed in domino directory
550 nosuchuser
550 please check the recipient's address
550 recipient address rejected: invalid user
550 recipient does not exist
550 recipient not exist
550 recipient not ok
550 resolver.adr.recipientnotfound
550 sorry, badrcptto
550 sorry, your envelope recipient has been denied
550 the following recipients was undeliverable
550 there is no one at this address
550 this recipient is not in my validrcptto list
550 unknown address
550 unknown local part
550 unknown recipient
550 user does not exist
550 user not exist
550 user not known
550 utilisateur inconnu
550 your envelope recipient is in my badrcptto list
550 invalid mailbox path
550 domain does not exist
550 domain must exist
550 host unknown
550 name or service not known
550 recipient address rejected: unknown domain name
550 unknown host
550 unrouteable address
550 recipient no longer on server
550 host/domain does not accept mail
550 name server: .: host not found
"""
ALIVE = """
550 Access denied...
554 all mail servers must have a PTR record with a valid reverse DNS entry
550 Banned sending IP
550 confirm this mail server
550 connection dropped
550 connection rejected
501 sender domain must exist
550 Sender address rejected: Domain not found
550 email address blocked
550 go away
550 hosts with dynamic ip
550 is in a black list
550 mail from 192.0.2.1 refused
550 no access from mail server
550 please get a custom reverse DNS name from your ISP
550 rejecting open proxy
550 service not available, closing transmission channel
550 spf record
550 unresolvable relay host name
550 your sender's IP address is listed at
552 account disabled temporly for exceeding receiving limits
552 delivery failed: over quota
552 diskspace quota
552 user is over the quota
552 has exceeded the size limit
552 mailbox exceeds allowed size
550 mailfolder is full
552 size of user's mailbox would exceed limit
550 user has exceeded quota, bouncing mail
550 mailbox temporarily disabled
550 has been suspended
550 invalid/inactive user
550 mailbox is frozen
550 recipient suspend the service
550 this account has been temporarily suspended
550 user or domain is disabled
550 user account is expired
550 due to extended inactivity new mail is not currently being accepted for this mailbox
550 closed mailing list
550 message rejected because of unacceptable content
550 recipient's mailbox is currently not accepting mail from you
550 resolver.rst.notauthorized; not authorized
550 this account not allowed e-mails from
550 user reject
550 you have been blocked by the recipient
550 <> invalid sender
550 backscatter protection detected invalid or expired email address
550 can't determine Purported Responsible Address
550 email address is on senderfilterconfig list
550 error: no third-party dsns
550 fully qualified email address required
550 is not a registered gateway user
550 message rejected: email address is not verified
550 recipient addresses rejected : access denied
550 sender email address rejected
550 sender not pre-approved
550 server does not accept mail from
550 the sender's domain is not valid
550 unroutable sender address
550 you are sending to/from an address that has been blacklisted
554 relay access denied
550 no relaying
550 mail server requires authentication when attempting to send to a non-local e-mail address
550 unable to relay for
550 domain isn't in my list of allowed rcpthosts
553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
554 mail loop detected
550 malformed name server reply
550 unable to resolve route
554 5.3.5 system config error
550 internal error
550 mail system full
550 service has been disabled
550 interrupted mail service
554 5.6.0 Invalid header
550 message header size exceeds
550 5.7.9 message does not comply with rfc 5322
550 too many spams from your ip
550 mail sending has failed because of too many recipients
550 recipient exceeded dailylimit
550 greylisted, please try again
554 command "/usr/bin/procmail" returned status 75
550 this e-mail address is set to not receive
550 this message is too large to
550 authentication required
550 unable to deliver message due to a communication failure
550 could not be delivered for more than 5 days
550 message timed out
550 host or domain name not found. name service error, try again later
550 Administrative prohibition
550 permanent error: The user's mailbox is full
"""
ABROAD = """
Der Empfänger ann wurde nicht gefunden
Dieses Postfach existiert nicht
De gebruiker bestaat niet
Användaren är okänd: användare okänd
L'adresse de messagerie n'existe pas
El usuario no existe en este servidor
O destinatário não existe
L'utente è sconosciuto
Почтовый ящик не существует
Użytkownik nie istnieje
Kullanıcı bulunamadı
宛先のメールアドレスが見つかりませんでした
收件人不存在
존재하지 않는 메일 주소입니다
"""


def named(words: str) -> Said:
    """Return what a report says that quotes *words* as the answer to the naming of the address."""
    return Said(
        formal=True, status="5.0.0", action="failed", words=words, scene=f"{words} (in reply to RCPT TO command)"
    )


@pytest.mark.parametrize("words", GONE.strip().splitlines())
def test_words_that_say_that_an_address_is_gone(words: str) -> None:
    """Of the words that servers have for it, each is understood; a 4xx never is."""
    assert judge(named(words)).reason.permanent
    assert judge(named(words.upper())).reason.permanent
    assert not judge(named(words.replace("550", "450"))).reason.permanent or not words.startswith("550")


@pytest.mark.parametrize("words", ALIVE.strip().splitlines())
def test_words_that_say_something_else(words: str) -> None:
    """Policy, spam, size, quotas, loops and trouble are not taken for it, whatever else they mention."""
    assert not judge(named(words)).reason.permanent


@pytest.mark.parametrize("words", ABROAD.strip().splitlines())
def test_words_of_other_languages(words: str) -> None:
    """In the languages in which servers speak, with a status or without."""
    assert judge(Said(formal=True, status="5.1.1", action="failed", words=f"550 {words}")).reason is Reason.UNKNOWN
    assert judge(Said(words=words)).reason is Reason.UNKNOWN


@given(st.text(max_size=300), st.sampled_from(["", "5.0.0", "5.1.1", "4.2.2", "5.7.1", "2.0.0"]), st.text(max_size=300))
def test_anything_is_judged(words: str, status: str, scene: str) -> None:
    """Whatever a server says means something, and a 4xx status is never for good."""
    judged = judge(Said(formal=True, status=status, action="failed", words="", scene=scene, around=words))
    assert judged.reason in Reason
    assert not (status.startswith("4") and judge(Said(formal=True, status=status, action="failed")).reason.permanent)

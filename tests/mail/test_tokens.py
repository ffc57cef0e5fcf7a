"""Tokens: whom a link was made for, and that nobody else can make one."""

import base64
import hmac
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.errors import NewsletterError, TokenError, TokenExpiredError
from newsletter.mail.tokens import Claims, Purpose, Signer, Wanted

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
OLD, NEW = "an older secret, of some length", "the newest secret, of some length"
SIGNER = Signer((NEW, OLD))

ids = st.integers(0, 2**63 - 1)
purposes = st.sampled_from(Purpose)


@given(purposes, ids, ids, st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=20_000)))
def test_a_token_is_read_as_it_was_made(purpose: Purpose, subscriber: int, delivery: int, life: timedelta | None):
    """Ids of 63 bits come back, for ever or while the token lasts."""
    token = SIGNER.token(purpose, subscriber=subscriber, delivery=delivery, expires=life and NOW + life)
    assert SIGNER.read(purpose, token, NOW) == Claims(subscriber, delivery)


@given(purposes, ids, st.text(min_size=1, max_size=200, alphabet=st.characters(codec="utf-8")))
@example(Purpose.BOUNCE, 1, "k" * 64)
@example(Purpose.BOUNCE, 1, "k" * 65)
def test_a_token_is_signed_as_rfc_2104_says(purpose: Purpose, subscriber: int, secret: str):
    """The last ten octets are the library's HMAC of what is before them, also for a secret longer than a block."""
    content = base64.b32decode(Signer((secret,)).token(purpose, subscriber=subscriber).upper())
    whole = hmac.digest(secret.encode(), b"token:" + purpose.encode() + content[:20], "sha256")
    assert whole[:10] == content[20:]


@given(st.lists(st.tuples(purposes, ids, ids, st.none() | st.just(NOW)), max_size=6))
def test_tokens_made_together_are_those_made_one_by_one(wanted: list[Wanted]):
    """How many are made at once says nothing of what they are, and each is base32 as RFC 4648 has it."""
    made = SIGNER.tokens(wanted)
    for token, (purpose, subscriber, delivery, expires) in zip(made, wanted, strict=True):
        assert token == SIGNER.token(purpose, subscriber=subscriber, delivery=delivery, expires=expires)
        assert token == base64.b32encode(base64.b32decode(token.upper())).decode().lower()


@given(purposes, ids, ids)
def test_a_token_fits_where_it_must(purpose: Purpose, subscriber: int, delivery: int):
    """With a prefix of two it is a local part (64 octets), and only letters and digits end a link."""
    token = SIGNER.token(purpose, subscriber=subscriber, delivery=delivery)
    assert re.fullmatch(r"[a-z2-7]+", token)
    assert len("b-" + token) <= 64


@given(purposes, ids, st.integers(0, 47), st.characters())
@example(Purpose.BOUNCE, 1, 0, "\N{KELVIN SIGN}")
def test_no_character_can_be_changed(purpose: Purpose, subscriber: int, position: int, character: str):
    """Every character counts, the last one too: no padding bits are left over to play with."""
    token = SIGNER.token(purpose, subscriber=subscriber)
    changed = token[:position] + character + token[position + 1 :]
    if character.isascii() and character.lower() == token[position]:
        assert SIGNER.read(purpose, changed, NOW) == Claims(subscriber, 0)
    else:
        with pytest.raises(TokenError):
            SIGNER.read(purpose, changed, NOW)


@given(purposes, purposes, ids)
def test_a_token_is_good_for_one_purpose(made_for: Purpose, used_for: Purpose, subscriber: int):
    """A link to unsubscribe opens nobody's preferences."""
    token = SIGNER.token(made_for, subscriber=subscriber)
    if made_for is used_for:
        assert SIGNER.read(used_for, token, NOW).subscriber == subscriber
    else:
        with pytest.raises(TokenError, match="not made here for this"):
            SIGNER.read(used_for, token, NOW)


@given(st.text() | st.from_regex(r"[a-z2-7]{48}", fullmatch=True))
def test_anything_else_is_refused_in_one_way(token: str):
    """Whatever a stranger sends, the answer is a TokenError, never a fault."""
    with pytest.raises(TokenError):
        SIGNER.read(Purpose.CONFIRM, token, NOW)


def test_a_mail_server_may_change_case():
    """A bounce comes back to an address that somebody wrote in capitals."""
    token = SIGNER.token(Purpose.BOUNCE, subscriber=7, delivery=8)
    assert Claims(7, 8) == SIGNER.read(Purpose.BOUNCE, token.upper(), NOW)


def test_an_expired_token_says_so():
    """Whoever follows an old link is told to ask for a fresh one, not that it was forged."""
    token = SIGNER.token(Purpose.PREFERENCES, subscriber=7, expires=NOW)
    assert Claims(7, 0) == SIGNER.read(Purpose.PREFERENCES, token, NOW - timedelta(seconds=1))
    with pytest.raises(TokenExpiredError, match="expired on 2026-07-15: ask for a fresh one"):
        SIGNER.read(Purpose.PREFERENCES, token, NOW)
    assert issubclass(TokenExpiredError, NewsletterError)


def test_a_secret_can_be_replaced():
    """The new one signs, the old one still verifies, and once it is gone its tokens are void."""
    old_token = Signer((OLD,)).token(Purpose.UNSUBSCRIBE, subscriber=7)
    assert Claims(7, 0) == SIGNER.read(Purpose.UNSUBSCRIBE, old_token, NOW)
    assert SIGNER.token(Purpose.UNSUBSCRIBE, subscriber=7) == Signer((NEW,)).token(Purpose.UNSUBSCRIBE, subscriber=7)
    with pytest.raises(TokenError):
        Signer((NEW,)).read(Purpose.UNSUBSCRIBE, old_token, NOW)


def test_fingerprints_tell_secrets_apart_and_tell_nothing_else():
    """A database remembers which secret signed without knowing it."""
    new, old = SIGNER.fingerprints()
    assert (new,) == Signer((NEW,)).fingerprints()
    assert new != old
    assert re.fullmatch(r"[0-9a-f]{16}", new)

"""Which addresses are taken, as what, and when two are the same."""

import json
from pathlib import Path

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import UsageError
from newsletter.mail.addresses import Address, address_key, parse_address

# Where we differ from what a corpus expects, and why.
_TOO_LONG = "RFC 5321 allows 64 octets before the @-sign; the library's verdict lets 65 pass"
_QUOTED = "quoted local parts: the corpus allows them on request; hardly a mail server or form takes them"
_NAMED = "display names: the corpus allows them on request; a list holds addresses"
_TEST = "the test domain of RFC 6761 is for trying things out on one's own machine"
_DEVIATIONS = {
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghiklmn@iana.org": _TOO_LONG,
    '"quoted local part"@example.org': _QUOTED,
    '"de-quoted.local.part"@example.org': _QUOTED,
    '"unnecessary.escaped.\\x.local.part"@example.org': _QUOTED,
    '"escaped.quote.\\".local.part"@example.org': _QUOTED,
    '"My.\\"Na\\\\me\\".Is" <"me \\" \\\\ me"@example.org>': _QUOTED,
    "MyName <me@example.org>": _NAMED,
    "My Name <me@example.org>": _NAMED,
    '"s\u0323\u0307" <s\u0323\u0307@nfc.tld>': _NAMED,
    "me@test.test.test": _TEST,
}


def _taken(text: str) -> bool:
    try:
        parse_address(text)
    except UsageError:
        return False
    return True


def _differing(expected: dict[str, bool]) -> set[str]:
    return {text for text, valid in expected.items() if _taken(text) != valid}


def test_the_isemail_corpus(shared: Path):
    """Every case of isemail gets the verdict expected of it, but for the deviations."""
    cases = json.loads((shared / "corpora/isemail/cases.json").read_text("utf-8"))
    expected = {case["address"]: case["email_validator"] for case in cases}

    assert len(cases) == 164
    assert _differing(expected) == _DEVIATIONS.keys() & expected.keys()


def test_the_email_validator_corpus(shared: Path):
    """Every valid and invalid address of email-validator's own tests gets its verdict, but for the deviations."""
    cases = json.loads((shared / "corpora/email-validator/cases.json").read_text("utf-8"))
    expected = dict.fromkeys(cases["valid"], True) | dict.fromkeys(cases["invalid"], False)

    assert _differing(expected) == _DEVIATIONS.keys() & expected.keys()


def test_the_pyisemail_corpus(shared: Path):
    """Of pyisemail's cases, those are taken that it calls valid and a public mail server could have."""
    cases = json.loads((shared / "corpora/email-validator/cases.json").read_text("utf-8"))["pyisemail"]
    expected = {text: diagnosis == "ISEMAIL_VALID" for text, diagnosis in cases}
    # Grammatical, but dotless, quoted, an IP address, a punycode label that decodes to nothing, or a numeric top level.
    unreachable = {text for text, valid in expected.items() if valid and not _taken(text)}

    assert [text for text, valid in expected.items() if not valid and _taken(text)] == []
    assert all(text.startswith('"') or "[" in text or "xn--" in text or text[-1].isdigit() for text in unreachable)


@pytest.mark.parametrize(
    ("text", "email", "key"),
    [
        ("ann@example.org", "ann@example.org", "ann@example.org"),
        ("Ann.Lee+Papers@Example.ORG", "Ann.Lee+Papers@example.org", "ann.lee+papers@example.org"),
        ("jo@bücher.example", "jo@xn--bcher-kva.example", "jo@xn--bcher-kva.example"),
        ("jo@XN--BCHER-KVA.example", "jo@xn--bcher-kva.example", "jo@xn--bcher-kva.example"),
        ("Zoe\u0308@example.org", "Zoë@example.org", "zoë@example.org"),
        ("STRASSE@example.org", "STRASSE@example.org", "strasse@example.org"),
        ("Straße@example.org", "Straße@example.org", "strasse@example.org"),
        ("me@reader.test", "me@reader.test", "me@reader.test"),
    ],
)
def test_an_address_is_normalised_and_compared_without_case(text: str, email: str, key: str):
    """The domain is mailed in ASCII and lower case, the local part as its owner writes it; the key folds both."""
    assert parse_address(text) == Address(email, key)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "@-sign"),
        ("ann", "@-sign"),
        ("ann@", "after the @-sign"),
        ("ann@localhost", "period"),
        ("ann@test", "period"),
        (" ann@example.org", "space"),
        ("ann@example.org\n", "control character"),
        ("ann\x00@example.org", "control character"),
        ("ann@example.org\u2028", "control character"),
        ("ann@example.org\r\nBcc: eve@example.org", "control character"),
        ("Ann <ann@example.org>", "display name"),
        ('"ann lee"@example.org', "Quoting"),
        ("ann@[127.0.0.1]", "bracketed IP"),
        ("ann@host.local", "special-use"),
        ("ann..lee@example.org", "period"),
        ("ann@-example.org", "hyphen"),
        ("ann\udcff@example.org", "control character"),
        ("a" * 65 + "@example.org", "65 octets before the @-sign"),
        ("é" * 33 + "@example.org", "66 octets before the @-sign"),
        ("ann@" + "long." * 60 + "org", "too long"),
        ("é" * 32 + "@" + ("a" * 47 + ".") * 4 + "example.org", "too long"),
        ("a" * 64 + "@" + ("a" * 47 + ".") * 4 + "example.org", "octets, 254 allowed"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, why: str):
    """One line names the text and what is wrong with it."""
    with pytest.raises(UsageError) as refused:
        parse_address(text)

    said = str(refused.value)
    assert why.casefold() in said.casefold()
    assert "is not an address" in said
    assert len(said.splitlines()) == 1
    assert len(said) < 300


def test_sixty_four_octets_are_allowed():
    """The longest local part that RFC 5321 allows is taken."""
    assert parse_address("a" * 64 + "@example.org").email == "a" * 64 + "@example.org"


@given(st.from_regex(r"[A-Za-z0-9._+-]{1,66}@[A-Za-z0-9.-]{1,20}(\.org|\.Example)?", fullmatch=True))
def test_plain_addresses_get_the_librarys_verdict(text: str):
    """The short way for plain addresses takes what the library takes, and as the same."""
    try:
        valid = validate_email(text, check_deliverability=False, test_environment=True)
        expected = f"{valid.local_part}@{valid.ascii_domain}" if len(valid.local_part) <= 64 else None
    except EmailNotValidError:
        expected = None
    if expected and "." not in expected.rpartition("@")[2]:
        expected = None

    assert (parse_address(text).key if _taken(text) else None) == (expected and expected.casefold())


@given(st.text(max_size=40), st.sampled_from(["example.org", "bücher.example", "EXAMPLE.com"]))
def test_whatever_is_typed_is_refused_or_normal(local: str, domain: str):
    """What is taken reads back as itself, is compared as itself, and holds nothing that could end a header."""
    text = f"{local}@{domain}"
    if not _taken(text):
        return
    address = parse_address(text)

    assert parse_address(address.email) == address
    assert address_key(address.email) == address.key == address_key(address.key)
    assert address.email.isprintable()
    assert address.email.count("@") == 1
    assert address.email.rpartition("@")[2].isascii()

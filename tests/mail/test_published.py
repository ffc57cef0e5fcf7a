"""What a domain publishes about its mail, read as receivers read it, from a real name server on loopback."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail.name_server import name_server

from newsletter.mail.published import Dmarc, Names, SilentNamesError, dkim_key, dmarc, spf

ZONE = """
papers.dev. TXT "v=spf1 mx ip4:192.0.2.0/28 include:relay.dev " "~all"
papers.dev. TXT "another service's word"
papers.dev. MX 20 second.papers.dev.
papers.dev. MX 10 mail.papers.dev.
mail.papers.dev. A 198.51.100.7
mail.papers.dev. AAAA 2001:db8::7
relay.dev. TXT "v=spf1 ip6:2001:db8:1::/48 a:out.relay.dev/30 -all"
out.relay.dev. A 203.0.113.9
7.100.51.198.in-addr.arpa. PTR mail.papers.dev.
_dmarc.papers.dev. TXT "v=DMARC1; p=reject; adkim=s"
a._domainkey.papers.dev. TXT "v=DKIM1; k=rsa; p=AAAA" "BBBB"
gone._domainkey.papers.dev. TXT "v=DKIM1; p="
moved.dev. TXT "v=spf1 redirect=relay.dev"
twice.dev. TXT "v=spf1 -all"
twice.dev. TXT "v=spf1 ~all"
open.dev. TXT "v=spf1 +all"
odd.dev. TXT "v=spf1 ip4:192.0.2.300 -all"
around.dev. TXT "v=spf1 include:around.dev -all"
lost.dev. TXT "v=spf1 include:nowhere.dev -all"
empty.dev. TXT "v=spf1 a:x.dev a:y.dev a:z.dev -all"
asks.dev. TXT "v=spf1 exists:%{i}.list.dev include:%{d}.dev ptr -all"
silent.dev. MX 0 .
"""


@pytest.fixture(scope="module")
def names():
    """Ask a server that knows the zone."""
    with name_server(ZONE) as server:
        host, _, port = server.partition(":")
        yield Names((host, int(port)))


def test_an_spf_record_is_followed_through_its_names(names):
    """Its look-ups are counted as receivers count them, and its networks are those that may send."""
    found = spf(names, "papers.dev")
    assert (found.fault, found.lookups, found.end) == ("", 3, "~")
    assert found.record.endswith("include:relay.dev ~all")
    for allowed in ("192.0.2.15", "198.51.100.7", "2001:db8::7", "2001:db8:1::1", "203.0.113.10"):
        assert found.allows(allowed)
    for other in ("192.0.2.16", "198.51.100.8", "203.0.113.12", "2001:db8:2::1"):
        assert not found.allows(other)


def test_where_a_record_redirects_the_other_ones_end_counts(names):
    """While that of a record that is included does not."""
    found = spf(names, "moved.dev")
    assert (found.end, found.lookups) == ("-", 2)
    assert found.allows("203.0.113.9")


@pytest.mark.parametrize(
    ("domain", "fault"),
    [
        ("twice.dev", "twice.dev has 2 SPF records"),
        ("odd.dev", "'ip4:192.0.2.300' in it is no network"),
        ("around.dev", "more than 10 look-ups"),
        ("lost.dev", "nowhere.dev, which it names, has no SPF record"),
        ("empty.dev", "more than 2 of the names in it lead nowhere"),
    ],
)
def test_a_record_that_receivers_do_not_count_says_why(names, domain, fault):
    """Each of the ways in which a record is worse than none."""
    assert fault in spf(names, domain).fault


def test_what_depends_on_the_sender_is_counted_and_left_out(names):
    """Macros, exists and ptr cost look-ups, and name no network."""
    found = spf(names, "asks.dev")
    assert (found.fault, found.lookups, found.networks, found.end) == ("", 3, [], "-")
    assert spf(names, "open.dev").end == "+"
    assert spf(names, "nothing.dev").record == ""


def test_a_subdomain_follows_its_parents_dmarc_record(names):
    """And a domain without one and without a parent that has one follows none."""
    tags = {"v": "DMARC1", "p": "reject", "adkim": "s"}
    expected = Dmarc("v=DMARC1; p=reject; adkim=s", "papers.dev", tags)
    assert dmarc(names, "papers.dev") == dmarc(names, "daily.papers.dev") == expected
    assert dmarc(names, "relay.dev") is None


def test_a_dkim_key_is_joined_of_its_strings(names):
    """A revoked one is empty, and none is none."""
    assert dkim_key(names, "a", "papers.dev") == "AAAABBBB"
    assert dkim_key(names, "gone", "papers.dev") == ""
    assert dkim_key(names, "b", "papers.dev") is None


def test_mail_servers_addresses_and_their_names(names):
    """The preferred server first; a null MX is one with an empty name."""
    assert names.mail_servers("papers.dev") == ["mail.papers.dev", "second.papers.dev"]
    assert names.mail_servers("silent.dev") == [""]
    assert names.mail_servers("relay.dev") == []
    assert names.addresses("mail.papers.dev") == ["198.51.100.7", "2001:db8::7"]
    assert names.pointers("198.51.100.7") == ["mail.papers.dev"]


def test_name_servers_that_do_not_answer_are_not_taken_for_a_no():
    """Nothing is known then, which is an error of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        names = Names(("127.0.0.1", deaf.getsockname()[1]), patience=0.2)
        with pytest.raises(SilentNamesError, match=r"do not answer for papers\.dev TXT"):
            spf(names, "papers.dev")


@given(
    st.text(st.characters(codec="ascii", exclude_characters='"\\', min_codepoint=32, max_codepoint=126), max_size=200)
)
def test_whatever_a_record_says_it_is_read(text):
    """No record of somebody's makes reading fail."""
    with name_server(f'odd.dev. TXT "v=spf1 {text}"') as server:
        host, _, port = server.partition(":")
        assert spf(Names((host, int(port))), "odd.dev").record == f"v=spf1 {text}"

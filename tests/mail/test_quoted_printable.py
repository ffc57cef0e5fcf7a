"""Quoted-printable in pieces: whatever is cut where, joined it is the whole, in lines that every server takes."""

import re
from binascii import a2b_qp
from quopri import decodestring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.quoted_printable import ended, quoted_printable

odd = (
    st.text()
    | st.text(st.sampled_from(" \t\r\n.=-aé日\0"))
    | st.text(st.sampled_from(".= aé"), min_size=60, max_size=400)
)


@given(st.lists(odd))
@example(["." * 200])
@example(["é" * 100, ".", "=", " ", "\n", "\t\n"])
def test_pieces_join_to_the_whole(texts: list[str]) -> None:
    """Encoded piece by piece and joined, the texts come back joined, exactly, by either decoder of the library."""
    encoded = b"".join(map(quoted_printable, texts))
    wanted = "".join(re.sub(r"\r\n?", "\n", text) for text in texts).encode("utf-8", "replace")
    for decoded in (decodestring(encoded), a2b_qp(encoded)):
        assert decoded.replace(b"\r\n", b"\n") == wanted


@given(odd)
def test_every_line_is_one_that_any_server_takes(text: str) -> None:
    """At most 76 plain characters, CRLF at the end, no dot at the beginning, no blank that a relay could strip."""
    encoded = quoted_printable(text)
    assert encoded.endswith(b"\r\n") or not text
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert re.fullmatch(rb"[!-\-/-~ ][ -~]*", line) or not line
        assert not line.endswith(b" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("plain", b"plain=\r\n"),
        ("a line\n", b"a line\r\n"),
        ("a\r\nb\rc", b"a\r\nb\r\nc=\r\n"),
        ("1 = 1\n", b"1 =3D 1\r\n"),
        (".\n..", b"=2E\r\n=2E.=\r\n"),
        ("-- \n", b"--=20\r\n"),
        ("a" * 76, b"a" * 75 + b"=\r\na=\r\n"),
        ("a" * 74 + "é", b"a" * 74 + b"=\r\n=C3=A9=\r\n"),
        ("a" * 75 + "." + "b" * 73, b"a" * 75 + b"=\r\n=2E" + b"b" * 72 + b"=\r\nb=\r\n"),
        ("\ud800", b"?=\r\n"),
    ],
)
def test_what_it_looks_like(text: str, expected: bytes) -> None:
    """Plain text stays readable, and escapes stay whole."""
    assert quoted_printable(text) == expected


@given(odd)
def test_the_last_line_is_ended_once(text: str) -> None:
    """A text that has no last line feed gets one, and no other does."""
    encoded = quoted_printable(text)
    unfolded = re.sub(r"\r\n?", "\n", text)
    missing = "" if unfolded.endswith("\n") else "\n"
    assert a2b_qp(encoded + ended(encoded)).replace(b"\r\n", b"\n") == (unfolded + missing).encode("utf-8", "replace")

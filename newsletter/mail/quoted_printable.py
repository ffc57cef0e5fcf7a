"""Quoted-printable (RFC 2045 section 6.7) in pieces that can be joined.

A text is encoded so that its lines are its own: it begins a line and ends one, with a soft break where the text goes
on. The encodings of two texts one after the other are therefore an encoding of the two texts one after the other, and
what everyone's mail has in common is encoded once. Also promised: lines of at most 76 characters, CRLF, nothing but
ASCII, no line that begins with a dot (SMTP would have to stuff it), and a text that comes back exactly as it was, but
for its line ends.
"""

import re
from collections.abc import Iterator

SOFT_BREAK = b"=\r\n"
_ROOM = 75  # characters of a line before its soft break

_AS_IT_IS = re.compile(r"[ -<>-~]+")  # within one line, and without an equals sign
_UNSAFE = re.compile(rb"[^\n -<>-~]|[ \t](?=\n)")
_ESCAPES = {bytes((octet,)): b"=%02X" % octet for octet in range(256)}


def quoted_printable(text: str) -> bytes:
    """Return *text* encoded; lone surrogates, which are no characters, become question marks."""
    if _AS_IT_IS.fullmatch(text):
        return _folded(text.encode()) + SOFT_BREAK
    octets = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    lines = _UNSAFE.sub(lambda found: _ESCAPES[found[0]], octets).split(b"\n")
    whole = b"".join([_folded(line) + b"\r\n" for line in lines[:-1]])
    return whole + _folded(lines[-1]) + SOFT_BREAK if lines[-1] else whole


def ended(encoded: bytes) -> bytes:
    """Return what ends the last line of *encoded*, and so its text, where the text does not: '' or CRLF."""
    return b"\r\n" if not encoded or encoded.endswith(SOFT_BREAK) else b""


def _folded(line: bytes) -> bytes:
    """Return a line, already escaped, with soft breaks in it."""
    if len(line) <= _ROOM and line[:1] != b".":
        return line
    return SOFT_BREAK.join(_pieces(line))


def _pieces(line: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(line):
        dot = line[start : start + 1] == b"."
        end = start + _ROOM - 2 * dot
        if end < len(line):  # an escape of three characters stays whole
            end -= (line[end - 1 : end] == b"=") + 2 * (line[end - 2 : end - 1] == b"=")
        yield b"=2E" + line[start + 1 : end] if dot else line[start:end]
        start = end

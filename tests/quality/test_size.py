"""How long a digest is: Gmail hides what comes past some 99 KB."""

import pytest
from corpus import Judged

from newsletter.render.wrapping import columns

LIMITS = {10: 45_000, 25: 70_000, 50: 90_000}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def encoded(judged: Judged) -> int:
    """Return how many bytes the HTML part takes as it goes over the wire, quoted-printable."""
    part = judged.mail.message.get_body(("html",))
    assert part is not None
    return len(part.get_payload(decode=False).encode())


def test_no_digest_is_clipped(digests: list[Judged]) -> None:
    """Of each day, in three sizes and every language, with the lines of Also today and encoded as it is sent."""
    assert len(digests) in {15, 18}
    assert {judged.name: encoded(judged) for judged in digests if encoded(judged) > LIMITS[judged.papers]} == {}


def test_every_paper_asked_for_is_there(digests: list[Judged]) -> None:
    """A digest is not kept small by having fewer cards; only one of fifty may end with a link to the rest."""
    for judged in digests:
        assert len(judged.mail.papers) == judged.papers or judged.papers == 50


def test_the_text_part_fits_a_terminal(digests: list[Judged]) -> None:
    """No line takes more than 72 columns but for a link; none ends in a blank but the one before the signature."""
    lines = [line for judged in digests for line in judged.mail.text.splitlines()]
    assert [line for line in lines if columns(line) > 72 and "://" not in line] == []
    assert {line for line in lines if line != line.rstrip()} <= {"-- "}

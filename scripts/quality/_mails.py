"""The mails that are judged, for the scripts beside it: made by what makes them for ``tests/quality``."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "quality")]

import corpus  # noqa: E402 - it is found where the line above says
from newsroom import Newsroom  # noqa: E402

SHARED = ROOT.parent / "shared"
LANGUAGES = ("en", *corpus.TRANSLATIONS)


@contextmanager
def _room() -> Iterator[Newsroom]:
    with tempfile.TemporaryDirectory() as folder:
        made = corpus.newsroom(Path(folder))
        try:
            yield made
        finally:
            made.close()


def own_digests(languages: Sequence[str] = ("en",)) -> list[corpus.Judged]:
    """Return the digests of five days of the project's own papers."""
    with _room() as room:
        return list(corpus.digests(corpus.own_days(room), corpus.OWN_DAYS, languages))


def recorded_digests() -> list[corpus.Judged]:
    """Return the digests of five recorded days in every language, none where ``../shared`` is absent."""
    server = SHARED / "tools" / "upstream.py"
    if not server.is_file():
        return []
    with subprocess.Popen([sys.executable, str(server), "--port", "0"], stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout
        url = upstream.stdout.readline().split()[-1]
        try:
            with _room() as room:
                return list(corpus.digests(corpus.recorded_days(room, url), corpus.RECORDED_DAYS, LANGUAGES))
        finally:
            upstream.terminate()


def hostile() -> list[corpus.Judged]:
    """Return the digests of the project's own hostile day."""
    with _room() as room:
        return list(corpus.hostile(room, corpus.HOSTILE))


def one_paper() -> corpus.Judged:
    """Return the digest of one paper."""
    with _room() as room:
        return corpus.one_paper(room)


def other_mails() -> list[corpus.Judged]:
    """Return every kind of mail."""
    with _room() as room:
        return list(corpus.other_mails(room))

"""What these tests share: the mails, made once, and the programs that judge them."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import corpus
import pytest
from corpus import Judged
from newsroom import Newsroom

_MODULES = Path(__file__).parents[2] / "scripts" / "quality" / "node_modules"
_EVERY = int(os.environ.get("NEWSLETTER_HOSTILE_EVERY", "4"))  # of the corpora of hostile strings, 1 for all
_HINT = "'npm ci' in scripts/quality installs it, and so does 'scripts/test --with-system'"


@contextmanager
def _open(folder: Path) -> Iterator[Newsroom]:
    room = corpus.newsroom(folder)
    yield room
    room.close()


@pytest.fixture(scope="session")
def own_digests(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Return the digests of five days of the project's own papers."""
    with _open(tmp_path_factory.mktemp("own")) as room:
        return list(corpus.digests(corpus.own_days(room), corpus.OWN_DAYS))


@pytest.fixture(scope="session")
def recorded_digests(
    shared: Path, replay: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> list[Judged]:
    """Return the digests of five recorded days; skip where none are recorded."""
    if not (shared / "recorded" / "hf_daily_papers").is_dir():
        pytest.skip(f"{shared}/recorded/hf_daily_papers is not there")
    with _open(tmp_path_factory.mktemp("recorded")) as room:
        return list(corpus.digests(corpus.recorded_days(room, replay()), corpus.RECORDED_DAYS))


@pytest.fixture(scope="session")
def translated_digests(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Return the digests of three days of the project's own papers in each other language."""
    with _open(tmp_path_factory.mktemp("translated")) as room:
        return list(corpus.digests(corpus.own_days(room), corpus.OWN_DAYS[::2], corpus.TRANSLATIONS))


@pytest.fixture(scope="session", params=["own", "recorded", "translated"])
def digests(request: pytest.FixtureRequest) -> list[Judged]:
    """Return the digests of some days: of the project's own, of recorded ones, and in each other language."""
    found: list[Judged] = request.getfixturevalue(f"{request.param}_digests")
    return found


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Return the digests of a day on which every paper is an attack."""
    with _open(tmp_path_factory.mktemp("hostile")) as room:
        return list(corpus.hostile(room, corpus.HOSTILE))


@pytest.fixture(scope="session")
def harmless(other_mails: list[Judged], tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Return the digests of a day like the hostile one, whose papers mean no harm, and every kind of mail."""
    plain = [f"Plain words {number}" for number in range(29)]
    with _open(tmp_path_factory.mktemp("harmless")) as room:
        return [*corpus.hostile(room, ["מילים פשוטות", *plain]), *(mail for mail in other_mails if mail.mail.html)]


@pytest.fixture(scope="session")
def hostile_corpora(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Return the digests of days of every fourth string of the hostile corpora; skip where they are absent.

    The tests of rendering take all of them. ``NEWSLETTER_HOSTILE_EVERY=1`` does so here, through a whole newsletter.
    """
    files = [shared / "corpora" / name for name in ("xss/payloads.json", "blns/blns.json")]
    if missing := [str(file) for file in files if not file.is_file()]:
        pytest.skip(f"{', '.join(missing)} is not there")
    texts = [text for file in files for text in json.loads(file.read_text("utf-8"))[::_EVERY]]
    with _open(tmp_path_factory.mktemp("corpora")) as room:
        return list(corpus.hostile(room, texts))


@pytest.fixture(scope="session")
def one_paper(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Return the digest of one paper of which little is known."""
    with _open(tmp_path_factory.mktemp("one")) as room:
        return corpus.one_paper(room)


@pytest.fixture(scope="session")
def other_mails(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Return every kind of mail that there is."""
    with _open(tmp_path_factory.mktemp("other")) as room:
        return list(corpus.other_mails(room))


@pytest.fixture(scope="session")
def every_mail(
    own_digests: list[Judged], one_paper: Judged, other_mails: list[Judged], hostile: list[Judged]
) -> list[Judged]:
    """Return one of every kind of mail: a short and a long digest, each other one, a hostile one."""
    return [own_digests[-3], own_digests[-1], one_paper, *other_mails, *(one for one in hostile if one.papers != 3)]


@pytest.fixture(scope="session")
def html_files(every_mail: list[Judged], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the HTML part of each of these mails as a file."""
    folder = tmp_path_factory.mktemp("html")
    return [judged.write_html(folder) for judged in every_mail if judged.mail.html]


@pytest.fixture(scope="session")
def node_module() -> Callable[[str], Path]:
    """Return what finds a file of an npm package, such as ``axe-core/axe.min.js``; it skips where it is missing."""

    def find(path: str) -> Path:
        if not (_MODULES / path).exists():
            pytest.skip(f"needs the npm package {path.partition('/')[0]}: {_HINT}")
        return _MODULES / path

    return find

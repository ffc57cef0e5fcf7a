"""What these tests share: the mails, made once, and the programs that judge them."""

import fcntl
import json
import os
import pickle
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import corpus
import pytest
from corpus import Judged
from newsroom import Newsroom

_MODULES = Path(__file__).parents[2] / "scripts" / "quality" / "node_modules"
_EVERY = int(os.environ.get("NEWSLETTER_HOSTILE_EVERY", "4"))  # of the corpora of hostile strings, 1 for all
_HINT = "'npm ci' in scripts/quality installs it, and so does 'scripts/test --with-system'"


Made = Callable[[str, Callable[[Newsroom], Iterable[Judged]]], list[Judged]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return what makes mails by a name, in a newsletter of their own: of several workers the first does it for all."""
    own = tmp_path_factory.mktemp("mails")
    home = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def make(name: str, mails: Callable[[Newsroom], Iterable[Judged]]) -> list[Judged]:
        kept = home / f"{name}-mails"
        with (home / f"{name}-mails.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                with closing(corpus.newsroom(own / name)) as room:
                    kept.write_bytes(pickle.dumps(list(mails(room))))
        found: list[Judged] = pickle.loads(kept.read_bytes())
        return found

    return make


@pytest.fixture(scope="session")
def own_digests(made: Made) -> list[Judged]:
    """Return the digests of five days of the project's own papers."""
    return made("own", lambda room: corpus.digests(corpus.own_days(room), corpus.OWN_DAYS))


@pytest.fixture(scope="session")
def recorded_digests(shared: Path, replay: Callable[..., str], made: Made) -> list[Judged]:
    """Return the digests of five recorded days; skip where none are recorded."""
    if not (shared / "recorded" / "hf_daily_papers").is_dir():
        pytest.skip(f"{shared}/recorded/hf_daily_papers is not there")
    return made("recorded", lambda room: corpus.digests(corpus.recorded_days(room, replay()), corpus.RECORDED_DAYS))


@pytest.fixture(scope="session")
def translated_digests(made: Made) -> list[Judged]:
    """Return the digests of three days of the project's own papers in each other language."""
    days = corpus.OWN_DAYS[::2]
    return made("translated", lambda room: corpus.digests(corpus.own_days(room), days, corpus.TRANSLATIONS))


@pytest.fixture(scope="session", params=["own", "recorded", "translated"])
def digests(request: pytest.FixtureRequest) -> list[Judged]:
    """Return the digests of some days: of the project's own, of recorded ones, and in each other language."""
    found: list[Judged] = request.getfixturevalue(f"{request.param}_digests")
    return found


@pytest.fixture(scope="session")
def hostile(made: Made) -> list[Judged]:
    """Return the digests of a day on which every paper is an attack."""
    return made("hostile", lambda room: corpus.hostile(room, corpus.HOSTILE))


@pytest.fixture(scope="session")
def harmless(other_mails: list[Judged], made: Made) -> list[Judged]:
    """Return the digests of a day like the hostile one, whose papers mean no harm, and every kind of mail."""
    texts = ["מילים פשוטות", *(f"Plain words {number}" for number in range(29))]
    found = made("harmless", lambda room: corpus.hostile(room, texts))
    return [*found, *(mail for mail in other_mails if mail.mail.html)]


@pytest.fixture(scope="session")
def hostile_corpora(shared: Path, made: Made) -> list[Judged]:
    """Return the digests of days of every fourth string of the hostile corpora; skip where they are absent.

    The tests of rendering take all of them. ``NEWSLETTER_HOSTILE_EVERY=1`` does so here, through a whole newsletter.
    """
    files = [shared / "corpora" / name for name in ("xss/payloads.json", "blns/blns.json")]
    if missing := [str(file) for file in files if not file.is_file()]:
        pytest.skip(f"{', '.join(missing)} is not there")
    texts = [text for file in files for text in json.loads(file.read_text("utf-8"))[::_EVERY]]
    return made("corpora", lambda room: corpus.hostile(room, texts))


@pytest.fixture(scope="session")
def one_paper(made: Made) -> Judged:
    """Return the digest of one paper of which little is known."""
    (found,) = made("one", lambda room: [corpus.one_paper(room)])
    return found


@pytest.fixture(scope="session")
def other_mails(made: Made) -> list[Judged]:
    """Return every kind of mail that there is."""
    return made("other", corpus.other_mails)


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

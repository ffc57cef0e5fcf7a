"""What is given away: a wheel that works from any folder, locks that hold everywhere."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_NOT_SERVED = {"demo", "postgres"}  # what requirements/server.txt leaves out of the extras
LOCKS = ("core", "demo", "server", "dev")


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Return what a lock pins: the version, and how many hashes."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").replace("\\\n", "")
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)(.*)$", text, re.MULTILINE)
    return {name: (version, rest.count("--hash=sha256:")) for name, version, rest in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_say_nothing_of_where_they_were_made(lock: str) -> None:
    """A lock names packages and hashes, and no host, no folder and no index."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    assert [word for word in ("://", "--index", "--extra-index", "--find-links", "@ ", "file:") if word in text] == []
    # A wheel built elsewhere has one hash; a release has those of its source and of its wheels.
    assert {name for name, (_, hashes) in pins(lock).items() if hashes < 2} <= {"dkimpy"}  # released as source only


def test_locks_agree() -> None:
    """What developers test with is what everyone gets."""
    dev = pins("dev")
    assert {name: dev.get(name) for lock in LOCKS for name in pins(lock)} == {
        name: pin for lock in LOCKS for name, pin in pins(lock).items()
    }


def test_locks_are_up_to_date() -> None:
    """Every requirement is pinned to a version that it allows; otherwise 'scripts/dev lock' was forgotten."""
    extras = PROJECT["optional-dependencies"]
    wanted = {
        "core": PROJECT["dependencies"],
        "demo": PROJECT["dependencies"] + extras["demo"] + extras["web"],
        "server": PROJECT["dependencies"] + [line for name in extras.keys() - _NOT_SERVED for line in extras[name]],
        "dev": PROJECT["dependencies"] + [line for lines in extras.values() for line in lines],
    }
    stale = [
        f"{lock}: {line}"
        for lock, lines in wanted.items()
        for requirement, line in ((Requirement(line), line) for line in lines)
        if (pin := pins(lock).get(canonicalize_name(requirement.name))) is None or pin[0] not in requirement.specifier
    ]
    assert stale == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' wheels have other sizes")
def test_the_core_is_small() -> None:
    """With everything that it needs, the newsletter takes less than 70 MB, as installed and not yet byte-compiled."""
    total = sum(
        file.locate().stat().st_size  # type: ignore[union-attr]
        for name in pins("core")
        if (found := _installed(name))
        for file in found.files or []
        if file.suffix != ".pyc" and file.locate().exists()
    )
    assert 10e6 < total < 70e6


def _installed(name: str):
    try:
        return distribution(name)
    except ModuleNotFoundError:
        return None


def test_one_licence() -> None:
    """The licence that is named is the one that is given."""
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")


@pytest.mark.parametrize("script", ["demo", "dev", "test"])
def test_scripts_are_for_any_posix_shell(script: str) -> None:
    """The scripts can be run, and are free of mistakes that a shell finds by reading."""
    file = ROOT / "scripts" / script
    assert os.access(file, os.X_OK)
    assert file.read_text("utf-8").startswith("#!/bin/sh\n")
    for part in (file, ROOT / "scripts" / "environment.sh"):
        subprocess.run(["/bin/sh", "-n", str(part)], check=True)


def test_every_chore_is_listed() -> None:
    """Without an argument 'scripts/dev' lists its chores; a wrong one is told."""
    done = subprocess.run([ROOT / "scripts" / "dev"], capture_output=True, text=True, check=True)
    for chore in ("format", "lint", "types", "quick", "bench", "lock", "build", "serve", "upgrade-test"):
        assert re.search(rf"^  {chore} +\S", done.stdout, re.MULTILINE), chore


# The wheel, installed beside nothing of this repository.


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs a command of a fresh environment that holds the wheel, from a folder of its own.

    The libraries are lent by the environment of the tests, so that no network is needed; the newsletter is not.
    """
    fresh, elsewhere = tmp_path_factory.mktemp("fresh"), tmp_path_factory.mktemp("elsewhere")
    venv.create(fresh, with_pip=False)
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(fresh / "bin/python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    (site,) = fresh.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(elsewhere)}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [fresh / "bin" / command[0], *command[1:]],
            capture_output=True,
            text=True,
            check=True,
            cwd=elsewhere,
            env=environment,
        )

    return run


@pytest.mark.slow
def test_what_the_wheel_carries(built: Path) -> None:
    """Templates, the default configuration and the migrations travel with the code; tests and caches do not."""
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (("templates", "newsletter/_templates"), ("config", "newsletter/_config")):
        files = {str(f.relative_to(ROOT / folder)) for f in (ROOT / folder).rglob("*") if f.is_file()}
        assert {f"{inside}/{file}" for file in files} <= names
    assert {"newsletter/storage/migrations/env.py", "newsletter/demo/papers.jsonl"} <= names
    assert any(name.startswith("newsletter/storage/migrations/versions/0001_") for name in names)
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"newsletter", "papers_newsletter"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.slow
def test_the_source_archive_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """Who builds from the source archive gets what is in the wheel."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # from 3.11.4 on
    (source,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=source, check=True
    )
    (ours,), (theirs,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    assert sorted(zipfile.ZipFile(ours).namelist()) == sorted(zipfile.ZipFile(theirs).namelist())


@pytest.mark.slow
def test_the_wheel_works_from_any_folder(installed: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Help, a configuration, a secret and a database come from the wheel alone."""
    where = installed("python", "-c", "import newsletter; print(newsletter.__file__)").stdout
    assert str(ROOT) not in where

    assert "Commands:" in installed("newsletter", "--help").stdout
    assert installed("python", "-m", "newsletter", "--version").stdout == installed("newsletter", "--version").stdout
    made = json.loads(installed("newsletter", "init", "letters", "--json").stdout)
    assert Path(made["config"]).is_file()
    checked = json.loads(installed("newsletter", "--config", made["config"], "db", "check", "--json").stdout)
    assert checked["problems"] == []


@pytest.mark.slow
def test_the_wheel_plays_the_demo(installed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """Bundled papers, templates and configuration travel in the wheel: the whole path works from any folder."""
    done = installed("newsletter", "demo", "--dir", str(tmp_path / "demo"), "--no-serve", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert len(document["mails"]) == 3
    assert len(list((tmp_path / "demo" / "inbox" / "new").iterdir())) == 3

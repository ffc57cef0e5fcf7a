"""What every folder of tests shares."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: two busy cores make any single example slow now and then.
settings.register_profile("newsletter", deadline=None, max_examples=100)
settings.load_profile("newsletter")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded answers and corpora beside the repository; skip where it is absent."""
    folder = Path(__file__).resolve().parents[1] / ".." / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared is not there")
    return folder.resolve()


@pytest.fixture(scope="session")
def replay(shared: Path) -> Iterator[Callable[..., str]]:
    """Return what starts a replay of the recorded upstreams, with faults such as ``/api=429:2``, and gives its URL."""
    started: list[subprocess.Popen[str]] = []

    def start(*faults: str) -> str:
        command = [sys.executable, str(shared / "tools/upstream.py"), "--port", "0"]
        command += [part for fault in faults for part in ("--fault", fault)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        return process.stdout.readline().split()[-1]

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=30)
        if process.stdout:
            process.stdout.close()

"""What every folder of tests shares."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from compiled_templates import compiled_once
from hypothesis import settings

# No deadline: two busy cores make any single example slow now and then.
settings.register_profile("newsletter", deadline=None, max_examples=100)
settings.load_profile("newsletter")

_SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_WITH_SYSTEM = os.environ.get("NEWSLETTER_TESTS_WITH_SYSTEM") == "1"
_NO_SHARED = "the folder ../shared is not there"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``system("postfix", …)`` where one of these programs is missing."""
    tools = [tool for marker in item.iter_markers("system") for tool in marker.args]
    if missing := [tool for tool in tools if not shutil.which(tool, path=_SYSTEM_PATH)]:
        pytest.skip(f"needs {', '.join(missing)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files with slow tests come first: begun last, one keeps a worker busy for minutes that others wait."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every program was to be there, let no ``system`` test pass by being skipped."""
    report = yield
    if _WITH_SYSTEM and report.skipped and item.get_closest_marker("system") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if _NO_SHARED not in reason:
            report.outcome, report.longrepr = "failed", f"{item.nodeid}: {reason}, and nothing may be missing here"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was left out, and for want of what."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("left out")
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")


@pytest.fixture(scope="session", autouse=True)
def templates_are_compiled_once() -> Iterator[None]:
    """Let all newsletters of a process share what the packaged templates compile to."""
    with compiled_once():
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded answers and corpora beside the repository; skip where it is absent."""
    folder = Path(__file__).resolve().parents[1] / ".." / "shared"
    if not folder.is_dir():
        pytest.skip(_NO_SHARED)
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

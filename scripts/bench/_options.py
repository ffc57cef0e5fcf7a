"""What every measurement takes on its command line, and how it answers: one JSON document on standard output."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows ``--dir``, ``--timeout`` and ``--set``."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the database lies while it runs (%(default)s)",
    )
    made.add_argument("--timeout", type=float, default=1800, help="seconds that one sender may take (%(default)s)")
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help='a key of the configuration, such as database.durability="crash"',
    )
    return made


def configured(asked: argparse.Namespace, **tables: dict[str, Any]) -> dict[str, Any]:
    """Return *tables* of a configuration with what ``--set`` says over them."""
    for setting in asked.set:
        key, _, value = setting.partition("=")
        table, _, name = key.partition(".")
        tables[table] = tables.get(table, {}) | {name: _value(value)}
    return tables


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # without quotes, which a shell has taken away


@contextmanager
def work_folder(asked: argparse.Namespace) -> Iterator[Path]:
    """Give a folder of our own in ``--dir``, which goes with all that is in it, also when SIGTERM ends us."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("stopped by a signal"))
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=asked.dir) as name:
        yield Path(name)


def answer(document: dict[str, Any]) -> None:
    """Print *document*, and the machine that it comes from, as JSON."""
    json.dump(document | {"machine": machine()}, sys.stdout, indent=2)
    print()


def machine() -> dict[str, Any]:
    """Return what figures depend on."""
    cpu = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "measured_on": datetime.now(UTC).date().isoformat(),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []

"""Proofs of ``scripts/bench`` in a reduced size, run as a person would run them.

Each is judged by the counts that it prints: those of the receiving side. Times are measured there too, and no test
asserts one: machines are noisy.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts/bench"


def figures(script: str, *arguments: str) -> dict[str, Any]:
    """Return what a proof prints; it holds, or its times do not."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *arguments, "--limit", "110"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == found["holds"]
    return found


def sound(found: dict[str, Any]) -> bool:
    """Return whether nobody was lost, every message was that of its reader's delivery, and the database is whole."""
    return (found["lost"], found["foreign"], found["integrity"]) == (0, 0, "ok")

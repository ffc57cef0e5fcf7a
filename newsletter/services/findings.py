"""What ``doctor`` says: one line for each thing that was looked at, with what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"  # works, and should be looked at
    FAIL = "fail"  # mail will not go out, or not as it must


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``remedy`` says what to do, '' where ``text`` does or nothing is to be done."""

    name: str
    level: Level
    text: str
    remedy: str = ""

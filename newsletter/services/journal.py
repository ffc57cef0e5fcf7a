"""The log: what happened, one line each, for a person or as JSON, on standard error and in a file that is rotated.

Several processes may write into the file: a run rotates it, which the others notice with their next line. Not here:
what is worth a line, and reports for a person who waits (``cli``).
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler

from newsletter.config.watching import LoggingSettings
from newsletter.errors import ConfigurationError

_ADDRESS = re.compile(r"[^\s<>\"'(),:;=\\]+@(?=[\w.-]+)")
_OURS = "newsletter"  # the loggers whose lines below a warning are worth anything


class _Json(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``text``, and ``facts`` where the line has some."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if facts := getattr(record, "facts", None):
            line["facts"] = facts
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _nameless(json.dumps(line, ensure_ascii=False, default=str))


class _Plain(logging.Formatter):
    """One line for a person, its facts at the end."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", None)
        said = json.dumps(facts, ensure_ascii=False, default=str) if facts else ""
        return _nameless(f"{super().format(record)} {said}".rstrip())


def _nameless(line: str) -> str:
    """Leave of an address only its domain: what servers say names readers, and what is not kept needs no forgetting."""
    return _ADDRESS.sub("…@", line)


@contextmanager
def keeping(settings: LoggingSettings, *, on_screen: int, with_time: bool = False) -> Iterator[None]:
    """Log while inside: to standard error what is *on_screen* or worse, and into the file what is configured.

    Raises ConfigurationError where the file cannot be written.
    """
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    handlers = [_on_screen(on_screen, with_time=with_time), *_into_file(settings)]
    before = ours.level
    for handler in handlers:
        root.addHandler(handler)
    ours.setLevel(min(handler.level for handler in handlers))
    try:
        yield
    finally:
        ours.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _on_screen(level: int, *, with_time: bool) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(asctime)s %(message)s" if with_time else "%(message)s"))
    handler.setLevel(level)
    return handler


def _into_file(settings: LoggingSettings) -> Iterator[logging.Handler]:
    if settings.path is None:
        return
    try:
        handler = WatchedFileHandler(settings.path, encoding="utf-8")
    except OSError as error:
        text = f"logging.path = {str(settings.path)!r}: cannot be written ({error.strerror})"
        raise ConfigurationError(text) from error
    plain = _Plain("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_Json() if settings.format == "json" else plain)
    handler.setLevel(settings.level.upper())
    yield handler


def rotate(settings: LoggingSettings) -> None:
    """Begin a new file where the old one is full, and keep the last ones as ``.1``, ``.2`` … One process at a time."""
    path = settings.path
    if path is None or not path.exists() or path.stat().st_size < settings.max_mb << 20:
        return
    for number in range(settings.keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))

"""Files of subscribers: what they look like, read and written so that each form reads back the same.

Three forms are read: CSV with a header, JSON lines, and one address a line; the first two are written. Lines come
and go one by one, so that a file of any size takes little memory. Not here: what is done with them (``transfer``).
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain
from typing import IO, Any

from newsletter.domain.subscriber import Subscriber, preference_texts
from newsletter.errors import UsageError
from newsletter.storage.subscribers import PREFERENCES

COLUMNS = ("email", "status", *PREFERENCES, "created_at", "confirmed_at", "next_due_at", "suppression_reason")
_LONGEST_LINE = 65536  # characters
_NOT_UTF_8 = re.compile("[\ud800-\udfff]")
# A spreadsheet runs a cell that begins so. A quote before it makes it text; one more tells a quote that was there.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says of one subscriber, by column, or the ``fault`` that makes its line unreadable."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def document(subscriber: Subscriber) -> dict[str, Any]:
    """Return *subscriber* as ``show --json`` and JSON lines give it; None where a preference is not set."""
    chosen = preference_texts(subscriber.preferences)
    return {
        "email": subscriber.email,
        "status": str(subscriber.status),
        **asdict(subscriber.preferences),
        "topics": list(subscriber.preferences.topics),
        "alerts": list(subscriber.preferences.alerts),
        "hour": chosen["hour"] or None,
        "created_at": _instant(subscriber.created_at),
        "confirmed_at": _instant(subscriber.confirmed_at),
        "next_due_at": _instant(subscriber.next_due_at),
        "suppression_reason": subscriber.suppression_reason,
    }


def write_jsonl(subscribers: Iterable[Subscriber], file: IO[str]) -> int:
    """Write one document a line. Return how many."""
    written = 0
    for written, subscriber in enumerate(subscribers, 1):  # noqa: B007 - the count is the answer
        file.write(json.dumps(document(subscriber), ensure_ascii=False) + "\n")
    return written


def write_json(subscribers: Iterable[Subscriber], file: IO[str]) -> int:
    """Write one JSON document that holds all. Return how many."""
    file.write('{"subscribers": [')
    written = 0
    for written, subscriber in enumerate(subscribers, 1):
        file.write(",\n" if written > 1 else "\n")
        file.write(json.dumps(document(subscriber), ensure_ascii=False))
    file.write("\n]}\n")
    return written


def write_csv(subscribers: Iterable[Subscriber], file: IO[str]) -> int:
    """Write a header and a row each, with no cell that a spreadsheet would run. Return how many."""
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    written = 0
    for written, subscriber in enumerate(subscribers, 1):  # noqa: B007 - the count is the answer
        said = document(subscriber) | preference_texts(subscriber.preferences)
        rows.writerow([_defused(str(said[column] or "")) for column in COLUMNS])
    return written


def records(binary: IO[bytes], name: str, ignored: set[str]) -> Iterator[Record]:
    """Return what the file *name* says, line by line; the columns that mean nothing here are added to *ignored*.

    Raises UsageError for what is no file of subscribers at all.
    """
    lines = _lines(binary, name)
    blank = 0
    for first in lines:
        if first.strip():
            break
        blank += 1
    else:
        raise UsageError(f"{name}: holds no addresses")
    everything = chain([first], lines)
    if first.lstrip().startswith("{"):
        return _json_records(everything, blank, ignored)
    if any("@" in cell for cell in next(csv.reader([first]))):
        return _plain_records(everything, blank)
    return _csv_records(everything, blank, name, ignored)


def _lines(binary: IO[bytes], name: str) -> Iterator[str]:
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        number = 0
        while line := text.readline(_LONGEST_LINE):
            number += 1
            if not line.isascii() and _NOT_UTF_8.search(line):
                raise UsageError(f"{name}: line {number} is not UTF-8; save the file as UTF-8 text")
            if len(line) == _LONGEST_LINE:
                raise UsageError(f"{name}: line {number} is too long for a list of addresses")
            yield line
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
    finally:
        if not binary.closed:
            text.detach()  # or it closes what is not ours


def _plain_records(lines: Iterable[str], blank: int) -> Iterator[Record]:
    for number, line in enumerate(lines, blank + 1):
        if address := line.strip():
            yield Record(number, {"email": address})


def _csv_records(lines: Iterable[str], blank: int, name: str, ignored: set[str]) -> Iterator[Record]:
    rows = csv.reader(lines, strict=True)
    at = 0
    try:
        columns = _header(next(rows), name, ignored)
        at = rows.line_num
        for row in rows:
            number, at = at + blank + 1, rows.line_num
            if len(row) > len(columns):
                yield Record(number, fault=f"{len(row)} cells, but the header names {len(columns)} columns")
            elif any(cell.strip() for cell in row):
                yield Record(number, {c: _plain(cell) for c, cell in zip(columns, row, strict=False) if c in COLUMNS})
    except csv.Error as error:
        raise UsageError(f"{name}: line {at + blank + 1}: {error}") from error


def _header(row: list[str], name: str, ignored: set[str]) -> list[str]:
    columns = [re.sub(r"[\s-]+", "_", _plain(cell).casefold()) for cell in row]
    for column in columns:
        if column not in COLUMNS:
            near = get_close_matches(column, COLUMNS, n=1, cutoff=0.8)
            if near:
                raise UsageError(f"{name}: unknown column {column!r}; did you mean {near[0]}?")
            ignored.add(column)
        elif columns.count(column) > 1:
            raise UsageError(f"{name}: two columns are named {column!r}")
    if "email" not in columns:
        raise UsageError(
            f"{name}: the first line is neither an address nor a header with the column email; "
            "'newsletter subscribers export' shows the others"
        )
    return columns


def _json_records(lines: Iterable[str], blank: int, ignored: set[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, blank + 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            ignored.update(set(said) - set(COLUMNS))
            yield Record(number, {name: _as_text(name, said[name]) for name in COLUMNS if name in said})
        except (ValueError, TypeError, RecursionError) as error:
            yield Record(number, fault=f"not a JSON object of a subscriber: {error}")


def _as_text(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case bool() if name == "only_topics":
            text = "yes" if value else "no"
        case list() if name in {"topics", "alerts"} and all(isinstance(topic, str) for topic in value):
            text = ";".join(value)
        case str() | int() if not isinstance(value, bool):
            text = str(value)
        case _:
            raise TypeError(f"{name} is {json.dumps(value)[:60]}")
    text.encode()  # JSON can spell what is no text: half of a surrogate pair
    return text


def _defused(cell: str) -> str:
    return "'" + cell if _FORMULA.match(cell) else cell


def _plain(cell: str) -> str:
    return (cell[1:] if _DEFUSED.match(cell) else cell).strip()


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None

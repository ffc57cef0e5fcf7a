"""Reading a library of references: BibTeX, RIS or CSL-JSON, as reference managers export it.

Nothing is fetched. A broken entry is left out; a file that is none of these, or far too large, is refused in one line.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from newsletter.domain.library import Reference, reference
from newsletter.errors import ExtraError, UsageError

_LARGEST = 30_000_000  # octets
_MOST = 10_000  # references: some ten seconds
_KINDS = {".bib": "bibtex", ".bibtex": "bibtex", ".ris": "ris", ".json": "csl", ".csljson": "csl"}
_BETWEEN_KEYWORDS = re.compile(r"[,;]")


def read_library(path: Path) -> list[Reference]:
    """Return the references in the file *path*. Raises UsageError, ExtraError without the extra."""
    text = _text(path)
    kind = _KINDS.get(path.suffix.lower()) or _looks_like(text)
    try:
        found = list(_READERS[kind](text)) if kind else []
    except ImportError as error:
        raise ExtraError(f"{path}: reading a library", "library") from error
    except RecursionError as error:
        raise UsageError(f"{path}: too deeply nested for a library of references") from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise UsageError(f"{path}: cannot be read as {kind}: {_first_line(error)}") from error
    if not found:
        raise UsageError(f"{path}: holds no references; use BibTeX (.bib), RIS (.ris) or CSL-JSON (.json)")
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'no such file'}") from error
    if len(content) > _LARGEST:
        raise UsageError(f"{path}: larger than {_LARGEST // 1_000_000} MB; export a part of the library")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # as old BibTeX files are


def _looks_like(text: str) -> str:
    start = text.lstrip()[:1000]
    if start.startswith(("[", "{")):
        return "csl"
    return "ris" if re.match(r"TY {0,2}-", start) else "bibtex" if "@" in start else ""


def _not_too_many(count: int) -> None:
    if count > _MOST:
        raise ValueError(f"more than {_MOST:,} references; export a part of the library")


def _bibtex(text: str) -> Iterator[Reference]:
    from bibtexparser import middlewares  # noqa: PLC0415 - an extra
    from bibtexparser.entrypoint import parse_string  # noqa: PLC0415
    from bibtexparser.library import Library  # noqa: PLC0415
    from bibtexparser.model import Block, Entry, Field  # noqa: PLC0415

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # says of each broken entry what nobody asked
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
    parsed = parse_string(text, append_middleware=[])
    entries = parsed.entries
    if not entries and parsed.failed_blocks:
        first = parsed.failed_blocks[0]
        said = getattr(first.error, "abort_reason", "") or "an entry is broken"
        raise ValueError(f"line {(first.start_line or 0) + 1}: {said[:1].lower()}{said[1:].rstrip('.')}")
    _not_too_many(len(entries))
    wanted: list[Block] = [
        Entry(e.entry_type, str(at), [Field(f.key.lower(), str(f.value)[:20_000]) for f in e.fields if _is_wanted(f)])
        for at, e in enumerate(entries)
    ]
    library = Library(wanted)
    for step in (
        middlewares.SeparateCoAuthors(),
        middlewares.SplitNameParts(),
        middlewares.MergeNameParts(style="first"),
    ):
        library = step.transform(library)
    for entry in library.entries:  # only now: decoding takes off the braces that keep a comma in a name
        entry.fields = [Field(f.key, value) for f in entry.fields for value in _each(f.value)]
    for entry in middlewares.LatexDecodingMiddleware().transform(library).entries:
        said = {field.key: field.value for field in entry.fields}
        names = [field.value for field in entry.fields if field.key == "author"]
        yield reference(said.get("title", ""), names, _keywords(said.get("keywords", "")))


def _each(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _is_wanted(field: Any) -> bool:
    return field.key.lower() in {"title", "author", "keywords"}


def _ris(text: str) -> Iterator[Reference]:
    import rispy  # noqa: PLC0415 - an extra

    entries = rispy.loads(text)
    _not_too_many(len(entries))
    for entry in entries:
        title = entry.get("title") or entry.get("primary_title") or ""
        authors = entry.get("authors") or entry.get("first_authors") or ()
        yield reference(title, map(_turned, authors), entry.get("keywords") or ())


def _csl(text: str) -> Iterator[Reference]:
    said = json.loads(text)
    items = said.get("items", []) if isinstance(said, dict) else said
    _not_too_many(len(items))
    for item in items:
        names = [f"{a.get('given', '')} {a.get('family', '') or a.get('literal', '')}" for a in item.get("author", ())]
        yield reference(str(item.get("title", "")), names, _keywords(str(item.get("keyword", ""))))


_READERS: dict[str, Callable[[str], Iterator[Reference]]] = {"bibtex": _bibtex, "ris": _ris, "csl": _csl}


def _turned(name: str) -> str:
    family, comma, given = name.partition(",")
    return f"{given} {family}" if comma else name


def _keywords(text: str) -> list[str]:
    return _BETWEEN_KEYWORDS.split(text)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["not as it should be"])[0][:200]

"""``newsletter subscribers import`` and ``export``: whole files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from newsletter.cli.terminal import Command, Terminal, examples
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.services.transfer import Report

_MOST_TOLD = 20  # invalid lines; JSON has more
_DASH, _STANDARD_INPUT = Path("-"), "standard input"


@click.command(
    "import",
    cls=Command,
    epilog=examples(
        "newsletter subscribers import people.csv --dry-run",
        "cut -d, -f2 members.csv | newsletter subscribers import -",
        "newsletter subscribers export --format jsonl | newsletter --config new.toml subscribers import -",
    ),
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and write nothing.")
@click.option("--skip-invalid", is_flag=True, help="Take the others where a line is invalid; else none is taken.")
@click.pass_context
def import_(context: click.Context, file: Path, dry_run: bool, skip_invalid: bool) -> None:
    """Add everyone in FILE; - reads standard input.

    FILE has one address a line, or is CSV with a header (at least the column email, the others as 'export' writes
    them), or JSON lines. Nobody who is on the list is changed, and nobody who left it comes back.
    """
    from newsletter.services.transfer import import_file

    terminal: Terminal = context.obj
    name = _STANDARD_INPUT if file == _DASH else str(file)
    with _opened(file) as (binary, lines), terminal.app() as app, terminal.progress("Reading", lines) as progress:
        report = import_file(
            app.database,
            app.settings.newsletter,
            binary,
            name,
            terminal.now(),
            dry_run=dry_run,
            skip_invalid=skip_invalid,
            progress=progress,
        )
    terminal.answer(report.document(), lambda: _told(report))
    if report.invalid_count and not skip_invalid:
        terminal.warn(f"newsletter: {name}: nothing was written; correct the invalid lines or use --skip-invalid")
        context.exit(UsageError.exit_status)


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter subscribers export --out people.csv",
        "newsletter subscribers export --format jsonl | grep weekly",
    ),
)
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else standard output.")
@click.pass_obj
def export(terminal: Terminal, form: str, out: Path | None) -> None:
    """Write everyone on the list, so that 'import' reads it back the same.

    In CSV a cell that a spreadsheet would run as a formula gets a leading ', which 'import' takes off again.
    """
    from newsletter.services import subscriber_files, transfer

    write: Any = {"csv": subscriber_files.write_csv, "jsonl": subscriber_files.write_jsonl}[form]
    with terminal.app() as app:
        everyone = transfer.export(app.database)
        if out is None:
            (subscriber_files.write_json if terminal.json else write)(everyone, sys.stdout)
            return
        with _created(out) as file:
            exported = write(everyone, file)
        terminal.answer({"exported": exported, "file": str(out)}, f"{exported} subscribers in {out}")


def _told(report: "Report") -> str:
    done = "would be added" if report.dry_run else "added"
    counts = (
        f"{report.added} {done}, {report.already_there} already there, "
        f"{report.left_alone} unsubscribed, suppressed or removed and left alone, {report.invalid_count} invalid"
    )
    lines = [counts, *(f"line {invalid.line}: {invalid.reason}" for invalid in report.invalid[:_MOST_TOLD])]
    if report.invalid_count > _MOST_TOLD:
        lines.append(f"and {report.invalid_count - _MOST_TOLD} more invalid lines")
    if report.ignored_columns:
        lines.append(f"columns that mean nothing here: {', '.join(sorted(report.ignored_columns))}")
    return "\n".join(lines)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[IO[bytes], int | None]]:
    """Give the file and, where it can be read twice, its number of lines."""
    if file == _DASH:
        if sys.stdin is None:
            raise UsageError(f"{_STANDARD_INPUT}: is closed; name a file")
        yield sys.stdin.buffer, None
        return
    try:
        with file.open("rb") as binary:
            yield binary, _count_lines(binary) if file.is_file() else None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error


def _count_lines(binary: IO[bytes]) -> int:
    lines = sum(block.count(b"\n") for block in iter(lambda: binary.read(1 << 20), b""))
    binary.seek(0)
    return lines


@contextmanager
def _created(out: Path) -> Iterator[IO[str]]:
    """Give a file that only its owner can read, and that has its name once it is whole."""
    partial = out.with_name(out.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(out)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror})") from error

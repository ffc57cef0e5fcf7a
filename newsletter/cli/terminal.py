"""How a command talks: one JSON document or something to read on standard output, everything else on standard error.

Not here: what is said. tabulate is imported only where a table is drawn, so that ``--help`` stays quick.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from newsletter.app import App


_PADDING = 2  # that tabulate gives a heading besides what parts it from the next
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # how Python takes up bytes that are no UTF-8


@dataclass
class Terminal:
    """The options that every command takes, and the ways to answer."""

    config: Path | None = None
    json: bool = False
    verbose: bool = False
    quiet: bool = False

    @contextmanager
    def app(self, *, stays: bool = False) -> Iterator["App"]:
        """Open the service as configured, and keep its log; if verbose also of what goes well in one that *stays*."""
        import logging

        from newsletter.app import open_app
        from newsletter.services.journal import keeping

        on_screen = logging.INFO if stays and self.verbose else logging.WARNING
        with (
            open_app(self.config, self.now(), self.warn) as app,
            keeping(app.settings.logging, on_screen=on_screen, with_time=stays),
        ):
            yield app

    def now(self) -> datetime:
        """Return the instant at which the command was given; the services take it as an argument."""
        return datetime.now(UTC)

    def answer(self, document: Any, text: str | Callable[[], str] = "") -> None:
        """Print the result: *document* as JSON when asked for, else *text*."""
        if self.json:
            click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=_json))
            return
        said = text if isinstance(text, str) else text()
        if said:
            click.echo(said)

    def report(self, document: Any, text: Callable[[], str], problems: Sequence[str], *, otherwise: str = "") -> None:
        """Print what a run came to; where nobody looks on only what needs a person, so that cron mails that alone.

        *otherwise* is a line for a person who asked, and has the output go elsewhere.
        """
        if self.json or self.verbose or (sys.stdout.isatty() and not self.quiet):
            self.answer(document, text)
        elif otherwise and not self.quiet:
            self.warn(otherwise)
        for problem in problems:
            self.warn(problem)

    def say(self, text: str) -> None:
        """Tell a person something along the way, unless quiet or nobody watches."""
        if not self.quiet and (self.verbose or sys.stderr.isatty()):
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Tell a person something that needs a person."""
        click.echo(text, err=True)

    @contextmanager
    def progress(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Give a function that takes how much is done so far; drawn only on a terminal."""
        if self.quiet or self.json or not sys.stderr.isatty():
            yield lambda _done: None
        elif total is None:
            yield lambda done: click.echo(f"\r{title} {done:,} ", nl=False, err=True)
            click.echo("\r\x1b[K", nl=False, err=True)
        else:
            with click.progressbar(length=total, label=title, file=sys.stderr) as bar:
                yield lambda done: bar.update(done - bar.pos)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
        """Return *rows* as a table that fits the terminal."""
        from shutil import get_terminal_size

        from tabulate import tabulate

        cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
        room = (get_terminal_size().columns if sys.stdout.isatty() else 200) - 2 * (len(headings) - 1)
        least = [len(heading) + _PADDING for heading in headings]
        widths = [max(map(_longest, column)) for column in zip(*cells, strict=True)] or least
        taken = [list(map(max, least, (min(own, w) for own in widths))) for w in range(max(widths) + 1)]
        widest = next(w for w in range(max(widths), 0, -1) if sum(taken[w]) <= room or w <= 10)
        drawn = tabulate(
            cells, list(headings), tablefmt="plain", disable_numparse=True, maxcolwidths=[widest] * len(headings)
        )
        return "\n".join(line.rstrip() for line in drawn.split("\n"))


def _longest(cell: str) -> int:
    return max(map(len, cell.split("\n")))


def _json(value: object) -> str:
    """Return what JSON has no type for: dates and instants by ISO 8601, the rest as it reads."""
    return value.isoformat() if isinstance(value, date) else str(value)


def examples(*lines: str) -> str:
    """Return the epilogue of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _set(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.ensure_object(Terminal), name, True)

    return remember


COMMON = (
    click.Option(["--json"], is_flag=True, expose_value=False, callback=_set("json"), help="Answer one JSON document."),
    click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_set("verbose"), help="Say more."),
    click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set("quiet"), help="Say less."),
)


class Command(click.Command):
    """A command that takes ``--json``, ``-v`` and ``-q`` after its name, as the group does before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(COMMON)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises UsageError for a text that is no UTF-8; paths may be any bytes."""
        for parameter in self.params:
            given = ctx.params.get(parameter.name or "")
            for text in given if isinstance(given, tuple) else (given,):
                if isinstance(text, str) and _SURROGATE.search(text):
                    raise click.BadParameter(f"{text!r} is not UTF-8", ctx, parameter)
        return super().invoke(ctx)


class Group(click.Group):
    """A group of such commands. ``lazy`` names the module of each command that is not imported yet."""

    command_class = Command

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(COMMON)
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer meets them."""
        return [*self._lazy, *(name for name in self.commands if name not in self._lazy)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command *cmd_name* when it is asked for."""
        if cmd_name in self._lazy and cmd_name not in self.commands:
            module = __import__(self._lazy[cmd_name][0], fromlist=["command"])
            self.add_command(module.command if hasattr(module, "command") else module.group, cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their one-line help without importing them."""
        rows = [
            (n, self._lazy[n][1] if n in self._lazy else self.commands[n].get_short_help_str(70))
            for n in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


Group.group_class = Group

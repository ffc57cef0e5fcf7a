"""What people type, as values: dates."""

from datetime import date, timedelta
from typing import Any

import click

from newsletter.cli.terminal import Terminal

_FIRST_YEAR, _LAST_YEAR = 1970, 2200


class Day(click.ParamType[date]):
    """A date: YYYY-MM-DD, ``today`` or ``yesterday`` in the newsletter's zone. With ``past`` not a future one."""

    name = "date"

    def __init__(self, *, past: bool = False) -> None:
        self._past = past

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date that *value* says, or fail with what is allowed. Raises ConfigurationError."""
        if isinstance(value, date):
            return value
        assert ctx is not None  # click converts no argument without one
        if value in {"today", "yesterday"}:
            return today(ctx) - timedelta(days=value == "yesterday")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r}: use a date like 2026-07-10, or today, or yesterday", param, ctx)
        if self._past and day > (now := today(ctx)):
            self.fail(f"{day} is in the future; it is {now}", param, ctx)
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:  # far from where counting back and forth ends
            self.fail(f"{day}: use a date from {_FIRST_YEAR} to {_LAST_YEAR}", param, ctx)
        return day


def today(context: click.Context) -> date:
    """Return the date that it is in the newsletter's zone. Raises ConfigurationError."""
    from newsletter.config import load as config
    from newsletter.domain.calendar import local_date

    terminal = context.ensure_object(Terminal)
    return local_date(terminal.now(), config.load(terminal.config).newsletter.zone)


DAY = Day()
PAST_DAY = Day(past=True)

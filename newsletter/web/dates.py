"""Days, weeks and months as addresses name them: each in one way, everything else is no page."""

import re
from calendar import monthrange
from datetime import date, timedelta

from starlette.exceptions import HTTPException

_WEEK = re.compile(r"(\d{4})-W(\d\d)", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)


def day_of(text: str) -> date:
    """Return the day that *text* names (2026-07-15). Raises HTTPException (404)."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(404) from error
    if day.isoformat() != text:
        raise HTTPException(404)
    return day


def week_of(text: str) -> tuple[date, date]:
    """Return the Monday and the Sunday of the week that *text* names (2026-W29). Raises HTTPException (404)."""
    found = _WEEK.fullmatch(text)
    try:
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else None
        sunday = monday + timedelta(days=6) if monday else None
    except (ValueError, OverflowError) as error:
        raise HTTPException(404) from error
    if monday is None or sunday is None:
        raise HTTPException(404)
    return monday, sunday


def month_of(text: str) -> tuple[date, date]:
    """Return the first and the last day of the month that *text* names (2026-07). Raises HTTPException (404)."""
    found = _MONTH.fullmatch(text)
    try:
        first = date(int(found[1]), int(found[2]), 1) if found else None
    except ValueError as error:
        raise HTTPException(404) from error
    if first is None:
        raise HTTPException(404)
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def week_name(day: date) -> str:
    """Return the name of the week of *day*, as ``week_of`` takes it."""
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def month_name(day: date) -> str:
    """Return the name of the month of *day*, as ``month_of`` takes it."""
    return f"{day.year:04}-{day.month:02}"

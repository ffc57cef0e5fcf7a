"""Dates and numbers as people read them, in English. Not here: sentences (``wording``)."""

from datetime import date

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def day(value: date, beside: date | None = None) -> str:
    """Return *value* like "10 July", with its year where *beside* is given and of another one."""
    short = f"{value.day} {_MONTHS[value.month - 1]}"
    return f"{short} {value.year}" if beside and beside.year != value.year else short


def month(value: date) -> str:
    """Return the month of *value* like "July 2026"."""
    return f"{_MONTHS[value.month - 1]} {value.year}"


def long_date(value: date) -> str:
    """Return *value* like "Friday, 10 July 2026"."""
    return f"{_DAYS[value.weekday()]}, {day(value)} {value.year}"


def number(value: int) -> str:
    """Return *value* like "12,345"."""
    return f"{value:,}"


def counted(value: int, one: str, many: str = "") -> str:
    """Return *value* and its noun: "1 paper", "12 papers"."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"

"""The types of the configuration's values: what is possible, and in which words the rest is refused."""

import re
from datetime import time, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal

import idna
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
)

from newsletter.domain.subscriber import parse_hour, parse_language, parse_zone
from newsletter.domain.topics import parse_topic
from newsletter.errors import NewsletterError

# What a header and a page can hold as it is (RFC 3986 section 2), and nobody's password before the host.
_LINK = re.compile(r"https?://(?!/)(?![^/]*@)[!$-;=@-\[\]_a-z~]+")
_FONT = r" *(?:'[A-Za-z0-9 -]+'|[A-Za-z0-9-]+) *"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Variable(str):
    """A value from the environment, where a number is a text; in the file it must be a number."""

    __slots__ = ()


def _checked(check: Any) -> Any:
    """Return *check*, a domain parser, as a validator: pydantic takes ValueError only."""

    def validate(value: Any) -> Any:
        try:
            return check(value) if isinstance(value, str) else value
        except NewsletterError as error:
            raise ValueError(str(error).partition(": ")[2]) from error

    return validate


def _hour(value: object) -> object:
    if isinstance(value, time):
        return value
    if not isinstance(value, str):
        raise ValueError("use HH:MM in quotes")  # noqa: TRY004 - pydantic reports ValueError only
    return _checked(parse_hour)(value)


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,6})\s*([smhd])", value) if isinstance(value, str) else None
    if not found or not int(found[1]):
        raise ValueError('use a number and a unit, like "15m", "20h" or "7d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _web_link(value: str) -> str:
    if value and not _LINK.fullmatch(value):
        raise ValueError("use a link that begins with https://, in ASCII, with no user name and no query")
    return value.rstrip("/")


def _feed_link(value: str) -> str:
    if not re.fullmatch(r"https?://\S+", value):
        raise ValueError("use a link that begins with https:// or http://")
    return value


def _category(value: str) -> str:
    if not re.fullmatch(r"[a-z-]+(\.([A-Za-z-]+|\*))?\*?", value):
        raise ValueError("use a category of arXiv, like cs.CL, math.* or quant-ph")
    return value


def _address(value: str) -> str:
    return _sender(value) if value else value


def _sender(value: str) -> str:
    address = parseaddr(value)[1]
    if not value.isprintable() or not (value.endswith(f"<{address}>") or value == address):
        raise ValueError(
            'write it like "Daily Papers <papers@example.org>", a name with a comma or an @ in double quotes'
        )
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"needs an address, like papers@example.org: {error}") from error
    return value


def wire_domain(domain: str) -> str:
    """Return *domain* as it goes over the wire: in lower case and IDNA 2008. Raises ValueError."""
    return (domain if domain.isascii() else idna.encode(domain, uts46=True).decode()).lower()


def _dkim_name(value: str) -> str:
    label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # RFC 6376 section 3.1 and RFC 5321's sub-domain
    try:
        encoded = wire_domain(value)
    except ValueError:
        encoded = ""
    if value and (not re.fullmatch(rf"{label}(\.{label})*", encoded) or len(encoded) > 200):
        raise ValueError("use letters, digits and hyphens, with dots between")
    return encoded


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Variable):
        raise ValueError("use a number, without quotes")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _flag(value: object) -> object:
    if not isinstance(value, bool | Variable):
        raise ValueError("use true or false, without quotes")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise ValueError('use a colour like "#1b4fa8"')
    return value


def _fonts(value: str) -> str:
    # They go into style attributes: no double quotes, and nothing that ends a declaration.
    if value and not re.fullmatch(rf"{_FONT}(?:,{_FONT})*", value):
        raise ValueError("use names of fonts with commas between, those of several words in single quotes")
    return ",".join(name.strip() for name in value.split(","))


def _file(value: Path) -> Path:
    if not value.name:
        raise ValueError("name a file")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Hour = Annotated[time, BeforeValidator(_hour)]
OptionalHour = Annotated[time | None, BeforeValidator(lambda value: _hour(value) if value else None)]
Link = Annotated[str, AfterValidator(_web_link)]
Address = Annotated[str, AfterValidator(_address)]
Zone = Annotated[str, AfterValidator(_checked(parse_zone))]
Language = Annotated[str, AfterValidator(_checked(parse_language))]
Topic = Annotated[str, AfterValidator(_checked(lambda text: parse_topic(text).text))]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0)]
Positive = Annotated[int, BeforeValidator(_number), Field(ge=1)]
Rate = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Flag = Annotated[bool, BeforeValidator(_flag)]
File = Annotated[Path, AfterValidator(_file)]
OptionalFile = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
Folder = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
Colour = Annotated[str, AfterValidator(_colour)]
Fonts = Annotated[str, AfterValidator(_fonts)]
DkimName = Annotated[str, AfterValidator(_dkim_name)]
Sender = Annotated[str, AfterValidator(_sender)]
PingLink = Annotated[str, AfterValidator(lambda value: _web_link(value) and value)]
FeedLink = Annotated[str, AfterValidator(_feed_link)]
Category = Annotated[str, AfterValidator(_category)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

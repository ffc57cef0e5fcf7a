"""Finding, reading and explaining the configuration file. Everything wrong is one line: key, value, what is allowed."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import time
from pathlib import Path
from typing import Any

from pydantic import (
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    SettingsError,
)

from newsletter.config.people import PersonSettings
from newsletter.config.returns import ImapSettings, WebhookSettings
from newsletter.config.sending import DomainSettings, RouteSettings
from newsletter.config.settings import (
    ArxivSettings,
    BiorxivSettings,
    FeedSettings,
    FileSettings,
    HuggingFaceSettings,
    Settings,
)
from newsletter.config.values import Variable
from newsletter.errors import ConfigurationError


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Return where a configuration is looked for when none is named, best first."""
    if named := environment.get("NEWSLETTER_CONFIG"):
        yield Path(named)
        return
    yield from (Path("newsletter.toml"), Path("config/newsletter.toml"))
    with suppress(RuntimeError):  # nobody's home
        yield Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "newsletter/newsletter.toml"
    yield Path("/etc/newsletter/newsletter.toml")


def find(named: Path | None) -> Path:
    """Return the configuration file to use. Raises ConfigurationError when there is none."""
    places = [named] if named else list(candidates(os.environ))
    for place in places:
        if os.path.isfile(place):  # noqa: PTH113 - Path.is_file() raises where one may not look
            return place.absolute()
    if named and os.path.isdir(named):  # noqa: PTH112 - Path.is_dir() raises where one may not look
        raise ConfigurationError(f"{named}: is a folder; name the file in it, such as {named / 'newsletter.toml'}")
    looked = ", ".join(str(place) for place in places)
    raise ConfigurationError(f"no configuration file (looked for {looked}); 'newsletter init' writes one")


def load(named: Path | None = None) -> Settings:
    """Return the settings of the file *named*, or of the first one found. Raises ConfigurationError."""
    file = find(named)
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not text in UTF-8; save it as that, or name another file") from error
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}; let this user read it") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: {_no_toml(str(error), text)}") from error
    _refuse_unknown(os.environ)
    unknown = [f"{name} is not a known key{_suggestion(name, _TABLES)}" for name in content if name not in _TABLES]
    known = {name: content[name] for name in content if name in _TABLES}
    try:
        settings = Settings(**{"newsletter": {}, **known, "file": str(file)})
    except SettingsError as error:
        section = str(error).partition('"')[2].partition('"')[0].upper()
        raise ConfigurationError(
            f'NEWSLETTER_{section}… in the environment cannot be read; a list is written as JSON, like ["mon", "tue"]'
        ) from error
    except ValidationError as error:
        # A source that is wrong is reported by itself, and once more as a source too few.
        found = [e for e in error.errors() if e["type"] != "too_short" or not e["input"]]
        raise ConfigurationError(_told(file, [*unknown, *map(_explain, found)])) from error
    if unknown:
        raise ConfigurationError(_told(file, unknown))
    _ = settings.secrets, settings.passwords, settings.dkim_keys, settings.summaries_key, settings.bounce_secrets
    return settings


_WORD = r"(?:[\w-]+|\"[^\"]*\"|'[^']*')"
_NAME = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_KEY = re.compile(rf"\s*(?:(?P<key>{_NAME})\s*=|(?P<table>\[+\s*{_NAME}\s*\]+)\s*(?:#|$))")
_TWICE = ("Cannot overwrite", "Cannot declare")


def _no_toml(error: str, text: str) -> str:
    """Return what is wrong with *text*. What is there twice tomllib tells where its value ends, not by its name."""
    lines = text.splitlines()
    place = re.search(r"at line (\d+)", error)
    for number in range(int(place[1]) if place else len(lines), 0, -1):
        if error.startswith(_TWICE) and (key := _KEY.match(lines[number - 1])):
            name = (key["key"] or key["table"]).strip()
            return f"line {number}: {name} is there a second time, or as something else before; keep one of the two"
    return f"is not TOML: {error}; correct that place"


_TABLES = sorted(Settings.model_fields.keys() - {"file"})


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """Refuse the variables of tables that there are not, at which pydantic would not look."""
    for variable in sorted(environment):
        table, nested, _ = variable.lower().removeprefix("newsletter_").partition("__")
        if variable.upper().startswith("NEWSLETTER_") and nested and table not in _TABLES:
            raise ConfigurationError(
                f"{variable} in the environment: {table} is not a known table{_suggestion(table, _TABLES)}"
            )


def _told(file: Path, mistakes: list[str]) -> str:
    """Return all that is wrong with *file* as one line."""
    return f"{file}: {'; '.join(mistakes)}"


_MEANINGS = {
    "string_type": "use a text in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": 'use a list, like ["…"]',
    "too_short": "needs at least one",
    "model_type": "use a table",
    "dict_type": "use a table",
    "bool_parsing": "use true or false",
}
_SECRETS = {"secret", "password", "api_key", "postmark_secret", "mailgun_key"}
_BELOW = {"imap": ImapSettings, "webhooks": WebhookSettings}  # of [bounces]
_LOGIN = re.compile("//[^/]*@")
_KINDS = {
    "huggingface": HuggingFaceSettings,
    "arxiv": ArxivSettings,
    "feed": FeedSettings,
    "biorxiv": BiorxivSettings,
    "file": FileSettings,
}


def _explain(error: ErrorDetails) -> str:
    place, model = _place(error["loc"])
    key, given = ".".join(place), error["input"]
    message = _MEANINGS.get(error["type"], error["msg"].removeprefix("Value error, "))
    if key in {"sources", "people", "smtp.routes"} and error["type"] == "tuple_type":
        message = f"use a list of tables, each beginning with [[{key}]]"
    match error["type"]:
        case "missing":
            return f"{key} is missing: {'at least one [[sources]] table' if key == 'sources' else 'it has no default'}"
        case "extra_forbidden":
            return f"{key} is not a known key{_suggestion(place[-1], list(model.model_fields))}"
        case "union_tag_not_found":
            return f"{key}.kind is missing: use {', '.join(_KINDS)}"
        case "union_tag_invalid":
            return f"{key}.kind = {given['kind']!r}: use {', '.join(_KINDS)}"
        case "value_error" if not isinstance(given, str | int | float | time | Path):
            return ".".join(filter(None, (key, message)))
    value = "" if place[-1] in _SECRETS else f" = {_LOGIN.sub('//…@', repr(given))}"
    origin = " (from the environment)" if isinstance(given, Variable) else ""
    return f"{key}{value}{origin}: {message[:1].lower()}{message[1:]}"


def _place(location: tuple[int | str, ...]) -> tuple[list[str], Any]:
    """Return where in the file that is, of a list the place counted from 1, and the model of its table."""
    place = [str(part + 1) if isinstance(part, int) else part for part in location]
    if place[:1] == ["sources"] and len(place) > 2:
        return [*place[:2], *place[3:]], _KINDS[place[2]]
    if place[:2] == ["smtp", "domains"]:
        return place, DomainSettings
    if place[:1] == ["people"] and len(place) > 2:
        return place, PersonSettings
    if place[:2] == ["smtp", "routes"] and len(place) > 2:
        return place, RouteSettings
    if place[:1] == ["bounces"] and len(place) > 2 and place[1] in _BELOW:
        return place, _BELOW[place[1]]
    section = Settings.model_fields.get(place[0]) if place else None
    return place, section.annotation if section and len(place) > 1 else Settings


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"

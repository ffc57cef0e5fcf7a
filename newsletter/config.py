"""Settings, frozen: the only reader of the configuration file and of the environment.

Promises that what it returns can be used as it is: every key is known, every value possible, relative paths
are resolved against the file, secrets are read and masked. Everything wrong is a ConfigurationError that names
the key, the value and what is allowed. It opens no database and makes no connection.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from newsletter.domain.subscriber import parse_hour, parse_language, parse_zone, zone_info
from newsletter.domain.topics import parse_topic
from newsletter.errors import ConfigurationError, NewsletterError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Variable(str):
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
    if value and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
        raise ValueError("use a link that begins with https:// and has no query")
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


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | _Variable):
        raise ValueError("use a number, without quotes")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _flag(value: object) -> object:
    if not isinstance(value, bool | _Variable):
        raise ValueError("use true or false, without quotes")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _file(value: Path) -> Path:
    if not value.name:
        raise ValueError("name a file")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Hour = Annotated[time, BeforeValidator(_hour)]
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
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewsletterSettings(_Section):
    """``[newsletter]``: who sends, when, and how much."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = "Daily Papers"
    sender: Annotated[str, AfterValidator(_sender)]
    reply_to: Address = ""
    base_url: Link = ""
    postal_address: str = ""
    time_zone: Zone = "UTC"
    send_at: Hour = time(8)
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")
    max_papers: Annotated[Positive, Field(le=100)] = 10
    lookback_days: Annotated[Positive, Field(le=14)] = 7
    topics: tuple[Topic, ...] = ()
    language: Language = "en"
    on_empty: Literal["skip", "send"] = "skip"
    secret: SecretStr = SecretStr("")
    secret_file: File

    @property
    def zone(self) -> ZoneInfo:
        """Return the newsletter's time zone."""
        return zone_info(self.time_zone)

    @property
    def sender_address(self) -> str:
        """Return the sender's bare address."""
        return parseaddr(self.sender)[1]


class EditingSettings(_Section):
    """``[editing]``: who seals."""

    mode: Literal["auto", "approve"] = "auto"
    deadline: Hour = time(10)
    on_deadline: Literal["seal", "skip"] = "seal"


class DatabaseSettings(_Section):
    """``[database]``."""

    url: str

    @model_validator(mode="after")
    def _known(self) -> Self:
        kind, _, name = self.url.partition(":///")
        if kind != "sqlite" or Path(name).name in {"", ":memory:"}:
            # Not the whole value: another kind's may hold a password.
            raise ValueError(f'url = "{kind.partition(":")[0]}:…": use "sqlite:///FILE"')
        return self

    @property
    def path(self) -> Path:
        """Return the SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))


class DomainSettings(_Section):
    """``[smtp.domains."example.com"]``: what one destination bears. 0: no limit of ours."""

    connections: Count = 0
    messages_per_second: Rate = 0


class SmtpSettings(_Section):
    """``[smtp]``: the one way out."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[Positive, Field(le=65535)] = 25
    security: Literal["none", "starttls", "tls"] = "none"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = None
    connections: Annotated[Count, Field(le=100)] = 0
    messages_per_second: Rate = 0
    messages_per_minute: Count = 0
    messages_per_day: Count = 0
    lease: Duration = timedelta(minutes=15)
    give_up_after: Duration = timedelta(hours=20)
    on_uncertain: Literal["resend", "hold"] = "resend"
    domains: dict[str, DomainSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _login_is_safe(self) -> Self:
        if self.username and self.security == "none":
            raise ValueError(
                'security = "none": a username needs "starttls" or "tls", or the password travels in clear'
            )
        if self.username and not self.password.get_secret_value() and not self.password_file:
            raise ValueError(f"username = {self.username!r}: needs password_file (a file that holds the password) too")
        return self

    @property
    def connection_limit(self) -> int:
        """Return how many connections may be open at once."""
        return self.connections or (10 if self.host in {"127.0.0.1", "::1", "localhost"} else 2)


class BouncesSettings(_Section):
    """``[bounces]``: the address to which mail comes back."""

    address: Address = ""


class OperatorSettings(_Section):
    """``[operator]``: whom to tell."""

    email: Address = ""
    ping_url: Annotated[str, AfterValidator(lambda v: _web_link(v) and v)] = ""


class _SourceSettings(_Section):
    default_name: ClassVar[str] = ""
    name: Annotated[str, Field(max_length=60)] = ""
    refresh: Duration = timedelta(hours=1)
    share: Positive = 1
    required: Flag = False
    wait_until: Hour = time(10)
    allow_private_address: Flag = False


class HuggingFaceSettings(_SourceSettings):
    """``kind = "huggingface"``."""

    kind: Literal["huggingface"]
    base_url: Link = "https://huggingface.co"


class ArxivSettings(_SourceSettings):
    """``kind = "arxiv"``."""

    kind: Literal["arxiv"]
    base_url: Link = "https://export.arxiv.org"
    categories: Annotated[tuple[Annotated[str, AfterValidator(_category)], ...], Field(min_length=1)]


class FeedSettings(_SourceSettings):
    """``kind = "feed"``: any RSS or Atom feed."""

    kind: Literal["feed"]
    url: Annotated[str, AfterValidator(_feed_link)]


class BiorxivSettings(_SourceSettings):
    """``kind = "biorxiv"``."""

    kind: Literal["biorxiv"]
    base_url: Link = "https://api.biorxiv.org"
    server: Literal["biorxiv", "medrxiv"] = "biorxiv"


class FileSettings(_SourceSettings):
    """``kind = "file"``: JSON lines."""

    kind: Literal["file"]
    path: File


SourceSettings = Annotated[
    HuggingFaceSettings | ArxivSettings | FeedSettings | BiorxivSettings | FileSettings, Field(discriminator="kind")
]


class _Environment(EnvSettingsSource):
    def __call__(self) -> dict[str, Any]:
        return {key: _marked(value) for key, value in super().__call__().items() if key != "file"}


def _marked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    return _Variable(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix="NEWSLETTER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    file: Path
    newsletter: NewsletterSettings
    editing: EditingSettings = EditingSettings()
    database: DatabaseSettings
    smtp: SmtpSettings = SmtpSettings()
    bounces: BouncesSettings = BouncesSettings()
    operator: OperatorSettings = OperatorSettings()
    sources: Annotated[tuple[SourceSettings, ...], Field(min_length=1)]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, whose content comes as keyword arguments."""
        return _Environment(settings_cls), init_settings

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: dict[str, Any]) -> dict[str, Any]:
        own = {"newsletter": {"secret_file": "secret"}, "database": {"url": "sqlite:///newsletter.db"}}
        filled = {**own, **data}
        for key, defaults in own.items():
            if isinstance(filled[key], Mapping):
                filled[key] = {**defaults, **filled[key]}
        return {key: _resolved(value, Path(data["file"]).parent) for key, value in filled.items()}

    @model_validator(mode="after")
    def _sources_have_names(self) -> Self:
        names = [source.name or source.kind for source in self.sources]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"sources: two are named {twice.pop()!r}; give each its own name")
        return self

    @model_validator(mode="after")
    def _readers_can_leave(self) -> Self:
        if not (self.newsletter.base_url or self.bounces.address or self.newsletter.reply_to):
            raise ValueError(
                "newsletter.reply_to: needed so that readers can unsubscribe by reply, "
                "unless there is a newsletter.base_url or a bounces.address"
            )
        return self

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Return the signing secrets: the first signs, all verify. Raises ConfigurationError."""
        file, given = self.newsletter.secret_file, self.newsletter.secret.get_secret_value()
        key = "newsletter.secret" if given else f"newsletter.secret_file = {str(file)!r}"
        found = tuple((given or _read_secret("newsletter.secret_file", file)).split())
        if not found or min(map(len, found)) < 16:
            raise ConfigurationError(
                f"{key}: each line must be a secret of at least 16 characters; 'newsletter init' makes one"
            )
        return found

    @cached_property
    def smtp_password(self) -> str:
        """Return the password of the relay, or ''. Raises ConfigurationError."""
        given = self.smtp.password.get_secret_value()
        if given or not self.smtp.password_file:
            return given
        return _read_secret("smtp.password_file", self.smtp.password_file).strip()


def _resolved(value: Any, folder: Path) -> Any:
    """Return *value* with relative paths made relative to *folder*: of files, and of a SQLite database."""
    if isinstance(value, list | tuple):
        return [_resolved(item, folder) for item in value]
    if not isinstance(value, Mapping):
        return value
    table = {key: _resolved(item, folder) for key, item in value.items()}
    for key, item in table.items():
        if isinstance(item, str) and item and (key.endswith("_file") or key == "path"):
            table[key] = str(folder / Path(item).expanduser())
        if isinstance(item, str) and key == "url" and re.match(r"sqlite:///[^/]", item):
            table[key] = f"sqlite:///{folder / item.removeprefix('sqlite:///')}"
    return table


def _read_secret(key: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ConfigurationError(
            f"{key} = {str(path)!r}: cannot be read ({reason}); write it there, or name another file"
        ) from error


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Return where a configuration is looked for when none is named, best first."""
    if named := environment.get("NEWSLETTER_CONFIG"):
        yield Path(named)
        return
    yield from (Path("newsletter.toml"), Path("config/newsletter.toml"))
    yield Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "newsletter/newsletter.toml"
    yield Path("/etc/newsletter/newsletter.toml")


def find(named: Path | None) -> Path:
    """Return the configuration file to use. Raises ConfigurationError when there is none."""
    places = [named] if named else list(candidates(os.environ))
    for place in places:
        if place.is_file():
            return place.absolute()
    looked = ", ".join(str(place) for place in places)
    raise ConfigurationError(f"no configuration file (looked for {looked}); 'newsletter init' writes one")


def load(named: Path | None = None) -> Settings:
    """Return the settings of the file *named*, or of the first one found. Raises ConfigurationError."""
    file = find(named)
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error
    try:
        settings = Settings(**{"newsletter": {}, **content, "file": str(file)})
    except SettingsError as error:
        section = str(error).partition('"')[2].partition('"')[0].upper()
        raise ConfigurationError(
            f'NEWSLETTER_{section}… in the environment cannot be read; a list is written as JSON, like ["mon", "tue"]'
        ) from error
    except ValidationError as error:
        # A source that is wrong is reported by itself, and once more as a source too few.
        found = [e for e in error.errors() if e["type"] != "too_short" or not e["input"]]
        raise ConfigurationError(f"{file}: " + "; ".join(map(_explain, found[:3]))) from error
    _ = settings.secrets, settings.smtp_password
    return settings


_MEANINGS = {
    "string_type": "use a text in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": 'use a list, like ["…"]',
    "too_short": "needs at least one",
    "model_type": "use a table",
    "dict_type": "use a table",
    "bool_parsing": "use true or false",
}
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
    match error["type"]:
        case "missing":
            return f"{key} is missing: {'at least one [[sources]] table' if key == 'sources' else 'it has no default'}"
        case "extra_forbidden":
            return f"{key} is not a known key{_suggestion(place[-1], model)}"
        case "union_tag_not_found":
            return f"{key}.kind is missing: use {', '.join(_KINDS)}"
        case "union_tag_invalid":
            return f"{key}.kind = {given['kind']!r}: use {', '.join(_KINDS)}"
        case "value_error" if not isinstance(given, str | int | float | time | Path):
            return ".".join(filter(None, (key, message)))
    value = "" if place[-1] in {"secret", "password"} else f" = {given!r}"
    origin = " (from the environment)" if isinstance(given, _Variable) else ""
    return f"{key}{value}{origin}: {message[:1].lower()}{message[1:]}"


def _place(location: tuple[int | str, ...]) -> tuple[list[str], Any]:
    """Return where in the file that is, and the model of its table."""
    place = [str(part) for part in location]
    if place[:1] == ["sources"] and len(place) > 2:
        return [*place[:2], *place[3:]], _KINDS[place[2]]
    if place[:2] == ["smtp", "domains"]:
        return place, DomainSettings
    section = Settings.model_fields.get(place[0]) if place else None
    return place, section.annotation if section and len(place) > 1 else Settings


def _suggestion(name: str, model: Any) -> str:
    known = list(model.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"

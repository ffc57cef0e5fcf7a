"""The tables of the configuration, frozen, with their defaults and what must go together."""

import os
import re
from collections.abc import Mapping
from datetime import time, timedelta
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from newsletter.config.values import (
    Address,
    Category,
    Count,
    Day,
    Duration,
    FeedLink,
    File,
    Flag,
    Hour,
    Language,
    Link,
    PingLink,
    Positive,
    Rate,
    Sender,
    Topic,
    Variable,
    Zone,
)
from newsletter.domain.subscriber import zone_info
from newsletter.errors import ConfigurationError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewsletterSettings(_Section):
    """``[newsletter]``: who sends, when, and how much."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = "Daily Papers"
    sender: Sender
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
    ping_url: PingLink = ""


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
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]


class FeedSettings(_SourceSettings):
    """``kind = "feed"``: any RSS or Atom feed."""

    kind: Literal["feed"]
    url: FeedLink


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
    return Variable(value) if isinstance(value, str) else value


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
        found = _read_secret("smtp.password_file", self.smtp.password_file).strip()
        if self.smtp.username and not found:
            raise ConfigurationError(
                f"smtp.password_file = {str(self.smtp.password_file)!r}: is empty; write the password there"
            )
        return found


def _resolved(value: Any, folder: Path) -> Any:
    """Return *value* with relative paths made relative to *folder*: of files, and of a SQLite database."""
    if isinstance(value, list | tuple):
        return [_resolved(item, folder) for item in value]
    if not isinstance(value, Mapping):
        return value
    table = {key: _resolved(item, folder) for key, item in value.items()}
    for key, item in table.items():
        if isinstance(item, str) and item and (key.endswith("_file") or key == "path"):
            table[key] = str(folder / os.path.expanduser(item))  # noqa: PTH111 - Path's raises where there is no home
        if isinstance(item, str) and key == "url" and re.match(r"sqlite:///[^/]", item):
            table[key] = f"sqlite:///{folder / item.removeprefix('sqlite:///')}"
    return table


def _read_secret(key: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL in the path
        reason = getattr(error, "strerror", None) or "no text, or no path"
        raise ConfigurationError(
            f"{key} = {str(path)!r}: cannot be read ({reason}); write it there, or name another file"
        ) from error

"""The tables of the configuration, frozen, with their defaults and what must go together."""

import os
import re
from collections.abc import Mapping
from datetime import time, timedelta
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
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

from newsletter.config.people import PersonSettings
from newsletter.config.retention import RetentionSettings
from newsletter.config.returns import BouncesSettings
from newsletter.config.sending import DkimSettings, RouteSettings, Section, SmtpSettings
from newsletter.config.summaries import SummariesSettings
from newsletter.config.values import (
    Address,
    Category,
    Colour,
    Day,
    Duration,
    FeedLink,
    File,
    Flag,
    Folder,
    Fonts,
    Hour,
    Language,
    Link,
    OptionalHour,
    PingLink,
    Positive,
    Sender,
    Topic,
    Variable,
    Zone,
    wire_domain,
)
from newsletter.config.watching import LoggingSettings, MetricsSettings
from newsletter.config.web import WebSettings
from newsletter.domain.subscriber import zone_info
from newsletter.errors import ConfigurationError, ExtraError

if TYPE_CHECKING:
    from newsletter.config.keys import PrivateKey


class NewsletterSettings(Section):
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
    goodbye: Flag = False
    secret: SecretStr = SecretStr("")
    secret_file: File

    @property
    def zone(self) -> ZoneInfo:
        """Return the newsletter's time zone."""
        return zone_info(self.time_zone)

    @cached_property
    def sender_address(self) -> str:
        """Return the sender's bare address."""
        return parseaddr(self.sender)[1]


class EditingSettings(Section):
    """``[editing]``: who seals, and when the ``editor`` ('' for the operator) is mailed the draft, None for never."""

    mode: Literal["auto", "approve"] = "auto"
    deadline: Hour = time(10)
    on_deadline: Literal["seal", "skip"] = "seal"
    draft_at: OptionalHour = None
    editor: Address = ""


class LookSettings(Section):
    """``[look]``: how mails and pages look. '' and None: as packaged.

    ``accent`` is #rrggbb, darkened or lightened where it could not be read; ``logo`` an image's link; ``font`` a CSS
    list of names; ``templates`` the folder with the operator's own.
    """

    accent: Colour = "#1b4fa8"
    logo: Link = ""
    font: Fonts = ""
    images: Flag = False
    templates: Folder = None


class DatabaseSettings(Section):
    """``[database]``: where it is, whether an empty one may take its place, and what of it survives."""

    url: str
    create: bool = True
    durability: Literal["power-cut", "crash"] = "crash"

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


class OperatorSettings(Section):
    """``[operator]``: whom to tell."""

    email: Address = ""
    ping_url: PingLink = ""


class _SourceSettings(Section):
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
    look: LookSettings = LookSettings()
    database: DatabaseSettings
    smtp: SmtpSettings = SmtpSettings()
    dkim: DkimSettings = DkimSettings()
    bounces: BouncesSettings = BouncesSettings()
    web: WebSettings = WebSettings()
    operator: OperatorSettings = OperatorSettings()
    logging: LoggingSettings = LoggingSettings()
    metrics: MetricsSettings = MetricsSettings()
    summaries: SummariesSettings = SummariesSettings()
    retention: RetentionSettings = RetentionSettings()
    people: tuple[PersonSettings, ...] = ()
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

    @model_validator(mode="after")
    def _signature_is_aligned(self) -> Self:
        sender, signed = wire_domain(self.newsletter.sender_address.rpartition("@")[2]), self.dkim_domain
        if sender != signed and not (sender.endswith(f".{signed}") and "." in signed):
            raise ValueError(
                f"dkim.domain = {self.dkim.domain!r}: use {sender!r}, the sender's domain, or a parent of it; "
                "receivers do not count (DMARC) a signature of another domain"
            )
        return self

    @property
    def dkim_domain(self) -> str:
        """Return the domain that signs, in ASCII: by default the sender's."""
        return wire_domain(self.dkim.domain or self.newsletter.sender_address.rpartition("@")[2])

    @cached_property
    def dkim_keys(self) -> "tuple[tuple[str, PrivateKey], ...]":
        """Return the keys that sign, each with its selector; none where the relay does. Raises ConfigurationError."""
        if not self.dkim.key_file:
            return ()
        try:
            from newsletter.config.keys import read_keys  # noqa: PLC0415 - cryptography is an extra, and slow to import
        except ImportError as error:
            signing = f"dkim.key_file = {str(self.dkim.key_file)!r}: signing"
            raise ExtraError(signing, "dkim", ", or leave [dkim] out and let the relay sign") from error
        return read_keys(self.dkim)

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
    def passwords(self) -> Mapping[str, str]:
        """Return the password of each of ``smtp.ways``, by its name, '' without one. Raises ConfigurationError."""
        return {way.name: self._password(way, number) for number, way in enumerate(self.smtp.ways, 1)}

    @cached_property
    def bounce_secrets(self) -> Mapping[str, str]:
        """Return the secrets of the ways in, by ``imap``, ``postmark`` and ``mailgun``. Raises ConfigurationError."""
        imap, hooks = self.bounces.imap, self.bounces.webhooks
        return {
            "imap": _secret("bounces.imap.password", imap.password, imap.password_file),
            "postmark": _secret("bounces.webhooks.postmark_secret", hooks.postmark_secret, hooks.postmark_secret_file),
            "mailgun": _secret("bounces.webhooks.mailgun_key", hooks.mailgun_key, hooks.mailgun_key_file),
        }

    @cached_property
    def summaries_key(self) -> str:
        """Return the key for the server of ``summaries.url``, '' without one. Raises ConfigurationError."""
        given, file = self.summaries.api_key.get_secret_value(), self.summaries.api_key_file
        if given or not file:
            key, found = "summaries.api_key", given.strip()
        else:
            key = f"summaries.api_key_file = {str(file)!r}"
            found = _read_secret("summaries.api_key_file", file).strip()
        if (file and not found) or not re.fullmatch("[!-~]*", found):
            raise ConfigurationError(f"{key}: must be the key alone, in ASCII and without blanks")
        return found

    def _password(self, way: RouteSettings, number: int) -> str:
        given = way.password.get_secret_value()
        if given or not way.password_file:
            return given
        key = "smtp" if way.password_file == self.smtp.password_file else f"smtp.routes.{number}"
        found = _read_secret(f"{key}.password_file", way.password_file).strip()
        if way.username and not found:
            raise ConfigurationError(
                f"{key}.password_file = {str(way.password_file)!r}: is empty; write the password there"
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
        if isinstance(item, str) and item and (key.endswith("_file") or key in {"path", "templates", "maildir"}):
            table[key] = str(folder / os.path.expanduser(item))  # noqa: PTH111 - Path's raises where there is no home
        if isinstance(item, str) and key == "url" and re.match(r"sqlite:///[^/]", item):
            table[key] = f"sqlite:///{folder / item.removeprefix('sqlite:///')}"
    return table


def _secret(key: str, given: SecretStr, file: Path | None) -> str:
    said = given.get_secret_value()
    return said.strip() if said or not file else _read_secret(f"{key}_file", file).strip()


def _read_secret(key: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL in the path
        reason = getattr(error, "strerror", None) or "no text, or no path"
        raise ConfigurationError(
            f"{key} = {str(path)!r}: cannot be read ({reason}); write it there, or name another file"
        ) from error

"""The composition root: Settings become a wired App. No other module builds collaborators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from newsletter import __version__, config
from newsletter.config import (
    ArxivSettings,
    BiorxivSettings,
    FeedSettings,
    FileSettings,
    HuggingFaceSettings,
    Settings,
    SourceSettings,
)
from newsletter.domain.topics import parse_topic
from newsletter.mail.tokens import Signer
from newsletter.services.edit import Policy
from newsletter.services.gather import Gathering, Upstream
from newsletter.sources.arxiv import Arxiv
from newsletter.sources.base import Source
from newsletter.sources.biorxiv import Biorxiv
from newsletter.sources.feeds import Feed
from newsletter.sources.file import File
from newsletter.sources.huggingface import HuggingFace
from newsletter.storage.database import Database
from newsletter.storage.upgrade import upgrade


@dataclass(frozen=True)
class App:
    """The service, wired. What is costly is made when it is first asked for."""

    settings: Settings
    database: Database

    @cached_property
    def signer(self) -> Signer:
        """Return what signs and reads tokens."""
        return Signer(self.settings.secrets)

    @cached_property
    def gathering(self) -> Gathering:
        """Return the sources and how they are asked."""
        newsletter = self.settings.newsletter
        contact = newsletter.base_url or self.settings.operator.email or newsletter.sender_address
        return Gathering(
            upstreams=[_upstream(source) for source in self.settings.sources],
            zone=newsletter.zone,
            lookback_days=newsletter.lookback_days,
            user_agent=f"papers-newsletter/{__version__} (+{contact})",
        )

    @cached_property
    def policy(self) -> Policy:
        """Return how the newsletter picks its front."""
        newsletter = self.settings.newsletter
        return Policy(
            shares={u.source.name: u.share for u in self.gathering.upstreams},
            topics=[parse_topic(text) for text in newsletter.topics],
            max_papers=newsletter.max_papers,
            lookback_days=newsletter.lookback_days,
            send_empty=newsletter.on_empty == "send",
        )


def _upstream(settings: SourceSettings) -> Upstream:
    return Upstream(
        source=_source(settings, settings.name or settings.kind),
        refresh=settings.refresh,
        share=settings.share,
        required=settings.required,
        wait_until=settings.wait_until,
        allow_private_address=settings.allow_private_address,
    )


def _source(settings: SourceSettings, name: str) -> Source:
    match settings:
        case HuggingFaceSettings():
            return HuggingFace(name=name, base_url=settings.base_url)
        case ArxivSettings():
            return Arxiv(name=name, base_url=settings.base_url, categories=settings.categories)
        case BiorxivSettings():
            return Biorxiv(name=name, base_url=settings.base_url, server=settings.server)
        case FeedSettings():
            return Feed(name=name, url=settings.url)
        case FileSettings():
            return File(name=name, path=settings.path)


@contextmanager
def open_app(named: Path | None, now: datetime) -> Iterator[App]:
    """Give the App of the configuration *named* (or found), its database created or upgraded first.

    Raises ConfigurationError, StorageError.
    """
    settings = config.load(named)
    upgrade(settings.database.path, now)
    database = Database(settings.database.path)
    try:
        yield App(settings, database)
    finally:
        database.close()

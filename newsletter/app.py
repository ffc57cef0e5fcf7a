"""The composition root: Settings become a wired App. No other module builds collaborators."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter import __version__
from newsletter.config import load as config
from newsletter.config.settings import (
    ArxivSettings,
    BiorxivSettings,
    FeedSettings,
    FileSettings,
    HuggingFaceSettings,
    Settings,
    SourceSettings,
)
from newsletter.domain.people import Person
from newsletter.domain.topics import parse_topic
from newsletter.errors import NotFoundError
from newsletter.mail.tokens import Signer
from newsletter.render.languages import Languages
from newsletter.services.alone import Service
from newsletter.services.correspondence import Correspondence
from newsletter.services.dispatch import Dispatch
from newsletter.services.edit import Policy
from newsletter.services.gather import Gathering, Upstream
from newsletter.services.ledger import Clock
from newsletter.services.summarise import Summaries
from newsletter.services.throttle import Throttle
from newsletter.sources.arxiv import ArXiv
from newsletter.sources.base import Source
from newsletter.sources.biorxiv import BioRxiv
from newsletter.sources.chat import ChatServer
from newsletter.sources.feeds import Feed
from newsletter.sources.file import PaperFile
from newsletter.sources.huggingface import HuggingFace
from newsletter.storage.database import Database
from newsletter.storage.upgrade import absent, upgrade

if TYPE_CHECKING:
    from newsletter.mail.dkim import DkimSigner


@dataclass(frozen=True)
class App:
    """The service, wired. What is costly is made when it is first asked for."""

    settings: Settings
    database: Database

    @cached_property
    def correspondence(self) -> Correspondence:
        """Return what every mail says of where it comes from and how to leave."""
        return Correspondence(self.settings, Signer(self.settings.secrets), self._dkim)

    @property
    def _dkim(self) -> "DkimSigner | None":
        if not self.settings.dkim_keys:
            return None
        from newsletter.mail.dkim import DkimSigner, Key  # noqa: PLC0415 - cryptography is an extra

        return DkimSigner(self.settings.dkim_domain, [Key(*pair) for pair in self.settings.dkim_keys])

    @cached_property
    def dispatch(self) -> Dispatch:
        """Return the way out."""
        languages = Languages(self.settings.look.templates, self.settings.newsletter.language)
        languages.templates()  # a folder or a language that there is not is told at once
        return Dispatch(self.settings, self.policy, self.correspondence, languages, self.database)

    def service(self, clock: Clock) -> Service:
        """Return what a run works with."""
        return Service(
            settings=self.settings,
            database=self.database,
            gathering=self.gathering,
            dispatch=self.dispatch,
            clock=clock,
            throttle=self.throttle,
            summaries=self.summaries,
        )

    @property
    def summaries(self) -> Summaries | None:
        """Return the language model that writes summaries, None where none does."""
        chosen, newsletter = self.settings.summaries, self.settings.newsletter
        if not chosen.url:
            return None
        server = ChatServer(
            url=chosen.url,
            model=chosen.model,
            key=self.settings.summaries_key,
            timeout=chosen.timeout.total_seconds(),
            user_agent=self.gathering.user_agent,
            allow_private_address=chosen.allow_private_address,
        )
        return Summaries(
            server=server, max_papers=chosen.max_papers, language=newsletter.language, zone=newsletter.zone
        )

    @cached_property
    def throttle(self) -> Throttle:
        """Return how often anything may be done on the pages."""
        return Throttle(self.database, self.settings.secrets[0])

    @cached_property
    def gathering(self) -> Gathering:
        """Return the sources and how they are asked."""
        newsletter = self.settings.newsletter
        contact = newsletter.base_url or self.settings.operator.email or newsletter.sender_address
        contact = contact.encode("ascii", "replace").decode()  # as headers want it
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
            people=tuple(Person(one.name, one.places) for one in self.settings.people),
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
            return ArXiv(name=name, base_url=settings.base_url, categories=settings.categories)
        case BiorxivSettings():
            return BioRxiv(name=name, base_url=settings.base_url, server=settings.server)
        case FeedSettings():
            return Feed(name=name, url=settings.url)
        case FileSettings():
            return PaperFile(name=name, path=settings.path)


@contextmanager
def open_app(named: Path | None, now: datetime, tell: Callable[[str], object] = lambda _: None) -> Iterator[App]:
    """Give the App of the configuration *named* (or found), its database created or upgraded first.

    That it was created is told: an empty list is seldom what somebody has who did not just begin.
    Raises ConfigurationError, StorageError, and NotFoundError where none may be created.
    """
    settings = config.load(named)
    path = settings.database.path
    is_there = path.exists()
    if not is_there and not settings.database.create:
        raise NotFoundError(absent(path))
    upgrade(path, now)
    if not is_there:
        tell(f"There was no database {path}: made an empty one")
    database = Database(path, settings.database.durability)
    try:
        yield App(settings, database)
    finally:
        database.close()


def when_told_to_end(stop: Callable[[], object]) -> None:
    """Call *stop* on SIGTERM and Ctrl-C.

    In a thread: the one that a signal interrupts may hold the lock of the event that is to be set.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stop).start())


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop for whoever sends: uvloop's where there is one, None for Python's own."""
    try:
        import uvloop  # noqa: PLC0415 - needed by who sends alone
    except ImportError:  # not made for every system
        return None
    return uvloop.new_event_loop

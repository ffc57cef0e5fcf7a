"""The composition root: Settings become a wired App. No other module builds collaborators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from newsletter import config
from newsletter.config import Settings
from newsletter.mail.tokens import Signer
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

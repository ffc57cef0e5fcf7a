"""A newsletter whose pages are served over HTTP on loopback."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass

import httpx2
from newsroom import Newsroom

from newsletter.app import App
from newsletter.domain.subscriber import Status
from newsletter.services import subscribe


@dataclass(frozen=True)
class Site:
    """A newsletter, its pages at ``url``, and a browser of sorts that follows no redirect."""

    room: Newsroom
    app: App
    url: str
    client: httpx2.Client

    def path(self, link: str) -> str:
        """Return the path of a link that a mail has: its host is the proxy in front, which is not there."""
        base_url = self.app.settings.newsletter.base_url
        assert link.startswith(base_url + "/")
        return link.removeprefix(base_url)

    def status(self, email: str) -> Status:
        """Return where a subscription stands."""
        return subscribe.find(self.app.database, email).status

    def content(self) -> list[str]:
        """Return everything that is in the database."""
        with closing(sqlite3.connect(self.app.database.path)) as connection:
            return list(connection.iterdump())

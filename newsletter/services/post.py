"""What a sender is given, and what it says of how far it is. Values only: the work is in ``deliver``."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.config.sending import DomainSettings
from newsletter.mail.smtp import Envelope
from newsletter.services.compose import Composer, Message
from newsletter.services.ledger import Clock, Ledger
from newsletter.services.limits import Destination
from newsletter.services.route import PATIENCE, Route
from newsletter.storage.making import Taker
from newsletter.storage.turns import Claimed


@dataclass(kw_only=True)
class Progress:
    """How far the sender is. ``stopped`` says why it ended before nothing was due, '' where it did not.

    ``waiting`` is how many were due when it began, less those that are no more; ``deferred_by`` counts by domain.
    ``trouble`` is what a site last said that would not take mail, '' once a server takes some.
    """

    waiting: int = 0
    accepted: int = 0
    failed: int = 0
    deferred: int = 0
    deferred_by: Counter[str] = field(default_factory=Counter)
    trouble: str = ""
    stopped: str = ""
    by_hand: bool = False  # stopped by whoever runs it
    blocked: list[str] = field(default_factory=list)  # routes on which too many addresses failed for good
    ended: dict[str, str] = field(default_factory=dict)  # routes on which nothing more was begun, and why


@dataclass(slots=True, eq=False)
class Item:
    """A claimed delivery on its way through the sender."""

    claimed: Claimed
    composer: Composer
    destination: Destination
    route: Route | None = None
    begun_at: float = 0.0  # in the event loop's seconds
    message: Message | None = None
    envelope: Envelope | None = None  # of the message
    offered: bool = False


@dataclass(frozen=True, kw_only=True)
class Post:
    """What the sender needs: its ways out, and how to make what it sends."""

    ledger: Ledger
    clock: Clock
    owner: str
    routes: Sequence[Route]
    domains: Mapping[str, DomainSettings]
    composers: Callable[[Session, list[Claimed]], dict[int, Composer]]  # by issue id
    make_due: Callable[[Session, datetime, Taker], bool]  # makes a chunk of due rows; False when there are none left
    tidy: Callable[[], Awaitable[None]]  # gives up what is too late or no longer wanted
    suppress: Callable[[Session, int, str, datetime], None]
    lease: timedelta
    resend: bool
    waiting: int = 0
    patience: timedelta = PATIENCE  # for pauses in all
    issue_id: int | None = None  # only this issue's
    told: Callable[[Progress], None] = field(default=lambda _: None)

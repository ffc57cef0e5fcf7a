"""What a sender is given, and what it says of how far it is. Values only: the work is in ``deliver``."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.domain.delivery import Status
from newsletter.mail.smtp import Connection
from newsletter.services.compose import Composer
from newsletter.services.ledger import Clock, Ledger
from newsletter.services.limits import Limits
from newsletter.services.route import PATIENCE
from newsletter.storage.claims import Claimed


@dataclass(kw_only=True)
class Progress:
    """How far the sender is. ``stopped`` says why it ended before nothing was due, '' where it did not."""

    accepted: int = 0
    failed: int = 0
    deferred: int = 0
    stopped: str = ""
    by_hand: bool = False  # stopped by whoever runs it
    blocked: bool = False  # too many addresses failed for good


@dataclass(frozen=True, kw_only=True)
class Post:
    """What the sender needs: how to reach the route, how fast, and how to make what it sends."""

    ledger: Ledger
    clock: Clock
    owner: str
    connect: Callable[[], Connection]
    composers: Callable[[Session, list[Claimed]], dict[int, Composer]]  # by issue id
    make_due: Callable[[Session, datetime], bool]  # makes a chunk of due rows; False when there are none left
    suppress: Callable[[Session, int, str, datetime], None]
    limits: Limits
    connections: int
    lease: timedelta
    resend: bool
    verdicts: list[Status] = field(default_factory=list)  # on the last addresses before this run, oldest first
    patience: timedelta = PATIENCE  # for pauses in all
    issue_id: int | None = None  # only this issue's
    told: Callable[[Progress], None] = field(default=lambda _: None)

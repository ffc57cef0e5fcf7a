"""Messages composed before their turn: which, how many at once, and what becomes of one that cannot be composed."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from newsletter.config.sending import DomainSettings, RouteSettings
from newsletter.domain.delivery import Outcome
from newsletter.services.compose import Message
from newsletter.services.intake import Intake
from newsletter.services.lane import Lane
from newsletter.services.limits import Destination
from newsletter.services.post import Item
from newsletter.services.route import Route, Routes

READERS = 100


class Composer:
    """Composes nothing but what a lane needs, and counts."""

    def __init__(self, broken: int | None = None) -> None:
        self.composed: list[int] = []
        self._broken = broken

    def message(self, claimed: Any) -> Message:
        """Return a message; for the reader who is *broken* raise what no reader should meet."""
        self.composed.append(claimed.id)
        if claimed.id == self._broken:
            raise ValueError("damaged")
        return Message(sender="a@example.org", recipient="b@example.org", content=b"x\r\n", smtputf8=False)


def taken(composer: Composer, busy: int | None = None) -> tuple[list[int], list[int], list[Outcome]]:
    """Let a lane take all; say whom it took, how many it composed for each, and what was settled without sending.

    One reader's domain may be *busy* all the time.
    """
    settled: list[Outcome] = []

    async def story() -> tuple[list[int], list[int]]:
        route = Route(RouteSettings(name="main", host="127.0.0.1"), never, lambda: datetime.now(UTC))
        route.is_proved = True
        routes = Routes([route], timedelta(minutes=1))
        intake = Intake(routes)
        intake.take_up([item(n, composer, is_busy=n == busy) for n in range(READERS)])
        lane = Lane(route, routes, intake, never, lambda _item, outcome: settled.append(outcome), never)
        took, at_once = [], []
        while True:
            before = len(composer.composed)
            found, _ = lane._following()
            if not found:
                return took, at_once
            took.append(found.claimed.id)
            at_once.append(len(composer.composed) - before)

    return (*asyncio.run(story()), settled)


def item(number: int, composer: Any, *, is_busy: bool) -> Item:
    """Return a reader's delivery, to a domain of their own."""
    destination = Destination(DomainSettings())
    destination.active = 1 if is_busy else 0
    return Item(SimpleNamespace(id=number), composer, destination)  # type: ignore[arg-type]  # all that a lane asks


never: Callable[..., Any] = NotImplemented  # what is not asked for


def test_each_message_is_composed_once_and_seventeen_at_a_time() -> None:
    """The one whose turn it is, and sixteen behind it."""
    composer = Composer()
    took, at_once, settled = taken(composer)
    assert took == list(range(READERS))
    assert sorted(composer.composed) == took
    assert set(at_once) == {0, 17, READERS % 17}
    assert settled == []


def test_who_waits_for_a_busy_domain_is_not_composed_before_and_keeps_nobody_back() -> None:
    """However long it is the first of all."""
    composer = Composer()
    took, at_once, _ = taken(composer, busy=0)
    assert took == list(range(1, READERS)) == sorted(composer.composed)
    assert max(at_once) == 17


def test_what_cannot_be_composed_is_said_at_its_turn_and_once() -> None:
    """Tried before its turn it is nobody's fault yet, and those behind it are composed at theirs."""
    composer = Composer(broken=1)
    took, _, settled = taken(composer)
    assert took == [0, *range(2, READERS)]
    assert [outcome.reply for outcome in settled] == ["not sent: ValueError('damaged')"]
    assert composer.composed.count(1) == 2
    assert len(composer.composed) == READERS + 1

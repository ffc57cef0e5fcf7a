"""A command that sends: alone, with a live view on a terminal, ended politely by SIGTERM and Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from newsletter.app import App, loop_factory
from newsletter.cli.live import live_view
from newsletter.cli.terminal import Terminal
from newsletter.errors import IncompleteError
from newsletter.services.alone import Service, alone
from newsletter.services.deliver import Sender
from newsletter.services.outcome import Outcome
from newsletter.services.run import Watch

Loop = Callable[[Coroutine[Any, Any, Outcome]], Outcome]


@contextmanager
def sending(terminal: Terminal, app: App, *, wait: bool) -> Iterator[tuple[Service, str, Watch, Loop]]:
    """Give the service, the owner under which it works, who watches, and what runs a coroutine to its end."""
    service = app.service(terminal.now)
    with alone(service, wait=wait) as owner, live_view(quiet=terminal.quiet) as told:
        watch = Watch(told=told, started=_stop_on_signals)
        yield service, owner.id, watch, _run


def _stop_on_signals(sender: Sender) -> None:
    """Let a signal stop the sender, and once that is done what follows, such as telling the operator."""
    task = asyncio.current_task()
    assert task is not None

    def stop() -> None:
        if sender.is_done:
            task.cancel()
        sender.interrupt()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _run(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        try:
            return runner.run(_until_told(work))
        except asyncio.CancelledError:
            raise IncompleteError("stopped by a signal; the next run continues") from None


async def _until_told(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Do *work*; before there is a sender, which knows better, a signal drops it: nothing is half-done then."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await work

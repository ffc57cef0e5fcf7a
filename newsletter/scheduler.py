"""The clock that calls the services: one short tick in UTC, by APScheduler.

It remembers nothing: the database knows what is due, so that a tick that comes late, twice or not at all changes
nothing. Not here: what a tick does (``services/run.py``). The scheduler runs in UTC with an interval, never with a
local time of day: APScheduler skips or repeats those on the days on which clocks change.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from newsletter.app import loop_factory, when_told_to_end
from newsletter.errors import BusyError, NewsletterError
from newsletter.services.alone import Service, alone
from newsletter.services.deliver import Sender
from newsletter.services.outcome import Outcome
from newsletter.services.run import Watch, run
from newsletter.storage.upgrade import OutdatedError

log = logging.getLogger(__name__)
logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every tick

TICK = timedelta(minutes=1)


class Ticker:
    """Runs the service once a tick, in the scheduler's thread. ``fatal`` is what ended it, if something did."""

    def __init__(self, service: Service, heard: Callable[[Outcome], None]) -> None:
        self.ended = threading.Event()
        self.fatal: NewsletterError | None = None
        self._service, self._heard = service, heard
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Outcome] | None = None
        self._sender: Sender | None = None

    def tick(self) -> None:
        """Run once. What fails is logged, and the next tick tries again; a newer database ends the ticking."""
        if self.ended.is_set():
            return
        try:
            with alone(self._service) as owner:
                with asyncio.Runner(loop_factory=loop_factory()) as runner:
                    outcome = runner.run(self._run(owner.id))
                self._heard(outcome)
        except OutdatedError as error:
            self.fatal = error
            self.ended.set()
        except BusyError:
            log.debug("another run is at work; this tick is left out")
        except asyncio.CancelledError:
            log.info("stopped by a signal; the next run continues")
        except NewsletterError as error:
            log.error("%s", error)  # noqa: TRY400 - one line for the person who can act, no traceback
        except Exception:
            log.exception("a tick failed in a way that is this program's fault")  # the clock must go on for years
        finally:
            self._loop = self._task = self._sender = None

    async def _run(self, owner: str) -> Outcome:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self.ended.is_set():  # while the lease was taken
            raise asyncio.CancelledError
        return await run(self._service, owner, watch=Watch(started=self._started))

    def _started(self, sender: Sender) -> None:
        self._sender = sender
        if self.ended.is_set():
            sender.interrupt()

    def stop(self) -> None:
        """End: what is being sent finishes, what is only being gathered or told is dropped."""
        self.ended.set()
        loop, sender, task = self._loop, self._sender, self._task
        if loop and task:
            with suppress(RuntimeError):  # the run has just ended, and its loop with it
                loop.call_soon_threadsafe(sender.interrupt if sender and not sender.is_done else task.cancel)


def serve(service: Service, heard: Callable[[Outcome], None], *, tick: timedelta = TICK) -> None:
    """Tick until a signal says stop. Raises OutdatedError when a newer program has upgraded the database."""
    ticker = Ticker(service, heard)
    when_told_to_end(ticker.stop)
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(
        ticker.tick,
        "interval",
        seconds=tick.total_seconds(),
        next_run_time=datetime.now(UTC),
        max_instances=1,  # a long delivery holds the next tick back
        coalesce=True,
        misfire_grace_time=None,  # a tick that comes late still counts
    )
    scheduler.start()
    ticker.ended.wait()
    scheduler.shutdown(wait=True)
    if ticker.fatal:
        raise ticker.fatal

"""Several processes that serve the same pages on one socket, so that they use several processors.

Each is a process of its own, begun anew rather than forked: SQLite's connections must not cross a fork. One that ends
ends all, with a clear line; whoever keeps the service running starts it again.
"""

import subprocess
import threading
from collections.abc import Sequence

from newsletter.errors import NewsletterError
from newsletter.web.server import address, listening

_LOOKS = 0.5  # seconds between two looks at whether all are there
_PATIENCE = 15  # seconds that one may take to end


class Crew:
    """Processes at work. ``url`` is where they answer, as soon as they are ready."""

    def __init__(self, command: Sequence[str], host: str, port: int, count: int) -> None:
        """Start *count* times *command*, each with the number of the shared socket behind it."""
        with listening(host, port) as listener:
            self.url = address(host, listener)
            shared = listener.fileno()
            self._processes = [
                subprocess.Popen(  # noqa: S603 - our own command
                    [*command, str(shared)], stdin=subprocess.DEVNULL, pass_fds=[shared]
                )
                for _ in range(count)
            ]

    def wait(self, ended: threading.Event) -> None:
        """Return when *ended* is set. Raises NewsletterError when one of them ends before."""
        while not ended.wait(_LOOKS):
            for process in self._processes:
                if (status := process.poll()) is not None:
                    raise NewsletterError(f"a process of the pages ended with {status}, so all are ended; start again")

    def end(self) -> None:
        """Let each answer what it is answering, and end."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

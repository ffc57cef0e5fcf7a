"""The log of a process that runs for long: lines on standard error, in which no address stands."""

import logging
import re

_ADDRESS = re.compile(r"[^\s<>\"'(),:;=]+@(?=[\w.-]+)")


class _Nameless(logging.Formatter):
    """Leaves of an address only its domain: what servers say names readers, and a log is kept by who knows whom."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _ADDRESS.sub("…@", super().format(record))


def begin(*, verbose: bool) -> None:
    """Write the log from now on; *verbose*, also what goes as it should."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Nameless("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])

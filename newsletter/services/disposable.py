"""Domains of mailboxes that live for minutes: the list of a package, and the operator's own."""

from importlib import import_module
from pathlib import Path

from newsletter.config.web import WebSettings
from newsletter.errors import ConfigurationError


class Disposable:
    """The domains that are refused; none unless the operator asks."""

    def __init__(self, settings: WebSettings) -> None:
        """Read the lists. Raises ConfigurationError where one cannot be read."""
        self._domains = set[str]()
        if settings.refuse_disposable:
            self._domains |= _packaged()
        for line in _lines(settings.disposable_file):
            if line.startswith("-"):
                self._domains.discard(line[1:].strip())
            else:
                self._domains.add(line)

    def holds(self, email: str) -> bool:
        """Return whether the address *email* is at such a domain, or below one."""
        labels = email.rpartition("@")[2].lower().split(".")
        return any(".".join(labels[at:]) in self._domains for at in range(len(labels)))


def _packaged() -> set[str]:
    try:
        return set(import_module("disposable_email_domains").blocklist)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "web.refuse_disposable = true: needs one more package: pip install '.[web]', or leave it out"
        ) from error


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        text = file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"web.disposable_file = {str(file)!r}: cannot be read; write one domain a line there, or leave the key out"
        ) from error
    return [found for line in text.lower().splitlines() if (found := line.partition("#")[0].strip())]

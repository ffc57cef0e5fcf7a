"""The translations, and how to see that a text holds words of ours that were left in English."""

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from newsletter.packaged import packaged

CATALOGUES = sorted((packaged("templates") / "locale").glob("*.po"))
# The same in all three languages.
ALIKE = {"PDF", "Code", "Abstract", "Back"}  # the last is in the title of an invented paper


def catalogue(file: Path) -> Catalog:
    """Return the translations in *file*."""
    with file.open("rb") as source:
        return read_po(source, abort_invalid=True)


def english_in(text: str, file: Path) -> list[str]:
    """Return the messages of which *text* holds words, links aside, that *file* has in other ones."""
    flat = " ".join(re.sub(r"https?://\S+", " ", text).split())
    return [part for part in _fragments(file) if re.search(rf"(?<!\w){re.escape(part)}(?!\w)", flat)]


def _fragments(file: Path) -> Iterator[str]:
    for message in catalogue(file):
        said = message.id if isinstance(message.id, tuple) else (message.id,)
        told = " ".join(message.string if isinstance(message.string, tuple) else (message.string,))
        for part in re.split(r"%\(\w+\)s", " ".join(filter(None, said))):
            words = part.strip(" .,;:")
            if (" " in words or words == said[0]) and words not in told and words not in ALIKE:
                yield words

"""Which languages there are, and which of them a reader gets.

English needs nothing. Every other one is a catalogue, ``locale/TAG.po`` beside the packaged templates or in the
operator's own folder, where it says more than ours or instead of it, or is a language that we do not have; and it
needs Babel, the extra ``languages``. A reader whose language there is not gets the newsletter's.
"""

from collections import defaultdict
from functools import cache, cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path

from newsletter.errors import ConfigurationError
from newsletter.packaged import packaged
from newsletter.render.environment import Templates, environment
from newsletter.render.language import ENGLISH, Language

# A language's tag alone means this form of it, and these countries write the other one.
_USUAL = {"zh": "zh-Hans", "zh-cn": "zh-Hans", "zh-sg": "zh-Hans", "zh-my": "zh-Hans"}
_OTHER = {"zh-tw": "zh-Hant", "zh-hk": "zh-Hant", "zh-mo": "zh-Hant"}
_INSTALL = "pip install 'papers-newsletter[languages]'"


class Languages:
    """The languages of one newsletter, whose own is *default*, with the templates in *overrides* before ours."""

    def __init__(self, overrides: Path | None = None, default: str = ENGLISH) -> None:
        self._overrides = overrides
        self._default = default
        self._known = lru_cache(maxsize=1024)(self._spoken)
        self.templates_in = cache(self._templates)

    @cached_property
    def default(self) -> str:
        """Return the tag of the newsletter's own language. Raises ConfigurationError where there is no such one."""
        if found := self._match(self._default):
            return found
        raise ConfigurationError(f"newsletter.language = {self._default!r}: {self.lacking}")

    @cached_property
    def tags(self) -> list[str]:
        """Return the tags of all languages."""
        return [ENGLISH, *sorted(self._catalogues.keys() - {ENGLISH})] if _has_babel() else [ENGLISH]

    def templates(self, wanted: str | None = None) -> Templates:
        """Return the templates in the language *wanted*, or the newsletter's. Raises ConfigurationError."""
        return self.templates_in(self.tag(wanted))

    def tag(self, wanted: str | None) -> str:
        """Return the tag of the language that who asked for *wanted* gets."""
        return self._known(wanted)

    def speaks(self, wanted: str) -> bool:
        """Return whether *wanted* is among the languages."""
        return bool(self._match(wanted))

    def lacks(self, wanted: str) -> str:
        """Return why who prefers *wanted* gets the newsletter's language, and what to do; '' where they do not."""
        return "" if self._match(wanted) else f"language {wanted!r}: their mails are in {self.default}; {self.lacking}"

    def _spoken(self, wanted: str | None) -> str:
        return (self._match(wanted) if wanted else "") or self.default

    def _match(self, wanted: str) -> str:
        """Return the language of which *wanted* is a form, the nearest, '' where there is none."""
        by_name = {tag.lower(): tag for tag in self.tags}
        name = wanted.lower()
        while name:
            usual = _OTHER.get(name) or _USUAL.get(name) or name
            if usual.lower() in by_name:
                return by_name[usual.lower()]
            if name in _OTHER or name.startswith("zh-hant"):
                return ""
            name = name.rpartition("-")[0]
        return ""

    def _templates(self, tag: str) -> Templates:
        return environment(self._overrides, self._language(tag))

    def _language(self, tag: str) -> Language:
        if tag == ENGLISH:
            return Language()
        from newsletter.render.translated import Translated  # noqa: PLC0415 - Babel is an extra

        return Translated(tag, self._catalogues[tag])

    @cached_property
    def _catalogues(self) -> dict[str, list[Path]]:
        """Return the files of each language, the operator's before ours."""
        found: dict[str, list[Path]] = defaultdict(list)
        for folder in filter(None, (self._overrides, packaged("templates"))):
            for file in sorted((folder / "locale").glob("*.po")):
                found[file.stem].append(file)
        return found

    @property
    def lacking(self) -> str:
        """Return what to do where somebody prefers a language that there is not."""
        if not _has_babel():
            return f"languages other than {ENGLISH} need Babel: {_INSTALL}"
        return f"there is no such language; use {', '.join(self.tags)}, or add your own (docs/templates.md)"


def _has_babel() -> bool:
    return find_spec("babel") is not None

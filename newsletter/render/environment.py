"""Jinja's environment: the operator's templates before the packaged ones, HTML escaped, nothing undefined.

Where there are any of the operator's, all run in a sandbox; by themselves ours need none, which takes half as long.
A template that does not work is a ConfigurationError that names its file and line. Not here: which variables
templates get (``digest``, ``notices``).
"""

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)

from newsletter.errors import ConfigurationError
from newsletter.packaged import packaged
from newsletter.render import wrapping
from newsletter.render.language import Language
from newsletter.render.sandbox import Sandbox

_SUFFIXES = (".html", ".txt", ".css")
_OURS = re.compile(r"'newsletter\.[\w.]*\.(\w+) object'")  # what templates know as a card, a link, a correction


class Templates(Environment):
    """Templates in one language."""

    language: Language


class _Checked(Templates, Sandbox):
    """The operator's templates, with ours behind them."""


class _Files(FileSystemLoader):
    """Templates in a folder. One that is no text is as wrong as one that is no template."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        try:
            return super().get_source(environment, template)
        except UnicodeDecodeError as error:
            file, line = Path(self.searchpath[0]) / template, error.object[: error.start].count(b"\n") + 1
            raise TemplateSyntaxError("this is not UTF-8", line, template, str(file)) from error


def environment(overrides: Path | None, language: Language | None = None) -> Templates:
    """Return the templates from *overrides*, else from the package, in *language* (English).

    There they stand as in the package (``email/card.html``), those of mails also without their folder (``card.html``).

    Raises ConfigurationError where *overrides* is no folder.
    """
    if overrides and not overrides.is_dir():
        raise ConfigurationError(f"look.templates = {str(overrides)!r}: no such folder; make it, or take the key away")
    theirs = [_Files(overrides), PrefixLoader({"email": _Files(overrides)})] if overrides else []
    kind = _Checked if overrides else Templates
    made = kind(
        loader=ChoiceLoader([*theirs, FileSystemLoader(packaged("templates"))]),
        autoescape=lambda name: bool(name) and str(name).endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=bool(overrides),  # ours do not change while a program runs, and looking takes as long as rendering
    )
    made.language = language or Language()
    _speak(made)
    if isinstance(made, Sandbox):
        made.watch()
    return made


def _speak(templates: Templates) -> None:
    """Give *templates* the words, dates and numbers of their language."""
    language = templates.language
    templates.policies["ext.i18n.trimmed"] = True
    templates.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    templates.filters |= {
        "day": language.day,
        "dated": language.dated,
        "long_date": language.long_date,
        "number": language.number,
        "counted": language.counted,
        "wrap": wrapping.wrap,
        "pad": wrapping.pad,
        "unbroken": wrapping.unbroken,
    }


def render(environment: Templates, name: str, **variables: Any) -> str:
    """Return the template *name* rendered. Raises ConfigurationError with file and line where it cannot be."""
    try:
        template = environment.get_template(name)
        if isinstance(environment, Sandbox):
            return environment.counted(template, variables)
        return template.render(variables)
    except Exception as error:
        place = _place(error, name)
        if not place:
            raise
        raise ConfigurationError(
            f"template {place}: {_reason(error)}; correct it, or remove it to use the packaged one"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    if isinstance(error, TemplateSyntaxError):
        return " ".join(str(error.message).split())  # the whole of it names the place again
    said = " ".join(str(error).split()) or type(error).__name__
    return _OURS.sub(lambda found: found[1].lower(), said)


def _place(error: Exception, name: str) -> str:
    """Return file and line of what is wrong in a template, '' if the fault lies in the program."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(_SUFFIXES)]
    if frames:
        return f"{frames[-1].filename}:{frames[-1].lineno}"
    return name if isinstance(error, TemplateError | OSError) else ""

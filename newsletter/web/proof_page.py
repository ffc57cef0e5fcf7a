"""Mails before they are sent, in the operator's browser: HTML narrow and wide, light and dark, text, headers, source.

Whenever one of the files behind them changes, they are made anew, and the browser shows them where the person is. What
does not work any more is told, and what it was before goes on being shown. What papers hold is foreign: it is escaped
but in the frames, where it is inert. Not here: which mails there are, and how they are made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from newsletter.domain.text import plain
from newsletter.errors import NewsletterError
from newsletter.packaged import packaged
from newsletter.render.colour import palette
from newsletter.render.environment import environment, render
from newsletter.render.wrapping import shorten
from newsletter.services.proofs import Proof
from newsletter.web import frame
from newsletter.web.frame import in_scheme, with_links_in_tabs
from newsletter.web.loopback import LoopbackHandler, LoopbackServer

_WIDTHS = {"wide": 680, "narrow": 320}  # pixels: a column of 600 with some page around it, and the smallest screen
_FILLER = "\u034f"  # keeps what follows a preheader out of inboxes
_SNIPPET = 200  # characters: more than any inbox shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What is shown: ``about`` says of whom and when, ``invented`` are the mails that depend on ``files`` alone."""

    newsletter: str
    about: str
    issue: Proof
    invented: Sequence[Proof]
    files: Sequence[Path]  # or folders of them

    @property
    def proofs(self) -> list[Proof]:
        """Return all mails."""
        return [self.issue, *self.invented]


Loader = Callable[[Sequence[Proof]], Sheet]  # given the invented mails, where they are still good


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A mail in its parts. '' is what it lacks. The ``snippet`` is what inboxes show beside the subject."""

    subject: str = ""
    snippet: str = ""
    html: str = ""
    text: str = ""
    headers: Sequence[tuple[str, str]] = ()
    source: str = ""


def opened(content: bytes) -> Opened:
    """Return the parts of a message that we made."""
    if not content:
        return Opened()
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    parts = {kind: message.get_body((kind,)) for kind in ("html", "plain")}
    html, text = (part.get_content() if part else "" for part in parts.values())
    return Opened(
        subject=str(message["Subject"]),
        snippet=_snippet(html),
        html=html,
        text=text,
        headers=[(name, str(value)) for name, value in message.items()],
        source=content.decode("utf-8", "replace"),
    )


def _snippet(html: str) -> str:
    reader = _Words()
    reader.feed(html)
    words, _, _ = "".join(reader.words).partition(_FILLER)
    return shorten(plain(words), _SNIPPET)


class _Words(HTMLParser):
    """Gathers the words of a document's body."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._inside = self._inside or tag == "body"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.words.append(data)


@dataclass
class Light:
    """What lies on the table: the newest sheet, and the last of each mail that could be made."""

    load: Loader
    error: str = ""  # why there is no newer sheet
    _last: dict[str, Opened] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._take(self.load(()))
        self.stamp = _stamp(self.sheet.files)

    def renew(self) -> None:
        """Make anew what may have changed. What fails is told in ``error``, and nothing else changes."""
        with self._lock:
            # Looked at before: what changes meanwhile is seen the next time.
            before, self.stamp = self.stamp, _stamp(self.sheet.files)
            stays = self.stamp == before and not self.error
            try:
                self._take(self.load(self.sheet.invented if stays else ()))
            except NewsletterError as error:
                self.error = str(error)

    def _take(self, sheet: Sheet) -> None:
        self.sheet, self.error = sheet, ""
        self._last |= {proof.name: opened(proof.content) for proof in sheet.proofs if proof.content}

    def mail(self, name: str) -> Opened:
        """Return the mail as it could be made last."""
        return self._last.get(name, Opened())

    @property
    def is_old(self) -> bool:
        """Return whether a file has changed since."""
        return self.stamp != _stamp(self.sheet.files)


def _stamp(places: Sequence[Path]) -> str:
    """Return what is another one when any of the files has changed, came, or is gone."""
    files = [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return f"{hash(tuple((file, _changed_at(file)) for file in files)):x}"


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # gone, or being replaced
        return 0


class ProofPage(LoopbackServer):
    """Serves what ``load`` gives on a free port. Raises what that raises the first time."""

    def __init__(self, load: Loader) -> None:
        self.light = Light(load)
        self.templates = environment(None)
        super().__init__(_Handler)


class _Handler(LoopbackHandler):
    server: ProofPage

    def page(self, parts: list[str]) -> None:
        light, templates = self.server.light, self.server.templates
        match parts:
            case [""]:
                self._show(light.sheet.issue.name)
            case ["mail", name] if self._known(name):
                self._show(name)
            case ["mail", name, "light" | "dark" as scheme] if self._known(name):
                self._frame(name, scheme)
            case ["stamp"]:
                self._stamp()
            case ["preview.css"]:
                self.answer("text/css", render(templates, "web/preview.css", colours=palette(), widths=_WIDTHS))
            case ["preview.js"]:
                self.answer("text/javascript", (packaged("templates") / "web/preview.js").read_text("utf-8"))
            case _:
                self.say(HTTPStatus.NOT_FOUND, f"There is nothing here. The preview is at {self.server.url}")

    def _known(self, name: str) -> bool:
        return any(proof.name == name for proof in self.server.light.sheet.proofs)

    def _stamp(self) -> None:
        if self.server.light.is_old:
            self.server.light.renew()
        self.answer("text/plain", self.server.light.stamp)

    def _show(self, name: str) -> None:
        """Answer with the page of one mail, made anew: the draft may have changed."""
        light = self.server.light
        light.renew()
        proof = next((proof for proof in light.sheet.proofs if proof.name == name), light.sheet.issue)
        said: Mapping[str, object] = {
            "sheet": light.sheet,
            "stamp": light.stamp,
            "proof": proof,
            "mail": light.mail(proof.name),
            "error": light.error or proof.error,
            "widths": _WIDTHS,
            "sandbox": frame.RELOADABLE,
        }
        self.answer("text/html", render(self.server.templates, "web/preview.html", **said))

    def _frame(self, name: str, scheme: frame.Scheme) -> None:
        html = self.server.light.mail(name).html
        if not html:
            self.say(HTTPStatus.NOT_FOUND, "This mail has no HTML.")
            return
        inert = frame.policy(frame.RELOADABLE, images=True)
        self.answer("text/html", with_links_in_tabs(in_scheme(html, scheme)), policy=inert)

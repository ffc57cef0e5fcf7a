"""The demo's inbox in a browser: the list of mails, and each as HTML, text, headers and source. Loopback only.

What mails hold is foreign. It is escaped everywhere but in the HTML view, which shows it in a sandboxed frame under a
policy of its own: no script, no form, nothing fetched.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from newsletter.demo import inbox
from newsletter.demo.inbox import Mail
from newsletter.render.colour import palette
from newsletter.render.environment import environment, render
from newsletter.web.frame import SANDBOX, policy, with_links_in_tabs
from newsletter.web.loopback import LoopbackHandler, LoopbackServer

_VIEWS = {"html": "HTML", "text": "Text", "headers": "Headers", "source": "Source"}


class InboxPage(LoopbackServer):
    """Serves the Maildir at *folder* on a free port. ``about`` says in a few words who a recipient is."""

    def __init__(self, folder: Path, about: Mapping[str, str]) -> None:
        self.folder, self.about = folder, about
        self.templates = environment(None)
        super().__init__(_Handler)


class _Handler(LoopbackHandler):
    server: InboxPage

    def page(self, parts: list[str]) -> None:
        match parts:
            case [""]:
                self._show(None, "")
            case ["inbox.css"]:
                self.answer("text/css", render(self.server.templates, "web/inbox.css", colours=palette()))
            case ["mail", key, what] if mail := inbox.read(self.server.folder, key):
                self._mail(mail, what)
            case _:
                self.say(HTTPStatus.NOT_FOUND, f"There is nothing here. The inbox is at {self.server.url}")

    def _mail(self, mail: Mail, what: str) -> None:
        if what in _VIEWS:
            self._show(mail, what)
        elif what == "body" and mail.html is not None:
            self.answer("text/html", with_links_in_tabs(mail.html), policy=policy())
        else:
            self.say(HTTPStatus.NOT_FOUND, "This mail has no such part.")

    def _show(self, mail: Mail | None, view: str) -> None:
        mails = inbox.mails(self.server.folder)[::-1]
        about = self.server.about
        said = {"mails": mails, "mail": mail, "view": view, "views": _VIEWS, "about": about, "sandbox": SANDBOX}
        self.answer("text/html", render(self.server.templates, "web/inbox.html", **said))

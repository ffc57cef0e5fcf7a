"""The demo's inbox in a browser: the list of mails, and each as HTML, text, headers and source. Loopback only.

What mails hold is foreign. It is escaped everywhere but in the HTML view, which shows it in a sandboxed frame under a
policy of its own: no script, no form, nothing fetched. Requests that name another host are refused, so that no page
of the web can read the inbox by a name that leads to this machine.
"""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from urllib.parse import unquote

from newsletter.demo import inbox
from newsletter.demo.inbox import Mail
from newsletter.render.colour import palette
from newsletter.render.environment import environment, render

_HOST = "127.0.0.1"
_VIEWS = {"html": "HTML", "text": "Text", "headers": "Headers", "source": "Source"}
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# Its links open in tabs of their own, which are not part of the frame.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


class InboxPage(ThreadingTCPServer):
    """Serves the Maildir at *folder* on a free port. ``about`` says in a few words who a recipient is."""

    daemon_threads = True

    def __init__(self, folder: Path, about: Mapping[str, str]) -> None:
        self.folder, self.about = folder, about
        self.templates = environment(None)
        super().__init__((_HOST, 0), _Handler)

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Return the address of the list."""
        return f"http://{_HOST}:{self.port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away in the middle of an answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: InboxPage
    timeout = 30
    server_version, sys_version = "newsletter", ""

    def do_GET(self) -> None:
        if self.headers.get("Host") not in {f"{_HOST}:{self.server.port}", f"localhost:{self.server.port}"}:
            self._say(HTTPStatus.MISDIRECTED_REQUEST, f"This is {self.server.url}")
            return
        match unquote(self.path.partition("?")[0]).split("/")[1:]:
            case [""]:
                self._page(None, "")
            case ["inbox.css"]:
                self._answer("text/css", render(self.server.templates, "web/inbox.css", colours=palette()))
            case ["mail", key, what] if mail := inbox.read(self.server.folder, key):
                self._mail(mail, what)
            case _:
                self._say(HTTPStatus.NOT_FOUND, f"There is nothing here. The inbox is at {self.server.url}")

    def _mail(self, mail: Mail, what: str) -> None:
        if what in _VIEWS:
            self._page(mail, what)
        elif what == "body" and mail.html is not None:
            self._answer("text/html", _links_in_tabs(mail.html), policy=_MAIL_POLICY)
        else:
            self._say(HTTPStatus.NOT_FOUND, "This mail has no such part.")

    def _page(self, mail: Mail | None, view: str) -> None:
        mails = inbox.mails(self.server.folder)[::-1]
        said = {"mails": mails, "mail": mail, "view": view, "views": _VIEWS, "about": self.server.about}
        self._answer("text/html", render(self.server.templates, "web/inbox.html", **said))

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._answer("text/plain", text + "\n", status)

    def _answer(
        self, kind: str, content: str, status: HTTPStatus = HTTPStatus.OK, *, policy: str = _PAGE_POLICY
    ) -> None:
        body = content.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


def _links_in_tabs(html: str) -> str:
    """Return *html* with its links leading into new tabs: few pages let themselves be shown in a frame."""
    before, head, after = html.partition("<head>")
    base = '<base target="_blank">'
    return f"{before}{head}{base}{after}" if head else base + html

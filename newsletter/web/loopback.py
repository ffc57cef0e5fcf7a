"""Pages for the person at this machine: served on loopback only, from a free port, and never under another name.

Requests that name another host are refused, so that no page of the web can read them by a name that leads to this
machine. Needs nothing but Python. Not here: the pages themselves, and the readers' (``server``).
"""

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.parse import unquote

_HOST = "127.0.0.1"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class LoopbackServer(ThreadingTCPServer):
    """Serves by a handler of its own kind on a free port until ``shutdown``, or Ctrl-C in ``serve_forever``."""

    daemon_threads = True

    def __init__(self, handler: "type[LoopbackHandler]") -> None:
        super().__init__((_HOST, 0), handler)

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Return the address of the first page."""
        return f"http://{_HOST}:{self.port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away in the middle of an answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers GET, and nothing else: there is nothing to change. ``page`` is what each kind of pages brings."""

    server: LoopbackServer
    timeout = 30
    server_version, sys_version = "newsletter", ""

    def do_GET(self) -> None:
        """Answer a request that names this machine; refuse any other."""
        if self.headers.get("Host") not in {f"{_HOST}:{self.server.port}", f"localhost:{self.server.port}"}:
            self.say(HTTPStatus.MISDIRECTED_REQUEST, f"This is {self.server.url}")
        else:
            self.page(unquote(self.path.partition("?")[0]).split("/")[1:])

    def page(self, parts: list[str]) -> None:
        """Answer a request for the path of these *parts*."""
        raise NotImplementedError

    def say(self, status: HTTPStatus, text: str) -> None:
        """Answer with a plain sentence."""
        self.answer("text/plain", text + "\n", status)

    def answer(self, kind: str, content: str, status: HTTPStatus = HTTPStatus.OK, *, policy: str = _POLICY) -> None:
        """Answer with *content* of the media type *kind*, under a Content-Security-Policy."""
        body = content.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", policy),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing."""

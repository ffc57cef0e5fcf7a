"""An HTTP server on loopback that plays a language model's chat completions, and every way in which they fail."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Question:
    """What was asked: the request's path, headers (names in lower case) and JSON."""

    path: str
    headers: dict[str, str]
    document: dict[str, Any]

    @property
    def text(self) -> str:
        """Return what the user's turn says."""
        return str(self.document["messages"][1]["content"])

    @property
    def title(self) -> str:
        """Return the paper's title."""
        return self.text.splitlines()[0].removeprefix("Title: ")


@dataclass(frozen=True)
class Reply:
    """One answer. ``silent`` never comes; ``dropped`` closes the connection without a word."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    dropped: bool = False


def completion(text: object, finished: str | None = "stop") -> Reply:
    """Return a whole chat completion that says *text*."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finished}
    return Reply(json.dumps({"object": "chat.completion", "choices": [choice], "usage": {}}).encode())


class ChatServer:
    """Answers each question with what ``say`` makes of it. ``asked`` is every question that came."""

    def __init__(self, say: Callable[[Question], Reply], tls: ssl.SSLContext | None = None) -> None:
        self.say = say
        self.asked: list[Question] = []
        self._closing = threading.Event()
        chat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                question = Question(self.path, headers, document)
                chat.asked.append(question)
                reply = chat.say(question)
                if reply.silent:
                    chat._closing.wait(60)
                if reply.silent or reply.dropped:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # who asked has hung up

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http{'s' * (tls is not None)}://127.0.0.1:{self.port}/v1"

    @property
    def titles(self) -> list[str]:
        """Return the titles of the papers for which it was asked, in order."""
        return [question.title for question in self.asked]

    def close(self) -> None:
        """Stop answering."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

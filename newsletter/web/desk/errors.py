"""How requests below ``/desk`` end that no page answers: in the look and the words of the desk.

Not here: what a page itself refuses (``pages``), and the readers' pages (``application``).
"""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from newsletter.web.desk.pages import HEADERS, Desk
from newsletter.web.turnstile import retry_after

_SAID = {
    403: (
        "That form does not count",
        "It comes from another page, or from before you logged in. Open its page again, and repeat what you did.",
    ),
    404: ("There is no such page", "The address may be incomplete, or what it led to is gone."),
    405: ("This page cannot do that", "Open it by its address, and use its buttons."),
    408: ("That took too long", "What was sent did not arrive in time. Please try again."),
    413: ("That is too much", "What was sent is larger than the desk takes. Please send less."),
    429: (
        "That was too often",
        "So much was asked from your network that it has to wait. Please try again in a while.",
    ),
    500: (
        "Something went wrong here",
        "The newsletter's log says what. Look whether it was done before you repeat it.",
    ),
}
_OTHER = ("That cannot be answered", "What was sent is none of the desk's forms. Please try again from its page.")


class Errors:
    """The pages of errors of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        title, text = _SAID[500]
        bare = {"inside": False, "word": "", "word_is_wrong": False, "path": "", "today": "", "token": ""}
        self._broken = desk.html("message.html", title=title, text=text, **bare)

    @staticmethod
    def concern(request: Request) -> bool:
        """Return whether a request is about the desk."""
        return request.url.path.split("/")[1:2] == ["desk"]

    def refused(self, request: Request, status: int) -> Response:
        """Return the page for what is not answered."""
        return self._desk.message(request, *_SAID.get(status, _OTHER), status)

    def too_many(self, request: Request, wait: timedelta) -> Response:
        """Return the page for what was done too often, and may be done again after *wait*."""
        answer = self._desk.show(request, None, "message.html", status=429, title=_SAID[429][0], text=_SAID[429][1])
        answer.headers.update(retry_after(wait))
        return answer

    def broken(self) -> Response:
        """Return the page for a fault of ours. It was rendered beforehand, so that it cannot fail too."""
        return HTMLResponse(self._broken, 500, headers=HEADERS)

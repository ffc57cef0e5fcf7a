"""A language model behind an OpenAI-compatible URL: one question, one answer (``POST …/chat/completions``).

Not here: what is asked and whether the answer can stand in a mail (``services/summarise.py``). Neither ``max_tokens``
nor ``temperature`` is sent, for some servers refuse the one or the other; time and size bound an answer.
"""

import json
from dataclasses import dataclass
from typing import Self

from newsletter.errors import SourceError
from newsletter.sources.client import Client
from newsletter.sources.response import Response, StatusError

_MOST = 2**20  # bytes of an answer; two sentences take two thousand
_ABOUT_THIS_ONE = {400, 413, 422}  # too long for this model, or its filter was against it
_UNFINISHED = ("length", "content_filter")
_ADVICE = {
    401: "check summaries.api_key_file",
    402: "check the account that summaries.api_key_file belongs to",
    403: "check summaries.api_key_file, and that it may use this model",
    404: "check summaries.url, which ends before /chat/completions, and summaries.model",
}


class RefusedError(SourceError):
    """The server will answer nothing until a person changes the configuration."""


class UselessError(SourceError):
    """What the server said of this one question is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatServer:
    """Where the model is, and how it is asked. ``timeout`` is in seconds, for one answer."""

    url: str
    model: str
    key: str
    timeout: float
    user_agent: str
    allow_private_address: bool


class ChatModel:
    """A turn with the model at *server*."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self._client = Client(user_agent=server.user_agent, allow_private_address=server.allow_private_address)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    async def answer(self, instruction: str, question: str) -> str:
        """Return what the model says to *question* under *instruction*, as it says it.

        Raises UselessError for an answer that is cut short or holds no text, RefusedError where a person has to change
        something, and SourceError for what may pass.
        """
        server = self._server
        document = {
            "model": server.model,
            "messages": [{"role": "system", "content": instruction}, {"role": "user", "content": question}],
            "stream": False,
        }
        headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
        try:
            response = await self._client.post(
                f"{server.url}/chat/completions", document, headers=headers, seconds=server.timeout, most=_MOST
            )
        except StatusError as error:
            raise _explained(error) from None
        return _said(response)


def _explained(error: StatusError) -> SourceError:
    what, _, _ = str(error).rpartition("; ")
    if error.status in _ABOUT_THIS_ONE:
        return UselessError(what)
    return RefusedError(f"{what}; {_ADVICE.get(error.status, 'check summaries.url')}")


def _said(response: Response) -> str:
    try:
        choice = json.loads(response.body)["choices"][0]
        finished, said = choice.get("finish_reason"), choice["message"]["content"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SourceError(
            f"{response.place}: answered with what is no chat completion; check that summaries.url is OpenAI-compatible"
        ) from None
    if finished in _UNFINISHED:
        raise UselessError(f"{response.place}: the answer ended early ({finished})")
    if not isinstance(said, str):
        raise UselessError(f"{response.place}: the answer has no text")
    return said

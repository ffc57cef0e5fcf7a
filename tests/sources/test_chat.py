"""A language model's answers, over real HTTP on loopback: what is taken, and how each failure is told."""

import asyncio
import gzip
import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import ChatServer, Question, Reply, completion

from newsletter.errors import SourceError
from newsletter.sources import chat as module
from newsletter.sources.chat import ChatModel, RefusedError, UselessError

Ask = Callable[..., str]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """Return a model that says the same to everything, unless a test tells it otherwise."""
    made = ChatServer(lambda _: completion("It works."))
    yield made
    made.close()


@pytest.fixture
def ask(server: ChatServer) -> Ask:
    """Return what asks the model once."""

    def ask(**changed: object) -> str:
        known = module.ChatServer(
            url=server.url,
            model="small",
            key="a-key",
            timeout=10,
            user_agent="papers-newsletter/0 (+tests)",
            allow_private_address=True,
        )

        async def turn() -> str:
            async with ChatModel(replace(known, **changed)) as model:  # type: ignore[arg-type]
                return await model.answer("Be brief.", "Title: A")

        return asyncio.run(turn())

    return ask


def test_a_question_is_asked_as_openai_compatible_servers_want_it(server: ChatServer, ask: Ask) -> None:
    """The model, both turns, the key, and who asks; nothing that only some servers take."""
    assert ask() == "It works."
    (question,) = server.asked
    assert question.path == "/v1/chat/completions"
    assert question.document == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Title: A"}],
        "stream": False,
    }
    assert question.headers["authorization"] == "Bearer a-key"
    assert question.headers["content-type"] == "application/json"
    assert question.headers["user-agent"].startswith("papers-newsletter/")


def test_without_a_key_none_is_sent(server: ChatServer, ask: Ask) -> None:
    """As servers on one's own machine have it."""
    ask(key="")
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("finished", ["stop", None, "eos"])
def test_an_answer_that_ended_by_itself_is_whole(server: ChatServer, ask: Ask, finished: str | None) -> None:
    """Servers name that in different ways, or not at all."""
    server.say = lambda _: completion("Whole.", finished)
    assert ask() == "Whole."


def test_a_compressed_answer_is_read(server: ChatServer, ask: Ask) -> None:
    """As any HTTP server may answer."""
    server.say = lambda _: Reply(gzip.compress(completion("Small.").body), headers={"Content-Encoding": "gzip"})
    assert ask() == "Small."


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"{}", 401), "summaries.api_key_file"),
        (Reply(b"{}", 402), "account"),
        (Reply(b"{}", 403), "may use this model"),
        (Reply(b"{}", 404), "summaries.url"),
        (Reply(b"{}", 405), "summaries.url"),
    ],
)
def test_what_a_person_must_change_is_said(server: ChatServer, ask: Ask, reply: Reply, said: str) -> None:
    """With the place where to look, and without the key."""
    server.say = lambda _: reply
    with pytest.raises(RefusedError, match=said) as caught:
        ask()
    assert f"127.0.0.1:{server.port}/v1/chat/completions: answered {reply.status}" in str(caught.value)
    assert "a-key" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        completion("An answer that was cut", "length"),
        completion("An answer that a filter", "content_filter"),
        completion(None),
        completion([{"type": "text", "text": "in parts"}]),
        Reply(b'{"error": "too long for this model"}', 400),
        Reply(b"{}", 413),
        Reply(b"{}", 422),
    ],
)
def test_what_concerns_one_question_only_is_told_apart(server: ChatServer, ask: Ask, reply: Reply) -> None:
    """The next question may well have an answer."""
    server.say = lambda _: reply
    with pytest.raises(UselessError):
        ask()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>We are back soon.</html>",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": "text"}]}',
        b'{"choices": [{"text": "of the older interface"}]}',
        b"[" * 200_000,
        b"9" * 10_000,
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_garbage_is_an_error_and_not_a_fault(server: ChatServer, ask: Ask, body: bytes) -> None:
    """Whatever comes with status 200."""
    server.say = lambda _: Reply(body)
    with pytest.raises(SourceError):
        ask()


@pytest.mark.parametrize("packed", [False, True])
def test_a_huge_answer_is_not_read_to_its_end(server: ChatServer, ask: Ask, packed: bool) -> None:
    """Nor one that is huge once it is unpacked."""
    huge = completion("x" * 30_000_000).body
    encoding = {"Content-Encoding": "gzip"} if packed else {}
    server.say = lambda _: Reply(gzip.compress(huge, 1) if packed else huge, headers=encoding)
    with pytest.raises(SourceError, match="more than 1 MB"):
        ask()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_may_pass_is_asked_once_and_left_to_the_next_run(server: ChatServer, ask: Ask, status: int) -> None:
    """An answer may cost money, and here nobody waits for one."""
    server.say = lambda _: Reply(b"{}", status)
    with pytest.raises(SourceError, match=f"answered {status}") as caught:
        ask()
    assert type(caught.value) is SourceError
    assert caught.value.retry_at is None
    assert len(server.asked) == 1


def test_retry_after_is_told(server: ChatServer, ask: Ask) -> None:
    """So that nobody asks before."""
    server.say = lambda _: Reply(b"{}", 429, {"Retry-After": "7200"})
    with pytest.raises(SourceError, match="wants no request before") as caught:
        ask()
    assert caught.value.retry_at is not None


def test_a_redirect_takes_the_key_nowhere(server: ChatServer, ask: Ask) -> None:
    """Not even to the same server."""
    server.say = lambda _: Reply(b"", 307, {"Location": f"{server.url}/elsewhere?key=x"})
    with pytest.raises(SourceError, match=r"redirects to 127\.0\.0\.1:\d+/v1/elsewhere; "):
        ask()
    assert len(server.asked) == 1


@pytest.mark.parametrize("reply", [Reply(silent=True), Reply(dropped=True)])
def test_a_server_that_does_not_answer_is_given_up(server: ChatServer, ask: Ask, reply: Reply) -> None:
    """One that is silent after the time-out, one that hangs up at once."""
    server.say = lambda _: reply
    with pytest.raises(SourceError, match=r"within 0\.2 s|connection failed"):
        ask(timeout=0.2)


def test_a_private_address_must_be_allowed(server: ChatServer, ask: Ask) -> None:
    """As for sources: nothing on this machine is reached by mistake."""
    with pytest.raises(SourceError, match="allow_private_address = true"):
        ask(allow_private_address=False)
    assert server.asked == []


def test_a_url_that_is_none_is_said(ask: Ask) -> None:
    """What the configuration lets through, and the network does not."""
    with pytest.raises(SourceError, match="is not a URL"):
        ask(url="http://[::1")


def test_nobody_listens(server: ChatServer, ask: Ask) -> None:
    """A model that was not started."""
    server.close()
    with pytest.raises(SourceError, match="the connection failed"):
        ask()


@pytest.mark.system("openssl")
def test_a_certificate_of_nobody_is_refused(tmp_path: Path, ask: Ask) -> None:
    """The question, and the key, are not sent."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = [str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")]
    subprocess.run([*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    secured = ChatServer(lambda _: completion("It works."), context)
    with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(url=secured.url)
    assert secured.asked == []
    secured.close()


def test_a_question_in_any_script_arrives(server: ChatServer, ask: Ask) -> None:
    """As UTF-8, and so does the answer."""

    def echo(question: Question) -> Reply:
        return completion(json.loads(json.dumps(question.document))["model"])

    server.say = echo
    assert ask(model="模型 Ω") == "模型 Ω"

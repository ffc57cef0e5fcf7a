"""A digest mailed as a test, and what the server that took it in says of it (Authentication-Results, RFC 8601).

The digest is the one that ``issues preview --send-to`` mails. Not here: what is published for receivers to check by
(``reputation``).
"""

import mailbox
import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import Message
from functools import partial
from pathlib import Path

from newsletter.errors import IncompleteError, NotFoundError, UsageError
from newsletter.services import imap
from newsletter.services.dispatch import Dispatch
from newsletter.services.findings import Finding, Level
from newsletter.services.preview import newest_day, preview, send_test

_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r";\s*(spf|dkim|dmarc)\s*=\s*(\w+)", re.IGNORECASE)
_POLL = 0.5  # seconds between looks into the mailbox
_WANTED = {
    "spf": "let the SPF record name the server that sends",
    "dkim": "publish the key that signs, and let no server on the way change mails",
    "dmarc": "let SPF or DKIM pass for the sender's own domain",
}


async def send_digest(dispatch: Dispatch, to: str, now: datetime) -> tuple[Finding, str]:
    """Mail the newest digest to *to* as a test. Return what came of it, and its Message-ID, or ''."""
    name = f"mail to {to}"
    try:
        found = preview(dispatch, newest_day(dispatch, now), None, now)
        sent = await send_test(dispatch, found, to, now)
    except NotFoundError as error:
        return Finding(name, Level.WARN, f"nothing to send: {error}"), ""
    except IncompleteError as error:
        return Finding(name, Level.FAIL, str(error)), ""
    return Finding(name, Level.OK, f"was taken: {sent.subject}"), sent.message_id


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail arrives: what it is called, and how to look into it. Looking moves and marks nothing."""

    name: str
    look: Callable[[], Generator[Message]]


def mailbox_named(dispatch: Dispatch, named: str) -> Mailbox:
    """Return the mailbox that is called ``imap``, that of ``[bounces.imap]``, or a Maildir. Raises UsageError."""
    if named == "imap":
        host = dispatch.settings.bounces.imap.host
        if not host:
            raise UsageError("--mailbox imap: reads the mailbox of [bounces.imap], which is not set")
        return Mailbox(f"the mailbox at {host}", partial(_by_imap, dispatch))
    folder = Path(named)
    if not all((folder / part).is_dir() for part in ("cur", "new", "tmp")):
        raise UsageError(f"--mailbox {named}: is no Maildir (a folder with cur, new and tmp in it)")
    return Mailbox(named, partial(_in_maildir, folder))


def read_back(box: Mailbox, message_id: str, patience: float) -> Iterator[Finding]:
    """Wait for the mail in *box*, and yield what its receiver says of it. Raises IncompleteError for a closed one."""
    message = _arrived(box.look, message_id, patience)
    if message is None:
        text = f"did not arrive in {box.name} within {patience:.0f} s"
        yield Finding("arrival", Level.WARN, text, "look into the spam folder, and at the log of the mail server")
        return
    results = message.get("Authentication-Results", "")
    if not results:
        text = "arrived, but its receiver does not say what it checked (no Authentication-Results)"
        yield Finding("arrival", Level.WARN, text, "try an address at a provider that says it, such as Gmail")
        return
    said = verdicts(str(results))
    for method, remedy in _WANTED.items():
        verdict = said.get(method, "none")
        good = verdict == "pass"
        yield Finding(f"arrival {method}", Level.OK if good else Level.WARN, verdict, "" if good else remedy)


def verdicts(results: str) -> dict[str, str]:
    """Return the verdict of each method in a header; where a method has several, a pass counts."""
    bare, before = results, None
    while bare != before:  # comments nest
        before, bare = bare, _COMMENT.sub(" ", bare)
    said: dict[str, str] = {}
    for method, verdict in _RESULT.findall(" ".join(bare.split())):
        if said.get(method.lower()) != "pass":
            said[method.lower()] = verdict.lower()
    return said


def _arrived(look: Callable[[], Generator[Message]], message_id: str, patience: float) -> Message | None:
    until = time.monotonic() + patience
    while True:
        with closing(look()) as messages:  # a connection ends with the look
            if found := next((message for message in messages if message["Message-ID"] == message_id), None):
                return found
        if time.monotonic() > until:
            return None
        time.sleep(_POLL)


def _in_maildir(maildir: Path) -> Generator[Message]:
    yield from mailbox.Maildir(maildir, create=False)


def _by_imap(dispatch: Dispatch) -> Generator[Message]:
    letters = imap.letters(dispatch.settings.bounces.imap, dispatch.settings.bounce_secrets["imap"])
    with closing(letters):
        for letter in letters:
            yield message_from_bytes(letter.raw, policy=policy.default)

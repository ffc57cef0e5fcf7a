"""A mailbox at a server, read by IMAP with the extra ``bounces``.

What was acted on is moved to a folder of its own, one mail at a time, and nothing else: nothing is marked, and nothing
deleted. What is in the way is one line for the operator, and the next tick tries again.
"""

import imaplib
import ssl
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from newsletter.config.returns import ImapSettings
from newsletter.errors import ExtraError, IncompleteError
from newsletter.services.mailboxes import Letter

if TYPE_CHECKING:
    from imap_tools import BaseMailBox

AT_ONCE = 500  # mails of one tick
_PATIENCE = 30  # seconds for each answer


def letters(settings: ImapSettings, password: str) -> Generator[Letter]:
    """Yield the mails that wait in the mailbox, the oldest first.

    Raises ExtraError without the extra, IncompleteError where the server is not there or refuses.
    """
    try:
        import imap_tools  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ExtraError("reading a mailbox by IMAP", "bounces") from error
    try:
        with _opened(imap_tools, settings).login(settings.username, password, settings.folder) as box:
            if not box.folder.exists(settings.done_folder):
                box.folder.create(settings.done_folder)
            for uid in box.uids(charset=None)[:AT_ONCE]:
                if raw := _content(box, uid):
                    yield Letter(raw, partial(_move, box, uid, settings.done_folder))
    except (imap_tools.ImapToolsError, imaplib.IMAP4.error, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise IncompleteError(
            f"the mailbox of {settings.username} at {settings.host} could not be read ({said}); "
            "look at [bounces.imap], and at the server"
        ) from error


def _opened(imap_tools: Any, settings: ImapSettings) -> "BaseMailBox":
    where: dict[str, Any] = {"host": settings.host, "port": settings.port, "timeout": _PATIENCE}
    if settings.security == "none":
        return imap_tools.MailBoxUnencrypted(**where)  # type: ignore[no-any-return]
    kind = imap_tools.MailBox if settings.security == "tls" else imap_tools.MailBoxStartTls
    return kind(**where, ssl_context=ssl.create_default_context())  # type: ignore[no-any-return]


def _move(box: "BaseMailBox", uid: str, folder: str) -> None:
    box.move(uid, folder)


def _content(box: "BaseMailBox", uid: str) -> bytes:
    """Return a mail to the octet, without marking it as seen; b'' for one that is gone."""
    _, parts = box.client.uid("FETCH", uid, "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), b"")

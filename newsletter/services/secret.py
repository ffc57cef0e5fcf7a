"""The secret that signs links: replaced by a new one, or taken for the database's own after a loss.

The file holds one secret a line: the first signs, all verify. Not here: reading it (``config``), and refusing one that
is not the database's (``dispatch``).
"""

import os
import secrets
from pathlib import Path

from newsletter.config.settings import Settings
from newsletter.errors import ConfigurationError
from newsletter.mail.tokens import Signer
from newsletter.services.dispatch import SECRET
from newsletter.storage import problems
from newsletter.storage.database import Database


def rotate(settings: Settings, database: Database, *, leaked: bool) -> int:
    """Let a new secret sign. The others still verify, unless they have *leaked*. Return how many still verify.

    A process that is killed anywhere leaves a file with which everything works. Raises ConfigurationError.
    """
    if settings.newsletter.secret.get_secret_value():
        raise ConfigurationError(
            "newsletter.secret is given itself, so that it cannot be replaced here: put a new one before it, with a "
            "blank between, or use newsletter.secret_file"
        )
    file, new, old = settings.newsletter.secret_file, secrets.token_urlsafe(32), settings.secrets
    _write(file, (new, *old))
    if not leaked:
        return len(old)
    adopt(database, (new,))  # before the old ones go, or nobody could send if we died between
    _write(file, (new,))
    return 0


def adopt(database: Database, known: tuple[str, ...]) -> bool:
    """Let the database take the secrets *known* now for its own. Return whether it was used with another one."""
    ours = Signer(known).fingerprints()
    with database.write() as session:
        before = problems.fact(session, SECRET)
        problems.keep_fact(session, SECRET, ours[0])
    return before is not None and before not in ours


def _write(file: Path, lines: tuple[str, ...]) -> None:
    """Replace *file*, never half, with its owner and mode kept."""
    draft = file.with_name(f".{file.name}.new")
    try:
        before = file.stat()
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("w", encoding="utf-8") as content:
            content.write("".join(f"{line}\n" for line in lines))
            content.flush()
            os.fsync(content.fileno())
        if os.geteuid() == 0:
            os.chown(draft, before.st_uid, before.st_gid)
        draft.chmod(before.st_mode & 0o777)
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(
            f"newsletter.secret_file = {str(file)!r}: cannot be written ({error.strerror})"
        ) from error

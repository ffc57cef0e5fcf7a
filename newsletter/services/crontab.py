"""The crontab line: one line in the user's crontab, known by its mark, that runs the newsletter.

Promises that the rest of the crontab stays as it is, byte for byte. Everything goes through the ``crontab``
program, which alone may write there; two changes at the same instant are not kept apart, as by that program itself.
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import NewsletterError, UsageError


@dataclass(frozen=True)
class Job:
    """What cron shall run: the newsletter of *config*, by the interpreter *python*. Both paths are absolute."""

    config: Path
    python: str

    @property
    def mark(self) -> bytes:
        """Return the end of the line, a comment to the shell; several newsletters each have their own."""
        return b" # papers-newsletter " + _for_cron(str(self.config))

    def line(self, every: str) -> bytes:
        """Return the line that runs it once in *every* ("5m", "1h"). Raises UsageError."""
        command = shlex.join([self.python, "-m", "newsletter", "--config", str(self.config), "run"])
        return fields(every).encode() + b" " + _for_cron(command) + self.mark


def fields(every: str) -> str:
    """Return crontab(5)'s five fields for *every*, 1m to 59m or 1h to 23h. Raises UsageError."""
    found = re.fullmatch(r"([1-9]\d?)([mh])", every, re.ASCII)
    number, unit = (int(found[1]), found[2]) if found else (0, "")
    if not number or number > {"m": 59, "h": 23}[unit]:
        raise UsageError(f"--every {every!r}: use 1m to 59m, or 1h to 23h")
    step = "*" if number == 1 else f"*/{number}"
    return f"{step} * * * *" if unit == "m" else f"0 {step} * * *"


def _for_cron(text: str) -> bytes:
    # To cron an unescaped percent sign ends the command, and so does a newline that nothing can escape.
    if re.search(r"[\0\r\n]", text):
        raise UsageError(f"{text!r}: cron cannot take a path with a line break")
    return os.fsencode(text).replace(b"%", rb"\%")


def installed(job: Job) -> bytes | None:
    """Return the line of *job* in the user's crontab, None where there is none. Raises NewsletterError."""
    return next((line for line in _read().split(b"\n") if _is(line, job)), None)


def install(job: Job, every: str) -> bytes:
    """Put the line of *job* into the user's crontab, in place of the one before, and return it.

    Raises UsageError for a wrong *every*, NewsletterError when the crontab cannot be read or written.
    """
    line = job.line(every)
    before = _read()
    after = with_line(before, job, line)
    if after != before:
        _write(after)
    return line


def remove(job: Job) -> bytes | None:
    """Take the line of *job* out of the user's crontab and return it, if there was one. Raises NewsletterError."""
    before = _read()
    lines = before.split(b"\n")
    if not any(_is(line, job) for line in lines):
        return None
    _write(b"\n".join(line for line in lines if not _is(line, job)))
    return next(line for line in lines if _is(line, job))


def with_line(crontab: bytes, job: Job, line: bytes) -> bytes:
    """Return *crontab* with *line* as the only one of *job*: where it was, or else after the last whole line."""
    lines = crontab.split(b"\n")
    others = [other for other in lines if not _is(other, job)]
    # What follows the last newline, mostly nothing, is not terminated and has to stay last.
    place = next((i for i, other in enumerate(lines) if _is(other, job)), len(lines) - 1)
    return b"\n".join([*others[:place], line, *others[place:]])


def _is(line: bytes, job: Job) -> bool:
    return line.rstrip(b"\r").endswith(job.mark)


def _read() -> bytes:
    done = _crontab("-l", b"")
    # Having none is a failure to crontab(1): "no crontab for me", or BusyBox's "can't open 'me'".
    if done.returncode and not re.search(b"no crontab for|can't open", done.stderr):
        raise NewsletterError(f"the crontab cannot be read: {_said(done)}")
    return b"" if done.returncode else done.stdout


def _write(crontab: bytes) -> None:
    done = _crontab("-", crontab)
    if done.returncode:
        raise NewsletterError(f"the crontab was left as it is, since it was refused: {_said(done)}")


def _crontab(argument: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        command = ["crontab", argument]  # the one that the user's own PATH names
        return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)  # noqa: S603
    except FileNotFoundError as error:
        raise NewsletterError(
            "there is no program 'crontab': install cron, or let 'newsletter serve' or systemd keep the time"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NewsletterError(f"the program 'crontab' does not work: {error}") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    said = " ".join(done.stderr.decode(errors="replace").split())
    return said or f"crontab ended with status {done.returncode}"

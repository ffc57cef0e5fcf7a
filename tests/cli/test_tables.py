"""Tables on a terminal: no line is longer than it is wide, and nothing is left out."""

import os
import pty
import re
import subprocess
import sys

from newsroom import Newsroom

DAY = "2026-07-15"
TITLE = "A rather long title of number {} that says in many words what is in the paper and for whom it was written"


def shown(newsroom: Newsroom, *command: str, columns: int) -> list[str]:
    """Return the lines that a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "newsletter", "--config", str(newsroom.config), *command]
    env = {**os.environ, "COLUMNS": str(columns)}
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other end was closed
            pass
    os.close(ours)
    assert process.returncode == 0, said
    return said.decode().replace("\r", "").split("\n")


def test_an_issue_fits(newsroom: Newsroom) -> None:
    """Headings that are wider than what stands below them count as well, and so does the editor's note."""
    newsroom.publish(DAY, *(TITLE.format(n) for n in range(10)), comments=3)
    newsroom.run("gather", "--date", DAY)
    newsroom.run("issues", "note", DAY, "2607.00003", "Read this one first, and then the one that it cites, " * 3)
    newsroom.run("issues", "pin", DAY, "2607.00001")
    for columns in (60, 80):
        lines = shown(newsroom, "issues", "show", DAY, columns=columns)
        assert columns - 12 < max(map(len, lines)) <= columns
    assert re.sub(r"\s+", "", TITLE.format(9))[-20:] in re.sub(r"\s+", "", "".join(lines))

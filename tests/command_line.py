"""The command line as it is typed, run in this process."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import Any

from newsletter.cli.main import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return its answer, which must be one JSON document and nothing else."""
        return json.loads(self.out)


def newsletter(*arguments: object) -> Done:
    """Run ``newsletter ARGUMENTS`` by its real entry point."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["newsletter", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        status = ended.code
    else:
        status = 0
    finally:
        sys.argv = before
    return Done(int(status or 0), out.getvalue(), err.getvalue())

"""An empty database of the newest version, made once for a process of tests: migrating one takes a tenth of a second.

That migrations make it is what ``storage`` tests; whoever wants a newsletter with one only needs a copy.
"""

import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from newsletter.storage.upgrade import upgrade


def put_database(path: Path) -> None:
    """Put an empty database at *path*."""
    shutil.copy(_made(), path)


@cache
def _made() -> Path:
    path = Path(tempfile.mkdtemp(prefix="newsletter-made-")) / "newsletter.db"
    upgrade(path, datetime(2026, 7, 1, tzinfo=UTC))
    return path

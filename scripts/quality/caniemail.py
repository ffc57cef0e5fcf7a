"""Make the extract of caniemail.com that the tests carry: which mail program supports which feature.

    .venv/bin/python scripts/quality/caniemail.py FOLDER > tests/quality/caniemail.json

FOLDER is a checkout of https://github.com/hteumeuleu/caniemail (MIT licence). Only facts are taken: of each feature of
HTML and CSS the newest verdict for each program below: y(es), a(lmost), n(o) or u(nknown), '-' where nobody tested.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = {
    "gmail": ("desktop-webmail", "mobile-webmail", "ios", "android"),
    "outlook": ("windows", "windows-mail", "macos", "outlook-com", "ios", "android"),
    "apple-mail": ("macos", "ios"),
    "yahoo": ("desktop-webmail", "ios", "android"),
    "protonmail": ("desktop-webmail", "ios", "android"),
    "thunderbird": ("macos", "windows"),
}
_BLOCK = r"{name}\s*:\s*\{{([^{{}}]*(?:\{{[^{{}}]*\}}[^{{}}]*)*)\}}"
_VERDICT = re.compile(r"\"([^\"]+)\"\s*:\s*\"([yanu])\b")


def block(text: str, name: str) -> str:
    """Return what stands between the braces of *name*, '' where it is not there."""
    found = re.search(_BLOCK.format(name=re.escape(name)), text)
    return found[1] if found else ""


def verdicts(page: str) -> Iterator[str]:
    """Yield the newest verdict for each program."""
    stats = page.partition("stats:")[2]
    for program, platforms in PROGRAMS.items():
        for platform in platforms:
            tested = _VERDICT.findall(block(block(stats, program), platform))
            yield tested[-1][1] if tested else "-"


def extract(folder: Path) -> dict[str, Any]:
    """Return the extract of the checkout in *folder*."""
    pages = sorted(path for kind in ("css", "html", "image") for path in (folder / "_features").glob(f"{kind}-*.md"))
    if not pages:
        raise SystemExit(f"{folder}: no _features/css-*.md there; is it a checkout of caniemail?")
    return {
        "source": "https://github.com/hteumeuleu/caniemail, MIT licence; commit 6b086a3483a9 of 2026-06-29",
        "made_by": "scripts/quality/caniemail.py",
        "programs": [f"{program} {platform}" for program, platforms in PROGRAMS.items() for platform in platforms],
        "features": {page.stem: "".join(verdicts(page.read_text())) for page in pages},
    }


if __name__ == "__main__":
    print(json.dumps(extract(Path(sys.argv[1])), indent=1))

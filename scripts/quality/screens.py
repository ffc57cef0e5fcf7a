"""Take pictures of mails on every screen: large ones to look at, or the small ones that tests compare with.

    .venv/bin/python scripts/quality/screens.py DIR        large ones, in DIR; of every kind of mail with --all
    .venv/bin/python scripts/quality/screens.py --renew    the references, in tests/quality/pictures; look at DIR first

Needs Chromium, and Pillow of the development packages.
"""

import argparse
import shutil
from pathlib import Path

from _mails import ROOT, hostile, one_paper, other_mails, own_digests
from screens import pictures

REFERENCES = ROOT / "tests" / "quality" / "pictures"


def shown(*, everything: bool) -> dict[str, str]:
    """Return the HTML of the mails by name: an ordinary day, a hostile one, one paper, and all others if wanted."""
    mails = {"ordinary": own_digests()[-3], "hostile": hostile()[0], "one": one_paper()}
    if everything:
        mails |= {f"other-{judged.file}": judged for judged in other_mails()}
    return {name: judged.mail.html for name, judged in mails.items() if judged.mail.html}


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--all", action="store_true", help="of every kind of mail")
    parser.add_argument("--renew", action="store_true", help="make the references anew")
    asked = parser.parse_args()
    if asked.renew == bool(asked.folder):
        parser.error("give a folder for large pictures, or --renew")
    folder = asked.folder or REFERENCES
    if asked.renew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(shown(everything=asked.all), whole=not asked.renew):
        picture.save(folder / f"{name}.png", optimize=True)
    files = list(folder.glob("*.png"))
    print(f"{len(files)} pictures, {sum(file.stat().st_size for file in files) // 1000} KB, in {folder}")


if __name__ == "__main__":
    main()

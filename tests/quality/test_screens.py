"""How mails look, beside pictures that a person has looked at.

``scripts/quality/screens.py --renew`` makes the pictures anew, ``screens.py DIR`` large ones to look at.
"""

from pathlib import Path
from typing import Any

import pytest
from corpus import Judged

Image = pytest.importorskip("PIL.Image")
screens = pytest.importorskip("screens")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REFERENCES = Path(__file__).with_name("pictures")
TOLERANCE = 0.01  # of the squares may differ: what moves or changes colour takes six times as many


@pytest.fixture(scope="session")
def shown(own_digests: list[Judged], hostile: list[Judged], one_paper: Judged) -> dict[str, str]:
    """Return the HTML of an ordinary day, a hostile one and one of a single paper."""
    return {"ordinary": own_digests[-3].mail.html, "hostile": hostile[0].mail.html, "one": one_paper.mail.html}


@pytest.mark.system("chromium")
def test_mails_look_as_they_did(shown: dict[str, str], tmp_path: Path) -> None:
    """On three widths, light and dark, with images and without; what looks otherwise is left in a folder."""
    if not REFERENCES.is_dir():
        pytest.skip("needs the reference pictures: 'scripts/quality/screens.py --renew' makes them, and a person looks")
    known = {file.stem: file for file in REFERENCES.glob("*.png")}
    taken = dict(screens.pictures(shown))
    differing = {}
    for name, screen in taken.items():
        found = screens.difference(screen, Image.open(known[name])) if name in known else 1.0
        if found > TOLERANCE:
            screen.save(tmp_path / f"{name}.png")
            differing[name] = round(found, 3)
    assert sorted(known) == sorted(taken)
    assert differing == {}, f"see {tmp_path} beside {REFERENCES}; if it is better: scripts/quality/screens.py --renew"


BROKEN = {
    "a { letter-spacing: 0.05px }": False,
    "* { text-shadow: 0 0 0.4px currentColor }": False,
    "p { margin-left: 24px !important }": True,
    "td { background: none !important } .sheet { background-color: #ccc !important }": True,
    "h1, h2, h3 { font-size: 40px !important }": True,
    "table { width: 50% !important }": True,
}


@pytest.fixture(scope="module")
def broken(shown: dict[str, str]) -> dict[str, Any]:
    """Return the picture of the ordinary day on one screen ('') and of each way to break it."""
    before = shown["ordinary"]
    mails = {"": before, **{one: before.replace("</head>", f"<style>{one}</style></head>") for one in BROKEN}}
    assert len(set(mails.values())) == len(mails)
    taken = dict(screens.pictures(mails, widths=[600], schemes=["light"]))
    return {name: taken[f"{name}-600-light-images"] for name in mails}


@pytest.mark.system("chromium")
@pytest.mark.parametrize(("way", "seen"), BROKEN.items())
def test_broken_layout_is_seen_and_smoothing_is_not(broken: dict[str, Any], way: str, seen: bool) -> None:
    """Another column, ground or size is a difference; letters a little bolder or wider are none."""
    found = screens.difference(broken[""], broken[way])
    assert (found > TOLERANCE) == seen, found

"""Papers whose every fact is an attack, on every page, in every feed, answer for programs and file that shows them."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx2
from hostile import alive, sendable, well_known
from served import Site

from newsletter.domain.text import plain
from newsletter.services.library import read_library

DAY = "2026-07-15"
EVERY = 30  # of the corpora
TABLES = {"web": {"requests_per_minute": 0}, "newsletter": {"max_papers": 40}}
OWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]><x:y>&amp;</entry><script>",
    "=cmd|' /C calc'!A0",
    "@article{x,\n title={}}\r\nTY  - JOUR\r\nER  - \r\n",
    "{{ 7*7 }}{% include 'web/home.html' %}",
    "javascript:alert(1)",
    "𝐁\u202e\x00\u2028\ufffe line",
)
PLACES = (
    "/", "/de/", "/archive", f"/archive/{DAY}", f"/day/{DAY}", "/week/2026-W29", "/month/2026-07", "/trending",
    "/search?q=study", "/feeds/issues.atom", "/feeds/issues.json", "/feeds/search.atom?q=study",
    "/feeds/search.json?q=study", "/feeds/topic/study.atom", "/feeds/category/cs.CL.json", "/api/papers?q=study",
    f"/api/issues/{DAY}", "/api/issues",
)  # fmt: skip


def _published(site: Site, texts: Sequence[str]) -> list[str]:
    """Publish a paper for each text, which is all of its facts, and an issue of them; return their ids."""
    keys = []
    for number, text in enumerate(texts):
        link = f"https://papers.example/{quote(text[:50])}"
        facts = {
            "authors": [text, f"A. {text}"], "organisation": text, "abstract": f"{text}. A study.", "summary": text,
            "categories": [text[:50], "cs.CL"], "keywords": [text], "links": {"pdf": link, "code": link},
        }  # fmt: skip
        keys += site.room.publish(DAY, f"{text} study {number}", **facts)
    site.room.run("run", "--date", DAY, "--now", expect=None)
    site.room.run("issues", "correct", DAY, texts[0], expect=None)
    return keys


def _asked(site: Site, keys: Sequence[str]) -> Iterator[httpx2.Response]:
    for path in PLACES:
        yield site.client.get(path)
    for key in keys:
        yield site.client.get(f"/papers/{key}")
        yield site.client.get(f"/api/papers/{key}")
        yield from (site.client.get(f"/papers/{key}/cite.{kind}") for kind in ("bib", "ris", "json"))


def judge(site: Site, texts: Sequence[str], folder: Path) -> None:
    """Publish *texts*, and look at everything that shows them."""
    keys, shown = _published(site, texts), 0
    for answer in _asked(site, keys):
        assert answer.status_code == 200, (answer.url.path, answer.status_code)
        assert not alive(answer), (alive(answer), answer.url.path)
        shown += "study" in answer.text
        if re.fullmatch(r"/papers/.*/cite\.(bib|ris|json)", answer.url.path):
            file = folder / f"one.{answer.url.path.rpartition('.')[2]}"
            file.write_text(answer.text)
            assert len(read_library(file)) == 1, (answer.url.path, answer.text)
    assert shown > 5 * len(keys)
    found = {one["key"]: one["title"] for one in site.client.get(f"/api/issues/{DAY}").json()["papers"]}
    said = dict(zip(keys, texts, strict=True))
    assert {key: plain(f"{said[key]} study {keys.index(key)}") for key in found} == found
    assert json.loads(site.room.run("papers", "list", "--date", DAY, "--json").out)


def test_what_papers_bring_is_inert_wherever_it_is_shown(site: Site, tmp_path: Path) -> None:
    """Pages, feeds and the API say it as text; each file of a paper holds one reference and no other."""
    judge(site, OWN, tmp_path)


def test_nothing_well_known_lives_in_a_paper(site: Site, shared: Path, tmp_path: Path) -> None:
    """The same with some of the corpora of hostile strings."""
    texts = [sendable(text) for text in well_known(shared, EVERY) if plain(sendable(text))]
    judge(site, texts, tmp_path)

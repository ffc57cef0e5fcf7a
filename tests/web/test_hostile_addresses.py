"""Whatever stands in the address of a page, feed or answer for programs is text: nothing is alive, nothing breaks."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from hostile import alive, sendable, well_known
from served import Site
from starlette.routing import Route

from newsletter.web.application import application

DAY = "2026-07-15"
TABLES = {"web": {"requests_per_minute": 0}}
EVERY = 60  # of the corpora; with all of them it takes half an hour
OWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "</title></textarea><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "//evil.example/%2e%2e",
    "{{ 7*7 }}{% include 'web/home.html' %}",
    "a\r\nSet-Cookie: x=y\r\n\r\n<b>\0\U0001f4a9\u202e",
    "%00%0d%0a../../../../etc/passwd",
    "]]><x>&amp;",
    'a AND ( "',
    "NEAR(a b) -c* ^title:",
    "99999999999999999999999",
    "-1",
    "𝕊" * 400,
    "",
)
# Whatever any of the pages asks for: each page is asked with all of them at once.
PARAMETERS = (
    "q",
    "sort",
    "page",
    "before",
    "after",
    "topic",
    "category",
    "day",
    "date",
    "limit",
    "format",
    "next",
    "to",
)
_ELSEWHERE = ("/desk", "/webhook")  # where other tests type the same


def paths(site: Site) -> list[str]:
    """Return the addresses of everything that anyone may read, in the newsletter's own language."""
    routes = [route for route in application(site.app).routes if isinstance(route, Route)]
    found = [route.path for route in routes if "GET" in (route.methods or ())]
    return [path for path in found if path and not path.startswith((*_ELSEWHERE, "/de", "/zh-Hans"))]


def asked(path: str, text: str) -> Iterator[str]:
    """Yield addresses of *path* that hold *text*: in place of each of its parts, and as every parameter."""
    said = quote(text, safe="")
    filled = re.sub(r"\{[^{}]*\}", lambda _: said or "x", path)
    yield filled
    if filled != path:
        yield re.sub(r"\{[^{}]*:path\}", lambda _: f"{said}/{said}", filled)
        path = path.replace("{day}", DAY)
    path = re.sub(r"\{[^{}]*\}", "x", path)
    yield f"{path}?" + "&".join(f"{name}={said}" for name in PARAMETERS)
    yield f"{path}?q={said}"
    yield f"{path}?q=a&sort={said}&page={said}"


def judge(site: Site, texts: list[str]) -> None:
    """Ask for everything with each text."""
    site.room.publish(DAY, "Alpha", "Beta", upvotes=3, categories=["cs.CL"])
    site.room.run("run", "--date", DAY, "--now", expect=None)
    for path in paths(site):
        for text in texts:
            for address in asked(path, sendable(text)):
                answer = site.client.get(address)
                assert (address, answer.status_code < 500) == (address, True)
                assert (address, alive(answer)) == (address, [])
                assert not {"set-cookie", "x-injected"} & set(answer.headers)
                where = urlsplit(answer.headers.get("location", ""))
                assert not where.netloc or where.netloc in {"papers.example.org", urlsplit(site.url).netloc}
                assert not where.path.startswith("//")


def test_nothing_in_an_address_is_alive(site: Site) -> None:
    """In every part and parameter of every page, feed and answer for programs; and no answer of 5xx."""
    judge(site, list(OWN))


def test_nothing_well_known_is_alive(site: Site, shared: Path) -> None:
    """The same with some of the corpora of hostile strings."""
    judge(site, well_known(shared, EVERY))

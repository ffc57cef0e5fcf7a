"""Whether the pages that mails link to are reached under their address, as findings for the operator.

They are asked as a provider's one-click request would ask, from this machine; whether the rest of the world reaches
them too shows in where their name leads. Nothing is changed: the link that is tried is no reader's.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2

from newsletter.mail.published import Names, SilentNamesError
from newsletter.services.findings import Finding, Level
from newsletter.services.reputation import is_reserved
from newsletter.sources.network import is_public

_PATIENCE = 10  # seconds for an answer
_NOBODYS = "a" * 48  # a token of the right form that nobody was given


def reachable(base_url: str, names: Names) -> Iterator[Finding]:
    """Yield what came of asking for the pages at *base_url*."""
    host = urlsplit(base_url).hostname or ""
    if not base_url or is_reserved(host):
        return
    yield from _where(host, names)
    try:
        with httpx2.Client(timeout=_PATIENCE) as client:
            yield _one_click(client.post(f"{base_url}/unsubscribe/{_NOBODYS}", data={"List-Unsubscribe": "One-Click"}))
    except httpx2.HTTPError as error:
        remedy = "is 'newsletter serve' or 'newsletter web' running, and the proxy before it?"
        yield Finding("pages", Level.FAIL, f"{base_url} does not answer: {error}", remedy)


def _one_click(answer: httpx2.Response) -> Finding:
    """Judge the answer to unsubscribing with a link that is nobody's: ours is a page that says so."""
    if answer.status_code == httpx2.codes.NOT_FOUND and "frame-ancestors" in answer.headers.get(
        "content-security-policy", ""
    ):
        return Finding("pages", Level.OK, f"{answer.url.copy_with(path='/')} answers, and takes one-click requests")
    if answer.is_redirect:
        text = f"a one-click request is redirected to {answer.headers['location']}, which providers do not follow"
        return Finding("pages", Level.FAIL, text, "set newsletter.base_url to where it leads")
    text = f"{answer.url.copy_with(path='/')} is not answered by the newsletter's pages (status {answer.status_code})"
    return Finding("pages", Level.FAIL, text, "look at newsletter.base_url and the proxy: see config/ for examples")


def _where(host: str, names: Names) -> Iterator[Finding]:
    try:
        addresses = names.addresses(host)
    except SilentNamesError as error:
        yield Finding("pages", Level.WARN, str(error))
        return
    inside = [address for address in addresses if not is_public(ip_address(address))]
    if inside or not addresses:
        text = f"{host} leads to {', '.join(inside) or 'no address'}, which readers elsewhere do not reach"
        yield Finding("pages", Level.WARN, text, "publish its public address")

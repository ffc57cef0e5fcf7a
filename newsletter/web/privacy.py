"""The privacy page: what is kept of a reader, how long and who gets it, as the configuration says."""

from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.web.pages import Site


class Privacy:
    """The privacy page of one newsletter."""

    def __init__(self, app: App, site: Site) -> None:
        settings, self._site = app.settings, site
        self._said = {
            "sender": settings.newsletter.sender_address,
            "ledger_days": settings.retention.ledger.days,
            "relays": sorted({way.host for way in settings.smtp.ways if not _is_here(way.host)}),
            "model": bool(settings.summaries.url),
            "pictures": bool(settings.look.images or settings.look.logo),
        }

    def page(self, request: Request) -> Response:
        """Say it, the same to everyone."""
        return self._site.asked(request).public("privacy.html", **self._said)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""For whoever watches the service: whether it is well, for anybody, and its counts, for this machine alone."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.services.health import ailments, exposition
from newsletter.services.ledger import Clock
from newsletter.web.clients import network_of

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_BROUGHT = {"forwarded", "x-forwarded-for", "via"}  # what a proxy says of a request that is somebody else's


def watched(app: App, clock: Clock) -> list[Route]:
    """Return the pages for monitors: ``/healthz``, and ``/metrics`` unless the operator wants none."""

    def health(_request: Request) -> Response:
        found = ailments(app.database, app.settings, clock())
        return PlainTextResponse("\n".join(found) or "ok", 503 if found else 200)

    def metrics(request: Request) -> Response:
        if network_of(request) or _BROUGHT & set(request.headers):
            return PlainTextResponse("only for this machine", 403)
        with app.database.read() as session:
            return Response(exposition(session, app.database.path, app.policy.shares), media_type=_PROMETHEUS)

    return [Route("/healthz", health), *([Route("/metrics", metrics)] if app.settings.metrics.serve else [])]

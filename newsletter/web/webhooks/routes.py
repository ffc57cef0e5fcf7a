"""The ways in of the providers that are configured, each at /webhooks/NAME."""

from collections.abc import Iterator

from starlette.routing import Route

from newsletter.app import App
from newsletter.errors import ExtraError
from newsletter.services.ledger import Clock
from newsletter.web.webhooks.base import Hook, Provider
from newsletter.web.webhooks.mailgun import Mailgun
from newsletter.web.webhooks.postmark import Postmark


def webhook_routes(app: App, clock: Clock) -> list[Route]:
    """Return the routes. Raises ConfigurationError for a key that is none, ExtraError without what checks it."""
    return [
        Route(f"/webhooks/{name}", Hook(app, provider, clock).take, name=name, methods=["POST"])
        for name, provider in _providers(app)
    ]


def _providers(app: App) -> Iterator[tuple[str, Provider]]:
    settings, secrets = app.settings.bounces.webhooks, app.settings.bounce_secrets
    if secrets["postmark"]:
        yield "postmark", Postmark(secrets["postmark"])
    if secrets["mailgun"]:
        yield "mailgun", Mailgun(secrets["mailgun"])
    if settings.ses_topic or settings.sendgrid_key:
        yield from _signed(settings.ses_topic, settings.sendgrid_key)


def _signed(topic: str, key: str) -> Iterator[tuple[str, Provider]]:
    try:
        from newsletter.web.webhooks.sendgrid import SendGrid  # noqa: PLC0415 - cryptography is an extra
        from newsletter.web.webhooks.ses import Ses  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        raise ExtraError("checking the signatures of bounces.webhooks", "bounces") from error
    if topic:
        yield "ses", Ses(topic)
    if key:
        yield "sendgrid", SendGrid(key)

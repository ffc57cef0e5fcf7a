"""A secret is replaced, leaks, and is lost; whoever wants to leave can."""

import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from newsroom import Newsroom
from served import Site

from newsletter.domain.subscriber import Status
from newsletter.errors import ConfigurationError
from newsletter.web.forms import Stamps
from newsletter.web.server import serving

ANN, EVE = "ann@example.net", "eve@example.net"


def link_to_leave(newsroom: Newsroom) -> str:
    """Return the path of the link in the last mail to Ann."""
    found = re.findall(r"https://papers\.example\.org(/unsubscribe/\S+)", newsroom.sink.to(ANN)[-1].text)
    return str(found[-1])


@pytest.fixture
def mailed(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter that sent Ann a digest."""
    newsroom.subscribe(ANN)
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.tick("2026-07-15T08:00Z")
    return newsroom


def test_after_a_leak_readers_leave_by_their_address(mailed: Newsroom) -> None:
    """A replaced secret still verifies; a leaked one does not, and then the page mails a fresh link to who is there.

    The answer is the same for who is not, and nothing is mailed.
    """
    old = link_to_leave(mailed)
    assert "1 older still verify" in mailed.run("secret", "rotate").out
    with (
        mailed.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        assert client.get(old).status_code == 200
    before = (mailed.folder / "secret").read_text()
    assert "is gone" in mailed.run("secret", "rotate", "--leaked").out
    assert (mailed.folder / "secret").read_text().split() != before.split()
    assert (mailed.folder / "secret").stat().st_mode & 0o777 == 0o600
    mailed.publish("2026-07-16", "Beta")
    mailed.tick("2026-07-16T08:00Z")  # it still sends

    with (
        mailed.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        site = Site(mailed, app, url, client)
        dead = client.get(old)
        assert (dead.status_code, 'name="address"' in dead.text) == (404, True)
        answers = []
        for address in (EVE, ANN):
            stamp = Stamps(app.settings.secrets).make("leave", datetime.now(UTC) - timedelta(minutes=1))
            answers.append(client.post("/unsubscribe", data={"stamp": stamp, "website": "", "address": address}).text)
        assert answers[0] == answers[1]
        mailed.sink.wait(3)
        assert not mailed.sink.to(EVE)
        assert client.post(link_to_leave(mailed)).status_code == 200
        assert site.status(ANN) is Status.UNSUBSCRIBED


def test_after_a_loss_the_present_secret_is_taken(mailed: Newsroom) -> None:
    """Nothing is sent until somebody decides that old links may die."""
    (mailed.folder / "secret").write_text("another secret of more than sixteen characters".replace(" ", "-"))
    with pytest.raises(ConfigurationError, match="'newsletter secret adopt'"):
        mailed.tick("2026-07-16T08:00Z")
    assert "is taken" in mailed.run("secret", "adopt").out
    assert "already" in mailed.run("secret", "adopt").out
    mailed.tick("2026-07-16T08:00Z")

"""What these tests share: a whole small newsletter whose pages are served over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from newsroom import Newsroom
from served import Site

from newsletter.web.server import serving


@pytest.fixture
def newsroom(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Newsroom]:
    """Return a newsletter without papers and readers, its mail going to ``newsroom.sink``.

    What a module of tests has as ``TABLES`` is configured.
    """
    made = Newsroom(tmp_path, **getattr(request.module, "TABLES", {}))
    yield made
    made.close()


@pytest.fixture
def site(newsroom: Newsroom) -> Iterator[Site]:
    """Return the newsletter with its pages."""
    with (
        newsroom.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield Site(newsroom, app, url, client)

"""The front page and the archive, as anyone reads them."""

import secrets
from datetime import UTC, date, datetime, timedelta

import httpx2
import pytest
from conftest import Site
from lxml import html
from newsroom import Newsroom

from newsletter.domain.issue import Arranged
from newsletter.services.edit import seal  # noqa: F401
from newsletter.storage import issues
from newsletter.web.server import serving

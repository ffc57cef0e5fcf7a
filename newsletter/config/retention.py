"""The table that says how long what is kept: ``[retention]``."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from newsletter.config.sending import Section
from newsletter.config.values import Duration, Positive

_LEAST = timedelta(days=31)  # what a digest may still need of earlier ones


def _long(value: timedelta) -> timedelta:
    if value < _LEAST:
        raise ValueError(f'use at least "{_LEAST.days}d": what goes out next depends on what went out before')
    return value


_Long = Annotated[Duration, AfterValidator(_long)]


class RetentionSettings(Section):
    """``[retention]``: after which time deliveries become totals, abstracts are dropped, and solved problems go.

    Deliveries also where there are more than ``ledger_rows``, the oldest issues first.
    """

    ledger: _Long = timedelta(days=90)
    ledger_rows: Positive = 2_500_000
    abstracts: _Long = timedelta(days=730)
    logs: _Long = timedelta(days=90)

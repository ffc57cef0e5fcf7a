"""``[web]``: where the pages listen, whom they believe, and how much of one kind they take."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from newsletter.config.sending import Section
from newsletter.config.values import Count, Flag, OptionalFile, Positive


def _proxy(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value) if "/" in value else ipaddress.ip_address(value))
    except ValueError as error:
        raise ValueError(f"use addresses or networks, like 127.0.0.1 or 10.0.0.0/8: {error}") from error


Proxy = Annotated[str, AfterValidator(_proxy)]


class WebSettings(Section):
    """``[web]``. ``requests_per_minute`` are of one network, ``confirmations_per_day`` mails in all; 0: no limit."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[Positive, Field(le=65535)] = 8080
    trusted_proxies: tuple[Proxy, ...] = ("127.0.0.1", "::1")
    requests_per_minute: Count = 600
    confirmations_per_day: Count = 1000
    refuse_disposable: Flag = False
    disposable_file: OptionalFile = None

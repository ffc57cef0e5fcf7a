"""The tables that say how mail leaves: ``[smtp]``, its routes and destinations, and ``[dkim]``."""

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from newsletter.config.values import Count, DkimName, Duration, OptionalFile, Positive, Rate


class Section(BaseModel):
    """A table: its keys and no others, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DomainSettings(Section):
    """``[smtp.domains."example.com"]``: what one destination bears. 0: no limit of ours."""

    connections: Count = 0
    messages_per_second: Rate = 0


class _WaySettings(Section):
    """A server that takes the mail, and what it bears."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[Positive, Field(le=65535)] = 25
    security: Literal["none", "starttls", "tls"] = "none"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: OptionalFile = None
    connections: Annotated[Count, Field(le=100)] = 0
    messages_per_second: Rate = 0
    messages_per_minute: Count = 0
    messages_per_day: Count = 0

    @property
    def connection_limit(self) -> int:
        """Return how many connections may be open at once."""
        return self.connections or (10 if self.host in {"127.0.0.1", "::1", "localhost"} else 2)

    def check_login(self, key: str) -> None:
        """Raise ValueError, naming *key*, where a password would travel in clear or is missing."""
        if self.username and self.security == "none":
            raise ValueError(
                f'{key}security = "none": a username needs "starttls" or "tls", or the password travels in clear'
            )
        if self.username and not self.password.get_secret_value() and not self.password_file:
            raise ValueError(
                f"{key}username = {self.username!r}: needs password_file (a file that holds the password) too"
            )


class RouteSettings(_WaySettings):
    """``[[smtp.routes]]``: one of several ways out. What it leaves out follows ``[smtp]``: see SmtpSettings.ways."""

    name: Annotated[str, Field(max_length=60)] = ""
    weight: Annotated[Positive, Field(le=1000)] = 1


class SmtpSettings(_WaySettings):
    """``[smtp]``: the way out, or what its routes have in common."""

    lease: Duration = timedelta(minutes=15)
    give_up_after: Duration = timedelta(hours=20)
    on_uncertain: Literal["resend", "hold"] = "resend"
    routes: tuple[RouteSettings, ...] = ()
    domains: dict[str, DomainSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ways_are_safe(self) -> Self:
        names = [way.name for way in self.ways]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"routes: two are named {twice.pop()!r}; give each its own name")
        for number, way in enumerate(self.ways, 1):
            way.check_login(f"routes.{number}." if self.routes else "")
        return self

    @cached_property
    def ways(self) -> tuple[RouteSettings, ...]:
        """Return the ways out with everything filled in; without routes the one that ``[smtp]`` is."""
        return tuple(self._filled(route) for route in self.routes or (RouteSettings(),))

    def _filled(self, route: RouteSettings) -> RouteSettings:
        given = route.model_fields_set
        # A password of its own in either form leaves neither of [smtp]'s in force.
        own = given | {"password", "password_file"} if given & {"password", "password_file"} else given
        if "host" in given:  # a login is for one provider: another host is not told it
            own = own | {"username", "password", "password_file"}
        common = {key: getattr(self, key) for key in _WaySettings.model_fields if key not in own}
        filled = route.model_copy(update=common)
        return filled.model_copy(update={"name": filled.name or filled.host})


class DkimSettings(Section):
    """``[dkim]``: signing of our own, with one key or one of each kind. Empty: unsigned."""

    domain: DkimName = ""
    selector: DkimName = ""
    key_file: OptionalFile = None
    second_selector: DkimName = ""
    second_key_file: OptionalFile = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("", "second_"):
            selector, key_file = getattr(self, f"{name}selector"), getattr(self, f"{name}key_file")
            if selector and not key_file:
                raise ValueError(f"{name}selector = {selector!r}: needs {name}key_file (a private key in PEM) too")
            if key_file and not selector:
                raise ValueError(
                    f"{name}key_file = {str(key_file)!r}: needs {name}selector too, under which its record is published"
                )
        if (self.domain or self.second_key_file) and not self.key_file:
            key = f"domain = {self.domain!r}" if self.domain else f"second_key_file = {str(self.second_key_file)!r}"
            raise ValueError(f"{key}: needs selector and key_file too")
        if self.selector and self.selector == self.second_selector:
            raise ValueError(f"second_selector = {self.selector!r}: give the second key a selector of its own")
        return self

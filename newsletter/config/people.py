"""``[[people]]``: the newsletter's own people, whose papers lead the issue."""

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from newsletter.config.sending import Section
from newsletter.domain.text import words


def _named(value: str) -> str:
    if not words(value):
        raise ValueError("use a name, as papers have it")
    return " ".join(value.split())


Name = Annotated[str, AfterValidator(_named)]


class PersonSettings(Section):
    """One of ours. ``affiliation`` is one of ``affiliations``."""

    name: Name
    affiliation: Name | None = None
    affiliations: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.affiliation and self.affiliations:
            raise ValueError("affiliation: give either it or affiliations")
        return self

    @property
    def places(self) -> tuple[str, ...]:
        """Return all affiliations."""
        return (self.affiliation,) if self.affiliation else self.affiliations

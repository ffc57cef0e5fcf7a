"""The table that says which language model writes short summaries, ``[summaries]``. Empty: none does."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, SecretStr, model_validator

from newsletter.config.sending import Section
from newsletter.config.values import Duration, Flag, Link, OptionalFile, Positive

_LONGEST_WAIT = timedelta(seconds=60)


def _base(url: str) -> str:
    if url.endswith(("/completions", "/responses")):
        raise ValueError('give what stands before "/chat/completions", like "https://api.example.com/v1"')
    return url


def _short(timeout: timedelta) -> timedelta:
    if timeout > _LONGEST_WAIT:
        raise ValueError('use at most "60s": mail waits for nobody\'s summary')
    return timeout


class SummariesSettings(Section):
    """``[summaries]``: a language model at an OpenAI-compatible URL."""

    url: Annotated[Link, AfterValidator(_base)] = ""
    model: str = ""
    api_key: SecretStr = SecretStr("")
    api_key_file: OptionalFile = None
    max_papers: Positive = 30
    timeout: Annotated[Duration, AfterValidator(_short)] = timedelta(seconds=20)
    allow_private_address: Flag = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = self.api_key.get_secret_value() or self.api_key_file
        if self.url and not self.model:
            raise ValueError(f"url = {self.url!r}: needs model too, by the name that this server gives it")
        if not self.url and (self.model or given):
            raise ValueError("url is missing: without it no model is asked; give it, or leave out [summaries]")
        if given and self.url.startswith("http://") and not self.allow_private_address:
            raise ValueError(
                f'url = {self.url!r}: a key needs "https://", or it travels in clear; '
                "where the server is in this network, set allow_private_address = true"
            )
        return self

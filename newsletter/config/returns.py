"""The tables that say where mail comes back to, and by which ways it comes in: ``[bounces]`` and those below it."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from newsletter.config.sending import Section
from newsletter.config.values import Address, Flag, Folder, OptionalFile, Positive


def _place(text: str) -> str:
    if text and not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}", text):
        raise ValueError('use an address and a port of this machine, like "127.0.0.1:8024"')
    return text


class ImapSettings(Section):
    """``[bounces.imap]``: a mailbox of the operator's at a server. Empty: none is read."""

    host: str = ""
    port: Annotated[Positive, Field(le=65535)] = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: OptionalFile = None
    folder: Annotated[str, Field(min_length=1)] = "INBOX"
    done_folder: Annotated[str, Field(min_length=1)] = "Newsletter"  # below which what was acted on is kept

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.host:
            return self
        if not self.username or not (self.password.get_secret_value() or self.password_file):
            raise ValueError(f"host = {self.host!r}: needs username and password_file (a file with the password) too")
        if self.security == "none" and self.host not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(f'security = "none": the password would travel to {self.host} in clear; use "tls"')
        if self.folder == self.done_folder:
            raise ValueError(f"done_folder = {self.done_folder!r}: name another folder than the one that is read")
        return self


class WebhookSettings(Section):
    """``[bounces.webhooks]``: which providers may tell of what came back, each by what proves that it is them."""

    ses_topic: str = ""  # the ARN of the SNS topic
    postmark_secret: SecretStr = SecretStr("")
    postmark_secret_file: OptionalFile = None
    mailgun_key: SecretStr = SecretStr("")
    mailgun_key_file: OptionalFile = None
    sendgrid_key: str = ""  # public, as the provider shows it

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.ses_topic and not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+", self.ses_topic):
            raise ValueError(
                f"ses_topic = {self.ses_topic!r}: use an ARN like arn:aws:sns:eu-west-1:123456789012:bounces"
            )
        return self


class BouncesSettings(Section):
    """``[bounces]``: the address to which mail comes back, and how it gets here."""

    address: Address = ""
    maildir: Folder = None
    lmtp: Annotated[str, AfterValidator(_place)] = ""
    commands: Flag = True
    imap: ImapSettings = ImapSettings()
    webhooks: WebhookSettings = WebhookSettings()

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        ways = {"maildir": self.maildir, "lmtp": self.lmtp, "imap.host": self.imap.host}
        if not self.address and (way := next((name for name, value in ways.items() if value), "")):
            raise ValueError(f"{way} is set, but no address: give the one to which mail comes back")
        return self

    @property
    def takes_commands(self) -> bool:
        """Return whether readers can say by mail what they want."""
        return bool(self.address) and self.commands

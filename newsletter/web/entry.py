"""Addresses that are typed into forms: which of them may be mailed, told in the reader's language."""

from newsletter.config.web import WebSettings
from newsletter.errors import UsageError
from newsletter.mail.addresses import Address, parse_address
from newsletter.render.language import Language
from newsletter.services.disposable import Disposable


class Entrance:
    """Reads addresses. Raises ConfigurationError for a list of domains that cannot be read."""

    def __init__(self, settings: WebSettings) -> None:
        self._disposable = Disposable(settings)

    def address(self, text: str, language: Language) -> Address:
        """Return the address that *text* is. Raises UsageError."""
        try:
            found = parse_address(text.strip())
        except UsageError as error:
            raise UsageError(language.gettext("Please write an address that mail can go to.")) from error
        if self._disposable.holds(found.email):
            raise UsageError(language.gettext("Please use an address that you keep for longer."))
        return found

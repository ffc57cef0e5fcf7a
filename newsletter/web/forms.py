"""Forms: reading what they send, and telling whether one of our pages sent it, and a person.

A page gives its form a stamp: when it was made, signed, for one form and, where there is a session, for that alone. So
no other site can send it (its makers cannot read our pages), and nobody sends it within the time that no person takes,
or days later. A field that no person sees stays empty but for simple bots. Forms whose address holds a token of its
reader need no stamp: who does not know the address cannot send them.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from newsletter.web.guard import LONGEST_BODY, read_body

STAMP, TRAP = "stamp", "website"  # names of fields
_AT_LEAST = timedelta(seconds=2)
_AT_MOST = timedelta(days=1)
_FIELDS = 200
_OURS = {"same-origin", "none"}  # of Sec-Fetch-Site; programs that are no browsers send none, old browsers neither


@dataclass(frozen=True, slots=True)
class Form:
    """What a form sent, by the names of its fields."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """Return the last of a field, '' where there is none."""
        return self.fields.get(name, ("",))[-1]

    def all(self, name: str) -> list[str]:
        """Return all that was sent of a field, without what is empty."""
        return [text for text in self.fields.get(name, ()) if text.strip()]

    @property
    def by_bot(self) -> bool:
        """Return whether the field was filled that no person sees."""
        return bool(self.one(TRAP))


async def read_form(request: Request, longest: int = LONGEST_BODY) -> Form:
    """Return the form that was sent. Raises HTTPException for one that is too long, too slow or none."""
    return parse_form(await read_body(request, longest))


def parse_form(body: bytes) -> Form:
    """Return the form that *body* is. Raises HTTPException for none."""
    try:
        sent = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="replace")
    except ValueError as error:  # also where it is not ASCII: a form is encoded
        raise HTTPException(400) from error
    return Form(sent)


class Stamps:
    """Makes the stamps of forms, and judges them. The first secret signs, all verify."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [secret.encode() for secret in secrets]

    def make(self, form: str, now: datetime, session: str = "") -> str:
        """Return a stamp for *form*, made at *now*, for who has *session*."""
        made = f"{int(now.timestamp()):x}"
        return f"{made}-{_mac(self._keys[0], form, made, session)}"

    def is_good(self, form: str, stamp: str, now: datetime, session: str = "") -> bool:
        """Return whether *stamp* was made for *form* and *session*, neither just now nor long ago."""
        made, _, mac = stamp.partition("-")
        genuine = any(hmac.compare_digest(mac.encode(), _mac(k, form, made, session).encode()) for k in self._keys)
        if not genuine:
            return False
        return _AT_LEAST <= now - datetime.fromtimestamp(int(made, 16), now.tzinfo) <= _AT_MOST


def is_from_elsewhere(request: Request) -> bool:
    """Return whether the browser says that another site sent this. Our pages tell no referrer, and so no origin."""
    return request.headers.get("sec-fetch-site", "none") not in _OURS


def _mac(key: bytes, form: str, made: str, session: str) -> str:
    return hmac.digest(key, f"form:{form}:{session}:{made}".encode(), "sha256").hex()[:32]

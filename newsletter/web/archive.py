"""The front door and the archive: what was sent, as anyone may read it."""

from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.domain.people import Person, by_ours
from newsletter.domain.pool import Pool, Why
from newsletter.domain.text import plain
from newsletter.errors import NotFoundError
from newsletter.render import wording
from newsletter.render.cards import GAP
from newsletter.services import archive
from newsletter.services.edit import Shown
from newsletter.web import dates
from newsletter.web.pages import Pages, Site
from newsletter.web.shown import shown_card, shown_line

_ENTRIES = 50  # on one page
_ALSO = 100  # lines of what an issue chose from; the lists of days have all


class Archive:
    """The pages of one newsletter's issues."""

    def __init__(self, app: App, site: Site) -> None:
        self._app, self._site = app, site

    def home(self, request: Request) -> Response:
        """Show the newest issue, how to get the next ones by mail, and the ways to look further."""
        pages, said = self._site.asked(request), {}
        newest = archive.entries(self._app.database, limit=2)
        if newest:
            shown = archive.issue(self._app.database, self._app.policy, newest[0].date)
            said = _said(shown, self._app.policy.people, pages)
        return pages.public("home.html", previous=newest[1:], **{"date": None, **said})

    def archive(self, request: Request) -> Response:
        """List the issues, newest first, those dated before ``?before=``."""
        before = request.query_params.get("before")
        found = archive.entries(
            self._app.database, limit=_ENTRIES + 1, before=None if before is None else dates.day_of(before)
        )
        shown = found[:_ENTRIES]
        return self._site.asked(request).public("archive.html", entries=shown, more=len(found) > _ENTRIES)

    def issue(self, request: Request) -> Response:
        """Show the front of one issue, as the mail shows it to a reader without wishes."""
        try:
            shown = archive.issue(self._app.database, self._app.policy, dates.day_of(request.path_params["day"]))
        except NotFoundError as error:
            raise HTTPException(404) from error
        zone = self._app.settings.newsletter.zone
        corrections = [(local_date(c.made_at, zone), c.text) for c in shown.corrections]
        pages = self._site.asked(request)
        said = _said(shown, self._app.policy.people, pages)
        return pages.public("issue.html", corrections=corrections, **said)


def _said(shown: Shown, people: Collection[Person], pages: Pages) -> dict[str, object]:
    issue, notes = shown.issue, shown.hand.notes
    front = [c.paper.id for c in shown.arranged.front]
    pool = Pool(shown.arranged.pool, front, shown.hand.chosen, by_ours(shown.arranged.front, people))
    cards = [shown_card(c, notes.get(c.paper.id, ""), issue.date, pages) for c in shown.arranged.front]
    slots = [
        {"rank": rank, **_reason(pages, pool.why(card.id)), "byline": card.by_whom}
        for rank, card in enumerate(cards, 1)
    ]
    others = [c for c in shown.arranged.pool if c.paper.id not in front]
    return {
        "date": issue.date,
        "subject": plain(issue.subject),
        "note": [said for part in issue.note.split("\n\n") if (said := plain(part))],
        "counts": wording.counts(pages.language, len(cards), 0, len(shown.arranged.pool)) if cards else "",
        "cards": list(zip(cards, slots, strict=True)),
        "lines": [(shown_line(c, pages), c.upvotes or 0) for c in others[:_ALSO]],
        "more": len(others) > _ALSO,
    }


def _reason(pages: Pages, why: Why) -> dict[str, str]:
    reason = wording.reason(pages.language, why, "")
    return {"reason": reason, "why": GAP + reason if wording.says_more(why) else ""}

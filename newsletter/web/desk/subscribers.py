"""The list at the desk: looking for someone, why they got what they got, and what may be changed for them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from newsletter.domain.subscriber import FORMATS, Status, Subscriber, preference_texts
from newsletter.errors import IllegalMoveError, NotFoundError, UsageError
from newsletter.services import subscribe
from newsletter.services.coming import next_digests
from newsletter.services.why import why
from newsletter.storage import changes, stats, subscribers
from newsletter.storage.subscribers import SORTS, Selection
from newsletter.web.desk.pages import Desk, Visit
from newsletter.web.subscription import partly

_PAGE = 50
_BACK = "/subscribers/{who}"
_HINTS = {
    "topics": "separated by ; as in “language model;-video;cat:cs.CL”",
    "alerts": "saved searches, separated by ;",
    "only_topics": "yes or no",
    "frequency": "daily, weekdays, weekly:fri, alerts",
    "hour": "in the reader’s zone, as in 08:00",
    "zone": "as in Europe/Zurich",
    "max_papers": "1 to 100",
    "min_upvotes": "0 or more",
    "format": ", ".join(FORMATS),
    "language": "en, de, zh-Hans",
}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of these pages."""
    return [
        desk.page("/subscribers", _list),
        desk.page("/subscribers/{who:int}", _one),
        desk.page("/subscribers/{who:int}", _change, post=True, back=_BACK),
        desk.page("/subscribers/{who:int}/preferences", _prefer, post=True, back=_BACK),
    ]


def _list(visit: Visit) -> Response:
    """Show one page of the list."""
    page, status, sort = visit.number("page", 1, 100_000), visit.query("status"), visit.query("sort")
    wanted = Selection(
        status=Status(status) if status in list(Status) else None,
        search=visit.query("q") or None,
        topic=visit.query("topic") or None,
        sort=sort if sort in SORTS else "email",
        limit=_PAGE,
        offset=(page - 1) * _PAGE,
    )
    found, total = subscribe.page(visit.desk.app.database, wanted)
    with visit.desk.app.database.read() as session:
        counts = stats.subscribers(session)
    asked = {"q": visit.query("q"), "topic": visit.query("topic"), "status": status, "sort": wanted.sort}
    return visit.show(
        "subscribers.html",
        found=found,
        following=_following(visit, found),
        total=total,
        counts=counts,
        asked=asked,
        sorts={"email": "Address", "created": "Joined", "status": "Status", "next_due": "Next digest"},
        page=page,
        pages=-(-total // _PAGE),
        query=urlencode({name: text for name, text in asked.items() if text}),
    )


def _one(visit: Visit) -> Response:
    return _shown(visit, _found(visit))


def _shown(visit: Visit, who: Subscriber, *, given: dict[str, str] | None = None, wrong: str = "") -> Response:
    app = visit.desk.app
    defaults = preference_texts(subscribe.defaults(app.settings.newsletter))
    with app.database.read() as session:
        history = subscribers.history(session, who.id)
    return visit.show(
        "subscriber.html",
        status=422 if wrong else 200,
        who=who,
        history=history,
        following=_following(visit, [who]).get(who.id),
        why=why(app.dispatch, who.email, None, visit.now),
        texts=given or preference_texts(who.preferences),
        hints=_HINTS,
        defaults=defaults,
        wrong=wrong,
        may=_may(who),
    )


def _following(visit: Visit, readers: Sequence[Subscriber]) -> Mapping[int, datetime]:
    """Return when their next digests come, by id."""
    app = visit.desk.app
    return next_digests(app.database, app.settings.newsletter, readers, visit.now)


def _may(who: Subscriber) -> set[str]:
    """Return what may happen to a subscriber, as far as the page offers it."""
    match who.status:
        case Status.ACTIVE:
            return {"pause", "unsubscribe", "suppress"}
        case Status.PAUSED:
            return {"resume", "unsubscribe", "suppress"}
        case Status.PENDING | Status.UNSUBSCRIBED:
            return {"suppress"}
        case Status.SUPPRESSED:
            return set()


def _prefer(visit: Visit) -> Response:
    """Change the preferences that the form has; what is wrong is shown with what was typed."""
    who = _found(visit)
    before = preference_texts(who.preferences)
    texts = {name: visit.form[name] for name in before if name in visit.form and visit.form[name] != before[name]}
    if not texts:
        return visit.to(f"/subscribers/{who.id}", "Nothing was changed.")
    try:
        after = subscribe.edit(visit.desk.app.database, visit.desk.app.settings.newsletter, who.id, texts, visit.now)
    except UsageError as error:
        return _shown(visit, who, given=before | texts, wrong=str(error))
    return _did(visit, after, f"preferences changed: {', '.join(texts)}", f"/subscribers/{who.id}")


def _change(visit: Visit) -> Response:
    """Pause, resume, unsubscribe or suppress."""
    app, who = visit.desk.app, visit.request.path_params["who"]
    known: dict[str, tuple[Callable[[], Subscriber], str]] = {
        "pause": (
            lambda: subscribe.pause(app.database, app.settings.newsletter, who, _until(visit), visit.now),
            "paused",
        ),
        "resume": (lambda: subscribe.resume(app.database, app.settings.newsletter, who, visit.now), "resumed"),
        "unsubscribe": (lambda: subscribe.unsubscribe(app.database, who, visit.now), "unsubscribed"),
        "suppress": (
            lambda: subscribe.suppress(app.database, who, visit.form.get("reason", ""), visit.now),
            "suppressed",
        ),
    }
    done = visit.form.get("do", "")
    if done not in known:
        raise UsageError(f"there is no button {done[:20]!r}")
    if done == "unsubscribe" and not visit.form.get("sure"):
        raise IllegalMoveError("only the person can come back: tick the box to say that you mean it")
    does, said = known[done]
    return _did(visit, does(), said, f"/subscribers/{who}")


def _until(visit: Visit) -> date | None:
    text = visit.form.get("until", "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"until {text[:20]!r}: use a date like 2026-07-10, or nothing") from error


def _found(visit: Visit) -> Subscriber:
    who: int = visit.request.path_params["who"]
    if who >= 1 << 63:
        raise NotFoundError("there is no such subscriber")
    return subscribe.find(visit.desk.app.database, who)


def _did(visit: Visit, who: Subscriber, said: str, to: str) -> Response:
    """Keep in the log what was done, without the whole address: it outlives who is removed."""
    with visit.desk.app.database.write() as session:
        changes.record(session, visit.by, f"subscriber {who.id} ({partly(who.email)}): {said}", visit.now)
    return visit.to(to, f"{who.email}: {said}.")

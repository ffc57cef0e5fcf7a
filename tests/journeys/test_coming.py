"""What anybody is told of the next digest is when it comes, also over days without an issue."""

from datetime import UTC, date, datetime, timedelta

import pytest
from newsroom import Newsroom, instant

from newsletter.domain.subscriber import WEEKDAYS
from newsletter.services import greet, subscribe
from newsletter.services.coming import next_digests
from newsletter.services.why import why

ANN, LI = "ann@example.net", "li@example.net"
FRI, SAT, SUN, MON, TUE = (date(2026, 7, 17) + timedelta(days=n) for n in range(5))


def told(newsroom: Newsroom, at: str | datetime, email: str = ANN) -> str:
    """Return when the next digest comes, as anybody is told at an instant, in UTC; '' where none does."""
    with newsroom.app(instant(at)) as app:
        reader = subscribe.find(app.database, email)
        found = next_digests(app.database, app.settings.newsletter, [reader], instant(at))
        asked = why(app.dispatch, email, None, instant(at)).next
    assert bool(asked) == bool(found)
    return f"{found[reader.id]:%a %d %H:%M}" if found else ""


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "Mon 20 08:00"),
        ({"hour": "06:00"}, "Tue 21 06:00"),
        ({"frequency": "weekly:sat"}, "Sat 25 08:00"),
        ({"zone": "Asia/Shanghai"}, "Tue 21 00:00"),
    ],
)
def test_it_comes_when_it_was_told(newsroom: Newsroom, chosen: dict[str, str], expected: str) -> None:
    """Who had Friday's issue is told on Sunday, and gets nothing sooner and something then."""
    newsroom.subscribe(ANN, at=f"{FRI}T05:00Z", **chosen)
    newsroom.publish(str(FRI), "Alpha")
    newsroom.tick(f"{FRI}T08:00Z")
    newsroom.tick(f"{SAT}T09:00Z")
    assert len(newsroom.sink.to(ANN)) == 1
    assert told(newsroom, f"{SUN}T09:00Z") == expected
    newsroom.publish(str(MON), "Beta")
    due = datetime.strptime(f"2026 07 {expected}", "%Y %m %a %d %H:%M").replace(tzinfo=UTC)
    for before in (timedelta(hours=24), timedelta(hours=12), timedelta(minutes=1)):
        newsroom.tick(due - before)
        assert len(newsroom.sink.to(ANN)) == 1
    newsroom.tick(due)
    assert len(newsroom.sink.to(ANN)) == 2


def test_the_commands_name_a_day_with_an_issue(newsroom: Newsroom) -> None:
    """Where issues appear on one day of the week only; JSON keeps when they are due by their own rhythm."""
    day = datetime.now(UTC).date() + timedelta(days=4)
    newsroom.configure(newsletter={"days": [WEEKDAYS[day.weekday()]]})
    added = newsroom.run("subscribers", "add", ANN)
    shown, listed = newsroom.run("subscribers", "show", ANN), newsroom.run("subscribers", "list")
    assert all(f"{day:%a %Y-%m-%d} 08:00 UTC" in answer.out for answer in (added, shown, listed))
    assert f"next digest: {day:%a %Y-%m-%d} 08:00 UTC" in newsroom.run("why", ANN).out
    assert newsroom.run("subscribers", "show", ANN, "--json").json["next_due_at"] < f"{day}"


def test_the_welcome_names_a_day_with_an_issue(newsroom: Newsroom) -> None:
    """The first digest's, or that of the one which follows what comes at once."""
    newsroom.subscribe(ANN, at=f"{SAT}T09:00Z")
    newsroom.publish(str(FRI), "Alpha")
    with newsroom.app() as app:
        reader = subscribe.find(app.database, ANN)
        first = greet.welcoming(app.dispatch, reader, instant(f"{SAT}T10:00Z"))
    assert "Monday, 20 July 2026" in first.text
    newsroom.tick(f"{SAT}T09:30Z", day=FRI)
    newsroom.join(LI, at=f"{SAT}T10:00Z")
    with newsroom.app() as app:
        second = greet.welcoming(app.dispatch, subscribe.find(app.database, LI), instant(f"{SAT}T10:00Z"))
    assert "in a few minutes. The next one is due on Monday, 20 July 2026" in " ".join(second.text.split())


def test_who_waits_for_a_late_issue_is_told_of_no_other(newsroom: Newsroom) -> None:
    """With an editor who has not sealed Monday's yet, the digest that is due is the next."""
    newsroom.configure(editing={"mode": "approve", "deadline": "20:00"})
    newsroom.subscribe(ANN, at=f"{SAT}T09:00Z")
    newsroom.publish(str(MON), "Alpha")
    newsroom.tick(f"{SUN}T08:00Z")
    newsroom.tick(f"{MON}T09:00Z")
    assert told(newsroom, f"{MON}T09:30Z") == "Mon 20 08:00"

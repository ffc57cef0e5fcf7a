"""The list in the database: what is kept, found and withdrawn, and what stays of who left."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlmodel import col, select

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.subscriber import Move, Preferences, Status, Subscriber
from newsletter.errors import IllegalMoveError, NotFoundError
from newsletter.services import joining, subscribe, transfer
from newsletter.storage import subscribers, suppressions
from newsletter.storage.database import Database
from newsletter.storage.singles import Single
from newsletter.storage.subscribers import Selection
from newsletter.storage.tables import DeliveryRow, MetaRow, SubscriberRow, SuppressionRow
from newsletter.storage.upgrade import upgrade

NOW = datetime(2026, 7, 15, 9, 30, 15, 250, tzinfo=UTC)
NEWSLETTER = NewsletterSettings(sender="papers@example.org", secret_file=Path("secret"), time_zone="Europe/Zurich")
# What a row keeps besides the subscriber: how addresses are compared, and what the service remembers of its doings.
BOOKKEEPING = {
    "last_alert_on",
    "quiet_since",
    "quiet_told",
    "email_key",
    "status_at",
    "last_digest_on",
    "last_issue_on",
    "last_accepted_on",
    "feed_number",
    "linked_at",
    "reminded_at",
} | set(Single)


def lines(*addresses: str) -> BytesIO:
    """Return a file of one address a line."""
    return BytesIO("\n".join(addresses).encode())


def add(database: Database, *addresses: str, at: datetime = NOW, **texts: str) -> list[Subscriber]:
    """Put active subscribers on the list."""
    return [added.subscriber for added in joining.add(database, NEWSLETTER, addresses, texts, at)]


def deliveries(database: Database, reader: Subscriber, *statuses: str) -> None:
    """Give a reader deliveries in these states, each of another day and issue."""
    with database.write() as session:
        for number, status in enumerate(statuses, 1):
            row = DeliveryRow(
                id=number,
                subscriber_id=reader.id,
                issue_id=number,
                day=date(2026, 7, number),
                status=status,
                message_id=f"<{number}@example.org>",
            )
            row.made_at = row.next_attempt_at = NOW
            row.expires_at = NOW + timedelta(hours=20)
            session.add(row)


def ledger(database: Database) -> list[tuple[str, str, datetime | None]]:
    """Return state, reply and end of each delivery."""
    with database.read() as session:
        rows = session.exec(select(DeliveryRow).order_by(col(DeliveryRow.id)))
        return [(row.status, row.reply, row.settled_at) for row in rows]


def found(database: Database, **wanted: object) -> list[str]:
    """Return the addresses on the page *wanted*."""
    return [one.email for one in subscribe.page(database, Selection(**wanted))[0]]  # type: ignore[arg-type]


def test_row_and_subscriber_have_the_same_fields():
    """Twins cannot drift: what the domain knows is kept, and what is kept is known or bookkeeping."""
    domain = {f.name for f in fields(Subscriber)} - {"preferences"} | {f.name for f in fields(Preferences)}

    assert set(SubscriberRow.model_fields) == domain | BOOKKEEPING


def test_everything_about_a_subscriber_is_kept(database: Database):
    """What goes in comes out the same, instants in UTC to the microsecond."""
    full = Subscriber(
        id=subscribers.new_id(),
        email="Ann@example.org",
        status=Status.SUPPRESSED,
        preferences=Preferences(
            topics=("cat:cs.CL", "-audio", "Übersetzung"),
            frequency="weekly:mon",
            hour=time(7, 30),
            zone="Asia/Shanghai",
            max_papers=5,
            min_upvotes=0,
            format="text",
            language="de",
            only_topics=True,
            alerts=('"speculative decoding"', "author:Tri Dao"),
        ),
        next_alert_at=NOW + timedelta(days=3),
        created_at=NOW,
        confirmed_at=NOW + timedelta(days=1),
        next_due_at=NOW + timedelta(days=2),
        paused_until=date(2026, 8, 1),
        suppression_reason="bounced",
        consent_source="a card at the workshop",
    )
    plain = replace(full, id=subscribers.new_id(), email="bob@example.org", preferences=Preferences())
    with database.write() as session:
        subscribers.add(session, [("ann@example.org", full), ("bob@example.org", plain)], NOW)

    with database.read() as session:
        assert subscribers.get(session, "ann@example.org") == full
        assert subscribers.by_id(session, plain.id) == plain
        assert subscribers.get(session, "Ann@example.org") is None
        assert subscribers.chunk(session, "", 10) == ([full, plain], "bob@example.org")


def test_a_page_is_filtered_sorted_and_counted(database: Database):
    """Texts are found anywhere without regard to case, and mean nothing but themselves."""
    add(database, "carol@lab.example", topics="Large Models;-Übersetzung", hour="23:00")
    add(database, "Ann@example.org", at=NOW - timedelta(days=1), topics="cat:cs.CL")
    add(database, "bob_1@example.org", at=NOW - timedelta(days=2), hour="12:00")
    subscribe.unsubscribe(database, "bob_1@example.org", NOW)

    assert found(database) == ["Ann@example.org", "bob_1@example.org", "carol@lab.example"]
    assert found(database, sort="created") == ["bob_1@example.org", "Ann@example.org", "carol@lab.example"]
    assert found(database, sort="status") == ["Ann@example.org", "carol@lab.example", "bob_1@example.org"]
    assert found(database, sort="next_due")[-1] == "bob_1@example.org", "who gets nothing comes last"
    assert found(database, status=Status.UNSUBSCRIBED) == ["bob_1@example.org"]
    assert found(database, search="ANN@") == ["Ann@example.org"]
    assert found(database, search="_") == ["bob_1@example.org"]
    assert found(database, search="%") == []
    assert found(database, topic="large") == ["carol@lab.example"]
    assert found(database, topic="Übersetz") == ["carol@lab.example"]
    assert found(database, limit=1, offset=1) == ["bob_1@example.org"]
    assert subscribe.page(database, Selection(limit=1, search="example.org"))[1] == 2


@pytest.mark.parametrize(
    ("leave", "why"),
    [
        (lambda d: subscribe.pause(d, NEWSLETTER, "ann@example.org", None, NOW), "paused"),
        (lambda d: subscribe.unsubscribe(d, "ann@example.org", NOW), "unsubscribed"),
        (lambda d: subscribe.suppress(d, "ann@example.org", "by phone", NOW), "suppressed"),
        (lambda d: subscribe.remove(d, "ann@example.org", NOW), "removed"),
    ],
)
def test_who_leaves_gets_nothing_more(database: Database, leave: Callable[[Database], object], why: str):
    """What waits is withdrawn at once; what is on its way or over is the sender's to settle, or stays."""
    ann, bob = add(database, "ann@example.org", "bob@example.org")
    states = ("ready", "deferred", "leased", "offered", "accepted", "held")
    deliveries(database, ann, *states)

    leave(database)

    assert ledger(database) == [("withdrawn", why, NOW)] * 2 + [(state, "", None) for state in states[2:]]
    assert subscribe.find(database, bob.id).status is Status.ACTIVE


def test_who_changes_preferences_keeps_what_waits(database: Database):
    """Only who leaves active loses what is ready."""
    (ann,) = add(database, "ann@example.org")
    deliveries(database, ann, "ready")

    subscribe.edit(database, NEWSLETTER, ann.id, {"topics": "diffusion", "hour": "07:00"}, NOW)

    assert ledger(database) == [("ready", "", None)]


@pytest.mark.parametrize("leave", ["unsubscribe", "suppress", "remove"])
def test_who_left_and_was_removed_stays_away(database: Database, leave: str):
    """Of a removed person only a hash is left, which keeps import and add from bringing them back."""
    add(database, "Ann@example.org")
    if leave == "unsubscribe":
        subscribe.unsubscribe(database, "ann@example.org", NOW)
    if leave == "suppress":
        subscribe.suppress(database, "ann@example.org", "bounced", NOW)
    subscribe.remove(database, "ann@example.org", NOW)

    with database.read() as session:
        kept = session.exec(select(SuppressionRow)).one()
        assert len(kept.hash) == 64
        assert "ann" not in kept.model_dump_json()
        assert suppressions.reasons(session, ["bob@example.org", "ann@example.org"]) == {"ann@example.org": kept.reason}
    with pytest.raises(NotFoundError, match="removed"):
        subscribe.find(database, "ann@example.org")
    with pytest.raises(IllegalMoveError, match="--resubscribe --source"):
        add(database, "ANN@example.org")
    report = transfer.import_file(database, NEWSLETTER, lines("ANN@EXAMPLE.org", "bob@example.org"), "list", NOW)
    assert (report.added, report.left_alone) == (1, 1)


def test_the_pepper_is_made_once_and_differs_between_databases(tmp_path: Path):
    """The same address leaves another hash in another database, and the same one in the same."""
    hashes = []
    for name in ("one.db", "two.db"):
        upgrade(tmp_path / name, NOW)
        database = Database(tmp_path / name)
        for _ in range(2):
            with database.write() as session:
                suppressions.suppress(session, "ann@example.org", "removed", NOW)
                suppressions.suppress(session, "bob@example.org", "removed", NOW)
        with database.read() as session:
            hashes += session.exec(select(SuppressionRow.hash)).all()
            assert len(session.exec(select(MetaRow).where(MetaRow.key == "suppression_pepper")).all()) == 1
        database.close()

    assert len(hashes) == len(set(hashes)) == 4


def test_who_comes_back_is_no_longer_suppressed(database: Database):
    """With their word, recorded, the hash goes; a later removal leaves a new one."""
    add(database, "ann@example.org")
    subscribe.suppress(database, "ann@example.org", "bounced", NOW)
    subscribe.remove(database, "ann@example.org", NOW)

    (back,) = joining.add(database, NEWSLETTER, ["ann@example.org"], {}, NOW, resubscribe=True, source="asked by phone")

    assert back.outcome is joining.Outcome.RESUBSCRIBED
    assert (back.subscriber.status, back.subscriber.consent_source) == (Status.ACTIVE, "asked by phone")
    with database.read() as session:
        assert suppressions.reasons(session, ["ann@example.org"]) == {}


def test_a_digest_of_today_is_not_repeated_after_a_pause(database: Database):
    """Whoever resumes on the day of their last digest is due on the next."""
    (ann,) = add(database, "ann@example.org", hour="23:00")
    with database.write() as session:
        session.get_one(SubscriberRow, ann.id).last_digest_on = date(2026, 7, 15)
    subscribe.pause(database, NEWSLETTER, ann.id, None, NOW)

    resumed = subscribe.resume(database, NEWSLETTER, ann.id, NOW)

    assert resumed.next_due_at == datetime(2026, 7, 16, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "awake"),
    [
        (datetime(2026, 7, 31, 15, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 31, 16, 0, tzinfo=UTC), True),
        (datetime(2026, 8, 3, 3, 0, tzinfo=UTC), True),
    ],
)
def test_a_pause_ends_on_its_date_where_the_reader_is(database: Database, now: datetime, awake: bool):
    """In Shanghai the first of August begins eight hours early; a late tick loses no digest."""
    add(database, "ann@example.org", zone="Asia/Shanghai", hour="08:00")
    add(database, "bob@example.org")
    subscribe.pause(database, NEWSLETTER, "ann@example.org", date(2026, 8, 1), NOW)
    subscribe.pause(database, NEWSLETTER, "bob@example.org", None, NOW)

    with database.write() as session:
        assert subscribe.wake(session, NEWSLETTER, now) == awake
        assert subscribe.wake(session, NEWSLETTER, now) == 0

    ann = subscribe.find(database, "ann@example.org")
    due = datetime(2026, 8, 1, tzinfo=UTC)
    assert (ann.status, ann.next_due_at) == ((Status.ACTIVE, due) if awake else (Status.PAUSED, None))
    assert subscribe.find(database, "bob@example.org").status is Status.PAUSED


def test_who_confirms_becomes_active_once(database: Database):
    """Pending until they answer; answering twice changes nothing, and a suppressed address cannot."""
    (asked,) = joining.add(database, NEWSLETTER, ["ann@example.org"], {"hour": "12:00"}, NOW, pending=True)
    later = NOW + timedelta(hours=1)

    assert (asked.outcome, asked.subscriber.next_due_at) == (joining.Outcome.ASKED, None)
    confirmed = joining.confirm(database, NEWSLETTER, asked.subscriber.id, later)
    assert (confirmed.status, confirmed.confirmed_at) == (Status.ACTIVE, later)
    assert confirmed.next_due_at == datetime(2026, 7, 16, 10, tzinfo=UTC)
    assert joining.confirm(database, NEWSLETTER, asked.subscriber.id, later + timedelta(days=9)) == confirmed
    subscribe.suppress(database, confirmed.id, "complained", later)
    with pytest.raises(IllegalMoveError):
        joining.confirm(database, NEWSLETTER, confirmed.id, later)


def test_a_change_between_the_hour_and_the_tick_costs_no_digest(database: Database):
    """Who is due, and makes the hour earlier before the tick comes, stays due, at once."""
    (ann,) = add(database, "ann@example.org", hour="12:00")
    late = datetime(2026, 7, 15, 10, 2, tzinfo=UTC)

    edited = subscribe.edit(database, NEWSLETTER, ann.id, {"hour": "11:00"}, late)

    assert edited.next_due_at == late


def test_all_move_or_none(database: Database):
    """When one of several addresses is refused, none is added."""
    add(database, "ann@example.org")
    subscribe.unsubscribe(database, "ann@example.org", NOW)

    with pytest.raises(IllegalMoveError):
        add(database, "bob@example.org", "ann@example.org")

    assert found(database) == ["ann@example.org"]


def test_an_illegal_move_names_the_person(database: Database):
    """The line says who, what and in which state."""
    with database.write() as session:
        ann = Subscriber(
            id=1, email="ann@example.org", status=Status.PENDING, preferences=Preferences(), created_at=NOW
        )
        subscribers.add(session, [("ann@example.org", ann)], NOW)

    with pytest.raises(IllegalMoveError, match=r"ann@example\.org: cannot resume a subscriber who is pending"):
        subscribe.resume(database, NEWSLETTER, "ann@example.org", NOW)
    with database.write() as session:
        assert subscribers.apply(session, ann, Move.CONFIRM, NOW, confirmed_at=NOW).status is Status.ACTIVE


def test_the_export_holds_no_transaction_while_it_is_read(database: Database):
    """Between two rows the log can be folded into the file: whoever reads slowly holds up nobody."""
    report = transfer.import_file(
        database, NEWSLETTER, lines(*(f"reader{n:05}@example.org" for n in range(transfer.CHUNK + 1))), "list", NOW
    )
    exported = transfer.export(database)
    first = next(exported)

    with database.write() as session:
        subscribers.remove(session, first, "reader00000@example.org", NOW)
    with database.engine.connect() as connection:
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()

    assert busy == 0
    assert report.added == transfer.CHUNK + 1
    assert sum(1 for _ in exported) == transfer.CHUNK

"""``why``: the answer for everything that can become of a reader's digest, after the real thing happened."""

from datetime import date, timedelta

import pytest
from newsroom import LOST, Newsroom, instant

from newsletter.services import edit, joining, subscribe
from newsletter.services.why import why
from newsletter.storage import moves, turns
from newsletter.storage.database import cursor
from newsletter.storage.locks import Owner

ANN = "ann@example.net"
WED, THU, FRI, SAT, MON = "2026-07-15", "2026-07-16", "2026-07-17", "2026-07-18", "2026-07-20"


def ask(newsroom: Newsroom, email: str, at: str, day: str | None = None):
    """Return what ``why`` answers at an instant."""
    with newsroom.app(instant(at)) as app:
        return why(app.dispatch, email, date.fromisoformat(day) if day else None, instant(at))


def said(newsroom: Newsroom, email: str, at: str, day: str | None = None) -> tuple[str, str]:
    """Return the answer and its text."""
    answer = ask(newsroom, email, at, day)
    return answer.answer, answer.text


def test_sent_names_the_server_its_words_and_the_reason_of_each_paper(newsroom):
    """Who got the mail reads when, by whom it was taken, and why each paper is in it."""
    newsroom.subscribe(ANN, topics="robots", max_papers="2")
    newsroom.publish(WED, "Alpha", "On robots", "Gamma")
    newsroom.tick(f"{WED}T08:00Z")
    answer = ask(newsroom, ANN, f"{WED}T09:00Z")
    assert answer.answer == "sent"
    assert answer.text.startswith("sent Wed 2026-07-15 08:00 UTC to 127.0.0.1:")
    assert answer.text.endswith("which said: 250 2.0.0 taken")
    assert [(p.key, p.title, p.why) for p in answer.papers] == [
        ("2607.00002", "On robots", "matches “robots”"),
        ("2607.00001", "Alpha", "most upvoted today"),
    ]
    assert answer.next == "next digest: Thu 2026-07-16 08:00 UTC"


def test_a_server_that_is_down_is_named_once(newsroom):
    """Where no server answered, the words are ours, and begin with its name: it is not said twice."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.shut()
    newsroom.tick(f"{WED}T08:00Z", dispatch={"patience": timedelta()})
    _, text = said(newsroom, ANN, f"{WED}T08:05Z")
    assert text.count("127.0.0.1") == 1
    assert ": refused the connection: " in text


def test_a_digest_that_makes_up_for_days_without_mail_says_so(newsroom):
    """After an outage the answer says since when the digest makes up."""
    newsroom.subscribe(ANN, at="2026-07-09")
    newsroom.publish("2026-07-10", "Early")
    newsroom.tick("2026-07-10T08:00Z")
    newsroom.publish(WED, "Late")
    newsroom.tick(f"{WED}T08:00Z")
    answer, text = said(newsroom, ANN, f"{WED}T09:00Z")
    assert answer == "sent"
    assert text.endswith("; with the best since 2026-07-13")


def test_skipped_when_there_is_nothing_new_for_this_reader(newsroom):
    """Who excludes everything gets no mail, and reads why and where to look."""
    newsroom.subscribe(ANN, topics="-study")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    assert said(newsroom, ANN, f"{WED}T09:00Z") == (
        "skipped",
        "no mail: nothing new for this reader; 'subscribers preview' shows what was left out and why",
    )


def test_skipped_on_a_day_that_is_not_the_readers(newsroom):
    """A weekly reader gets nothing on other days, and a reader of weekdays nothing at the weekend."""
    newsroom.subscribe(ANN, frequency="weekly:fri")
    newsroom.subscribe("bob@example.net", frequency="weekdays")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    then = "next digest: Fri 2026-07-17 08:00 UTC"
    assert said(newsroom, ANN, f"{WED}T09:00Z", WED) == (
        "skipped",
        f"Wednesday is not one of the reader's days (weekly:fri); {then}",
    )
    answer, text = said(newsroom, "bob@example.net", f"{SAT}T09:00Z", SAT)
    assert answer == "skipped"
    assert text.startswith("Saturday is not one of the reader's days (weekdays)")


def test_skipped_when_the_issue_came_with_the_digest_of_another_date(newsroom):
    """East of the newsletter, an issue comes with the digest of the day after its date."""
    newsroom.subscribe(ANN, zone="Pacific/Auckland", hour="07:00", at="2026-07-14T20:00Z")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")  # 20:00 on Wednesday in Auckland
    newsroom.tick(f"{WED}T19:00Z")  # 07:00 on Thursday there
    assert said(newsroom, ANN, f"{WED}T20:00Z", WED) == (
        "skipped",
        "the issue of 2026-07-15 came with the digest of 2026-07-16",
    )
    assert said(newsroom, ANN, f"{WED}T20:00Z")[1].startswith("sent Thu 2026-07-16 07:00 Pacific/Auckland")


def test_skipped_when_nothing_ran_after_the_readers_hour(newsroom):
    """Who joined after the day's mail reads that it was too late for that one."""
    newsroom.subscribe(ANN, at=f"{WED}T12:00Z")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T13:00Z")
    answer, text = said(newsroom, ANN, f"{THU}T07:00Z", WED)
    assert answer == "skipped"
    assert text.startswith("nothing ran after the reader's hour, 08:00 UTC, or they joined after it; next digest: Thu")


def test_waiting_for_another_attempt_after_a_temporary_refusal(newsroom):
    """A deferred mail says until when it waits, when it is given up, and what the server said."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "450 4.2.1 mailbox busy"
    newsroom.tick(f"{WED}T08:00Z")
    answer, text = said(newsroom, ANN, f"{WED}T08:01Z")
    assert answer == "waiting"
    assert text.startswith("waits until Wed 2026-07-15 08:05 UTC, or gives up Thu 2026-07-16 04:00 UTC; tried once")
    assert text.endswith(": 450 4.2.1 mailbox busy")
    assert said(newsroom, ANN, f"{WED}T08:06Z")[1].startswith("the next run sends it, or gives up")


def test_waiting_while_the_issue_is_halted(newsroom):
    """A halted issue is named with its reason and the way on, before and after a delivery was made."""
    newsroom.subscribe(ANN)
    newsroom.subscribe("late@example.net", hour="12:00")
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "450 4.2.1 mailbox busy"
    newsroom.tick(f"{WED}T08:00Z")
    with newsroom.app() as app:
        edit.halt(app.database, date.fromisoformat(WED), "wrong subject")
    halted = "the issue of 2026-07-15 is halted (wrong subject); 'issues resume 2026-07-15' lets it go on"
    answer, text = said(newsroom, ANN, f"{WED}T08:10Z")
    assert answer == "waiting"
    assert text.startswith(f"{halted}; tried once")
    assert said(newsroom, "late@example.net", f"{WED}T12:30Z") == ("waiting", halted)


def test_waiting_while_nothing_runs(newsroom):
    """Who is due and has no delivery yet reads since when, also after the date has passed."""
    newsroom.subscribe(ANN, hour="12:00")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    due = "due since Wed 2026-07-15 12:00 UTC; the next run sends the issue of 2026-07-15"
    assert said(newsroom, ANN, f"{WED}T12:30Z") == ("waiting", due)
    assert said(newsroom, ANN, f"{SAT}T12:30Z") == ("waiting", due)


def test_waiting_for_an_issue_that_is_not_sealed(newsroom):
    """On the day itself the answer says that the issue is late."""
    newsroom.subscribe(ANN)
    assert said(newsroom, ANN, f"{WED}T09:00Z", WED) == (
        "waiting",
        "the issue of 2026-07-15 is not sealed yet; 'run' says what it waits for",
    )


def test_what_keeps_an_issue_from_being_sealed_is_named_on_any_day(newsroom, tmp_path):
    """A template that is broken is why nothing came, also on a day on which only a person makes an issue."""
    newsroom.subscribe(ANN)
    newsroom.publish(SAT, "Alpha")
    card = tmp_path / "theirs" / "email" / "card.html"
    card.parent.mkdir(parents=True)
    card.write_text("{% if %}", "utf-8")
    newsroom.configure(look={"templates": str(tmp_path / "theirs")})
    newsroom.tick(f"{SAT}T09:00Z", at_once=True)
    answer, text = said(newsroom, ANN, f"{SAT}T09:30Z", SAT)
    assert answer == "no_issue"
    assert text.startswith("the newsletter has no issue on a Saturday; ")
    assert f"{card}:1: " in text


def test_waiting_while_the_route_is_paused(newsroom):
    """When too many addresses fail for good nobody gets mail for an hour, and the answer says until when."""
    readers = [f"reader{n}@example.net" for n in range(12)]
    newsroom.configure(smtp={"connections": 1})
    newsroom.subscribe(*readers)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals |= dict.fromkeys(readers, "550 5.2.1 mailbox disabled")
    newsroom.tick(f"{WED}T08:00Z")
    answers = [said(newsroom, reader, f"{WED}T08:10Z", WED) for reader in readers]
    waiting = [text for answer, text in answers if answer == "waiting"]
    assert [text.partition(":0")[0] for text in waiting] == ["waits until Wed 2026-07-15 09"]
    assert waiting[0].endswith("too many addresses failed; 'deliver --retry-failed' goes on now")


def test_failed_for_good_says_what_the_server_said(newsroom):
    """A permanent refusal is repeated word for word."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "550 5.2.1 mailbox disabled"
    newsroom.tick(f"{WED}T08:00Z")
    answer, text = said(newsroom, ANN, f"{WED}T09:00Z")
    assert answer == "failed"
    assert text.startswith("refused for good Wed 2026-07-15 08:00 UTC by 127.0.0.1:")
    assert text.endswith(": 550 5.2.1 mailbox disabled; 'deliver --retry-failed' tries again")


def test_suppressed_says_since_when_and_why_and_the_date_itself_that_it_failed(newsroom):
    """An address that does not exist is suppressed by the server's word."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "550 5.1.1 no such user"
    newsroom.tick(f"{WED}T08:00Z")
    text = "suppressed since Wed 2026-07-15 08:00 UTC: 550 5.1.1 no such user"
    assert said(newsroom, ANN, f"{THU}T09:00Z") == ("suppressed", text)
    assert said(newsroom, ANN, f"{THU}T09:00Z", THU) == ("suppressed", text)
    assert said(newsroom, ANN, f"{THU}T09:00Z", WED)[0] == "failed"


def test_held_says_what_a_person_can_do(newsroom):
    """Where the operator wants to decide, a lost answer is held, and the answer says how to release it."""
    newsroom.configure(smtp={"on_uncertain": "hold"})
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.at_dot = lambda _: LOST
    newsroom.tick(f"{WED}T08:00Z")
    answer = ask(newsroom, ANN, f"{WED}T09:00Z")
    assert answer.answer == "held"
    assert answer.text.startswith("nobody knows whether it arrived: ")
    assert f"'deliveries release {answer.delivery['id']}' sends it again" in answer.text


def test_expired_when_it_was_too_late_and_when_the_next_was_due(newsroom):
    """A mail that waited too long says what held it up."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "450 4.2.1 mailbox busy"
    newsroom.tick(f"{WED}T08:00Z")
    newsroom.tick(f"{THU}T05:00Z")
    answer, text = said(newsroom, ANN, f"{THU}T07:00Z", WED)
    assert answer == "expired"
    assert text.startswith("given up Thu 2026-07-16 05:00 UTC, since it was too late; tried once")
    assert text.endswith(": 450 4.2.1 mailbox busy")


def test_expired_when_the_next_digest_came_first(newsroom):
    """Nobody gets yesterday's mail beside today's."""
    newsroom.configure(smtp={"give_up_after": "3d"})
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "450 4.2.1 mailbox busy"
    newsroom.tick(f"{WED}T08:00Z")
    newsroom.publish(THU, "Beta")
    newsroom.tick(f"{THU}T08:00Z")
    answer, text = said(newsroom, ANN, f"{THU}T08:01Z", WED)
    assert answer == "expired"
    assert text.startswith("given up Thu 2026-07-16 08:00 UTC, since ")


def test_waiting_while_a_sender_is_at_work(newsroom):
    """Claimed, then offered: the answer says how far it is."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "450 4.2.1 mailbox busy"
    newsroom.tick(f"{WED}T08:00Z")
    at = instant(f"{WED}T08:10Z")
    with newsroom.app() as app, Owner(app.database, at) as owner:
        with app.database.write() as session:
            (claimed,) = turns.claim(cursor(session), owner.id, at, 1)
        assert said(newsroom, ANN, f"{WED}T08:10Z") == ("waiting", "a sender is at work on it now")
        with app.database.write() as session:
            moves.offer(cursor(session), [claimed.id], owner.id, at)
        offered = "offered to the server Wed 2026-07-15 08:10 UTC, whose answer is awaited"
        assert said(newsroom, ANN, f"{WED}T08:10Z") == ("waiting", offered)


@pytest.mark.parametrize(
    ("uncertain", "then"), [("resend", "sends it again, so that it may come twice"), ("hold", "holds it for a person")]
)
def test_waiting_for_the_next_run_where_the_sender_died(newsroom, uncertain, then):
    """Nobody has taken over yet: what that run will do is said, as its configuration has it."""
    newsroom.configure(smtp={"on_uncertain": uncertain})
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals[ANN] = "450 4.2.1 mailbox busy"
    newsroom.tick(f"{WED}T08:00Z")
    at = instant(f"{WED}T08:10Z")
    with newsroom.app() as app, app.database.write() as session:
        (claimed,) = turns.claim(cursor(session), "dead", at, 1)
    died = "the sender that had it died; the next run sends it"
    assert said(newsroom, ANN, f"{WED}T08:10Z") == ("waiting", died)
    with newsroom.app() as app, app.database.write() as session:
        moves.offer(cursor(session), [claimed.id], "dead", at)
    offered = "offered to the server Wed 2026-07-15 08:10 UTC, and the sender died before it read an answer"
    answer, text = said(newsroom, ANN, f"{WED}T08:10Z")
    assert (answer, text.startswith(f"{offered}; the next run {then}")) == ("waiting", True)
    with newsroom.app() as app, app.database.write() as session:
        session.connection().exec_driver_sql("UPDATE deliveries SET uncertain = 2")
    assert "the next run holds it for a person" in said(newsroom, ANN, f"{WED}T08:10Z")[1]  # after the third time


def test_withdrawn_when_the_reader_left_and_when_the_issue_was_cancelled(newsroom):
    """What was waiting is withdrawn, and the answer says by whose will."""
    newsroom.subscribe(ANN, "bob@example.net")
    newsroom.publish(WED, "Alpha")
    newsroom.sink.refusals |= dict.fromkeys((ANN, "bob@example.net"), "450 4.2.1 mailbox busy")
    newsroom.tick(f"{WED}T08:00Z")
    with newsroom.app() as app:
        subscribe.unsubscribe(app.database, ANN, instant(f"{WED}T08:02Z"))
    assert said(newsroom, ANN, f"{WED}T09:00Z", WED) == (
        "withdrawn",
        "withdrawn Wed 2026-07-15 08:02 UTC before it was sent: the reader was unsubscribed",
    )
    with newsroom.app() as app:
        edit.cancel(app.database, date.fromisoformat(WED), instant(f"{WED}T08:03Z"))
    assert said(newsroom, "bob@example.net", f"{WED}T09:00Z", WED) == (
        "withdrawn",
        "withdrawn Wed 2026-07-15 08:03 UTC before it was sent: the issue of 2026-07-15 was cancelled",
    )


def test_who_left_after_todays_mail_reads_why_it_came(newsroom):
    """The mail is what they ask about; from the next date on it is that they left."""
    newsroom.publish(WED, "Alpha")
    newsroom.subscribe(ANN)
    newsroom.tick(f"{WED}T08:00Z")
    with newsroom.app() as app:
        subscribe.unsubscribe(app.database, ANN, instant(f"{WED}T08:30Z"))
    assert said(newsroom, ANN, f"{WED}T09:00Z")[0] == "sent"
    assert said(newsroom, ANN, f"{THU}T09:00Z")[0] == "unsubscribed"


def test_who_left_paused_or_never_confirmed_reads_since_when(newsroom):
    """Without a date, what stands in the way now is the answer."""
    newsroom.subscribe("gone@example.net", "away@example.net", "back@example.net")
    with newsroom.app() as app:
        newsletter, at = app.settings.newsletter, instant(f"{WED}T07:00Z")
        subscribe.unsubscribe(app.database, "gone@example.net", at)
        subscribe.pause(app.database, newsletter, "away@example.net", None, at)
        subscribe.pause(app.database, newsletter, "back@example.net", date.fromisoformat(MON), at)
        joining.add(app.database, newsletter, ["new@example.net"], {}, at, pending=True)
    since = "since Wed 2026-07-15 07:00 UTC"
    assert said(newsroom, "gone@example.net", f"{THU}T09:00Z") == ("unsubscribed", f"unsubscribed {since}")
    assert said(newsroom, "away@example.net", f"{THU}T09:00Z") == (
        "paused",
        f"paused {since}, until 'subscribers resume'",
    )
    assert said(newsroom, "back@example.net", f"{THU}T09:00Z") == ("paused", f"paused {since}, until 2026-07-20")
    answer, text = said(newsroom, "new@example.net", f"{THU}T09:00Z")
    assert answer == "pending"
    assert text == "asked for Wed 2026-07-15 07:00 UTC and not confirmed yet; 'subscribers add' vouches for them"


def test_a_pause_does_not_explain_a_day_before_it(newsroom):
    """A date before the pause is answered as it was then."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    with newsroom.app() as app:
        subscribe.pause(app.database, app.settings.newsletter, ANN, None, instant(f"{THU}T07:00Z"))
    assert said(newsroom, ANN, f"{FRI}T09:00Z", WED)[0] == "sent"
    assert said(newsroom, ANN, f"{FRI}T09:00Z")[0] == "paused"


def test_not_due_says_when_the_next_digest_comes(newsroom):
    """Before the first digest, for a coming date, and for a date before the reader joined."""
    newsroom.subscribe(ANN, at=f"{WED}T07:00Z", zone="Asia/Shanghai", hour="18:30")
    then = "next digest: Wed 2026-07-15 18:30 Asia/Shanghai"
    assert said(newsroom, ANN, f"{WED}T07:30Z") == (
        "not_due",
        "the issue of 2026-07-15 will be sealed Wed 2026-07-15 16:00 Asia/Shanghai",
    )
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    assert said(newsroom, ANN, f"{WED}T09:00Z") == ("not_due", then)
    assert said(newsroom, ANN, f"{WED}T09:00Z", FRI) == ("not_due", f"not due yet; {then}")
    assert said(newsroom, ANN, f"{WED}T09:00Z", "2026-07-10") == (
        "not_due",
        f"on the list since 2026-07-15 only; {then}",
    )


def test_no_issue_says_why_there_was_none(newsroom):
    """An empty day, a day without issues, and a day on which nothing ran."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    newsroom.tick(f"{THU}T08:00Z")
    monday = "next digest: Mon 2026-07-20 08:00 UTC"
    newsroom.tick(f"{SAT}T08:00Z")
    newsroom.tick("2026-07-19T08:00Z")
    silent = "file listed nothing on Thursday 2026-07-16, a holiday there"
    assert said(newsroom, ANN, "2026-07-19T09:00Z", THU) == (
        "no_issue",
        f"no issue of 2026-07-16: nothing was listed that the last issue did not know; {silent}; {monday}",
    )
    assert said(newsroom, ANN, "2026-07-19T09:00Z", SAT) == (
        "no_issue",
        f"the newsletter has no issue on a Saturday; {monday}",
    )
    assert said(newsroom, ANN, "2026-07-19T09:00Z", FRI) == ("no_issue", f"no issue of 2026-07-17 was sealed; {monday}")


def test_a_day_whose_source_failed_says_so(newsroom):
    """A reader without mail is told what went wrong, as long as the source was not heard again."""
    newsroom.subscribe(ANN, topics="alpha", only_topics="yes")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    away = newsroom.file.rename(newsroom.folder / "elsewhere")
    newsroom.tick(f"{THU}T07:00Z")
    _, text = said(newsroom, ANN, f"{THU}T07:30Z", THU)
    assert text.startswith("the issue of 2026-07-16 will be sealed Thu 2026-07-16 08:00 UTC; file failed and was not")
    newsroom.tick(f"{THU}T08:00Z")
    _, text = said(newsroom, ANN, f"{THU}T09:00Z", THU)
    assert f"file failed and was not heard since: {newsroom.file}" in text
    assert "asks again" not in text
    away.rename(newsroom.file)
    newsroom.tick(f"{THU}T10:00Z")
    assert "failed" not in said(newsroom, ANN, f"{THU}T11:00Z", THU)[1]


def test_no_issue_when_it_was_cancelled_before_the_readers_hour(newsroom):
    """Who was not reached yet reads that the issue was cancelled."""
    newsroom.subscribe(ANN, hour="12:00")
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    with newsroom.app() as app:
        edit.cancel(app.database, date.fromisoformat(WED), instant(f"{WED}T09:00Z"))
    newsroom.tick(f"{WED}T12:00Z")
    answer, text = said(newsroom, ANN, f"{WED}T12:30Z", WED)
    assert answer == "no_issue"
    assert text.startswith("the issue of 2026-07-15 was cancelled; next digest: Thu")


def test_on_the_command_line_the_answer_is_one_document_or_a_few_lines(newsroom):
    """--json has the documented keys; a person reads the answer, the papers and the next date."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    document = newsroom.run("why", ANN, "--date", WED, "--json").json
    assert list(document) == ["email", "status", "date", "answer", "text", "delivery", "papers"]
    assert (document["email"], document["status"], document["date"]) == (ANN, "active", WED)
    assert document["papers"] == [{"key": "2607.00001", "title": "Alpha", "why": "most upvoted today"}]
    assert document["delivery"]["message_id"] == f"<{document['delivery']['id']}@example.org>"
    lines = newsroom.run("why", ANN, "--date", WED).out.splitlines()
    assert lines[0].startswith(f"{ANN}, Wed 2026-07-15: sent Wed 2026-07-15 08:00 UTC to ")
    assert lines[1] == "  1. 2607.00001  Alpha (most upvoted today)"


@pytest.mark.parametrize("options", [(), ("--date", WED)])
def test_no_such_subscriber_is_exit_status_1(newsroom, options):
    """A stranger's address is named, and where to look."""
    answer = newsroom.run("why", "nobody@example.net", *options, expect=1)
    assert "no subscriber nobody@example.net" in answer.err


@pytest.mark.parametrize("leaves", [subscribe.unsubscribe, lambda d, e, n: subscribe.suppress(d, e, "complained", n)])
def test_who_left_after_the_newest_digest_is_said_to_have_left(newsroom, leaves):
    """What became of the digest, and then that nothing follows; who is still there is not said to be."""
    newsroom.subscribe(ANN)
    newsroom.publish(WED, "Alpha")
    newsroom.tick(f"{WED}T08:00Z")
    assert "since" not in said(newsroom, ANN, f"{WED}T09:00Z")[1]
    with newsroom.app() as app:
        leaves(app.database, ANN, instant(f"{WED}T09:00Z"))
    for day, at in ((None, WED), (WED, FRI)):
        answer, text = said(newsroom, ANN, f"{at}T10:00Z", day)
        assert answer == "sent"
        assert text.startswith("sent Wed 2026-07-15 08:00 UTC")
        assert "ed since Wed 2026-07-15 09:00 UTC" in text

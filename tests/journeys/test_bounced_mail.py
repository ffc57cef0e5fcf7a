"""What comes back of a day's mail, and what follows: for readers, and for the operator."""

import asyncio
import json
from datetime import UTC, datetime

from newsroom import Newsroom
from returned import COMPLAINT, TODAY, dsn, from_daemon, reply

from newsletter.services.collect import collect
from newsletter.services.letters import send_data_link
from newsletter.storage import subscribers


def returned(mailed: Newsroom, raw: bytes, name: str = "back.eml") -> list[dict[str, object]]:
    """Read a mail that came back, and return what was kept of it."""
    file = mailed.folder / name
    file.write_bytes(raw)
    kept: list[dict[str, object]] = mailed.run("bounces", "read", str(file), "--json").json["returns"]
    return kept


def to_the_sender_of(mailed: Newsroom, email: str, raw: bytes) -> bytes:
    """Return *raw* as it comes back to the signed return address of a reader's newest mail."""
    return raw.replace(b"letters+bbbb@papers.example", mailed.sink.to(email)[-1].sender.encode())


def show(mailed: Newsroom, email: str) -> dict[str, object]:
    """Return what is known of a reader."""
    shown: dict[str, object] = mailed.run("subscribers", "show", email, "--json").json
    return shown


def test_a_permanent_bounce_suppresses_and_is_explained(mailed: Newsroom) -> None:
    """One report of an address that is gone is enough; why, and the reader's own page, say what the server said."""
    report = to_the_sender_of(mailed, "ann@there.example", dsn("550 5.1.1 no such user here"))
    [kept] = returned(mailed, report)
    assert (kept["effect"], kept["address"], kept["reason"]) == ("suppressed", "ann@there.example", "no such address")
    shown = show(mailed, "ann@there.example")
    assert shown["status"] == "suppressed"
    assert "no such user here" in str(shown["suppression_reason"])
    why = mailed.run("why", "ann@there.example", "--date", TODAY, "--json").json
    assert "it came back" in why["text"]
    assert why["returns"][0]["said"] == "smtp; 550 5.1.1 no such user here"
    assert show(mailed, "ben@there.example")["status"] == "active"


def test_a_report_that_is_read_twice_counts_once(mailed: Newsroom) -> None:
    """By whatever way and however often it comes, with whatever lines servers put before it."""
    report = to_the_sender_of(mailed, "ann@there.example", dsn("452 4.2.2 mailbox full", status="4.2.2"))
    assert len(returned(mailed, report)) == 1
    assert returned(mailed, report) == []
    again = mailed.run("bounces", "read", "-", "--json", typed="Received: by mx\n" + report.decode()).json
    assert again == {"read": 1, "returns": []}
    assert show(mailed, "ann@there.example")["bounce_score"] == 1


def test_a_letter_comes_back_as_a_digest_does(mailed: Newsroom) -> None:
    """Also a mail that belongs to no issue, such as the link to what is known of a reader, says whose it was."""
    with mailed.app() as app, app.database.read() as session:
        ann = subscribers.get(session, "ann@there.example")
        assert ann
        assert asyncio.run(send_data_link(app.dispatch, ann, datetime.now(UTC)))
    report = dsn("550 5.1.1 no such user here", to="where.ann.has.it.sent@elsewhere.example")
    kept = returned(mailed, to_the_sender_of(mailed, "ann@there.example", report))
    assert [one["effect"] for one in kept] == ["suppressed"]
    assert show(mailed, "ann@there.example")["status"] == "suppressed"


def test_whose_mail_it_was(mailed: Newsroom) -> None:
    """By the signed return address, else by our Message-ID, else by the address of who was mailed lately."""
    mail = mailed.sink.to("ann@there.example")[0]
    by_id = dsn("452 4.2.2 full", status="4.2.2", to="elsewhere@there.example")
    by_id = by_id.replace(b"<00f0c8a5d2b3e4f6@papers.example>", str(mail.message["Message-ID"]).encode())
    assert [one["effect"] for one in returned(mailed, by_id)] == ["counted"]
    assert show(mailed, "ann@there.example")["bounce_score"] == 1
    [by_address] = returned(mailed, dsn("550 5.1.1 unknown", to="ben@there.example"))
    assert by_address["effect"] == "suppressed"
    assert show(mailed, "ben@there.example")["status"] == "suppressed"


def test_a_bounce_counts_only_for_mail_that_we_sent(mailed: Newsroom) -> None:
    """A forged return address, another's Message-ID, and a reader who never had a mail: kept, and nothing follows."""
    mailed.subscribe("cy@there.example")
    forged = dsn("550 5.1.1 unknown", to="nobody@there.example").replace(
        b"letters+bbbb@papers.example", b"letters+" + b"a" * 48 + b"@example.org"
    )
    strangers = [forged, dsn("550 5.1.1 unknown", to="cy@there.example")]
    assert [one["effect"] for raw in strangers for one in returned(mailed, raw)] == ["not ours", "not ours"]
    assert show(mailed, "cy@there.example")["status"] == "active"
    listed = mailed.run("bounces", "list", "--effect", "not ours", "--json").json["returns"]
    assert len(listed) == 2
    assert "unknown" in mailed.run("bounces", "show", str(listed[0]["id"])).out


def test_what_we_wrote_is_told_to_the_operator_and_no_reader_s_fault(mailed: Newsroom) -> None:
    """Spam filters, policy and size suppress nobody; the operator hears of them once, with what to look at."""
    mailed.configure(operator={"email": "me@example.org"})
    for n, words in enumerate(("550 5.7.1 looks like spam", "552 5.3.4 message too big", "550 5.7.26 DMARC policy")):
        raw = dsn(words, status=words[4:9].strip(), text=f"report {n}")
        [kept] = returned(mailed, to_the_sender_of(mailed, "ann@there.example", raw))
        assert kept["effect"] == "told"
    assert show(mailed, "ann@there.example")["status"] == "active"
    mailed.run("run", expect=None)
    told = mailed.sink.to("me@example.org")
    assert len(told) == 1
    assert "bounces list --effect told" in " ".join(told[0].text.split())


def test_a_complaint_suppresses_at_once(mailed: Newsroom) -> None:
    """Who calls it spam gets nothing more."""
    [kept] = returned(mailed, to_the_sender_of(mailed, "ann@there.example", COMPLAINT))
    assert (kept["kind"], kept["effect"]) == ("complaint", "suppressed")
    assert "complained" in str(show(mailed, "ann@there.example")["suppression_reason"])


def test_what_nobody_understands_is_kept_whole(mailed: Newsroom) -> None:
    """A mail that says nothing we know is counted and can be read; who is away is counted and nothing more."""
    raw = from_daemon("Something happened to a mail.", subject="Notice")
    [kept] = returned(mailed, to_the_sender_of(mailed, "ann@there.example", raw))
    assert (kept["kind"], kept["effect"]) == ("other", "noted")
    assert "Something happened to a mail." in mailed.run("bounces", "show", str(kept["id"])).out
    [away] = returned(
        mailed, to_the_sender_of(mailed, "ann@there.example", reply("Back on Monday", subject="Out of office"))
    )
    assert (away["kind"], away["effect"]) == ("auto-reply", "noted")
    assert show(mailed, "ann@there.example")["status"] == "active"


def test_a_maildir_is_read_once_and_nothing_is_deleted(mailed: Newsroom) -> None:
    """What was acted on is moved to cur and marked as seen; a second look finds nothing, and says so."""
    maildir = mailed.folder / "Maildir"
    for folder in ("new", "cur", "tmp"):
        (maildir / folder).mkdir(parents=True)
    report = to_the_sender_of(mailed, "ann@there.example", dsn("550 5.1.1 no such user"))
    (maildir / "new" / "1.a.host").write_bytes(report)
    assert mailed.run("bounces", "read", str(maildir), "--json").json["read"] == 1
    assert [file.name for file in (maildir / "cur").iterdir()] == ["1.a.host:2,S"]
    assert mailed.run("bounces", "read", str(maildir), "--json").json == {"read": 0, "returns": []}
    assert mailed.run("bounces", "read", str(maildir)).out == f"no mail waits in {maildir}\n"
    assert show(mailed, "ann@there.example")["status"] == "suppressed"


def test_a_mailbox_that_somebody_fills_keeps_no_digest_waiting(mailed: Newsroom) -> None:
    """A tick reads for so long, and at least one mail; the next goes on where it ended."""
    maildir = mailed.folder / "Maildir"
    for number in range(3):
        (maildir / "new").mkdir(parents=True, exist_ok=True)
        (maildir / "new" / f"{number}.a.host").write_bytes(from_daemon(f"nothing {number}"))
    mailed.configure(bounces={"maildir": str(maildir)})
    for budget, left in ((-1.0, 2), (-1.0, 1), (60.0, 0)):
        with mailed.app() as app:
            assert asyncio.run(collect(app.dispatch, lambda: datetime.now(UTC), budget=budget)) == ""
        assert len(list((maildir / "new").iterdir())) == left


def test_an_mbox_and_a_pipe(mailed: Newsroom) -> None:
    """An mbox holds many; a pipe hands over one, and gets a status at which a mail server tries again on trouble."""
    ann = to_the_sender_of(mailed, "ann@there.example", dsn("550 5.1.1 no such user"))
    ben = to_the_sender_of(mailed, "ben@there.example", dsn("452 4.2.2 full", status="4.2.2", to="ben@there.example"))
    mbox = mailed.folder / "box"
    mbox.write_bytes(b"".join(b"From MAILER-DAEMON Sat Nov 28 08:00:00 2026\n" + each + b"\n" for each in (ann, ben)))
    found = mailed.run("bounces", "read", str(mbox), "--json").json
    assert [one["effect"] for one in found["returns"]] == ["suppressed", "counted"]
    assert mailed.run("bounces", "read", str(mailed.folder / "nothing"), expect=2).out == ""
    mailed.configure(database={"url": f"sqlite:///{mbox}/no.db"})
    assert "may come again" in mailed.run("bounces", "read", "-", typed="Subject: x\n\nx", expect=75).err


def test_a_mail_to_the_address_that_unsubscribes(mailed: Newsroom) -> None:
    """As mail programs do by List-Unsubscribe, also without a word, and marked as automatic."""
    header = str(mailed.sink.to("ann@there.example")[0].message["List-Unsubscribe"])
    to = header.partition("<mailto:")[2].partition("?")[0]
    raw = reply("", subject="unsubscribe", headers="Auto-Submitted: auto-replied\n", to=to)
    assert [one["effect"] for one in returned(mailed, raw)] == ["unsubscribed"]
    assert show(mailed, "ann@there.example")["status"] == "unsubscribed"
    assert json.loads(mailed.run("bounces", "list", "--json").out)["returns"][0]["kind"] == "command"


def test_who_came_back_does_not_leave_by_the_same_mail_again(mailed: Newsroom) -> None:
    """An mbox is read anew each time, and servers repeat what they were not sure of: each mail unsubscribes once."""
    header = str(mailed.sink.to("ann@there.example")[0].message["List-Unsubscribe"])
    raw = reply("", subject="unsubscribe", to=header.partition("<mailto:")[2].partition("?")[0])
    assert [one["effect"] for one in returned(mailed, raw)] == ["unsubscribed"]
    mailed.run("subscribers", "add", "ann@there.example", "--resubscribe", "--source", "she wrote")
    assert returned(mailed, raw) == []
    assert show(mailed, "ann@there.example")["status"] == "active"


def test_a_report_of_many_strangers_is_kept_once(mailed: Newsroom) -> None:
    """What nobody here was mailed is kept whole with the first of its addresses, not with each of two hundred."""
    blocks = "".join(f"\nFinal-Recipient: rfc822;a{n}@there.example\nStatus: 5.1.1\n" for n in range(200))
    raw = f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; there.example\n{blocks}\n{'x' * 64_000}"
    assert len(returned(mailed, raw.encode())) > 100
    assert sum(file.stat().st_size for file in mailed.folder.glob("newsletter.db*")) < 4_000_000


def test_temporary_bounces_add_up_over_days(mailed: Newsroom) -> None:
    """On five days in a row they end the mail; two reports of one day count once."""
    effects = []
    for day in range(24, 29):
        for report in range(2):
            raw = dsn("452 4.2.2 mailbox full", status="4.2.2", text=f"{day}.{report}")
            dated = raw.replace(b"Subject:", f"Date: Sat, {day} Nov 2026 08:0{report}:00 +0000\nSubject:".encode(), 1)
            mine = to_the_sender_of(mailed, "ann@there.example", dated)
            effects += [one["effect"] for one in returned(mailed, mine, f"{day}.{report}.eml")]
    assert effects[:8] == ["counted"] * 8
    assert "suppressed" in effects
    assert "mailbox full" in str(show(mailed, "ann@there.example")["suppression_reason"])


def test_a_confirmation_that_bounces_ends_it_too(mailed: Newsroom) -> None:
    """Mails that are no digests have a signed return address as well: a mistyped address is asked once."""
    mailed.run("subscribers", "add", "mistyped@there.example", "--confirm")
    report = dsn("550 5.1.1 no such user", to="mistyped@there.example")
    [kept] = returned(mailed, to_the_sender_of(mailed, "mistyped@there.example", report))
    assert kept["effect"] == "suppressed"
    assert show(mailed, "mistyped@there.example")["status"] == "suppressed"

"""``newsletter doctor`` and ``newsletter stats``: looking after the newsletter."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from newsroom import LOST, Newsroom, instant

from newsletter.mail.published import Names
from newsletter.services.doctor import examine

ANN, BOB = "ann@example.net", "bob@example.net"
DAY = "2026-07-15"


def findings(newsroom: Newsroom, expect: int) -> dict[str, tuple[str, str]]:
    """Return level and text of each finding, by name."""
    document = newsroom.run("doctor", "--json", expect=expect).json
    assert document["ok"] is (expect == 0)
    return {one["name"]: (one["level"], one["text"] + one["remedy"]) for one in document["findings"]}


def test_a_newsletter_in_order_is_all_ok_and_no_mail_is_sent(newsroom):
    """After a run everything is ok, the mail server was greeted only, and nothing was changed."""
    newsroom.publish(DAY, "Alpha")
    newsroom.run("run", "--date", DAY, "--now")
    found = findings(newsroom, 0)
    assert {name for name, (level, _) in found.items() if level != "ok"} == {"dns"}  # the sender's is for examples
    assert found["smtp"][1].endswith("(sink.example): open; no mail was sent")
    assert not newsroom.sink.heard
    lines = newsroom.run("doctor").out.splitlines()
    assert lines[0] == f"ok    configuration: {newsroom.config}"
    assert lines[-1].endswith("looked at: 0 failed, 1 to look into")


def test_before_the_first_run_there_is_something_to_look_into(newsroom):
    """No database is no failure, and doctor makes none."""
    (newsroom.folder / "newsletter.db").unlink()
    found = findings(newsroom, 0)
    assert found["database"][0] == "warn"
    assert not (newsroom.folder / "newsletter.db").exists()


def test_a_configuration_that_does_not_load_is_the_one_finding(newsroom):
    """The line of the error is the line of the finding; the status is that of any wrong configuration."""
    newsroom.configure(smtp={"port": "many"})
    found = findings(newsroom, 2)
    assert list(found) == ["configuration"]
    assert found["configuration"][0] == "fail"
    assert "smtp.port = 'many'" in found["configuration"][1]


def test_a_mail_server_that_is_not_there_fails(newsroom):
    """The remedy is in the line."""
    newsroom.sink.shut()
    level, text = findings(newsroom, 1)["smtp"]
    assert level == "fail"
    assert "refused the connection: start the mail server there" in text


def test_a_server_without_the_wanted_tls_fails(newsroom):
    """Mail is never sent in clear instead, and doctor says so beforehand."""
    newsroom.configure(smtp={"security": "starttls"})
    level, text = findings(newsroom, 1)["smtp"]
    assert level == "fail"
    assert "offers no STARTTLS" in text


def test_another_secret_than_the_databases_fails(newsroom):
    """Links in old mails would die; nothing is sent, and doctor says why."""
    newsroom.run("run", "--date", DAY, "--now")
    (newsroom.folder / "secret").write_text("another-secret-of-32-characters.\n")
    level, text = findings(newsroom, 1)["secret"]
    assert level == "fail"
    assert "put the old one back, or add it as a second line" in text


def test_a_secret_that_others_can_read_is_warned_of(newsroom):
    """With what to type."""
    secret = newsroom.folder / "secret"
    secret.chmod(0o644)
    assert findings(newsroom, 0)["newsletter.secret_file"] == (
        "warn",
        f"{secret} can be read by others (mode 0644)chmod 600 {secret}",
    )


def test_secrets_of_the_ways_in_are_looked_at_too(newsroom):
    """Who can read the key of a webhook can tell us of bounces that never were."""
    for name in ("postmark", "mailgun"):
        (newsroom.folder / name).write_text("a-secret-of-some-length\n")
        (newsroom.folder / name).chmod(0o644)
    newsroom.configure(bounces={"webhooks": {"postmark_secret_file": "postmark", "mailgun_key_file": "mailgun"}})
    found = findings(newsroom, 0)
    for name in ("postmark_secret_file", "mailgun_key_file"):
        assert found[f"bounces.webhooks.{name}"][0] == "warn"


def test_a_key_that_receivers_distrust_is_warned_of(newsroom):
    """An RSA key that is short, and Ed25519 without the RSA that all know; the records are shown all the same."""
    short, other = generate_private_key(65537, 1024), Ed25519PrivateKey.generate()
    for name, key in (("short.pem", short), ("ed25519.pem", other)):
        (newsroom.folder / name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    newsroom.configure(dkim={"selector": "papers", "key_file": "short.pem"})
    found = findings(newsroom, 0)
    level, text = found["dkim papers"]
    assert level == "warn"
    assert "has 1024 bits" in text
    assert 'papers._domainkey.example.org. TXT "v=DKIM1; k=rsa; p=' in text
    assert found["dkim.key_file"][0] == "warn"  # others can read it

    newsroom.configure(dkim={"key_file": "ed25519.pem"})
    found = findings(newsroom, 0)
    assert found["dkim papers"][0] == "ok"
    assert "k=ed25519" in found["dkim papers"][1]
    assert found["dkim"][0] == "warn"
    assert "second_key_file" in found["dkim"][1]


def test_every_way_out_is_looked_at(newsroom):
    """The one that is down is named, and the other is open."""
    routes = [{"name": "first"}, {"name": "spare", "port": 1}]
    newsroom.configure(smtp={"routes": routes})
    found = findings(newsroom, 1)
    assert found["smtp route first"][0] == "ok"
    assert found["smtp route spare"][0] == "fail"
    assert "refused the connection" in found["smtp route spare"][1]


def test_what_strangers_must_be_told_is_asked_for(newsroom):
    """Without pages and a postal address one can send, but should not send to strangers."""
    newsroom.configure(newsletter={"base_url": "", "postal_address": ""})
    found = findings(newsroom, 0)
    assert [found[f"newsletter.{name}"][0] for name in ("base_url", "reply_to", "postal_address")] == [
        "warn",
        "ok",
        "warn",
    ]


def test_a_damaged_database_fails(newsroom):
    """What is no database is named, with what to do."""
    newsroom.run("stats")
    Path(newsroom.folder / "newsletter.db").write_bytes(b"This is a shopping list, not a database." * 200)
    assert findings(newsroom, 1)["database"][0] == "fail"


def test_a_source_that_failed_is_warned_of_with_its_last_error(newsroom):
    """Its own line of error, and when it last worked."""
    newsroom.file.write_text("not JSON\n")
    newsroom.run("gather", expect=None)
    level, text = findings(newsroom, 0)["source file"]
    assert level == "warn"
    assert "line 1: is not JSON" in text
    assert text.endswith("last success: never")


def test_a_paused_route_fails_until_it_is_over(newsroom):
    """After too many refusals the operator reads until when nothing is sent."""
    readers = [f"reader{n}@example.net" for n in range(12)]
    newsroom.configure(smtp={"connections": 1})
    newsroom.subscribe(*readers)
    newsroom.publish(DAY, "Alpha")
    newsroom.sink.refusals |= dict.fromkeys(readers, "550 5.2.1 mailbox disabled")
    newsroom.tick(f"{DAY}T08:00Z")
    with newsroom.app() as app:
        then = list(examine(app.settings, app.dispatch, instant(f"{DAY}T08:30Z"), Names()))
        later = list(examine(app.settings, app.dispatch, instant(f"{DAY}T09:30Z"), Names()))
    assert [f.text.partition(":")[0] for f in then if f.name == "route"] == ["nothing is sent until 2026-07-15 09"]
    assert [f for f in later if f.name == "route"] == []


def test_stats_count_what_there_is(newsroom):
    """Subscribers, papers, issues and deliveries by state, and the last that was heard of each source."""
    empty = newsroom.run("stats", "--json").json
    assert (empty["papers"], empty["newest_issue"], empty["last_accepted_at"], empty["sources"]) == (0, None, None, {})
    newsroom.configure(smtp={"on_uncertain": "hold"})
    newsroom.run("subscribers", "add", ANN, BOB, "cat@example.net")
    newsroom.run("subscribers", "unsubscribe", "cat@example.net")
    newsroom.publish(DAY, "Alpha", "Beta")
    newsroom.sink.at_dot = lambda mail: LOST if mail.recipient == BOB else "250 ok"
    newsroom.run("run", "--date", DAY, "--now", expect=None)
    found = newsroom.run("stats", "--json").json
    assert found["subscribers"] == {"pending": 0, "active": 2, "paused": 0, "unsubscribed": 1, "suppressed": 0}
    assert (found["papers"], found["newest_issue"]) == (2, DAY)
    assert found["issues"] == {"draft": 0, "sealed": 1, "empty": 0, "skipped": 0}
    assert {name: n for name, n in found["deliveries"].items() if n} == {"accepted": 1, "held": 1}
    assert found["sources"]["file"]["papers"] == 2
    assert [week["joined"] for week in found["weeks"]] == [0] * 11 + [3]
    assert found["weeks"][-1]["left"] == 1
    ((day, counts),) = [(one["date"], one["deliveries"]) for one in found["sendings"]]
    assert (day, counts["audience"], counts["accepted"], counts["held"]) == (DAY, 2, 1, 1)
    table = newsroom.run("stats").out
    assert f"{DAY}  {'█' * 24}  1 of 2, 1 held" in table
    assert f"{'█' * 24}  3, 1 left" in table
    assert "3 (2 active, 1 unsubscribed)" in table
    assert "2 papers, 2 new" in table

"""What a reader wishes for: only their topics, alerts, a word in silence, the first digest at once; and our people."""

from datetime import date

from newsroom import Mail, Newsroom, instant

from newsletter.services import edit, joining, subscribe
from newsletter.services.why import why

ANN, BOB, EVE = "ann@example.org", "bob@example.org", "eve@example.org"


def issue(newsroom: Newsroom, day: str, *titles: str, **facts: object) -> None:
    """Publish *titles* on *day*, and run at its hour."""
    newsroom.publish(day, *titles, **facts)
    newsroom.tick(f"{day}T08:01Z")


def said(newsroom: Newsroom, email: str, at: str, day: str | None = None) -> str:
    """Return what ``why`` answers."""
    with newsroom.app(instant(at)) as app:
        answer = why(app.dispatch, email, date.fromisoformat(day) if day else None, instant(at))
    return f"{answer.text} {[paper.why for paper in answer.papers]}"


def preview(newsroom: Newsroom, email: str, day: str) -> dict[str, dict[str, str]]:
    """Return why each paper is in the reader's digest, and why not."""
    found = newsroom.run("subscribers", "preview", email, "--date", day, "--json").json
    return {part: {p["title"]: p["why"] for p in found[part]} for part in ("papers", "left_out")}


def subject(mail: Mail) -> str:
    """Return a mail's subject."""
    return str(mail.message["Subject"])


def test_only_my_topics_or_topics_first(newsroom: Newsroom):
    """Only: nothing else comes or is named. First: the best of the rest after. Nothing asked for: all as ever."""
    newsroom.subscribe(ANN, topics="cache;-vision", only_topics="yes")
    newsroom.subscribe(BOB, topics="cache", only_topics="no", max_papers="2")
    newsroom.subscribe(EVE, topics="-vision", only_topics="yes")
    issue(newsroom, "2026-07-15", "Alpha", "A cache", "A cache for vision", "Omega")

    (ann,), (bob,), (eve,) = (newsroom.sink.to(one) for one in (ANN, BOB, EVE))
    assert (len(ann.papers), len(bob.papers), len(eve.papers)) == (1, 2, 3)
    assert "Alpha" not in ann.text
    assert "vision" not in ann.html
    assert "Also today" in bob.text
    shown = preview(newsroom, ANN, "2026-07-15")
    assert shown["papers"] == {"A cache": "matches “cache”"}
    assert shown["left_out"] == {
        "Alpha": "matches no topic, and only those are wanted",
        "A cache for vision": "excluded by -vision",
        "Omega": "matches no topic, and only those are wanted",
    }


def test_who_had_nothing_for_a_week_is_told_once_with_what_comes_closest(newsroom: Newsroom):
    """A week of skipped digests, then one short mail with three papers; none again until something matched."""
    newsroom.subscribe(ANN, topics='"speculative decoding"', only_topics="yes", frequency="weekly:mon", at="2026-07-10")
    issue(newsroom, "2026-07-13", "Alpha", "Decoding")
    assert newsroom.sink.to(ANN) == []
    assert "nothing new for this reader" in said(newsroom, ANN, "2026-07-13T09:00Z")

    issue(newsroom, "2026-07-20", "Beta", "Gamma", "Decoding in time")
    issue(newsroom, "2026-07-27", "Delta")
    (mail,) = newsroom.sink.to(ANN)
    assert subject(mail) == "Daily Papers · 20 July: nothing matched what you follow"
    assert len(mail.papers) == 3
    assert "13 July" in mail.text
    assert mail.text.count("close to “speculative decoding”") == 1
    assert mail.papers[0] == newsroom.publish("2026-07-27", "Decoding in time")[0]
    assert "Also today" not in mail.text
    told = said(newsroom, ANN, "2026-07-28T09:00Z", "2026-07-20")
    assert "nothing matched since 2026-07-13, which it says once, with what comes closest" in told

    issue(newsroom, "2026-08-03", "Speculative decoding")
    assert subject(newsroom.sink.to(ANN)[-1]) == "Daily Papers · 3 August: Speculative decoding"
    issue(newsroom, "2026-08-10", "Epsilon")
    issue(newsroom, "2026-08-17", "Zeta")
    assert "nothing matched" in subject(newsroom.sink.to(ANN)[-1])
    assert len(newsroom.sink.to(ANN)) == 3


def test_who_looks_for_something_else_is_counted_anew(newsroom: Newsroom):
    """Other topics are given their week."""
    newsroom.subscribe(ANN, topics="cache", only_topics="yes", frequency="weekly:mon", at="2026-07-10")
    issue(newsroom, "2026-07-13", "Alpha")
    with newsroom.app() as app:
        later = instant("2026-07-17T12:00Z")
        subscribe.edit(app.database, app.settings.newsletter, ANN, {"topics": "rag"}, later)
    issue(newsroom, "2026-07-20", "Beta")
    assert newsroom.sink.to(ANN) == []


def test_who_joins_has_the_newest_issue_at_the_next_tick_and_nothing_more_that_day(newsroom: Newsroom):
    """Whatever their hour and rhythm; the next digest comes by the rhythm, and who comes back has it as well."""
    issue(newsroom, "2026-07-15", "Alpha")
    newsroom.join(ANN, at="2026-07-15T10:00Z", hour="18:00")
    newsroom.join(BOB, at="2026-07-15T10:00Z", frequency="weekly:mon")
    newsroom.tick("2026-07-15T10:01Z")
    assert [len(newsroom.sink.to(one)) for one in (ANN, BOB)] == [1, 1]
    assert {str(newsroom.ledger[one].day) for one in (ANN, BOB)} == {"2026-07-15"}
    assert "Thursday, 16 July 2026, 18:00" in newsroom.sink.to(ANN)[0].text
    newsroom.tick("2026-07-15T18:01Z")
    issue(newsroom, "2026-07-16", "Beta")
    assert [len(newsroom.sink.to(one)) for one in (ANN, BOB)] == [1, 1]
    newsroom.tick("2026-07-16T18:01Z")
    assert len(newsroom.sink.to(ANN)) == 2

    with newsroom.app() as app:
        subscribe.unsubscribe(app.database, ANN, instant("2026-07-16T19:00Z"))
        again = subscribe.find(app.database, ANN)
        joining.confirm(app.database, app.settings.newsletter, again.id, instant("2026-07-16T20:00Z"))
    newsroom.tick("2026-07-16T20:01Z")
    assert len(newsroom.sink.to(ANN)) == 2  # that day's only one


def test_who_changes_the_hour_while_a_first_digest_waits_gets_one(newsroom: Newsroom):
    """Joined at ten, eight in the evening chosen at half a minute past: one digest that day."""
    issue(newsroom, "2026-07-15", "Alpha")
    newsroom.join(ANN, at="2026-07-15T10:00Z")
    with newsroom.app() as app:
        at = instant("2026-07-15T10:00:30Z")
        subscribe.edit(app.database, app.settings.newsletter, ANN, {"hour": "20:00", "zone": "Asia/Tokyo"}, at)
    newsroom.tick("2026-07-15T10:01Z")
    newsroom.tick("2026-07-15T11:01Z")
    assert len(newsroom.sink.to(ANN)) == 1


def test_before_the_first_issue_who_joins_waits_for_it(newsroom: Newsroom):
    """There is nothing to send at once."""
    newsroom.join(ANN, at="2026-07-15T06:00Z", hour="09:00")
    with newsroom.app() as app:
        assert subscribe.find(app.database, ANN).next_due_at == instant("2026-07-15T09:00Z")


def test_an_alert_beside_a_weekly_digest(newsroom: Newsroom):
    """A mail on the day that something matches, at the reader's hour; never the same paper in it and in the digest."""
    newsroom.subscribe(ANN, frequency="weekly:mon", hour="10:00", alerts='"kv cache"', at="2026-07-13T12:00Z")
    issue(newsroom, "2026-07-14", "Alpha", "Beta")
    newsroom.tick("2026-07-14T10:01Z")
    assert newsroom.sink.to(ANN) == []
    issue(newsroom, "2026-07-15", "Gamma", "A KV cache")
    assert newsroom.sink.to(ANN) == []
    newsroom.tick("2026-07-15T10:01Z")
    newsroom.tick("2026-07-15T10:06Z")
    (mail,) = newsroom.sink.to(ANN)
    assert subject(mail) == "Daily Papers · 15 July: alert: A KV cache"
    assert "1 paper that your alerts found" in mail.text
    assert "your alert “kv cache”" in mail.text
    assert (len(mail.papers), "Gamma" in mail.text, "Also today" in mail.text) == (1, False, False)
    assert "an alert, on a day without a digest ['your alert “kv cache”']" in said(newsroom, ANN, "2026-07-15T11:00Z")

    issue(newsroom, "2026-07-16", "Delta")
    newsroom.tick("2026-07-16T10:01Z")
    issue(newsroom, "2026-07-20", "Epsilon", "Another KV cache")
    newsroom.tick("2026-07-20T10:01Z")
    _, digest = newsroom.sink.to(ANN)
    assert digest.papers[0] == newsroom.publish("2026-07-20", "Another KV cache")[0]
    assert not set(digest.papers) & set(mail.papers)
    assert {"Alpha", "Beta", "Gamma", "Delta", "Epsilon"} <= {t for t in digest.text.split() if t.isalpha()}
    assert "matches “kv cache”" in digest.text
    assert "a week" in digest.text  # its window is not shortened by the alert


def test_what_an_alert_finds_shortly_before_a_digest_comes_with_it(newsroom: Newsroom):
    """An issue is had once: where the digest is to bring the newest, the alert does not take it away."""
    newsroom.subscribe(ANN, frequency="weekly:sat", alerts="cache", at="2026-07-13T12:00Z")
    issue(newsroom, "2026-07-17", "A cache", "Alpha")
    assert newsroom.sink.to(ANN) == []
    newsroom.tick("2026-07-18T08:01Z")
    (digest,) = newsroom.sink.to(ANN)
    assert len(digest.papers) == 2


def test_alerts_only(newsroom: Newsroom):
    """No digest, whatever appears; a mail when a search finds something, and what to expect at its foot."""
    newsroom.subscribe(ANN, frequency="alerts", alerts="cache;-vision cache", at="2026-07-13T12:00Z")
    issue(newsroom, "2026-07-14", "Alpha")
    assert newsroom.sink.to(ANN) == []
    assert "no digest, only what alerts find" in said(newsroom, ANN, "2026-07-14T09:00Z", "2026-07-14")
    issue(newsroom, "2026-07-15", "A cache")
    (mail,) = newsroom.sink.to(ANN)
    assert "Your alerts are looked at every day at 08:00 (UTC)" in " ".join(mail.text.split())
    issue(newsroom, "2026-07-27", "Beta")
    assert newsroom.sink.to(ANN) == [mail]
    assert "next digest" not in newsroom.run("subscribers", "show", ANN).out
    shown = newsroom.run("subscribers", "list").out
    assert ANN in shown


def test_alerts_are_saved_listed_and_removed(newsroom: Newsroom):
    """By a command; a search that finds nothing, or that is not there, is refused in one line."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    newsroom.run("subscribers", "alert", ANN, "kv cache")
    newsroom.run("subscribers", "alert", ANN, "author:Tri Dao")
    assert newsroom.run("subscribers", "alert", ANN, "--json").json["alerts"] == ["kv cache", "author:Tri Dao"]
    newsroom.run("subscribers", "alert", ANN, "kv cache", "--remove")
    assert newsroom.run("subscribers", "alert", ANN).out.startswith("author:Tri Dao\n")
    assert "has no alert 'rag'" in newsroom.run("subscribers", "alert", ANN, "rag", "--remove", expect=1).err
    assert "only leaves out" in newsroom.run("subscribers", "alert", ANN, "--", "-rag", expect=2).err
    newsroom.run("subscribers", "alert", ANN, "--remove")
    assert "no alerts" in newsroom.run("subscribers", "alert", ANN).out


def test_our_people_lead_the_issue_marked(newsroom: Newsroom):
    """In the mail, in why and in the archive; a namesake elsewhere does not; who follows the topic reads both."""
    people = [{"name": "Zoë Müller", "affiliation": "Example University"}, {"name": "Kim Lee"}]
    newsroom.configure(people=people)
    newsroom.subscribe(ANN)
    newsroom.subscribe(BOB, topics="cache")
    newsroom.publish("2026-07-15", "Alpha", "Beta")
    newsroom.publish("2026-07-15", "Ours", authors=["A. B.", "Zoe MULLER"], upvotes=1)
    newsroom.publish("2026-07-15", "Namesake", authors=["Zoë Müller"], organisation="Elsewhere Labs", upvotes=2)
    issue(newsroom, "2026-07-15", "Our cache", authors=["Lee, Kim"], upvotes=0)

    (ann,), (bob,) = newsroom.sink.to(ANN), newsroom.sink.to(BOB)
    assert subject(ann).startswith("Daily Papers · 15 July: Ours and")
    for part in (ann.text, ann.html):
        assert part.count("from our group") == 2
    assert "from our group, matches “cache”" in bob.text
    assert "['from our group', 'from our group'," in said(newsroom, ANN, "2026-07-15T09:00Z")
    assert "Namesake" in ann.text
    assert subject(bob).startswith("Daily Papers · 15 July: Our cache and")


def test_what_an_alert_finds_ends_a_silence(newsroom: Newsroom):
    """An alert in the week is something that matched, so that week is not told that nothing did."""
    newsroom.subscribe(
        ANN, topics="rag", alerts="cache", only_topics="yes", frequency="weekly:mon", at="2026-07-10T12:00Z"
    )
    issue(newsroom, "2026-07-13", "Alpha")
    issue(newsroom, "2026-07-15", "A cache")
    issue(newsroom, "2026-07-20", "Beta")
    assert [subject(mail) for mail in newsroom.sink.to(ANN)] == ["Daily Papers · 15 July: alert: A cache"]


def test_an_empty_issue_ends_no_silence(newsroom: Newsroom):
    """Its mail says that there is nothing, which is no match."""
    newsroom.configure(newsletter={"on_empty": "send", "lookback_days": 1})
    newsroom.subscribe(ANN, topics="rag", only_topics="yes", at="2026-07-12T12:00Z")
    for day in ("2026-07-13", "2026-07-14", "2026-07-15", "2026-07-16"):
        issue(newsroom, day, f"Of {day}")
    newsroom.tick("2026-07-17T08:01Z")
    issue(newsroom, "2026-07-20", "Beta")
    assert "nothing matched" in subject(newsroom.sink.to(ANN)[-1])


def test_an_alert_about_our_own_people_is_an_alert(newsroom: Newsroom):
    """Its mail and ``why`` say so, whoever wrote the paper."""
    newsroom.configure(people=[{"name": "Kim Lee"}])
    newsroom.subscribe(ANN, frequency="weekly:mon", alerts="cache", at="2026-07-13T12:00Z")
    issue(newsroom, "2026-07-14", "Alpha")
    issue(newsroom, "2026-07-15", "A cache", authors=["Kim Lee"])
    (mail,) = newsroom.sink.to(ANN)
    assert subject(mail) == "Daily Papers · 15 July: alert: A cache"
    assert "['your alert “cache”']" in said(newsroom, ANN, "2026-07-15T09:00Z")


def test_who_joins_while_the_newest_issue_is_halted_waits_for_their_own_hour(newsroom: Newsroom):
    """It does not go out, so there is nothing to have at once; and the next one comes when they asked for it."""
    issue(newsroom, "2026-07-15", "Alpha")
    issue(newsroom, "2026-07-16", "Beta")
    with newsroom.app() as app:
        edit.halt(app.database, date(2026, 7, 16), "a mistake")
    newsroom.join(ANN, at="2026-07-16T22:00Z", hour="20:00")
    issue(newsroom, "2026-07-17", "Gamma")
    assert newsroom.sink.to(ANN) == []
    newsroom.tick("2026-07-17T20:01Z")
    assert len(newsroom.sink.to(ANN)) == 1


def test_who_the_mail_did_not_reach_is_told_by_the_next(newsroom: Newsroom):
    """That nothing matched was said only where a mail said it; and then once."""
    newsroom.subscribe(ANN, topics="rag", only_topics="yes", frequency="weekly:mon", at="2026-07-10T12:00Z")
    issue(newsroom, "2026-07-13", "Alpha")
    newsroom.sink.refusals[ANN] = "451 later"
    issue(newsroom, "2026-07-20", "Beta")
    newsroom.tick("2026-07-22T08:01Z")
    newsroom.sink.refusals.clear()
    for day in ("2026-07-27", "2026-08-03", "2026-08-10"):
        issue(newsroom, day, f"Of {day}")
    assert [subject(mail) for mail in newsroom.sink.to(ANN)] == [
        "Daily Papers · 27 July: nothing matched what you follow"
    ]


def test_what_comes_closest_is_chosen_as_all_else_is(newsroom: Newsroom):
    """Upvotes, number of papers and one work under two titles count there too."""
    wish = {"topics": '"speculative decoding"', "only_topics": "yes", "frequency": "weekly:mon"}
    newsroom.subscribe(ANN, **wish, min_upvotes="50", at="2026-07-10T12:00Z")
    newsroom.subscribe(BOB, **wish, max_papers="1", at="2026-07-10T12:00Z")
    issue(newsroom, "2026-07-13", "Zeta")
    unpopular = newsroom.publish("2026-07-20", "Decoding", upvotes=1)
    works = newsroom.publish("2026-07-20", "Decoding of the four big words", "Decoding of the four big words!")
    issue(newsroom, "2026-07-20", "Eta")
    (ann,), (bob,) = newsroom.sink.to(ANN), newsroom.sink.to(BOB)
    assert not set(unpopular) & set(ann.papers)
    assert len(set(works) & set(ann.papers)) == 1
    assert len(bob.papers) == 1


def test_where_no_topic_asks_for_anything_nothing_is_said_of_topics(newsroom: Newsroom):
    """Who had nothing for want of upvotes follows nothing that could have matched."""
    newsroom.subscribe(ANN, min_upvotes="1000", frequency="weekly:mon", at="2026-07-10T12:00Z")
    issue(newsroom, "2026-07-13", "Alpha")
    issue(newsroom, "2026-07-20", "Beta")
    assert newsroom.sink.to(ANN) == []

"""What readers say of papers by the links of their mails, what they saved, and what was learned."""

import re
import sys
from datetime import timedelta

import pytest
from lxml import etree, html
from served import Site
from test_preferences import ANN, BOB, said, token_of

from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.storage import feedback


def links(site: Site, email: str = ANN) -> tuple[str, str]:
    """Publish papers, add a reader, and return the paths of reactions to the first one, and of what they saved."""
    site.room.publish("2026-07-15", "Diffusion & Friends", "Beta")
    site.room.run("gather", "--date", "2026-07-15")
    site.room.run("subscribers", "add", email)
    token = token_of(site, Purpose.PREFERENCES, email)
    return f"/react/{token}/1", f"/preferences/{token}/saved"


def words(site: Site, email: str = ANN) -> list[str]:
    """Return what a reader said."""
    who = subscribe.find(site.app.database, email).id
    with site.app.database.read() as session:
        return [str(one.said) for one in feedback.of(session, [who]).get(who, [])]


def test_a_link_shows_the_paper_and_the_button_says_it(site: Site) -> None:
    """Following it says nothing yet; each button says its own, and the last word counts."""
    react, saved = links(site)
    page = site.client.get(f"{react}/save")
    assert "Diffusion & Friends" in said(page)
    assert [b.get("value") for b in html.document_fromstring(page.text).xpath("//button[@class='press']")] == ["save"]
    assert words(site) == []
    assert "Saved" in said(site.client.post(f"{react}/save", data={"said": "save"}))
    assert "Diffusion & Friends" in said(site.client.get(saved))
    site.client.post(f"{react}/save", data={"said": "more"})
    assert words(site) == ["save"]  # a saved paper of which more are wanted stays saved
    site.client.post(f"{react}/more", data={"said": "less"})
    assert words(site) == ["less"]
    assert "Nothing yet" in said(site.client.get(saved))
    site.client.post(f"{react}/more", data={})
    assert words(site) == ["more"]


@pytest.mark.parametrize("path", ["/999/save", "/1/love", "/-1/save", "/99999999999999999999999/save", "/1"])
def test_what_there_is_not_cannot_be_said(site: Site, path: str) -> None:
    """No such paper, no such word: a page that says so."""
    react, _ = links(site)
    for how in ("GET", "POST"):
        assert site.client.request(how, react.removesuffix("/1") + path).status_code == 404
    assert words(site) == []


def test_what_was_saved_goes_into_programs_for_references(site: Site) -> None:
    """As BibTeX, RIS and CSL-JSON; a paper that is removed is gone."""
    react, saved = links(site)
    site.client.post(f"{react}/save")
    files = {kind: site.client.get(f"{saved}/papers.{kind}") for kind in ("bib", "ris", "json")}
    assert "Diffusion" in files["bib"].text
    assert "TI  - Diffusion & Friends" in files["ris"].text
    assert files["json"].json()[0]["title"] == "Diffusion & Friends"
    assert {one.headers["content-disposition"].partition(";")[0] for one in files.values()} == {"attachment"}
    assert "no longer saved" in said(site.client.post(saved, data={"paper": "1"}))
    assert site.client.get(f"{saved}/papers.json").json() == []


def test_the_feed_is_the_readers_own_and_can_be_made_anew(site: Site) -> None:
    """Its link opens nothing else, and no other link opens it; anew, the old one is dead."""
    react, saved = links(site)
    site.client.post(f"{react}/save")
    atom, json = (
        html.document_fromstring(site.client.get(saved).text).xpath(f"//a[.='{name}']/@href")[0]
        for name in ("Atom", "JSON Feed")
    )
    assert "Diffusion" in etree.fromstring(site.client.get(atom).content).xpath("string(//*[local-name()='entry'])")
    assert [one["title"] for one in site.client.get(json).json()["items"]] == ["Diffusion & Friends"]
    token = re.search(r"/saved/([a-z2-7]+)/", atom)
    assert token
    assert site.client.get(f"/preferences/{token[1]}/saved").status_code == 404
    assert site.client.get(atom.replace(token[1], token_of(site, Purpose.PREFERENCES))).status_code == 404
    answer = site.client.post(saved, data={"feed": "new"})
    assert site.client.get(atom).status_code == 404
    anew = html.document_fromstring(answer.text).xpath("//a[.='Atom']/@href")[0]
    assert site.client.get(anew).status_code == 200


def test_nobody_reads_what_another_saved(site: Site) -> None:
    """Each link is of one reader."""
    react, _ = links(site)
    site.client.post(f"{react}/save")
    site.room.run("subscribers", "add", BOB)
    other = token_of(site, Purpose.PREFERENCES, BOB)
    assert "Nothing yet" in said(site.client.get(f"/preferences/{other}/saved"))


def test_what_was_learned_is_shown_and_forgotten(site: Site) -> None:
    """Its strongest words, what was said, and a button that forgets all of it."""
    react, saved = links(site)
    taste = saved.replace("/saved", "/taste")
    assert "Nothing. It is learned" in said(site.client.get(taste))
    site.client.post(f"{react}/save")
    assert "Diffusion & Friends" in said(site.client.get(taste))
    assert "forgotten" in said(site.client.post(taste))
    assert words(site) == []


def test_what_was_said_is_shown_and_forgotten_without_the_extra(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is learned then, and it is the reader's all the same."""
    react, saved = links(site)
    taste = saved.replace("/saved", "/taste")
    site.client.post(f"{react}/save")
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert "Diffusion & Friends" in said(site.client.get(taste))
    assert "forgotten" in said(site.client.post(taste))


def test_a_paper_that_became_another_is_one(site: Site) -> None:
    """What was said under its old name counts, and is taken back under the new one."""
    react, saved = links(site)
    site.client.post(f"{react}/save")
    who = subscribe.find(site.app.database, ANN).id
    with site.app.database.write() as session:
        session.connection().exec_driver_sql("INSERT INTO paper_redirects (old_id, paper_id) VALUES (1, 2)")
    assert "Beta" in said(site.client.get(saved))
    site.client.post(saved, data={"paper": "2"})
    with site.app.database.read() as session:
        assert feedback.saved(session, who) == []


def test_links_of_mails_end_with_the_others(site: Site) -> None:
    """After ninety days a paper can no longer be saved by them."""
    links(site)
    old = token_of(site, Purpose.PREFERENCES, ends=timedelta(seconds=-1))
    assert site.client.post(f"/react/{old}/1/save").status_code == 410
    assert words(site) == []

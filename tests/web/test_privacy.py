"""The privacy page."""

from lxml import html
from served import Site

from newsletter.web.server import serving


def test_the_privacy_page_says_what_the_configuration_means(site: Site) -> None:
    """How long, who gets it and whom to ask; it is linked from every page, in the page's language."""
    foot = html.document_fromstring(site.client.get("/archive").text).xpath("//footer//a/@href")
    assert foot == ["/privacy"]
    page = site.client.get("/privacy").text
    assert "kept for at most 90 days" in page
    assert "from our mail server to yours" in page
    assert site.app.correspondence.reply_to in page
    assert "language model" not in page
    assert html.document_fromstring(site.client.get("/de/archive").text).xpath("//footer//a/@href") == ["/de/privacy"]
    assert "90 Tage" in site.client.get("/de/privacy").text


def test_relays_and_pictures_are_named(site: Site) -> None:
    """Who else learns something is told."""
    site.room.configure(
        smtp={"host": "smtp.relay.example"}, look={"images": True}, retention={"ledger": "31d", "abstracts": "400d"}
    )
    with site.room.app() as app, serving(app, "127.0.0.1", 0) as url:
        page = site.client.get(f"{url}/privacy").text
    assert "by way of smtp.relay.example" in page
    assert "kept for at most 31 days" in page
    assert "pictures that are loaded" in page

"""The confirmation of a subscription, and what the operator is told."""

from datetime import timedelta

from lxml import html as lxml_html

from newsletter.render.environment import environment
from newsletter.render.notices import confirmation, operator_notice
from newsletter.render.typesetting import Imprint
from newsletter.render.wrapping import columns

IMPRINT = Imprint(name="Daily <Papers>", postal_address="Street 1\n8000 Zürich")
LINK = "https://papers.example.org/confirm/TOKEN"


def test_a_confirmation_asks_and_says_what_happens_if_ignored():
    """It names the newsletter, links to where one confirms, and says that silence means no."""
    rendered = confirmation(environment(None), IMPRINT, link=LINK, valid_for=timedelta(days=7))
    assert rendered.subject == "Confirm your subscription to Daily <Papers>"
    document = lxml_html.document_fromstring(rendered.html)
    assert set(document.xpath("//a/@href")) == {LINK}
    assert document.xpath("string(//h1)") == "Daily <Papers>"
    for said in ("unless you confirm, you will get no mail", "works for 7 days", "Street 1"):
        assert said in " ".join(document.text_content().split())
        assert said in " ".join(rendered.text.split())
    assert f"\n\n{LINK}\n\n" in rendered.text


def test_a_confirmation_that_never_lapses_does_not_say_that_it_does():
    """Without a time there is no word of one."""
    rendered = confirmation(environment(None), Imprint(name="Daily Papers"), link=LINK)
    assert "works for" not in rendered.html + rendered.text


def test_the_operator_is_told_in_plain_text():
    """What happened, details, remedy: wrapped, on lines of their own, whatever a server's answer held."""
    rendered = operator_notice(
        environment(None),
        Imprint(name="Daily Papers"),
        title="The source arxiv\r\nBcc: all@example.org failed",
        details=["503 Service Unavailable, " * 10, "<b>busy</b>\x00"],
        remedy="Nothing; the next run asks again.",
    )
    assert rendered.html == ""
    assert rendered.subject == "[Daily Papers] The source arxiv Bcc: all@example.org failed"
    assert all(columns(line) <= 72 for line in rendered.text.splitlines())
    assert "\n\n<b>busy</b>\n\nWhat to do: Nothing; the next run asks again.\n\n-- \n" in rendered.text

"""docs/templates.md is true: it names every template and every variable, and its example works."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, meta
from newsroom import Newsroom, instant

from newsletter.packaged import packaged
from newsletter.render.card import Card, Link
from newsletter.render.colour import Palette
from newsletter.render.digest import Masthead
from newsletter.render.environment import environment
from newsletter.render.notices import Subscription
from newsletter.services import proofs

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/templates.md").read_text("utf-8")
TEMPLATES = sorted(file.name for file in (packaged("templates") / "email").iterdir())
DAY = "2026-07-15"
_DOTTED = re.compile(r"\b((?:newsletter|colours|card|link|line|slots|reader|subscription|correction)\.[a-z_]+)\b")


@pytest.fixture
def newsroom(tmp_path: Path):
    """Return a newsletter with an own folder of templates."""
    (tmp_path / "look").mkdir()
    made = Newsroom(tmp_path, look={"templates": "look"})
    yield made
    made.close()


def test_every_template_is_named():
    """With its own name, or as one of a pair."""
    named = set(re.findall(r"`([a-z_]+(?:\.subject)?\.(?:html|txt|css))`", DOCUMENT))
    assert named == {*TEMPLATES}


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_variable_is_named(name):
    """What a packaged template uses, a reader of the document can find there."""
    source = (packaged("templates") / "email" / name).read_text("utf-8")
    words = {word.replace("_dark", "") for word in _DOTTED.findall(source)}
    words |= meta.find_undeclared_variables(environment(None).parse(source)) - {"slots"}
    known = set(re.findall(r"`([a-z_.]+)`", DOCUMENT)) | {"newsletter", "colours", "card", "reader", "subscription"}
    assert words - known - {"line"} == set()


def test_what_is_named_is_there():
    """No variable is promised that a template would not find."""
    said = {"card": Card, "link": Link, "newsletter": Masthead, "colours": Palette, "subscription": Subscription}
    for name, kind in said.items():
        promised = set(re.findall(rf"`{name}\.([a-z_]+)`", DOCUMENT)) - {"html", "txt"}
        assert promised <= {attribute for attribute in dir(kind) if not attribute.startswith("_")}
        assert {field.name for field in fields(kind) if not field.name.endswith("_dark")} <= promised


def test_the_invented_mails_use_every_template(newsroom, monkeypatch):
    """None can break unseen: each is part of a mail that is made before anything is sealed."""
    used: set[str] = set()
    found = FileSystemLoader.get_source

    def seen(loader: FileSystemLoader, env: Environment, template: str):
        answer = found(loader, env, template)
        used.add(Path(template).name)
        return answer

    monkeypatch.setattr(FileSystemLoader, "get_source", seen)
    with newsroom.app() as app:
        made = list(proofs.proofs(app.dispatch, instant(f"{DAY}T08:00Z")))
    assert [proof.error for proof in made if proof.error] == []
    assert used == {*TEMPLATES}


def test_the_example_works(newsroom):
    """As it stands, in the operator's folder: in the mail of an issue, and for every invented paper."""
    (example,) = re.findall(r"```html\n(.*?)```", DOCUMENT, re.DOTALL)
    (newsroom.folder / "look/card.html").write_text(example)
    newsroom.publish(DAY, "Alpha", "Beta", upvotes=1234)
    newsroom.run("gather", "--date", DAY)
    html = " ".join(newsroom.run("issues", "preview", DAY, "--format", "html").out.split())
    assert html.count("Read the paper") == 2
    assert "Read by many: 1,234 upvotes" in html
    assert html.count("We study") == 1
    assert "templates: every mail can be made" in newsroom.run("doctor").out

"""Templates: the operator's come first, and a broken one is found by file and line."""

import pytest
from specimen import READER, candidate, digest, renderer

from newsletter.errors import ConfigurationError
from newsletter.packaged import packaged
from newsletter.render.environment import environment, render


@pytest.fixture
def theirs(tmp_path):
    """Return what writes one of the operator's templates, into a folder that is their own."""

    def write(name, content):
        file = tmp_path / "mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
        return tmp_path / "mine"

    return write


def test_an_operators_template_replaces_the_packaged_one(theirs):
    """A changed card is used; every other template stays the packaged one."""
    folder = theirs("email/card.html", "<p>{{ slots.rank }} Mine: {{ card.title }}</p>\n")
    rendered = renderer(overrides=folder).digest(digest(candidate(1, title="A <b> C")), READER)
    assert '<p style="margin:0">1 Mine: A &lt;b&gt; C</p>' in rendered.html
    assert "Thursday, 9 July 2026" in rendered.html


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("<p>\n{% if card %}\n", 2, "Unexpected end of template"),
        ("<p>\n\n{{ card.colour }}\n", 3, "has no attribute 'colour'"),
        ("{{ crad.title }}", 1, "'crad' is undefined"),
        ("\n{{ card.title | upercase }}", 2, "No filter named 'upercase'"),
        ("\n{{ card.upvotes // 0 }}", 2, "modulo by zero"),
        ("\n{% include 'email/nowhere.html' %}", 2, "there is no template email/nowhere.html"),
        ("\n{{ card.__class__.__mro__ }}", 2, "unsafe"),
        ("\n{{ 'a' * 10 ** 9 }}", 2, "small numbers only"),
        ("\n{{ 'a' * 1000000000 }}", 2, "small numbers only"),
    ],
)
def test_a_broken_template_is_named_with_its_line(theirs, content, line, reason):
    """Whatever is wrong with it, one line says which file, which line, what, and what to do."""
    folder = theirs("email/card.html", content)
    with pytest.raises(ConfigurationError) as caught:
        renderer(overrides=folder).digest(digest(candidate(1)), READER)
    message = str(caught.value)
    assert message.startswith(f"template {folder / 'email/card.html'}:{line}: ")
    assert reason in message
    assert message.endswith("correct it, or remove it to use the packaged one")
    assert "\n" not in message


def test_a_template_that_is_not_text_is_named(tmp_path):
    """A file in another encoding is an error of the configuration, not of the program."""
    (tmp_path / "email").mkdir()
    (tmp_path / "email/digest.subject.txt").write_bytes(b"The\nCaf\xe9")
    with pytest.raises(ConfigurationError, match=r"/email/digest.subject.txt:2: this is not UTF-8"):
        renderer(overrides=tmp_path)


@pytest.mark.parametrize(
    ("name", "slot", "holder"),
    [
        ("digest.html", "foot", "issue.html"),
        ("digest.html", "cards", "digest.html"),
        ("digest.txt", "foot", "digest.txt"),
        ("digest.txt", "cards", "digest.txt"),
    ],
)
def test_a_frame_that_forgets_cards_or_foot_is_refused(theirs, name, slot, holder):
    """Nobody gets a mail without a way to unsubscribe because a template lost it."""
    whole = (packaged("templates") / "email" / holder).read_text("utf-8")
    folder = theirs(f"email/{holder}", whole.replace(f"{{{{ slots.{slot} }}}}", ""))
    with pytest.raises(ConfigurationError, match=rf"email/{name}: {{{{ slots.{slot} }}}} is missing"):
        renderer(overrides=folder).digest(digest(candidate(1)), READER)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    """A wrong path is said at once, not by silently using other templates."""
    with pytest.raises(ConfigurationError, match="no such folder"):
        environment(tmp_path / "nowhere")


def test_a_fault_of_the_program_is_not_blamed_on_a_template():
    """Only what fails inside a template is a configuration error."""
    with pytest.raises(ConfigurationError, match=r"there is no template email/absent\.html"):
        render(environment(None), "email/absent.html")
    with pytest.raises(AttributeError):
        render(environment(None), 7)


def test_html_is_escaped_and_text_is_not(theirs):
    """By the ending of the template's name."""
    folder = theirs("a.html", "{{ said }}")
    theirs("a.txt", "{{ said }}")
    found = environment(folder)
    assert render(found, "a.html", said='<b "') == "&lt;b &#34;"
    assert render(found, "a.txt", said='<b "') == '<b "'


def test_the_folders_that_travel_with_the_program_are_found():
    """The packaged templates are there, also when the program is installed from a checkout."""
    assert (packaged("templates") / "email/base.html").is_file()

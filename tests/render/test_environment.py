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


def test_a_folder_of_the_operators_changes_nothing_by_itself(theirs):
    """What is packaged says the same in the sandbox, where it runs beside theirs, as by itself."""
    said = digest(candidate(1, title="A <b> C", upvotes=3, comments=1, abstract="We show it. " * 40), candidate(2))
    folder = theirs("mine.txt", "")
    assert renderer(overrides=folder).digest(said, READER) == renderer().digest(said, READER)


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


LONG_AND_OTHER = "{% for _ in range(17) %}{% set all.text = all.text ~ all.text %}{% endfor %}"
LONG_AND_OTHER += "{% set all.other = 'b' ~ all.text[:100000] ~ 'a' %}"
ENDLESS = {
    "a range": (2, "{% for n in range(10000000000) %}{% endfor %}"),
    "loops in loops": (3, "{% for a in range(100000) %}\n{% for b in range(100000) %}{% endfor %}{% endfor %}"),
    "a loop that finds nothing": (
        2,
        "{% for a in range(100000) %}{% for b in range(100000) if b < 0 %}{% endfor %}{% endfor %}",
    ),
    "a loop in a filter": (2, "{% for a in range(100000) %}{{ range(100000) | sum }}{% endfor %}"),
    "a macro of itself": (1, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
    "macros that fan out": (
        1,
        "{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    ),
    "includes that fan out": (
        2,
        "{% set depth = (depth or 0) + 1 %}{% if depth < 60 %}{% include 'a.txt' %}{% include 'a.txt' %}{% endif %}",
    ),
    "a tree": (2, "{% for n in range(99) recursive %}{{ loop(range(99)) if loop.depth < 60 }}{% endfor %}"),
    "doubled text": (2, "{% for _ in range(99) %}{% set all.text = all.text ~ all.text %}{% endfor %}"),
    "doubled lists": (2, "{% for _ in range(99) %}{% set all.list = all.list + all.list %}{% endfor %}"),
    "squared numbers": (2, "{% for _ in range(99) %}{% set all.number = all.number * all.number %}{% endfor %}"),
    "replacing": (2, "{% for _ in range(99) %}{% set all.text = all.text | replace('a', 'aaaa') %}{% endfor %}"),
    "much of little": (2, "{% for a in range(100000) %}" + 200 * "word " + "{% endfor %}"),
    "a block of much": (2, "{% block b %}{% for a in range(100000) %}" + 200 * "word " + "{% endfor %}{% endblock %}"),
    "much kept": (2, "{% set x %}{% for a in range(100000) %}" + 200 * "word " + "{% endfor %}{% endset %}"),
    "stripping many of many": (
        2,
        LONG_AND_OTHER + "{% for _ in range(200) %}{% set x = all.text.strip(all.other) %}{% endfor %}",
    ),
    "looking from the end": (
        2,
        LONG_AND_OTHER + "{% for _ in range(200) %}{% set x = all.text.rfind(all.other) %}{% endfor %}",
    ),
    "far apart": (2, "{{ 'a' | center(100000000) }}"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_template_that_never_ends_is_named_with_its_line(theirs, kind):
    """Whether it loops, calls itself or grows, it ends soon, as one that is broken."""
    line, content = ENDLESS[kind]
    before = "{% set all = namespace(text='a', list=[1], number=9) %}"
    folder = theirs("a.txt", f"{before}\n{content}" if line > 1 else f"{content}{before}")
    with pytest.raises(ConfigurationError, match=rf"a\.txt:{line}: .*correct it, or remove it"):
        render(environment(folder), "a.txt", depth=0)


LONG = "{% set all.text = 'a\\t\\n' %}{% for _ in range(12) %}{% set all.text = all.text ~ all.text %}{% endfor %}"
AT_ONCE = (
    "'x'.ljust(100000000)",
    "'x'.encode().zfill(100000000)",
    "(1).to_bytes(100000000, 'big')",
    "all.text.expandtabs(9000)",
    "all.text.replace('a', all.text)",
    "all.text.translate({97: all.text})",
    "all.text.join(all.text)",
    "'%100000000d' % 1",
    "'%.*f' % (100000000, 1)",
    "'%(a)0100000000d' | format(a=1)",
    "'{:>100000000}'.format(1)",
    "'{:{}}'.format(1, 100000000)",
    "_('%(a)100000000d', a=1)",
    "all.text | replace('a', all.text)",
    "all.text | join(all.text)",
    "all.text | list | join(d=all.text)",
    "all.text | indent(9000)",
    "{'a': 1} | tojson(100000000)",
)


@pytest.mark.parametrize("step", AT_ONCE)
def test_a_step_that_would_fill_the_memory_is_not_taken(theirs, step):
    """One is enough, so that it is refused before, not measured after."""
    folder = theirs("a.txt", f"{{% set all = namespace() %}}{LONG}\n{{{{ {step} }}}}")
    with pytest.raises(ConfigurationError, match=r"a\.txt:2: .*(small numbers only|give far too much)"):
        render(environment(folder), "a.txt")


NESTS = "{% for _ in range(60) %}{% set all.list = [all.list, all.list] %}{% set all.pair = (all.pair, all.pair) %}"
NUMBERS = f"{{% set all = namespace(list=[1], pair=(1,)) %}}{NESTS}{{% endfor %}}"
NUMBERS += "{% set numbers = range(9000) | list %}"
HARD = (
    "numbers | sum",
    "numbers | max",
    "numbers | sort | first",
    "numbers | select('gt', 9000) | first | default(1)",
    "numbers | map('abs') | sum",
    "numbers | map(attribute='" + "real." * 99 + "real') | list | last",
    "-1 in numbers",
    "numbers == numbers[:]",
    "-1 is in numbers",
    "numbers.count(-1)",
    "text.count('b') + text.find('c')",
    "[text, text] | string | length",
    "numbers[1:] is defined",
    "all.list",
    "all.list ~ ''",
    "all.list | string | length",
    "all.list | tojson | length",
    "'%s' % (all.list,)",
    "'{}'.format(all.list)",
    "all.list == [all.list[0], all.list[1]]",
    "{all.pair: 1} | length",
    "all.pair in {1: 1}",
    "{1: 1}[all.pair]",
    "{'a': all.list} | string",
)


@pytest.mark.parametrize("step", HARD)
def test_a_step_that_takes_much_and_gives_little_counts_for_what_it_takes(theirs, step):
    """Adding up, searching, comparing and sorting, and lists of lists of lists that are always the same one."""
    often = f"{{% for _ in range(900) %}}{{% if {step} %}}{{% endif %}}{{{{ {step} }}}}{{% endfor %}}"
    watched = environment(theirs("a.txt", f"{NUMBERS}\n{often}"))
    watched.most = 300_000
    with pytest.raises(ConfigurationError, match=r"a\.txt:2: this never seems to end"):
        render(watched, "a.txt", text=99_999 * "a")


def test_what_is_made_for_every_paper_may_do_less(theirs):
    """What ends soon for one paper takes minutes for all of a day."""
    folder = theirs("email/card.html", "{% for _ in range(30000) %}{% endfor %}")
    with pytest.raises(ConfigurationError, match=r"email/card\.html:1: this never seems to end"):
        render(environment(folder), "email/card.html")
    folder = theirs("email/digest.html", "{% for _ in range(30000) %}{% endfor %}")
    assert render(environment(folder), "email/digest.html") == ""


@pytest.mark.parametrize("step", ["5 | round(-100000000)", "'x' | pad(100000000)", "'x y' | wrap(100000000)"])
def test_no_filter_takes_a_number_that_would_keep_it_busy(theirs, step):
    """Nor do those that are ours."""
    with pytest.raises(ConfigurationError, match=r"a\.txt:1: .*small numbers only"):
        render(environment(theirs("a.txt", f"{{{{ {step} }}}}")), "a.txt")


def test_what_templates_do_with_long_texts_is_no_such_step(theirs):
    """Replacing, joining, filling in and widening, of as much as a page has, and with digits in what is filled in."""
    folder = theirs(
        "a.txt",
        "{{ text | replace('a', 'and so on') | length }} {{ (text | list | join(', ')).replace(',', ';') | length }} "
        "{{ '%-20s|%5.1f%%' % ('a', 2) }} {{ '{:>4} {:,}'.format('a', 123456789) }} {{ ', '.join(['a', 'b']) }} "
        "{{ _('by %(name)s', name='- 12345678901 %') }} {{ text | indent(4) | length }} "
        "{{ 'n' | replace('n', 20000) }}",
    )
    said = render(environment(folder), "a.txt", text=100_000 * "a")
    assert said == "900000 299998 a                   |  2.0%    a 123,456,789 a, b by - 12345678901 % 100000 20000"


def test_large_issues_are_far_from_where_a_template_counts_as_endless(theirs):
    """Four times as many papers as an issue may have, on one page, each with many authors, are none that never ends."""
    folder = theirs(
        "a.txt",
        "{% for paper in papers %}{{ paper.title | upper }}{% for name in paper.names %}{{ _('by') }} {{ name ~ ',' }}"
        "{% endfor %}{% endfor %}",
    )
    papers = [{"title": 50 * "long ", "names": 30 * ["Ada Okafor"]} for _ in range(2000)]
    assert render(environment(folder), "a.txt", papers=papers).count("by Ada Okafor,") == 60_000


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


def test_a_frame_with_two_feet_is_refused(theirs):
    """What is the reader's own is filled in once."""
    whole = (packaged("templates") / "email" / "digest.txt").read_text("utf-8")
    foot = "{{ slots.foot }}"
    folder = theirs("email/digest.txt", whole.replace(foot, f"{foot}\n{foot}"))
    with pytest.raises(ConfigurationError, match=r"email/digest.txt: {{ slots.foot }} stands there twice; leave one"):
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

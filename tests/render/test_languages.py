"""Mails speak their reader's language: no word of ours stays English, dates and numbers are as people write them."""

import re
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from catalogues import CATALOGUES, catalogue, english_in
from newsroom import Mail, Newsroom, instant

from newsletter.domain.pool import Why
from newsletter.errors import ConfigurationError
from newsletter.render import wording
from newsletter.render.languages import Languages
from newsletter.services import proofs

ROOT = Path(__file__).resolve().parents[2]
DAY, AT = "2026-07-15", "2026-07-15T08:00Z"
Message = tuple[str, str | None]  # its English, of one thing; and what it is about


def said_in_code() -> set[Message]:
    """Return every message that code and templates say."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    found: set[Message] = set()
    for part in ("newsletter", "templates"):
        methods = [
            (m["pattern"].removeprefix(f"{part}/"), m["method"]) for m in mappings if m["pattern"].startswith(part)
        ]
        options = {pattern: {"silent": "false"} for pattern, _ in methods}
        for _, _, message, _, about in extract_from_dir(ROOT / part, methods, options):
            found.add((message[0] if isinstance(message, tuple) else message, about))
    return found


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.stem)
def test_no_message_is_missing_and_none_has_other_places(file: Path) -> None:
    """In every form, as gettext's own rules have it; ``scripts/dev messages`` adds what is new."""
    held = {(m.id[0] if isinstance(m.id, tuple) else m.id, m.context): m for m in catalogue(file) if m.id}
    assert held.keys() == said_in_code()
    for message in held.values():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), message.id
        assert not message.fuzzy
        assert list(message.check(catalogue(file))) == []


@pytest.mark.parametrize(
    ("tag", "day", "year", "whole", "number"),
    [
        ("en", "5 July", "5 July 2026", "Sunday, 5 July 2026", "12,345"),
        ("de", "5. Juli", "5. Juli 2026", "Sonntag, 5. Juli 2026", "12.345"),
        ("zh-Hans", "7月5日", "2026年7月5日", "2026年7月5日星期日", "12,345"),
    ],
)
def test_dates_and_numbers_are_as_people_write_them(tag: str, day: str, year: str, whole: str, number: str) -> None:
    """The year is named where it is another."""
    language, on = Languages().templates(tag).language, date(2026, 7, 5)
    assert language.day(on) == language.day(on, date(2026, 1, 1)) == day
    assert language.dated(on) == language.day(on, date(2025, 12, 31)) == year
    assert (language.long_date(on), language.number(12345)) == (whole, number)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("en", ["1 paper, chosen from 52; 1 matches what you follow",
                "3 papers, chosen from 52; all match what you follow"]),
        ("de", ["1 Arbeit, ausgewählt aus 52; 1 passt zu Ihren Themen",
                "3 Arbeiten, ausgewählt aus 52; alle passen zu Ihren Themen"]),
        ("zh", ["1 篇论文，选自 52 篇；其中 1 篇符合您的关注", "3 篇论文，选自 52 篇；全部符合您的关注"]),
    ],
)  # fmt: skip
def test_one_and_many(tag: str, expected: list[str]) -> None:
    """Each in its own form."""
    language = Languages().templates(tag).language
    assert [wording.counts(language, papers, papers, 52) for papers in (1, 3)] == expected


def test_authors_and_reasons() -> None:
    """The names of the reader's topics stay as they are."""
    german, chinese = (Languages().templates(tag).language for tag in ("de", "zh"))
    names = [f"Ada {number}" for number in range(664)]
    assert wording.marked(wording.authors(german, names)) == "Ada 0, Ada 1, Ada 2 und 661 weitere"
    assert wording.marked(wording.authors(german, names[:4])) == "Ada 0, Ada 1, Ada 2 und 1 weitere Person"
    assert wording.marked(wording.authors(chinese, names)) == "Ada 0, Ada 1, Ada 2 及另外 661 人"
    assert wording.reason(german, Why.TOPIC, "author:Tri Dao") == "Sie folgen Tri Dao"
    assert wording.reason(chinese, Why.TOPIC, "RAG") == "符合“RAG”"


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        ("de", "de"), ("de-CH", "de"), ("DE", "de"), ("en", "en"), ("en-GB", "en"),
        ("zh", "zh-Hans"), ("zh-CN", "zh-Hans"), ("zh-Hans-CN", "zh-Hans"), ("zh-SG", "zh-Hans"),
        ("zh-TW", "en"), ("zh-Hant", "en"), ("zh-Hant-HK", "en"), ("fr", "en"), ("den", "en"), (None, "en"),
    ],
)  # fmt: skip
def test_who_gets_which(wanted: str | None, tag: str) -> None:
    """The nearest form that there is, else the newsletter's own language."""
    assert Languages().templates(wanted).language.tag == tag


def test_without_babel_english_works_and_another_language_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the key and the extra; a reader with another language gets the newsletter's."""
    monkeypatch.setitem(sys.modules, "babel", None)
    assert Languages().templates("de").language.tag == "en"
    with pytest.raises(ConfigurationError, match=r"newsletter.language = 'de': .*papers-newsletter\[languages\]"):
        Languages(default="de").templates()


def test_a_language_that_there_is_not_is_an_error_where_it_is_the_newsletters() -> None:
    """The line names those that there are."""
    with pytest.raises(ConfigurationError, match=r"newsletter.language = 'fr': .* use en, de, zh-Hans"):
        Languages(default="fr").templates()


def write(folder: Path, tag: str, *lines: str) -> Path:
    """Write a catalogue of the operator's."""
    (folder / "locale").mkdir(exist_ok=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    file = folder / "locale" / f"{tag}.po"
    file.write_text(head + "\n".join(lines) + "\n", "utf-8")
    return file


def test_an_operator_adds_a_language_and_changes_words(tmp_path: Path) -> None:
    """What their catalogue does not say stays ours, or English."""
    write(tmp_path, "fr", 'msgid "Unsubscribe"', 'msgstr "Se désabonner"')
    write(tmp_path, "de", 'msgid "Unsubscribe"', 'msgstr "Abmelden"')
    found = Languages(tmp_path, "fr")
    french, german = found.templates().language, found.templates("de").language
    assert [french.gettext("Unsubscribe"), french.gettext("Also today")] == ["Se désabonner", "Also today"]
    assert [german.gettext("Unsubscribe"), german.gettext("Also today")] == ["Abmelden", "Außerdem heute"]
    assert french.long_date(date(2026, 7, 5)) == "dimanche 5 juillet 2026"


@pytest.mark.parametrize(
    ("tag", "lines", "line"),
    [
        ("de", ['msgid "%(num)s paper"', 'msgstr "%(nmu)s Arbeit"'], ":4: "),
        ("de", ['msgid "Unsubscribe"', 'msgstr "100 % weg"'], ":4: "),
        ("de", ['msgid "Unsubscribe"', "Abmelden"], ":5: "),
        ("german", ['msgid "Unsubscribe"', 'msgstr "Abmelden"'], ": 'german' is no language"),
    ],
)
def test_a_broken_catalogue_is_named_with_its_line(tmp_path: Path, tag: str, lines: list[str], line: str) -> None:
    """Before any mail is made with it."""
    file = write(tmp_path, tag, *lines)
    with pytest.raises(ConfigurationError) as caught:
        Languages(tmp_path, tag).templates()
    assert str(caught.value).startswith(f"{file}{line}")


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.stem)
def test_no_mail_holds_english_of_ours(tmp_path: Path, file: Path) -> None:
    """Every kind of mail, its subject, and both its parts; but the operator's and the editor's."""
    room = Newsroom(tmp_path, newsletter={"language": file.stem, "base_url": "https://papers.example.org"})
    with room.app() as app:
        made = list(proofs.proofs(app.dispatch, instant(AT)))
    room.close()
    assert [proof.error for proof in made if proof.error] == []
    for proof in made:
        if proof.name in {"operator", "draft"} or proof.name.startswith("in-"):
            continue
        mail = Mail("", "", proof.content)
        assert f'lang="{file.stem}"' in mail.html
        for text in (str(mail.message["Subject"]), mail.text, re.sub(r"<style.*?</style>|<[^>]*>", " ", mail.html)):
            assert english_in(text, file) == [], proof.name


def test_english_of_ours_would_be_seen() -> None:
    """What the test before looks for is there in English mails."""
    assert set(english_in("4 papers, chosen from 52 – Also today", CATALOGUES[0])) == {"Also today", "chosen from"}

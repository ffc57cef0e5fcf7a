"""What readers write in the first lines of a mail, in three languages, above what their programs quote."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.command import MOST, Command, Verb, commands, pause_end

QUOTES = [
    "",
    "\n\nOn Wed, 15 Jul 2026 at 08:00, Daily Papers <papers@example.org> wrote:\n> unsubscribe\n> help",
    "\n\nOn Wed, 15 Jul 2026 at 08:00, Daily Papers <papers@example.org>\nwrote:\n> stop",
    "\n\nAm Mi., 15. Juli 2026 um 08:00 Uhr schrieb Daily Papers <papers@example.org>:\n\n> abbestellen",
    "\n\n在 2026年7月15日 08:00，Daily Papers <papers@example.org> 写道：\n> 退订",
    "\n\n-----Original Message-----\nFrom: Daily Papers\nhelp",
    "\n\n________________________________\nVon: Daily Papers\nGesendet: Mittwoch\nhilfe",
    "\n\n-- \nAnn\nsave 9",
    "\n\nSent from my phone\n\nhelp",
]


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("stop", Verb.UNSUBSCRIBE),
        ("STOP!", Verb.UNSUBSCRIBE),
        ("Please unsubscribe me.", Verb.UNSUBSCRIBE),
        ("Abbestellen", Verb.UNSUBSCRIBE),
        ("bitte abmelden", Verb.UNSUBSCRIBE),
        ("退订", Verb.UNSUBSCRIBE),
        ("取消订阅。", Verb.UNSUBSCRIBE),
        ("subscribe", Verb.SUBSCRIBE),
        ("订阅", Verb.SUBSCRIBE),
        ("weiter", Verb.RESUME),
        ("Hilfe", Verb.HELP),
        ("帮助", Verb.HELP),
        ("Hello,\n\nhelp", Verb.HELP),
        ("您好！\n帮助", Verb.HELP),
    ],
)
def test_one_word_is_enough(text: str, verb: Verb, quote: str) -> None:
    """Whatever a mail program puts below, only what the reader wrote is read."""
    assert [one.verb for one in commands(text + quote)] == [verb]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("pause 2 weeks", 14),
        ("Pause for 10 days", 10),
        ("pause a month", 30),
        ("pause zwei Wochen", 14),
        ("pausieren für 3 Tage", 3),
        ("暂停 2 周", 14),
        ("暂停两个月", 60),
        ("暂停２周", 14),
        ("pause", 0),
    ],
)
def test_pauses(text: str, days: int) -> None:
    """For so long, or until the reader says so."""
    [one] = commands(text)
    assert (one.verb, one.days) == (Verb.PAUSE, days)
    assert pause_end(one, date(2026, 7, 1)) == (date.fromordinal(date(2026, 7, 1).toordinal() + days) if days else None)


def test_a_pause_until_a_date() -> None:
    """A date says when it ends; one that there is not is no command."""
    [one] = commands("pause until 2026-12-24")
    assert pause_end(one, date(2026, 7, 1)) == date(2026, 12, 24)
    assert [each.verb for each in commands("Pause bis 2026-12-24")] == [Verb.PAUSE]
    assert commands("pause until 2026-02-30") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("save 3", [(Verb.SAVE, 3)]),
        ("Save 3, 5 and 7", [(Verb.SAVE, 3), (Verb.SAVE, 5), (Verb.SAVE, 7)]),
        ("more 2\nless 1", [(Verb.MORE, 2), (Verb.LESS, 1)]),
        ("mehr wie 2", [(Verb.MORE, 2)]),
        ("weniger 1", [(Verb.LESS, 1)]),
        ("收藏 3", [(Verb.SAVE, 3)]),
        ("更多2", [(Verb.MORE, 2)]),
        ("减少 1、4", [(Verb.LESS, 1), (Verb.LESS, 4)]),
    ],
)
def test_numbers_name_cards(text: str, expected: list[tuple[Verb, int]]) -> None:
    """Several numbers in a line and several lines are several commands."""
    assert [(one.verb, one.number) for one in commands(text)] == expected


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("topics diffusion models; author:Okafor", "diffusion models; author:Okafor"),
        ("Topics: LLM; -survey", "LLM; -survey"),
        ("Themen Diffusion", "Diffusion"),
        ("主题 扩散模型", "扩散模型"),
    ],
)
def test_topics_keep_their_case(text: str, topics: str) -> None:
    """What stands behind the word is taken as it was written."""
    assert [(one.verb, one.text) for one in commands(text)] == [(Verb.TOPICS, topics)]


@pytest.mark.parametrize(
    "text",
    [
        "Could you please stop by tomorrow?",
        "I would like to save 3 of them for our seminar, how?",
        "Thanks, great issue!\nstop",
        "> stop",
        "No, do not unsubscribe me",
        "",
    ],
)
def test_sentences_are_for_people(text: str) -> None:
    """A word within a sentence, or below one, is no command."""
    assert commands(text, "Re: Papers of the day") == []


def test_the_subject_counts_where_nothing_else_is_written() -> None:
    """As from the buttons of mail programs; a reply's subject is ours."""
    assert [one.verb for one in commands("", "unsubscribe")] == [Verb.UNSUBSCRIBE]
    assert commands("", "Re: stop") == []
    assert commands("Hello, who are you?", "unsubscribe") == []


@given(st.text(max_size=400), st.text(max_size=60))
def test_whatever_is_written_is_read(text: str, subject: str) -> None:
    """Nothing raises, and no mail is more than so many commands."""
    found = commands(text, subject)
    assert len(found) <= MOST
    assert all(isinstance(one, Command) for one in found)

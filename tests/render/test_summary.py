"""What a card says of a paper: sentences, the telling ones among them, and how a text is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.sentences import first_sentences, sentences, whole_words
from newsletter.render.summary import summary, telling

BACKGROUND = (
    "Recent years have brought many tools that read papers. However, existing tools are slow and costly to run. "
)
MADE = "We propose Lantern, a reader that needs one pass over a paper. "
HOW = "It keeps a small index of what it has read, which grows with the number of sections rather than of words. "
RESULT = "Experiments on three collections show that Lantern is 2.4× faster at 91% of the cost. "
CODE = "Our code is available at https://example.org/lantern."


@pytest.mark.parametrize(
    "parts",
    [
        ["One. ", "Two! ", "Three? ", "Four"],
        ["As Ada et al. (2024) say, e.g. in Fig. 3 or Sec. 2.1, it holds. ", "It does."],
        ["It is 3.5 times faster than v1.2. ", "Then i.e. Llama vs. Qwen by J. Smith."],
        ["Three things: 1. Speed, 2. Cost, and 3. Care. ", "All matter."],
        ["A formula $a. B$ and \\[x. Y\\] in it. ", "Another."],
        ["我们提出一种方法。", "它很快！", "真的吗？", "是的"],
        ['He said "stop." ', "She did (not so.) ", "“Truly?” ", "Yes."],
        ["The models of example.org are small. ", "12 of them are tiny."],
        ["GPT-4o wins by 3 pp. at most. ", "Wait... ", "What"],
        ["As of Aug. 2024, see No. 5. ", "The answer is no. ", "We tried on Aug. ", "It was hot."],
        ["no capital. no sentence"],
        [],
    ],
)
def test_a_text_falls_into_its_sentences(parts):
    """Not at abbreviations, initials, numbers and formulas; CJK stops need no blank after them."""
    assert sentences("".join(parts)) == parts


@given(
    st.text(alphabet=st.sampled_from('aB1 .!?。…")($\\[]{}é中\u0301') | st.characters(), max_size=80),
    st.integers(20, 60),
)
def test_whatever_the_text_nothing_is_lost_and_the_limit_holds(text, limit):
    """Sentences joined are the text, and its beginning is one, but for the ellipsis."""
    assert "".join(sentences(text)) == text
    for cut in (first_sentences(text, limit), whole_words(text, limit), telling(text, limit)):
        assert len(cut) <= max(limit, 420)
    begun = first_sentences(text, limit)
    assert len(begun) <= limit
    assert text.startswith(begun.removesuffix(" …").rstrip())


def test_stops_without_end_take_no_longer_than_a_text():
    """A feed may send anything; looked through from each stop on, this one would take minutes."""
    endless = "." * 60_000
    assert sentences(endless) == [endless]


def test_the_beginning_ends_with_a_sentence_or_else_a_word():
    """And never inside a formula."""
    assert first_sentences("Short. And long enough to be cut off here.", 30) == "Short. And long enough to be …"
    assert first_sentences("A first sentence. And a second one.", 30) == "A first sentence."
    assert first_sentences("It holds for $T_c + T_q + T_w$ only.", 25) == "It holds for …"
    assert first_sentences("Whole.", 30) == "Whole."
    assert first_sentences("", 30) == ""
    assert whole_words("大规模语言模型的高效推理方法研究", 10) == "大规模语言模型的 …"


def test_the_upstreams_own_summary_comes_first():
    """Whole, or its first sentences."""
    assert summary("A reader in one pass.", MADE * 9) == "A reader in one pass."
    assert summary("A reader. " * 60, "") == ("A reader. " * 48).strip()
    assert summary("", MADE) == MADE
    assert summary("", "") == ""


def test_the_telling_sentences_are_chosen_and_keep_their_order():
    """What was made and what came out; no background, no detail, no housekeeping."""
    abstract = BACKGROUND + MADE + HOW + RESULT + CODE
    assert telling(abstract, 200) == (MADE + RESULT).strip()
    assert telling("Some tools already outperform people. " + MADE + HOW + CODE, 200) == MADE.strip()
    assert telling(abstract, 100) == MADE.strip()


def test_an_abstract_that_fits_is_shown_whole():
    """Background and all."""
    assert telling(BACKGROUND + MADE, 320) == BACKGROUND + MADE


def test_without_a_telling_sentence_it_is_the_beginning():
    """Also in languages that the method does not speak."""
    tale = "The sea is wide. The sky is high. The wind is cold. "
    assert telling(tale * 9, 60) == tale.strip()
    assert telling("海很宽。天很高。风很冷。" * 9, 12) == "海很宽。天很高。风很冷。"
    assert telling("Das Meer ist weit. Der Himmel ist hoch. " * 9, 45) == "Das Meer ist weit. Der Himmel ist hoch."


def test_a_telling_sentence_too_long_for_the_rest_stands_alone():
    """Whole up to 420 characters, and then cut at a word."""
    long = "We introduce a " + "very " * 70 + "long way."
    assert telling(BACKGROUND + long + " " + RESULT, 320) == long
    endless = telling(BACKGROUND + long.replace("very", "endlessly"), 320)
    assert len(endless) <= 420
    assert endless.endswith("endlessly …")

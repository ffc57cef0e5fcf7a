"""Slots: texts rendered once and filled for each reader."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.render.slots import Slotted, slots


def filled(rendered, **values):
    """Return the text with *values* in its slots."""
    return Slotted(rendered, str.encode).fill({name: value.encode() for name, value in values.items()}).decode()


def test_filling_puts_each_value_in_its_place():
    """A slot may come twice, others never; a value that no slot asks for does no harm."""
    mark = slots("name", "rank")
    said = f"{mark['rank']}. Dear {mark['name']}, {mark['name']}!"
    assert Slotted(said, str.encode).names == {"name", "rank"}
    assert filled(said, name="Ada", rank="1", more="x") == "1. Dear Ada, Ada!"
    assert filled(said, name="", rank="2") == "2. Dear , !"


def test_a_value_is_never_read_again():
    """What looks like a slot in one reader's value stays as it is."""
    mark = slots("name", "rank")
    assert filled(f"{mark['name']}{mark['rank']}", name=mark["rank"], rank="1") == f"{mark['rank']}1"


@given(st.text(st.sampled_from("\ue000\ue001rankfot \n\uf8ff\U000f0000")))
def test_foreign_text_cannot_forge_a_slot(text):
    """Text made plain holds no private-use character, and so no slot."""
    assert Slotted(plain(text), str.encode).names == frozenset()


@given(st.text(), st.text())
def test_all_but_the_slots_stays_as_it_was(before, after):
    """The text around a slot is unchanged, whatever it is."""
    before, after = plain(before), plain(after)
    assert filled(before + slots("x")["x"] + after, x="·") == f"{before}·{after}"


marks = slots("rank", "reason")


@given(st.lists(st.sampled_from(["", "a", "é\n", marks["rank"], marks["reason"]])).map("".join))
def test_a_text_is_spread_into_its_pieces(text):
    """Whatever pieces the slots hold for a part of the mail, joined they are the text."""
    values = {"rank": ([b"1"], [b"2"]), "reason": ([b"w", b"", b"hy"], [])}
    first, second = (Slotted(text, str.encode).spread(values, part) for part in (0, 1))
    assert b"".join(first).decode() == filled(text, rank="1", reason="why")
    assert b"".join(second).decode() == filled(text, rank="2", reason="")


@given(st.lists(st.sampled_from(["", "a", "é\n", marks["rank"], marks["reason"]])).map("".join))
def test_what_all_have_alike_is_no_place(text):
    """A slot whose value is known beforehand is part of the text, and need not be filled."""
    slotted = Slotted(text, str.encode, {"rank": b"1"})
    assert "rank" not in slotted.names
    assert slotted.fill({"reason": b"why"}).decode() == filled(text, rank="1", reason="why")

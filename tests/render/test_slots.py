"""Slots: texts rendered once and filled for each reader."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.render.slots import Slotted, slots


def test_filling_puts_each_value_in_its_place():
    """A slot may come twice, others never; a value that no slot asks for does no harm."""
    mark = slots("name", "rank")
    slotted = Slotted(f"{mark['rank']}. Dear {mark['name']}, {mark['name']}!")
    assert slotted.names == {"name", "rank"}
    assert slotted.fill({"name": "Ada", "rank": "1", "more": "x"}) == "1. Dear Ada, Ada!"
    assert slotted.fill({"name": "", "rank": "2"}) == "2. Dear , !"


def test_a_value_is_never_read_again():
    """What looks like a slot in one reader's value stays as it is."""
    mark = slots("name", "rank")
    slotted = Slotted(f"{mark['name']}{mark['rank']}")
    assert slotted.fill({"name": mark["rank"], "rank": "1"}) == f"{mark['rank']}1"


@given(st.text(st.sampled_from("\ue000\ue001rankfot \n\uf8ff\U000f0000")))
def test_foreign_text_cannot_forge_a_slot(text):
    """Text made plain holds no private-use character, and so no slot."""
    assert Slotted(plain(text)).names == frozenset()


@given(st.text(), st.text())
def test_all_but_the_slots_stays_as_it_was(before, after):
    """The text around a slot is unchanged, whatever it is."""
    before, after = plain(before), plain(after)
    assert Slotted(before + slots("x")["x"] + after).fill({"x": "·"}) == f"{before}·{after}"

"""Variety among what nobody asked for."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.variety import varied

KINDS = {1: "a", 2: "a", 3: "a", 5: "a"}


def test_the_worked_example():
    """Half of the room for one category, what comes after that only where nothing else is left."""
    assert varied([1, 2, 3, 4, 5, 6], 4, KINDS) == [1, 2, 4, 6]
    assert varied([1, 2, 3, 4, 5], 4, KINDS) == [1, 2, 3, 4]
    assert varied([1, 2, 3], 2, dict.fromkeys((1, 2, 3), "a")) == [1, 2]


@given(
    st.lists(st.integers(1, 30), unique=True, max_size=25),
    st.integers(0, 12),
    st.dictionaries(st.integers(1, 30), st.sampled_from("abc")),
)
def test_no_category_has_more_than_half_while_another_could_take_its_place(order, room, kinds):
    """As many as fit, in their order, and none passed over for one that breaks the rule."""
    found = varied(order, room, kinds)
    most = max(room // 2, 1)
    counts = Counter(kinds[i] for i in found if i in kinds)

    assert len(found) == min(room, len(order))
    assert found == [i for i in order if i in found]
    if any(count > most for count in counts.values()):
        passed = set(order) - set(found)
        assert all(counts[kinds[i]] >= most if i in kinds else False for i in passed)

"""The colours of a mail can be read in both schemes, whatever accent the operator chose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ConfigurationError
from newsletter.render.colour import ACCENT, ENOUGH, contrast, palette


def test_contrast_is_what_the_standard_computes():
    """Known ratios: black on white, and the lightest grey on white that still passes."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@given(st.integers(min_value=0, max_value=0xFFFFFF).map("#{:06x}".format))
def test_every_accent_is_made_readable(accent):
    """Links, buttons and text reach 4.5:1 on everything that they stand on, light and dark."""
    colours = palette(accent)
    for text in (colours.accent, colours.ink, colours.dim):
        assert min(contrast(text, colours.page), contrast(text, colours.sheet)) >= ENOUGH
    for text in (colours.accent_dark, colours.ink_dark, colours.dim_dark):
        assert min(contrast(text, colours.page_dark), contrast(text, colours.sheet_dark)) >= ENOUGH
    assert contrast("#ffffff", colours.accent) >= ENOUGH
    assert contrast(colours.page_dark, colours.accent_dark) >= ENOUGH


def test_an_accent_that_can_be_read_stays_as_it_is():
    """The default needs no change on a light screen."""
    assert palette().accent == ACCENT


def test_an_accent_that_is_no_colour_is_refused():
    """Names and short forms are refused with an example."""
    with pytest.raises(ConfigurationError, match=r"accent = 'red': use a colour like #"):
        palette("red")

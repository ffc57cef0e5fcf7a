"""The few colours of a mail, in both schemes. Contrast is WCAG 2.2's (success criterion 1.4.3)."""

import re
from dataclasses import dataclass

from newsletter.errors import ConfigurationError

ACCENT = "#1b4fa8"
ENOUGH = 4.5
_AT_EASE = 8  # bright text on a dark ground looks thinner than it is
# Links stand on the sheet and on the page around it: these are the less favourable of the two in each scheme.
_PAGE = "#f3f2ee"
_SHEET_DARK = "#181b20"

_Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """What templates call ``colours``: each as #rrggbb, for a light and a dark screen."""

    accent: str
    accent_dark: str
    page: str = _PAGE
    page_dark: str = "#0e1013"
    sheet: str = "#ffffff"
    sheet_dark: str = _SHEET_DARK
    ink: str = "#1d2026"
    ink_dark: str = "#e9e7e2"
    dim: str = "#5a606b"
    dim_dark: str = "#a4abb6"
    line: str = "#e2e0da"
    line_dark: str = "#31353d"
    wrong: str = "#a8231b"
    wrong_dark: str = "#f5a79f"


def palette(accent: str = ACCENT) -> Palette:
    """Return the colours around *accent*, which is darkened or lightened where it could not be read.

    Raises ConfigurationError unless *accent* is #rrggbb.
    """
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", accent):
        raise ConfigurationError(f"accent = {accent!r}: use a colour like {ACCENT}")
    return Palette(
        accent=_readable(accent, _PAGE, (0, 0, 0), ENOUGH),
        accent_dark=_readable(accent, _SHEET_DARK, (255, 255, 255), _AT_EASE),
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _readable(colour: str, ground: str, towards: _Rgb, enough: float) -> str:
    start = _rgb(colour)
    for step in range(101):
        mixed = [round(a + (b - a) * step / 100) for a, b in zip(start, towards, strict=True)]
        found = "#{:02x}{:02x}{:02x}".format(*mixed)
        if contrast(found, ground) >= enough:
            break
    return found


def _rgb(colour: str) -> _Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

"""Pictures as SVG that stands in a page under its policy: no style and no script in it, colours by the style sheet.

Leather draws them: small, without dependencies, and by attributes alone. What a picture says is said beside it in a
table, too. Not here: what is drawn (``pictures``).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import cycle
from math import ceil
from typing import Any

import leather
from leather import theme
from markupsafe import Markup, escape

_COLOURS = ("#1b4fa8", "#c2410c", "#0f766e", "#7c3aed")  # by which the style sheet knows the series
_WIDTH, _HEIGHT = 480, 240
_TICKS = 4
_LABEL = 26  # characters

theme.background_color = "none"
theme.margin = 0.04
theme.tick_font_char_width = 7


def lines(title: str, series: Mapping[str, Mapping[date, int]]) -> Markup:
    """Return a picture of figures by day, '' where there are fewer than two days."""
    days = sorted({day for figures in series.values() for day in figures})
    if len(days) < 2:
        return Markup()
    chart, colours = leather.Chart(), cycle(_COLOURS)
    for name, figures in series.items():
        points = [(place, figures.get(day, 0)) for place, day in enumerate(days)]
        chart.add_line(points, name=name, stroke_color=next(colours), width=2.5)
    # Leather's own axis of dates begins where a month or a week does, and draws beyond it what came before.
    chart.add_x_scale(0, len(days) - 1)
    every = ceil(len(days) / 6)
    ticks = list(range(len(days) - 1, -1, -every))[::-1]
    chart.add_x_axis(ticks=ticks, tick_formatter=lambda place, _i, _n: f"{days[place]:%m-%d}")
    _count_axis(chart, [count for figures in series.values() for count in figures.values()])
    return _svg(chart, title, _HEIGHT)


def columns(title: str, series: Mapping[str, Mapping[str, int]]) -> Markup:
    """Return columns, those of later series before those of earlier ones, which they are a part of."""
    if not any(series.values()):
        return Markup()
    chart, colours = leather.Chart(), cycle(_COLOURS)
    for name, figures in series.items():
        chart.add_columns(list(figures.items()), name=name, fill_color=next(colours))
    _count_axis(chart, [count for figures in series.values() for count in figures.values()])
    return _svg(chart, title, _HEIGHT)


def bars(title: str, series: Mapping[str, Mapping[str, int]]) -> Markup:
    """Return bars from left to right, those of later series before those of earlier ones, which they are a part of."""
    labels = list(dict.fromkeys(label for figures in series.values() for label in figures))
    if not labels:
        return Markup()
    chart, colours = leather.Chart(), cycle(_COLOURS)
    for name, figures in series.items():
        rows = [(figures.get(label, 0), _short(label, place)) for place, label in enumerate(labels, 1)]
        chart.add_bars(rows, name=name, fill_color=next(colours))
    counts = [count for figures in series.values() for count in figures.values()]
    ticks = _ticks(counts)
    chart.add_x_scale(0, ticks[-1])
    chart.add_x_axis(ticks=ticks, tick_formatter=lambda value, _i, _n: f"{value:,}")
    return _svg(chart, title, 60 + 26 * len(labels))


def _short(label: str, place: int) -> str:
    """Return a label that has room, and that no other is like."""
    short = label if len(label) <= _LABEL else f"{label[: _LABEL - 1].rstrip()}…"
    return f"{place}. {short}"


def _count_axis(chart: Any, counts: Sequence[int]) -> None:
    ticks = _ticks(counts)
    chart.add_y_scale(0, ticks[-1])
    chart.add_y_axis(ticks=ticks, tick_formatter=lambda value, _i, _n: f"{value:,}")


def _ticks(counts: Sequence[int]) -> list[int]:
    """Return whole numbers from 0 to beyond the highest, as a person would count."""
    most = max([*counts, 1])
    step = 10 ** max(len(str(ceil(most / _TICKS))) - 1, 0)
    while step * _TICKS < most:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return [step * n for n in range(ceil(most / step) + 1)]


def _svg(chart: Any, title: str, height: int) -> Markup:
    drawn = str(chart.to_svg(width=_WIDTH, height=height)).partition(">")[2]
    head = f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return Markup(head + drawn)  # noqa: S704 - leather escapes what it draws

"""Draws how costs grow, as small SVG files that can be read on light and on dark pages.

Both axes are logarithmic, so a cost that grows like its size is a line of slope one, and one that
does not grow is flat. What is drawn depends on the figures only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 34, 46
_LINE_HEIGHT = 16
_COLOURS = (
    ("#0b62c4", "#6cb2ff"),
    ("#b4450b", "#ff9d5c"),
    ("#1d7a3e", "#6fd08f"),
    ("#8a2be2", "#cf9bff"),
    ("#7a6a00", "#e0cf4a"),
)
"""Of each line: on a light and on a dark page."""
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 2")


@dataclass(frozen=True, slots=True)
class Plot:
    """Is what one picture shows: for each line, its values at each size, one for every round."""

    title: str
    across: str
    up: str
    sizes: Sequence[int]
    lines: Mapping[str, Sequence[Sequence[float]]]


def middle(values: Sequence[float]) -> float:
    """Return the median; of an even number the lower of both, which was measured."""
    return sorted(values)[(len(values) - 1) // 2]


def slope(sizes: Sequence[int], values: Sequence[Sequence[float]]) -> float:
    """Return the power of the size with which the medians grow: the least squares of logarithms."""
    xs = [math.log(size) for size in sizes]
    ys = [math.log(middle(each)) for each in values]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    both = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return round(both / sum((a - x) ** 2 for a in xs), 2) + 0.0  # no minus before a zero


def draw(plot: Plot) -> str:
    """Return the picture."""
    values = [value for line in plot.lines.values() for each in line for value in each]
    low, high = _decades(min(values), max(values))
    across = _Scale(plot.sizes[0], plot.sizes[-1], LEFT + 14, WIDTH - RIGHT - 14)
    bottom = HEIGHT - BOTTOM - _LINE_HEIGHT * len(plot.lines)
    up = _Scale(low, high, bottom, TOP)
    parts = [_head(plot)]
    for tick in _ticks(low, high):
        y = up.at(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{_number(tick)}</text>')
    for size in plot.sizes:
        x = across.at(size)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text class="mid" x="{x:.1f}" y="{bottom + 15}">{size:,}</text>')
    x = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="mid" x="{x:.1f}" y="{bottom + 31}">{escape(plot.across)}</text>')
    for number, (name, line) in enumerate(plot.lines.items()):
        parts += _line(number, name, line, plot, across, up, bottom)
    return "\n".join([*parts, "</svg>", ""])


def _line(
    number: int,
    name: str,
    line: Sequence[Sequence[float]],
    plot: Plot,
    across: _Scale,
    up: _Scale,
    bottom: float,
) -> list[str]:
    points = [
        (across.at(size), [up.at(value) for value in (middle(each), min(each), max(each))])
        for size, each in zip(plot.sizes, line, strict=True)
    ]
    path = "L".join(f"{x:.1f} {y[0]:.1f}" for x, y in points)
    spread = "".join(f"M{x:.1f} {y[1]:.1f}V{y[2]:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y[0]:.1f}" r="2.5"/>' for x, y in points)
    key = bottom + 31 + _LINE_HEIGHT * (number + 1)
    grows = f"{escape(name)}: grows as size^{slope(plot.sizes, line):.2f}"
    dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
    return [
        f'<g class="c{number}"><path d="M{path}"{dash}/><path class="thin" d="{spread}"/>{dots}',
        f'<path d="M{LEFT} {key - 4}h28"{dash}/></g>',
        f'<text x="{LEFT + 36}" y="{key}">{grows}</text>',
    ]


class _Scale:
    """Maps a range of values to a range of pixels, by logarithms."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low = math.log(low)
        self._span = (math.log(high) - self._low) or 1.0
        self._start, self._length = start, end - start

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        return self._start + self._length * (math.log(value) - self._low) / self._span


def _decades(low: float, high: float) -> tuple[float, float]:
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return float(10.0**bottom), float(10.0 ** max(top, bottom + 1))


def _ticks(low: float, high: float) -> list[float]:
    first, last = round(math.log10(low)), round(math.log10(high))
    return [float(10.0**power) for power in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _head(plot: Plot) -> str:
    light, dark = (
        "".join(f".c{n}{{stroke:{c[mode]};fill:{c[mode]}}}" for n, c in enumerate(_COLOURS))
        for mode in (0, 1)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>{escape(plot.title)}</title>
<style>text{{font:12px system-ui,sans-serif;fill:#222}}.head{{font-weight:600;font-size:13px}}\
.mid{{text-anchor:middle}}.end{{text-anchor:end}}path{{fill:none;stroke-width:2}}\
.grid{{stroke:#999;stroke-width:.4}}.thin{{stroke-width:1}}{light}g path{{fill:none}}\
@media(prefers-color-scheme:dark){{text{{fill:#ddd}}{dark}g path{{fill:none}}}}</style>
<text class="head" x="{LEFT}" y="18">{escape(plot.title)}, {escape(plot.up)}</text>"""

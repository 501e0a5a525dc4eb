"""The picture of a benchmark: processor time an answer, a group of bars for each load, as SVG.

This module reads rows and returns text; it needs no library.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from bench.rounds import Row

WIDTH: Final = 900
_LEFT: Final = 190
_RIGHT: Final = 90
_BAR: Final = 16
_GAP: Final = 34
_INK: Final = "#222"
_COLOURS: Final = ("#9aa0a6", "#1a73e8", "#e8710a", "#188038", "#a142f4", "#c5221f", "#795548")
"""By the order of the servers: the echo grey, ours blue."""


def svg(rows: Sequence[Row]) -> str:
    """Return the picture; the scale is linear and begins at 0."""
    servers = list(dict.fromkeys(row.server for row in rows))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(servers)}
    scale = (WIDTH - _LEFT - _RIGHT) / max(row.cpu for row in rows)
    loads = dict.fromkeys(row.load for row in rows)
    parts: list[str] = []
    top = 40
    for load in loads:
        group = [row for row in rows if row.load == load]
        parts.append(_text(10, top, load, weight="bold"))
        for number, row in enumerate(group):
            parts.extend(_bar(row, top + 8 + number * _BAR, scale, colours[row.server]))
        top += len(group) * _BAR + _GAP
    title = _text(10, 20, "processor time an answer, µs (less is better)", weight="bold")
    return "\n".join((_open(top), title, *parts, "</svg>", ""))


def _open(height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' font-family="sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    )


def _bar(row: Row, top: int, scale: float, colour: str) -> Iterator[str]:
    width, base = row.cpu * scale, top + _BAR - 5
    yield _text(_LEFT - 8, base, row.server, anchor="end")
    yield f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR - 3}" fill="{colour}"/>'
    yield _text(_LEFT + width + 5, base, f"{row.cpu:.2f}")


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )

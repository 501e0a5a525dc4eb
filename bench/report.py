"""What people read of a benchmark: the table, the aims that were missed, and a JSON document.

This module measures nothing and writes no file.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from bench.aims import cheaper, judged
from bench.questions import LOADS
from bench.rounds import PACE, PACED, Row
from bench.servers import ECHO, OURS

FULL: Final = 0.95
"""The share of its core from which a server, and not the generator, is the limit."""

_HEAD: Final = f"{'':22}{'µs/answer':>10}{'±':>6}{'/ echo':>8}{'/ ours':>8}"


class Report(msgspec.Struct, frozen=True):
    """All that one benchmark found: servers by name with their size, what was missing, the rows."""

    machine: str
    servers: Mapping[str, str]
    missing: Sequence[str]
    rows: Sequence[Row]

    def json(self) -> bytes:
        """Return the document, indented, with the aims judged."""
        aims = [{"aim": sentence, "reached": reached} for sentence, reached in judged(self.rows)]
        document = msgspec.to_builtins(self) | {"aims": aims}
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def lines_of(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of one load's table; all rows have the same load."""
    cpu = {row.server: row.cpu for row in rows}
    is_paced = rows[0].load == PACED
    yield ""
    yield f"{rows[0].load}: {_meaning(rows[0].load)}"
    end_of = _timed if is_paced else _saturated
    yield _HEAD + (f"{'p50 µs':>10}{'p99 µs':>10}" if is_paced else f"{'answers/s':>13}{'busy':>7}")
    for row in sorted(rows, key=lambda row: row.cpu):
        ratios = "".join(_ratio(row.cpu, cpu.get(peer)) for peer in (ECHO.name, OURS.name))
        yield f"{row.server:22}{row.cpu:10.2f}{row.spread:6.2f}{ratios}{end_of(row)}"


def verdict(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what was reached and what was lost."""
    aims = list(judged(rows))
    yield ""
    yield "reached:"
    yield from _listed(sentence for sentence, reached in aims if reached)
    yield "cheaper than we are:"
    yield from _listed(cheaper(rows))
    yield "lost:"
    yield from _listed(sentence for sentence, reached in aims if not reached)


def _listed(sentences: Iterator[str]) -> list[str]:
    return [f"  {sentence}" for sentence in sentences] or ["  nothing"]


def _meaning(load: str) -> str:
    if load == PACED:
        return f"the hits, {PACE:,} a second"
    return next(each.meaning for each in LOADS if each.name == load)


def _ratio(cpu: float, peer: float | None) -> str:
    return f"{cpu / peer:8.2f}" if peer else f"{'-':>8}"


def _timed(row: Row) -> str:
    return f"{row.p50:10.0f}{row.p99:10.0f}"


def _saturated(row: Row) -> str:
    # A server that idles could answer more than it was asked.
    sign = "≥" if row.busy < FULL else " "
    lost = f"  lost {row.lost:.2%}" if row.lost > 0.001 else ""
    return f"  {sign}{row.rate:10,.0f}{row.busy:7.0%}{lost}"

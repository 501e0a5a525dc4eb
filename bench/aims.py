"""What we aim at, and which aims a benchmark shows to be missed.

Aims are ratios within one run: absolute numbers belong to a machine and its hour.
This module measures nothing, and leaves no aim out because it was missed.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from bench.questions import HIT, LOADS
from bench.rounds import Row
from bench.servers import ECHO, OURS


class Aim(msgspec.Struct, frozen=True):
    """Our processor time an answer, as a multiple of that of `peer`, is at most `limit`."""

    load: str
    peer: str
    limit: float


AIMS: Final = (
    Aim(HIT.name, ECHO.name, 1.6),
    *(Aim(load.name, "Knot DNS", 1.0) for load in LOADS),
    Aim(HIT.name, "CoreDNS kubernetes", 1 / 12),
    Aim("search path", "CoreDNS kubernetes", 1 / 12),
)


def judged(rows: Sequence[Row]) -> Iterator[tuple[str, bool]]:
    """Yield a sentence for each aim whose peer was measured, and whether it was reached."""
    cpu = {(row.load, row.server): row.cpu for row in rows}
    for aim in AIMS:
        ours, theirs = cpu.get((aim.load, OURS.name)), cpu.get((aim.load, aim.peer))
        if ours is None or theirs is None:
            continue
        sentence = (
            f"{aim.load}: {ours:.2f} µs an answer, {ours / theirs:.2f} times {aim.peer}'s"
            f" {theirs:.2f} µs (aim: at most {aim.limit:.3g} times)"
        )
        yield sentence, ours <= aim.limit * theirs


def cheaper(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each load at which other servers need less processor time than we do."""
    for load in dict.fromkeys(row.load for row in rows):
        cpu = {row.server: row.cpu for row in rows if row.load == load and row.server != ECHO.name}
        ours = cpu.get(OURS.name, 0.0)
        better = [f"{name} {each:.2f}" for name, each in cpu.items() if each < ours]
        if better:
            yield f"{load}: {', '.join(better)}; we {ours:.2f} µs an answer"

"""The order of the measurements: every server in every round, so that all have the same weather.

Other programs share the machine: what is compared is measured in turns a second apart, A B C, A B
C, and told as medians of the rounds.
This module starts nothing and prints nothing.
"""

from collections.abc import AsyncIterator, Sequence
from statistics import median
from typing import Final

import msgspec

from bench.load import Generator, LoadError, Run
from bench.questions import HIT, LOADS, Load
from bench.running import Running

PACE: Final = 10_000
"""Questions a second at which answers are timed: no server here is near its limit."""

PACED: Final = "paced"
"""The name of the rows of those runs."""

WARM_UP: Final = 1.0
"""Seconds a server is asked before a load is measured: each name a few times."""

_RIGHT: Final = 99.0
"""Percent of the answers that must have the right code: one may be cut off at the end of a run."""


class Row(msgspec.Struct, frozen=True):
    """The medians of one server under one load.

    `cpu` is microseconds of processor time an answer, `rate` answers a second, `busy` the share of
    its core the server used, `lost` the share of questions without an answer.
    `p50` and `p99` are microseconds, 0 where answers were not timed; `spread` is half the distance
    between the lowest and the highest `cpu` of the rounds.
    """

    server: str
    load: str
    cpu: float
    spread: float
    rate: float
    busy: float
    lost: float
    p50: float = 0.0
    p99: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """How many rounds there are, and how many seconds each run of a round takes."""

    rounds: int
    seconds: float


async def measure(
    servers: Sequence[Running], generator: Generator, plan: Plan
) -> AsyncIterator[list[Row]]:
    """Yield the rows of each load as soon as its rounds are over; the paced ones come last.

    Raises:
        LoadError: dnsperf failed, or a server answers with another code than it should.
    """
    for load in LOADS:
        asked = [each for each in servers if load.transport == "udp" or each.server.over_tcp]
        await _warm_up(asked, generator, load)
        runs = [await _round(asked, generator, load, plan, turn) for turn in _turns(plan)]
        yield _rows(asked, load.name, runs)
    runs = [await _paced_round(servers, generator, plan) for _ in _turns(plan)]
    yield _rows(servers, PACED, runs)


def row_of(server: str, load: str, runs: Sequence[Run]) -> Row:
    """Return the medians of some runs, at least one."""
    cpu = [run.cpu_per_answer for run in runs]
    is_timed = all(run.latencies for run in runs)
    return Row(
        server=server,
        load=load,
        cpu=median(cpu),
        spread=(max(cpu) - min(cpu)) / 2,
        rate=median(run.rate for run in runs),
        busy=median(run.busy for run in runs),
        lost=median(run.lost / (run.lost + run.answered) for run in runs),
        p50=median(run.latency(50) for run in runs) if is_timed else 0.0,
        p99=median(run.latency(99) for run in runs) if is_timed else 0.0,
    )


def _turns(plan: Plan) -> range:
    """Return the numbers of the rounds; 0 is the one that warms up."""
    return range(1, plan.rounds + 1)


async def _warm_up(asked: Sequence[Running], generator: Generator, load: Load) -> None:
    """Let everybody remember what it can, and look at what it answers."""
    generator.lay_out(load, 0)
    for each in asked:
        _check(each, load, await generator.saturate(each.pid, each.port, load, WARM_UP))


async def _round(
    asked: Sequence[Running], generator: Generator, load: Load, plan: Plan, turn: int
) -> list[Run]:
    generator.lay_out(load, turn)
    return [await generator.saturate(each.pid, each.port, load, plan.seconds) for each in asked]


async def _paced_round(asked: Sequence[Running], generator: Generator, plan: Plan) -> list[Run]:
    generator.lay_out(HIT, 0)
    return [await generator.pace(each.pid, each.port, HIT, plan.seconds, PACE) for each in asked]


def _rows(asked: Sequence[Running], load: str, rounds: Sequence[Sequence[Run]]) -> list[Row]:
    by_server = zip(asked, zip(*rounds, strict=True), strict=True)
    return [row_of(each.server.name, load, runs) for each, runs in by_server]


def _check(each: Running, load: Load, run: Run) -> None:
    """Refuse to compare a server that says something else."""
    shares = dict(zip(run.codes.split()[::3], run.codes.split()[2::3], strict=False))
    share = float(shares.get(load.rcode, "(0%").strip("(%),"))
    if each.server.checked and share < _RIGHT:
        raise LoadError(
            f"{each.server.name} answers {load.name!r} with {run.codes}, not {load.rcode}"
        )

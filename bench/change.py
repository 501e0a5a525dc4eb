"""`python -m bench.change`: how long after a watch event every answer shows the change.

A Service's address is changed in the fake API server; the time runs from the moment the event's
octets are written to the program's connection, to the first answer from which on no answer is old.
Once with nothing else to do, and once with other changes and questions all the time.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import click
import msgspec
from aiohttp import web

from bench import cluster
from bench.load import Generator
from bench.parts import Part, measured
from bench.questions import HIT
from tests.e2e.cluster import kubeconfig
from tests.fakes.apiserver import ApiServer
from tests.processes import OURS, Program, free_port, started

CHANGES: Final = 100
"""Other changes a second while loaded."""

QUESTIONS: Final = 10_000
"""Questions a second while loaded."""

BETWEEN: Final = 0.02
"""Seconds from one measured change to the next."""

LIMIT: Final = 10.0
"""Seconds in which a change has to be seen."""

IDLE_AIM: Final = 5.0
LOADED_AIM: Final = 20.0
"""Milliseconds that 99 of 100 changes stay below."""

SOCKETS: Final = {0: 1, 2: 8}
"""Sockets to ask from, by the number of workers measured: enough for each worker to get one."""

_WATCHED: Final = 7
"""The Service that is changed and asked for; the other changes leave it alone."""


class Seen(msgspec.Struct, frozen=True):
    """How long changes took to be seen, in milliseconds."""

    workers: int
    loaded: bool
    p50: float
    p99: float

    @property
    def is_reached(self) -> bool:
        """Whether the aim is."""
        return self.p99 < (LOADED_AIM if self.loaded else IDLE_AIM)


class TimedApi(ApiServer):
    """An API server that remembers when it last began to write an event of a Service."""

    written = 0

    async def _write(self, response: web.StreamResponse, line: bytes) -> None:
        if b'"service-%d"' % _WATCHED in line:
            self.written = time.monotonic_ns()
        await super()._write(response, line)


@click.command("change")
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench/results"))
@click.option("--changes", type=click.IntRange(10), default=300, show_default=True)
def main(out: Path, changes: int) -> None:
    """Measure the way of a change; write `change.json` to OUT."""
    out.mkdir(parents=True, exist_ok=True)
    parts = measured()
    for part in parts:
        click.echo(f"{part.name:16}{part.p50:10.1f} µs{part.p99:10.1f} µs at p99")
    seen = []
    for workers in SOCKETS:
        for found in asyncio.run(_seen(workers, changes)):
            seen.append(found)
            click.echo(_line(found))
    (out / "change.json").write_bytes(_document(parts, seen))
    click.echo("lost:")
    click.echo("\n".join(_line(each) for each in seen if not each.is_reached) or "  nothing")


def _line(seen: Seen) -> str:
    aim = LOADED_AIM if seen.loaded else IDLE_AIM
    state = f"{CHANGES} changes/s, {QUESTIONS:,} questions/s" if seen.loaded else "idle"
    return (
        f"  workers {seen.workers}, {state}: p50 {seen.p50:.2f} ms, p99 {seen.p99:.2f} ms"
        f" (aim: below {aim:g} ms)"
    )


def _document(parts: Sequence[Part], seen: Sequence[Seen]) -> bytes:
    document = {"parts_us": parts, "seen_ms": seen}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


async def _seen(workers: int, changes: int) -> list[Seen]:
    """Measure one number of workers, idle and loaded."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        api = await stack.enter_async_context(TimedApi())
        await api.put(*cluster.objects())
        port = free_port()
        server = await stack.enter_async_context(_serving(kubeconfig(folder, api), port, workers))
        asking = await stack.enter_async_context(_asking(port, SOCKETS[workers]))
        await _until_seen(asking, cluster.address_of(_WATCHED), SOCKETS[workers])
        idle = await _times(api, asking, range(1, changes), SOCKETS[workers])
        async with _load(api, Generator(_cores()[-1], folder), server, port, changes):
            loaded = await _times(api, asking, range(changes, 2 * changes), SOCKETS[workers])
        return [_summary(workers, idle, loaded=False), _summary(workers, loaded, loaded=True)]


@contextlib.asynccontextmanager
async def _serving(config: Path, port: int, workers: int) -> AsyncIterator[Program]:
    options = ("--kubeconfig", config, "--listen", f"127.0.0.1:{port}", "--workers", str(workers))
    async with started("taskset", "-c", str(_cores()[0]), *OURS, "serve", *options) as server:
        await server.address("dns/udp")
        yield server


@contextlib.asynccontextmanager
async def _asking(port: int, sockets: int) -> AsyncIterator[Program]:
    question = (str(port), cluster.name_of(_WATCHED), str(sockets))
    async with started(sys.executable, "-m", "bench.asking", *question) as asking:
        yield asking


@contextlib.asynccontextmanager
async def _load(
    api: ApiServer, generator: Generator, server: Program, port: int, changes: int
) -> AsyncIterator[None]:
    """Change and ask while the context lasts."""
    seconds = changes * (BETWEEN + LIMIT / 100) + 1.0
    generator.lay_out(HIT, 0)
    pid = server.process.pid
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_change(api)),
            group.create_task(generator.pace(pid, port, HIT, seconds, QUESTIONS)),
        ]
        await asyncio.sleep(0.5)
        yield
        for task in tasks:
            task.cancel()


async def _change(api: ApiServer) -> None:
    """Change other Services, until cancelled."""
    moved = 0
    while True:
        moved += 1
        for number in range(_WATCHED + 1, cluster.SERVICES):
            await api.put(cluster.service_objects(number, moved)[0])
            await asyncio.sleep(1 / CHANGES)


async def _times(api: TimedApi, asking: Program, moves: range, sockets: int) -> list[float]:
    """Change the watched Service so many times; return the milliseconds until each was seen."""
    times = []
    for moved in moves:
        await api.put(cluster.service_objects(_WATCHED, moved)[0])
        shown = await _until_seen(asking, cluster.address_of(_WATCHED, moved), sockets)
        times.append((shown - api.written) / 1e6)
        await asyncio.sleep(BETWEEN)
    return times


async def _until_seen(asking: Program, address: str, sockets: int) -> int:
    """Return when the last of the sockets got an answer with this address, in nanoseconds."""
    async with asyncio.timeout(LIMIT):
        while True:
            lines = [line.split() for line in asking.out if f" {address} " in line]
            if len(lines) == sockets:
                asking.out.clear()
                return max(int(line[2]) for line in lines)
            await asyncio.sleep(0.002)


def _summary(workers: int, times: Sequence[float], *, loaded: bool) -> Seen:
    return Seen(workers, loaded, median(times), quantiles(times, n=100)[98])


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()

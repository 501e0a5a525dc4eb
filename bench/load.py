"""One run of dnsperf against one server, and what it and the kernel say of it.

dnsperf has a core for itself and the server another: each is pinned.
This module never decides what is asked, nor what a number means.
"""

import asyncio
import re
from pathlib import Path
from statistics import quantiles
from typing import Final

import msgspec

from bench.questions import CONNECTIONS, Load
from bench.usage import cpu_seconds

OUTSTANDING: Final = 200
"""Questions on their way at once: more than two batches of 64, less than any buffer here holds."""

GRACE: Final = 10.0
"""Seconds dnsperf has beyond its time; then it hangs, and the run has failed."""

_ANSWERED: Final = re.compile(r"Queries completed:\s+(\d+)")
_LOST: Final = re.compile(r"Queries lost:\s+(\d+)")
_SECONDS: Final = re.compile(r"Run time \(s\):\s+([\d.]+)")
_CODES: Final = re.compile(r"Response codes:\s+(.*)")
_LATENCY: Final = re.compile(r"^> .* (\d+\.\d+)$", re.MULTILINE)


class LoadError(Exception):
    """dnsperf did not do what it was called for; the sentence says what it said."""


class Run(msgspec.Struct, frozen=True):
    """What came of one run.

    `seconds` is its length, `cpu` what the server used of it in seconds; `codes` are the response
    codes as dnsperf counts them; `latencies` are seconds, only where they were asked for.
    """

    answered: int
    lost: int
    seconds: float
    cpu: float
    codes: str
    latencies: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    @property
    def cpu_per_answer(self) -> float:
        """Microseconds of the server's processor time."""
        return 1e6 * self.cpu / self.answered

    @property
    def busy(self) -> float:
        """The share of one core the server used."""
        return self.cpu / self.seconds

    def latency(self, percent: int) -> float:
        """Return a percentile of the latencies, in microseconds."""
        return 1e6 * quantiles(self.latencies, n=100)[percent - 1]


class Generator(msgspec.Struct, frozen=True):
    """dnsperf, ready to run: the core it is pinned to, and where sets of questions are."""

    core: int
    folder: Path

    async def saturate(self, pid: int, port: int, load: Load, seconds: float) -> Run:
        """Ask as fast as answers come.

        Raises:
            LoadError: dnsperf failed, or nothing was answered.
        """
        return await self._run(pid, port, load, ("-l", f"{seconds:g}", "-q", str(OUTSTANDING)))

    async def pace(self, pid: int, port: int, load: Load, seconds: float, rate: int) -> Run:
        """Ask `rate` times a second, and time every answer.

        Raises:
            LoadError: as `saturate`.
        """
        options = ("-l", f"{seconds:g}", "-Q", str(rate), "-q", "10000", "-v")
        return await self._run(pid, port, load, options)

    def lay_out(self, load: Load, turn: int) -> None:
        """Write the file that `load` is asked from, in the run with this number."""
        self._path(load).write_bytes(load.stream(turn))

    async def _run(self, pid: int, port: int, load: Load, options: tuple[str, ...]) -> Run:
        before = cpu_seconds(pid)
        clients = ("-c", str(CONNECTIONS)) if load.transport == "tcp" else ()
        out = await _output(
            *("taskset", "-c", str(self.core), "dnsperf", "-B", "-m", load.transport),
            *("-s", "127.0.0.1", "-p", str(port), "-d", str(self._path(load)), "-t", "2"),
            *(*clients, *options),
            limit=float(options[1]) + GRACE,
        )
        return _run_of(out, cpu_seconds(pid) - before)

    def _path(self, load: Load) -> Path:
        return self.folder / f"{load.name.replace(' ', '-')}.questions"


async def _output(*command: str, limit: float) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(limit):
            out, _ = await process.communicate()
    except TimeoutError as error:
        raise LoadError(f"{' '.join(command)} did not end within {limit:g} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = out.decode(errors="replace")
    if process.returncode:
        raise LoadError(f"{' '.join(command)} failed:\n{text[-2000:]}")
    return text


def _run_of(out: str, cpu: float) -> Run:
    answered = int(_found(_ANSWERED, out))
    if not answered:
        raise LoadError(f"no question was answered:\n{out[-2000:]}")
    return Run(
        answered=answered,
        lost=int(_found(_LOST, out)),
        seconds=float(_found(_SECONDS, out)),
        cpu=cpu,
        codes=_found(_CODES, out).strip(),
        latencies=tuple(map(float, _LATENCY.findall(out))),
    )


def _found(pattern: re.Pattern[str], out: str) -> str:
    match = pattern.search(out)
    if match is None:
        raise LoadError(f"dnsperf says nothing like {pattern.pattern!r}:\n{out[-2000:]}")
    return match[1]

"""`python -m bench`: what an answer costs, beside every DNS server that is installed here.

It installs nothing: what is missing is named, with its Debian package, and left out.
"""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from bench.load import Generator, LoadError
from bench.plot import svg
from bench.report import Report, lines_of, verdict
from bench.rounds import Plan, Row, measure
from bench.running import StartError, running
from bench.servers import OUR_WORKERS, SERVERS, Server
from skydns_py.errors import SettingsError, SourceError

NEEDED = {"dnsperf": "dnsperf", "taskset": "util-linux"}
"""Programs without which nothing can be measured, and their Debian packages."""


@click.command("bench")
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench/results"))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.2), default=2.0, show_default=True)
@click.option("--workers", is_flag=True, help="Measure ours with two workers, too.")
def main(out: Path, rounds: int, seconds: float, *, workers: bool) -> None:
    """Measure the cost of answers, here and now; write `bench.json` and `bench.svg` to OUT."""
    missing = list(_missing(*NEEDED.items()))
    if missing:
        raise click.ClickException("\n".join(missing))
    out.mkdir(parents=True, exist_ok=True)
    chosen = (*SERVERS, OUR_WORKERS) if workers else SERVERS
    try:
        report = asyncio.run(_measured(chosen, Plan(rounds, seconds)))
    except (LoadError, StartError, SettingsError, SourceError) as error:
        raise click.ClickException(str(error)) from error
    (out / "bench.json").write_bytes(report.json())
    (out / "bench.svg").write_text(svg(report.rows), encoding="utf-8")
    for line in verdict(report.rows):
        click.echo(line)
    click.echo(f"\nwritten: {out / 'bench.json'}, {out / 'bench.svg'}")


async def _measured(chosen: tuple[Server, ...], plan: Plan) -> Report:
    here = [server for server in chosen if server.is_here]
    missing = list(_missing(*((s.program, s.package) for s in chosen if not s.is_here)))
    cores = sorted(os.sched_getaffinity(0))
    machine = f"{platform.machine()}, Linux {platform.release()}, {len(cores)} cores"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with running(here, Path(name), cores[0]) as servers:
            sizes = {each.server.name: each.size for each in servers}
            for line in _heading(machine, sizes, missing, plan):
                click.echo(line)
            generator = Generator(cores[-1], Path(name))
            async for found in measure(servers, generator, plan):
                rows.extend(found)
                for line in lines_of(found):
                    click.echo(line)
    return Report(machine, sizes, missing, rows)


def _heading(machine: str, sizes: dict[str, str], missing: list[str], plan: Plan) -> Iterator[str]:
    yield f"{machine}; {plan.rounds} rounds of {plan.seconds:g} s for each server and load"
    yield "Servers share one core and dnsperf has another: it is the limit where a rate has ≥."
    yield "What else runs here shares both: compare ratios, not microseconds."
    for name, size in sizes.items():
        yield f"  {name:22}{size}"
    yield from (f"  not here: {line}" for line in missing)


def _missing(*programs: tuple[str, str]) -> Iterator[str]:
    for program, package in dict(programs).items():
        if shutil.which(program) is None:
            hint = f"on Debian, apt-get install {package}" if package else "Debian has no package"
            yield f"{program} ({hint})"


if __name__ == "__main__":
    main()

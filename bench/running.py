"""Starts the servers of a benchmark, pinned to a core, and stops exactly those.

A server counts as started when it has answered a question about the cluster.
This module never measures.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from bench import cluster
from bench.questions import HIT
from bench.servers import ECHO, Server, Site
from bench.usage import size_of
from tests.e2e.cluster import kubeconfig
from tests.fakes.apiserver import ApiServer
from tests.processes import OURS, Program, free_port, run, started

START: Final = 60.0
"""Seconds a server has to answer its first question."""

STOP: Final = 5.0
"""Seconds a server has to end after it was told to."""

ECHO_SOURCE: Final = Path(__file__).with_name("echo.c")


class StartError(Exception):
    """A server did not start or answers wrongly; the sentence says which, and what it wrote."""


class Running(msgspec.Struct, frozen=True):
    """A server that answers: its process, its port, and how many processes and threads it has."""

    server: Server
    pid: int
    port: int
    size: str


@contextlib.asynccontextmanager
async def running(
    servers: Sequence[Server], folder: Path, core: int
) -> AsyncIterator[list[Running]]:
    """Run an API server with the cluster, and all of `servers` while the context lasts.

    Raises:
        StartError: one of them does not answer.
    """
    async with ApiServer() as api, AsyncExitStack() as stack:
        await api.put(*cluster.objects())
        config = kubeconfig(folder, api)
        records = await _records(config)
        if ECHO in servers:
            await _compile_echo(folder)
        found = []
        for server in servers:
            own = folder / server.name.replace(" ", "-")
            own.mkdir()
            site = Site(own, free_port(), records, config, api.url)
            found.append(await stack.enter_async_context(_running(server, site, core)))
        yield found


@contextlib.asynccontextmanager
async def _running(server: Server, site: Site, core: int) -> AsyncIterator[Running]:
    command = server.configure(site)
    async with started("taskset", "-c", str(core), *command) as program:
        try:
            async with asyncio.timeout(START):
                await _until_answering(server, site.port)
        except TimeoutError as error:
            raise StartError(_silence(server, program)) from error
        pid = program.process.pid
        try:
            yield Running(server, pid, site.port, size_of(pid))
        finally:
            await _stop(program)


async def _stop(program: Program) -> None:
    """Let a server end its own children; who does not is killed by `started`."""
    if program.process.returncode is None:
        program.process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP):
                await program.process.wait()


async def _until_answering(server: Server, port: int) -> None:
    packet = next(iter(HIT.make(0)))
    address = socket.inet_aton(cluster.address_of(_number(packet)))
    while True:
        reply = await asyncio.to_thread(_ask, packet, port)
        # The echo has no address to tell; the others must know the cluster.
        if reply and (not server.checked or reply.find(address) > 0):
            return
        await asyncio.sleep(0.1)


def _ask(packet: bytes, port: int) -> bytes:
    """Return the reply to a packet, nothing when there is none within half a second."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            sock.send(packet)
            return sock.recv(4096)
    return b""


def _number(packet: bytes) -> int:
    """Return which Service a packet asks for: its first label ends in the number."""
    label = packet[13 : 13 + packet[12]]
    return int(label.rpartition(b"-")[2])


def _silence(server: Server, program: Program) -> str:
    said = "\n".join([*program.out, *program.err][-20:])
    return f"{server.name} does not answer from the cluster within {START:g} seconds\n{said}"


async def _records(config: Path) -> list[str]:
    """Return the cluster as zone-file lines: what `skydns-py names` says of it."""
    ended = await run(*OURS, "names", "--kubeconfig", config, within=START)
    if ended.code:
        raise StartError(f"skydns-py names failed:\n{ended.err}")
    return list(_without_comments(ended.out.splitlines()))


def _without_comments(lines: Iterable[str]) -> Iterable[str]:
    """Return lines of the zone; its reverse zones are not part of the comparison."""
    return (line for line in lines if line.split()[0].endswith(f"{cluster.ZONE}."))


async def _compile_echo(folder: Path) -> None:
    ended = await run("gcc", "-O2", "-o", folder / "echo", ECHO_SOURCE)
    if ended.code:
        raise StartError(f"bench/echo.c does not compile:\n{ended.err}")

"""Serve settings until told to stop: start order, readiness, and the way down.

Up: probes first, then the sources, and DNS once the sources have synced or `startup_timeout` is
over. Down: /ready says no at once, DNS goes on for the lame-duck time, then answers what has been
received, then closes.
This module never answers a packet.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from skydns_py import names
from skydns_py.app.consolidation import Consolidator
from skydns_py.app.http import open_http
from skydns_py.app.logs import Log
from skydns_py.app.query_log import watched
from skydns_py.app.world import KUBERNETES, World
from skydns_py.app.zones import Worlds, by_listen, responder_of
from skydns_py.errors import SettingsError
from skydns_py.servers.bind import bind_tcp, bind_udp
from skydns_py.servers.interfaces import listen_addresses, own_addresses
from skydns_py.servers.respond import Respond
from skydns_py.servers.tcp import TcpServer
from skydns_py.servers.udp import UdpServer
from skydns_py.settings import Block, Listen, Settings

POLL = 0.5
"""Seconds between two lines that say that the API server is waited for."""

TCP_GRACE = 1.0
"""Seconds that open TCP connections have to send what they owe."""


class Serving:
    """What is running, for whoever has to tell: the probes and the command line."""

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        self.is_stopping = False
        self.listeners: list[tuple[str, str, int]] = []

    def not_ready(self) -> list[str]:
        """Name what is still waited for."""
        synced = all(world.table.is_synced for world in self.worlds.values())
        return [] if synced else [KUBERNETES]


async def serve(
    settings: Settings,
    log: Log,
    *,
    stop: asyncio.Event,
    started: Callable[[Serving], None] = lambda _serving: None,
) -> None:
    """Serve until `stop` is set; `started` is called once DNS is answered.

    Raises:
        SettingsError: an address cannot be listened at, or a source cannot be meant.
    """
    kubernetes = [block.kubernetes for block in settings.blocks if block.kubernetes]
    serving = Serving({each: World(each, log) for each in dict.fromkeys(kubernetes)})
    for warning in settings.warnings:
        log.warning(warning)
    with _plain_errors():
        async with _running(serving.worlds.values()), open_http(settings, serving) as http:
            await _wait_until_synced(serving, log, stop)
            async with AsyncExitStack() as listeners:
                await _open_listeners(settings, serving, log, listeners)
                serving.listeners += http
                for protocol, host, port in serving.listeners:
                    log.info(f"{protocol} {_at(host, port)}")
                started(serving)
                await stop.wait()
                serving.is_stopping = True
                await _be_lame(settings, log)


@contextlib.contextmanager
def stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` on SIGTERM and SIGINT; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def take(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, take, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Let a SettingsError of a source out of its task group: it is for the operator."""
    try:
        yield
    except* SettingsError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


@contextlib.asynccontextmanager
async def _running(worlds: Iterable[World]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.run()) for world in worlds]
        yield
        for task in tasks:
            task.cancel()


async def _wait_until_synced(serving: Serving, log: Log, stop: asyncio.Event) -> None:
    """Wait for every world, at most for the longest `startup_timeout`, and say so meanwhile."""
    worlds = serving.worlds.values()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + max((w.settings.startup_timeout for w in worlds), default=0.0)
    synced = asyncio.gather(*(world.synced.wait() for world in worlds))
    stopped = asyncio.ensure_future(stop.wait())
    either: set[asyncio.Future[Any]] = {synced, stopped}
    try:
        while not synced.done() and not stop.is_set():
            if loop.time() >= deadline:
                log.warning("plugin/kubernetes: starting server with unsynced Kubernetes API")
                return
            pause = min(POLL, max(deadline - loop.time(), 0.0))
            await asyncio.wait(either, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            if not synced.done():
                log.info("plugin/kubernetes: waiting for Kubernetes API before starting server")
    finally:
        for waiting in either:
            waiting.cancel()
        await asyncio.gather(*either, return_exceptions=True)


async def _open_listeners(
    settings: Settings, serving: Serving, log: Log, stack: AsyncExitStack
) -> None:
    """Open UDP and TCP at every address; nothing is left open when one cannot be."""
    loop = asyncio.get_running_loop()
    for listen, blocks in by_listen(settings.blocks).items():
        addresses = listen_addresses(listen)
        respond = _respond_of(blocks, serving.worlds, _own(listen, addresses), log)
        for address in addresses:
            udp, tcp = _bind_pair(address, listen.port)
            udp_server = UdpServer(udp, respond)
            tcp_server = TcpServer(tcp, respond)
            udp_server.start(loop)
            stack.callback(udp_server.close)
            await tcp_server.start()
            stack.push_async_callback(tcp_server.close, TCP_GRACE)
            host, port = udp_server.address
            serving.listeners += [("dns/udp", host, port), ("dns/tcp", host, port)]


def _bind_pair(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to the same port, also when the system is to choose it."""
    for _ in range(16):
        udp = bind_udp(address, port)
        try:
            return udp, bind_tcp(address, udp.getsockname()[1])
        except SettingsError:
            udp.close()
            if port:
                raise
    raise SettingsError(f"no port of {address} is free for both UDP and TCP")


def _respond_of(
    blocks: Sequence[Block], worlds: Worlds, own: tuple[bytes, ...], log: Log
) -> Respond:
    def report(bug: Exception) -> None:
        log.error(f"a query could not be answered, which is a bug: {bug!r}")

    def tell(level: str, line: str) -> None:
        getattr(log, level)(line)

    rules = [rule for block in blocks if block.errors for rule in block.errors.consolidate]
    responder = responder_of(blocks, worlds, own, report)
    return watched(responder.respond, blocks, Consolidator(rules, tell))


def _own(listen: Listen, addresses: Sequence[str]) -> tuple[bytes, ...]:
    """Return the packed addresses this server is reached at: those it was bound to, if it was."""
    if listen == Listen(port=listen.port):
        return own_addresses()
    return tuple(filter(None, map(names.pack_address, addresses)))


async def _be_lame(settings: Settings, log: Log) -> None:
    lameduck = max((b.health.lameduck for b in settings.blocks if b.health), default=0.0)
    if lameduck:
        log.info(f"plugin/health: going into lameduck mode for {lameduck:g}s")
        await asyncio.sleep(lameduck)


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

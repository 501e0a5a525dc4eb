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
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from typing import Any

from skydns_py.app.http import open_http
from skydns_py.app.listeners import Address, Listeners
from skydns_py.app.logs import Log
from skydns_py.app.workers import Workers
from skydns_py.app.world import KUBERNETES, World
from skydns_py.app.zones import Worlds
from skydns_py.errors import SettingsError
from skydns_py.metrics import Cells
from skydns_py.settings import Settings

POLL = 0.5
"""Seconds between two lines that say that the API server is waited for."""


_STOPPING = (signal.SIGTERM, signal.SIGINT)
_RELOADING = (signal.SIGUSR1, *(() if os.isatty(0) else (signal.SIGHUP,)))
"""At a terminal SIGHUP means that it was closed, and then nobody is left to serve."""


class Serving:
    """What is running, for whoever has to tell: the probes and the command line."""

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        self.is_stopping = False
        self.addresses: list[Address] = []
        self.counts: Callable[[], Counter[str]] = Counter
        self.cells: Callable[[], Cells] = dict
        self.processes: Callable[[], Iterable[int]] = lambda: (os.getpid(),)

    def not_ready(self) -> list[str]:
        """Name what is still waited for."""
        synced = all(world.table.is_synced for world in self.worlds.values())
        return [] if synced else [KUBERNETES]


async def serve(
    settings: Settings,
    log: Log,
    *,
    stop: asyncio.Event,
    workers: int = 0,
    quiet: bool = False,
    started: Callable[[Serving], None] = lambda _serving: None,
) -> None:
    """Serve until `stop` is set; `started` is called once DNS is answered.

    With `workers`, so many processes answer and this one only watches.

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
            answering = _answering(settings, serving, log, workers, quiet=quiet)
            async with answering as addresses:
                serving.addresses = [*addresses, *http]
                for protocol, host, port in serving.addresses:
                    log.info(f"{protocol} {_at(host, port)}")
                started(serving)
                await stop.wait()
                serving.is_stopping = True
                await _be_lame(settings, log)


@contextlib.asynccontextmanager
async def _answering(
    settings: Settings, serving: Serving, log: Log, workers: int, *, quiet: bool
) -> AsyncIterator[list[Address]]:
    """Answer DNS for as long as the context lasts, here or in workers; yield the addresses."""
    if not workers:
        listeners = Listeners()
        serving.counts, serving.cells = listeners.counts, listeners.cells
        async with AsyncExitStack() as stack:
            await listeners.open(settings, serving.worlds, log, stack)
            yield listeners.addresses
        return
    processes = Workers(workers, settings, serving.worlds, log, quiet=quiet)
    serving.counts, serving.cells = processes.counts, processes.cells
    serving.processes = lambda: (os.getpid(), *processes.pids())
    async with asyncio.TaskGroup() as group:
        await processes.open(group)
        yield processes.addresses
        await processes.close()


@contextlib.contextmanager
def stopping_on_signals(stop: asyncio.Event, log: Log) -> Iterator[None]:
    """Set `stop` on SIGTERM and SIGINT; a second one cancels the calling task, a third kills.

    Those that elsewhere mean "read the configuration again" are told to do nothing here.
    """
    loop = asyncio.get_running_loop()
    serving = asyncio.current_task()
    heard: list[signal.Signals] = []

    def take(number: signal.Signals) -> None:
        heard.append(number)
        if len(heard) == 1:
            stop.set()
        elif len(heard) == 2 and serving is not None:
            serving.cancel()
        else:
            os._exit(128 + number)

    def decline(number: signal.Signals) -> None:
        log.warning(f"{number.name}: the configuration is read at the start only; restart for that")

    for number in _STOPPING:
        loop.add_signal_handler(number, take, number)
    for number in _RELOADING:
        loop.add_signal_handler(number, decline, number)
    try:
        yield
    except asyncio.CancelledError:
        if len(heard) < 2:
            raise
        raise SystemExit(128 + heard[-1]) from None
    finally:
        for number in (*_STOPPING, *_RELOADING):
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


async def _be_lame(settings: Settings, log: Log) -> None:
    lameduck = max((b.health.lameduck for b in settings.blocks if b.health), default=0.0)
    if lameduck:
        log.info(f"plugin/health: going into lameduck mode for {lameduck:g}s")
        await asyncio.sleep(lameduck)


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

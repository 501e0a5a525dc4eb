"""The parent's side of workers: start them, feed them, replace those that die.

A new worker is given the whole picture before it opens its listeners; from then on it gets each
batch as the table here does.
This module never answers a question.
"""

import asyncio
import contextlib
import os
import pickle
import socket
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from skydns_py.app import feed
from skydns_py.app.listeners import Address, bind_pair
from skydns_py.app.logs import Log
from skydns_py.app.zones import Worlds
from skydns_py.batch import Batch
from skydns_py.errors import SettingsError
from skydns_py.metrics import Cell, Cells, added
from skydns_py.servers.interfaces import listen_addresses
from skydns_py.settings import Listen, Settings

STOPPING: Final = 5.0
"""Seconds a worker has to drain before it is killed."""

SOON: Final = 1.0
"""A worker that dies younger than this many seconds is replaced after a pause as long."""

SILENT: Final = 5.0
"""Seconds without a word, twice in a row, until a worker counts as stuck: it reports each second.

A stuck one keeps its share of the port, and what it is fed piles up here."""

MAX_DEFAULT: Final = 4
"""Workers that are started unasked; each has a table of its own, and memory is counted in pods."""

ROOMY: Final = 768 * 2**20
"""Octets of memory a container must be allowed before workers are started unasked."""


def default_count() -> int:
    """Return how many workers to start unasked: one a core, none where cores or memory are few."""
    cores = len(os.sched_getaffinity(0))
    limit = _memory_limit()
    return 0 if cores < 3 or (limit is not None and limit < ROOMY) else min(cores, MAX_DEFAULT)


class Workers:
    """`count` processes that answer; an async task per worker keeps it alive."""

    def __init__(
        self, count: int, settings: Settings, worlds: Worlds, log: Log, *, quiet: bool
    ) -> None:
        self.addresses: list[Address] = []
        self._count = count
        self._settings = settings
        self._worlds = list(worlds.values())
        self._log = log
        self._quiet = quiet
        self._live: set[_Live] = set()
        self._dead: Counter[str] = Counter()
        self._dead_cells: Cells = {}
        self._stopping = False
        for number, world in enumerate(self._worlds):
            world.on_batch.append(partial(self._feed, number))

    def counts(self) -> Counter[str]:
        """Return what all workers have counted, those that are gone included."""
        return sum((live.counts for live in self._live), self._dead.copy())

    def cells(self) -> Cells:
        """Return what all workers have measured, those that are gone included."""
        return added((self._dead_cells, *(live.cells for live in self._live)))

    def pids(self) -> list[int]:
        """Return the ids of the processes that live."""
        return [live.process.pid for live in self._live]

    async def open(self, group: asyncio.TaskGroup) -> None:
        """Start all workers and wait until every one of them answers.

        Raises:
            SettingsError: an address cannot be listened at.
        """
        with contextlib.ExitStack() as reserved:
            self._settings = _with_ports(self._settings, reserved)
            await self._open_all(group)

    async def _open_all(self, group: asyncio.TaskGroup) -> None:
        opened = [asyncio.get_running_loop().create_future() for _ in range(self._count)]
        for future in opened:
            group.create_task(self._keep_alive(future))
        # All at once: a second failure would be reported as one that nobody looked at.
        *_, addresses = await asyncio.gather(*opened)
        self.addresses = list(addresses)

    async def close(self) -> None:
        """Let every worker answer what it has received, and end."""
        self._stopping = True
        await asyncio.gather(*(live.end() for live in tuple(self._live)))

    async def _keep_alive(self, opened: asyncio.Future[tuple[Address, ...]]) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            started = loop.time()
            live = await _start(self._settings, quiet=self._quiet)
            self._live.add(live)
            try:
                if not self._stopping:
                    self._give_everything(live)
                    await live.listen(opened)
            finally:
                self._live.discard(live)
                self._dead.update(live.counts)
                self._dead_cells = added((self._dead_cells, live.cells))
                await live.end()
            if self._stopping:
                return
            died = f"worker {live.process.pid} died; another takes its place"
            self._log.error(live.failure or died)
            if live.failure or loop.time() - started < SOON:
                await asyncio.sleep(SOON)

    def _give_everything(self, live: "_Live") -> None:
        for number, world in enumerate(self._worlds):
            for batch in world.picture():
                for message in feed.fed(number, batch):
                    live.send(message)
        live.send(feed.Open())

    def _feed(self, number: int, batch: Batch) -> None:
        for message in feed.fed(number, batch):
            framed = feed.frame(message)
            for live in self._live:
                live.writer.write(framed)


class _Live:
    """One worker process and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self.writer = writer
        self.counts: Counter[str] = Counter()
        self.cells: dict[Cell, float] = {}
        self.failure = ""
        self._reader = reader

    def send(self, message: feed.ToWorker) -> None:
        """Send a message; a worker that is gone is noticed elsewhere."""
        self.writer.write(feed.frame(message))

    async def listen(self, opened: asyncio.Future[tuple[Address, ...]]) -> None:
        """Take what the worker says until it is gone."""
        frames = feed.Frames()
        try:
            while data := await self._hear():
                for body in frames.feed(data):
                    self._take(feed.for_parent(body), opened)
                if self.failure:
                    return
        except ConnectionError:
            return

    async def end(self) -> None:
        """Tell the process to drain and end, and bring its end about when that takes too long."""
        self.send(feed.Stop())
        try:
            async with asyncio.timeout(STOPPING):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        finally:
            self.writer.close()

    async def _hear(self) -> bytes:
        """Return what the worker says next; b"" when it is gone, or stuck and therefore killed.

        Twice: after a pause of the whole machine the clock is late, and no worker is to blame.
        """
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENT):
                    return await self._reader.read(2**16)
        self.failure = (
            f"worker {self.process.pid} said nothing for {2 * SILENT:g} seconds and was killed;"
            " another takes its place"
        )
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        return b""

    def _take(self, message: feed.ToParent, opened: asyncio.Future[tuple[Address, ...]]) -> None:
        match message:
            case feed.Opened():
                if not opened.done():
                    opened.set_result(message.addresses)
            case feed.Counted():
                self.counts = Counter(message.counts)
            case feed.Measured():
                self.cells.update(message.cells)
            case feed.Failed():
                # One that takes the place of another is of no use without listeners, either.
                self.failure = message.sentence
                if not opened.done():
                    opened.set_exception(SettingsError(message.sentence))


async def _start(settings: Settings, *, quiet: bool) -> _Live:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "skydns_py.app.worker",
            str(theirs.fileno()),
            "quiet" if quiet else "told",
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            process_group=0,
        )
    if process.stdin is None:
        raise RuntimeError("the worker's standard input is no pipe")
    process.stdin.write(pickle.dumps(settings))
    process.stdin.close()
    reader, writer = await asyncio.open_connection(sock=ours)
    return _Live(process, reader, writer)


def _with_ports(settings: Settings, reserved: contextlib.ExitStack) -> Settings:
    """Return settings with every port chosen: all workers must share them.

    A port that the system chose stays ours until `reserved` is closed.
    """
    blocks = []
    chosen: dict[Listen, int] = {}
    for block in settings.blocks:
        listens = []
        for listen in block.listen:
            if listen not in chosen:
                chosen[listen] = _choose_port(listen, reserved)
            listens.append(msgspec.structs.replace(listen, port=chosen[listen]))
        blocks.append(msgspec.structs.replace(block, listen=tuple(listens)))
    return msgspec.structs.replace(settings, blocks=tuple(blocks))


def _choose_port(listen: Listen, reserved: contextlib.ExitStack) -> int:
    """Return the port of a `Listen`, and find out whether another program holds it.

    Binding alone tells that, which with SO_REUSEPORT nobody would; one that is free for whoever
    comes first is therefore held with it.
    """
    port = listen.port
    for host in listen_addresses(listen):
        udp, tcp = bind_pair(host, port, reuse_port=not listen.port)
        port = udp.getsockname()[1]
        for sock in (udp, tcp):
            if listen.port:
                sock.close()
            else:
                reserved.enter_context(sock)
    return port


def _memory_limit() -> int | None:
    """Return the octets of memory the container may use, None when there is no limit."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < 2**60 else None
    return None

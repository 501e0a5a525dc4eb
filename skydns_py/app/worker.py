"""A worker: a process with listeners and a table of its own, fed by the process that watches.

It shares its ports with its siblings (SO_REUSEPORT), and goes on answering from the last state when
its parent is gone: for `ORPHANED` seconds, so that whoever starts anew does not find it for ever.
This module never reads a source.
"""

import asyncio
import contextlib
import pickle
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from skydns_py.app import feed
from skydns_py.app.listeners import Listeners
from skydns_py.app.logs import Log, open_log
from skydns_py.app.world import World
from skydns_py.app.zones import Worlds
from skydns_py.errors import SettingsError
from skydns_py.metrics import Cell
from skydns_py.settings import Settings

ORPHANED: Final = 60.0
"""Seconds for which a worker without a parent answers: more than any restart takes."""

COUNTED: Final = 1.0
"""Seconds between two reports of what was counted."""

READ: Final = 2**18
"""Octets read at once from the parent: a few hundred objects, a few milliseconds of work."""


class Worker:
    """Reads frames from a parent's socket and does what they say."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.stop = asyncio.Event()
        self._settings = settings
        self._log = log
        kubernetes = [block.kubernetes for block in settings.blocks if block.kubernetes]
        self._worlds: Worlds = {each: World(each, log) for each in dict.fromkeys(kubernetes)}
        self._by_number = list(self._worlds.values())
        self._listeners = Listeners()

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve until told to stop, or until long after the parent is gone."""
        async with AsyncExitStack() as stack:
            reading = asyncio.create_task(self._read(reader, writer, stack))
            counting = asyncio.create_task(self._count(writer))
            stopped = asyncio.create_task(self.stop.wait())
            await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not self.stop.is_set():
                reading.result()
                self._log.warning(f"the parent is gone; answering for {ORPHANED:g} seconds more")
                await asyncio.wait({stopped}, timeout=ORPHANED)
            for task in (reading, counting, stopped):
                task.cancel()
            await asyncio.gather(reading, counting, stopped, return_exceptions=True)

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stack: AsyncExitStack
    ) -> None:
        frames = feed.Frames()
        # A parent that is killed with something of ours unread leaves a reset, not an end.
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(READ):
                for body in frames.feed(data):
                    await self._take(feed.for_worker(body), writer, stack)

    async def _take(
        self, message: feed.ToWorker, writer: asyncio.StreamWriter, stack: AsyncExitStack
    ) -> None:
        match message:
            case feed.Fed():
                self._by_number[message.world].apply(feed.batch_of(message))
                await asyncio.sleep(0)  # questions have their turn between two batches
            case feed.Open():
                writer.write(feed.frame(await self._open(stack)))
            case feed.Stop():
                self.stop.set()

    async def _open(self, stack: AsyncExitStack) -> feed.Opened | feed.Failed:
        try:
            await self._listeners.open(
                self._settings, self._worlds, self._log, stack, reuse_port=True
            )
        except SettingsError as error:
            return feed.Failed(str(error))
        return feed.Opened(tuple(self._listeners.addresses))

    async def _count(self, writer: asyncio.StreamWriter) -> None:
        told: dict[Cell, float] = {}
        while not writer.is_closing():
            await asyncio.sleep(COUNTED)
            writer.write(feed.frame(feed.Counted(dict(self._listeners.counts()))))
            cells = self._listeners.cells()
            changed = {cell: number for cell, number in cells.items() if told.get(cell) != number}
            if changed:
                writer.write(feed.frame(feed.Measured(tuple(changed.items()))))
                told |= changed


async def work(sock: socket.socket, settings: Settings, *, quiet: bool) -> None:
    """Run one worker on the socket its parent gave it."""
    worker = Worker(settings, open_log(quiet=quiet))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is the parent's to hear
    reader, writer = await asyncio.open_connection(sock=sock)
    await worker.run(reader, writer)
    writer.close()


def main(arguments: Sequence[str]) -> None:
    """Take over the descriptor and the settings that the parent handed down."""
    descriptor, quiet = int(arguments[0]), arguments[1] == "quiet"
    # Only our own parent writes here: it made this socket pair, and nobody else has the other end.
    settings: Settings = pickle.loads(sys.stdin.buffer.read())  # noqa: S301
    asyncio.run(work(socket.socket(fileno=descriptor), settings, quiet=quiet))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The UDP server: answers every packet of one socket from an asyncio loop.

It takes packets in batches of 64 where the kernel allows (`mmsg`), and after a few batches lets the
loop do its other work, however many packets wait.
It never logs, never queues in Python, and never parses a packet or, unasked, an address.
"""

import asyncio
import select
import socket
import struct
from types import MappingProxyType

from skydns_py.servers.bind import buffer_sizes
from skydns_py.servers.mmsg import Calls, PacketBlock, load_calls
from skydns_py.servers.pumps import BlockPump, Pumped, SinglePump, UdpCounts
from skydns_py.servers.respond import Hits, Measure, Respond

BATCH = 64
"""Packets a system call: with more, the call no longer weighs and the block leaves the cache."""

TURNS = 4
"""Batches until the loop has its turn: 256 answers, a millisecond or two."""

CALLS = load_calls()
"""The system calls for batches, None where there are none."""

_DRAIN_TURNS = 256
"""Batches that `drain` answers at most: more than the buffer of a socket holds."""

_DRAIN_WAIT = 100
"""Milliseconds that `drain` waits for a full socket, the one place where the loop stands still."""

_FULL_LIMIT = 1.0
"""Seconds to wait for a full socket; the answers behind it have nobody waiting by then."""

_NO_HITS: Hits = MappingProxyType({})

_SO_MEMINFO = 55
_DROPS = 8
"""Linux's `SO_MEMINFO` is nine numbers of 4 bytes; the last one is `SK_MEMINFO_DROPS`."""


class UdpServer:
    """Serves `respond` on a bound, non-blocking UDP socket and closes it in the end.

    `hits` are replies that need not be asked for, where packets come in batches; `measure` is told
    of them.

    `batch` packets are taken by one call, and `turns` batches before the loop does other work.
    With `calls=None` packets go one by one.
    """

    def __init__(
        self,
        sock: socket.socket,
        respond: Respond,
        *,
        hits: Hits = _NO_HITS,
        measure: Measure | None = None,
        batch: int = BATCH,
        turns: int = TURNS,
        calls: Calls | None = CALLS,
    ) -> None:
        self.counts = UdpCounts()
        self._sock = sock
        self._turns = turns
        self._pump: BlockPump | SinglePump
        if calls is None:
            self._pump = SinglePump(sock, respond, batch, self.counts)
        else:
            self._pump = BlockPump(
                sock, respond, PacketBlock(sock, calls, batch), self.counts, hits, measure
            )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._full: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The address and port served, the port in numbers even when any free one was asked for."""
        host, port = self._sock.getsockname()[:2]
        return host, port

    @property
    def buffers(self) -> tuple[int, int]:
        """The bytes the kernel holds for us, received and to be sent."""
        return buffer_sizes(self._sock)

    def lost(self) -> int:
        """Return how many packets the kernel dropped because the buffer was full (0: not told)."""
        try:
            raw = self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_DROPS + 1))
        except OSError:
            return 0
        numbers = struct.unpack(f"={len(raw) // 4}I", raw)
        return numbers[_DROPS] if len(numbers) > _DROPS else 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer from `loop` on, until `close`."""
        self._loop = loop
        loop.add_reader(self._sock, self._on_readable)

    def drain(self) -> None:
        """Answer what is in the socket already; a full one gets a moment, not more."""
        for _ in range(_DRAIN_TURNS):
            received = self.counts.received
            pumped = self._pump.pump()
            if pumped is Pumped.BLOCKED and not self._gets_writable():
                return
            # A batch that was not full says nothing of what came while it was answered.
            if pumped is Pumped.EMPTY and self.counts.received == received:
                return

    def close(self) -> None:
        """Answer what is in the socket already, then take the socket off the loop and close it."""
        if self._sock.fileno() < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._sock)
            self._stop_waiting(self._loop)
            self.drain()
            self._loop = None
        self._sock.close()

    def _on_readable(self) -> None:
        for _ in range(self._turns):
            pumped = self._pump.pump()
            if pumped is Pumped.BLOCKED:
                self._wait_until_writable()
            if pumped is not Pumped.MORE:
                return

    def _wait_until_writable(self) -> None:
        """Leave questions in the kernel while it takes no answers: its buffers are bounded."""
        loop = self._running_loop()
        loop.remove_reader(self._sock)
        loop.add_writer(self._sock, self._resume)
        self._full = loop.call_later(_FULL_LIMIT, self._give_up)

    def _give_up(self) -> None:
        self._pump.give_up()
        self._resume()

    def _resume(self) -> None:
        """Read again; the next turn begins with what was kept back."""
        loop = self._running_loop()
        self._stop_waiting(loop)
        loop.add_reader(self._sock, self._on_readable)
        self._on_readable()

    def _stop_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full = None
            loop.remove_writer(self._sock)

    def _gets_writable(self) -> bool:
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        return bool(poll.poll(_DRAIN_WAIT))

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the UDP server is used before start()")
        return self._loop

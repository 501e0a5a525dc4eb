"""Moves UDP packets from a socket through `respond` and back, a bounded number at a time.

Two pumps do the same: one by the batch (`mmsg`), one packet by packet where that is not to be had.
A packet that cannot be sent costs itself only, never those behind it.
This module never waits and never logs: it counts, and says when the socket is full.
"""

import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from skydns_py.servers.mmsg import SLOT, PacketBlock
from skydns_py.servers.respond import Hits, Later, Measure, Respond

BUSY = 4
"""Packets in a block from which on more are likely to have come meanwhile: to look costs a system
call, to be woken by the loop costs three times as much."""


class Pumped(Enum):
    """How a turn of a pump ended."""

    EMPTY = "nothing more waits to be read"
    MORE = "more may wait"
    BLOCKED = "the socket takes no more answers for now"


@dataclass
class UdpCounts:
    """What became of the packets since the start; received = answered + dropped + send_errors.

    `dropped` were too long or left unanswered by `respond`, among them those answered later.
    """

    received: int = 0
    answered: int = 0
    dropped: int = 0
    send_errors: int = 0
    receive_errors: int = 0


class BlockPump:
    """Receives, answers and sends one block of packets a turn.

    `measure` is told of those of a turn that were answered out of `hits`, and how long it took.
    """

    def __init__(
        self,
        sock: socket.socket,
        respond: Respond,
        block: PacketBlock,
        counts: UdpCounts,
        hits: Hits,
        measure: Measure | None = None,
    ) -> None:
        self._respond = respond
        self._hits = hits
        self._measure = measure
        self._known = 0
        self._block = block
        self._counts = counts
        self._size = len(block.sizes)
        self._clients = tuple(_SlotClient(sock, block, slot, counts) for slot in range(self._size))
        self._starts = range(0, self._size * SLOT, SLOT)
        self._unsent: deque[tuple[int, int]] = deque()

    def pump(self) -> Pumped:
        """Do one turn; first of all send what a full socket has kept back."""
        if self._unsent and not self._send():
            return Pumped.BLOCKED
        try:
            count = self._block.receive()
        except OSError:
            self._counts.receive_errors += 1
            return Pumped.EMPTY
        if count == 0:
            return Pumped.EMPTY
        began = time.perf_counter()
        silent = self._answer(count)
        self._unsent.extend(_runs(count, silent) if silent else ((0, count),))
        is_sent = self._send()
        if self._measure is not None and self._known:
            self._measure(self._known, time.perf_counter() - began)
        if not is_sent:
            return Pumped.BLOCKED
        return Pumped.MORE if count >= min(BUSY, self._size) else Pumped.EMPTY

    def give_up(self) -> None:
        """Forget what a full socket has kept back."""
        self._counts.send_errors += sum(last - first for first, last in self._unsent)
        self._unsent.clear()

    def _answer(self, count: int) -> list[int]:
        """Write the answers over the questions; return the slots that stay silent.

        The hot loop: each packet passes here once, and this is all that is done for it.
        """
        memory, sizes, respond = self._block.memory, self._block.sizes, self._respond
        kept = self._hits.get
        lengths = self._block.lengths(count)
        silent = []
        known = count
        places = zip(range(count), self._starts, lengths, self._clients, strict=False)
        for slot, start, length, client in places:
            turns = kept(memory[start + 2 : start + length])
            if turns is not None:
                # Behind the id, which stays where it is.
                reply = next(turns)
                size = len(reply) + 2
                memory[start + 2 : start + size] = reply
                sizes[slot] = size
                continue
            known -= 1
            if length == SLOT:
                silent.append(slot)
                continue
            whole = respond(memory[start : start + length], client, "udp")
            if whole is None or len(whole) > SLOT:
                silent.append(slot)
                continue
            memory[start : start + len(whole)] = whole
            sizes[slot] = len(whole)
        self._known = known
        self._counts.received += count
        self._counts.dropped += len(silent)
        return silent

    def _send(self) -> bool:
        """Send the runs kept in `_unsent`; False, with the rest kept, when the socket is full."""
        counts = self._counts
        while self._unsent:
            first, last = self._unsent.popleft()
            while first < last:
                try:
                    sent = self._block.send(first, last)
                except (BlockingIOError, InterruptedError):
                    self._unsent.appendleft((first, last))
                    return False
                except OSError:
                    # This one alone: no route to it, a firewall forbids, its port is 0.
                    counts.send_errors += 1
                    first += 1
                else:
                    counts.answered += sent
                    first += sent
        return True


class SinglePump:
    """Receives, answers and sends up to `size` packets a turn, one after the other."""

    def __init__(self, sock: socket.socket, respond: Respond, size: int, counts: UdpCounts) -> None:
        self._sock = sock
        self._respond = respond
        self._size = size
        self._counts = counts

    def pump(self) -> Pumped:
        """Do one turn."""
        sock, counts = self._sock, self._counts
        for _ in range(self._size):
            try:
                packet, control, _, address = sock.recvmsg(SLOT, 64)
            except BlockingIOError:
                return Pumped.EMPTY
            except OSError:
                counts.receive_errors += 1
                return Pumped.EMPTY
            counts.received += 1
            client = _PacketClient(sock, control, address, counts)
            reply = self._respond(packet, client, "udp") if len(packet) < SLOT else None
            if reply is None or len(reply) > SLOT:
                counts.dropped += 1
            else:
                client.send(reply)
        return Pumped.MORE

    def give_up(self) -> None:
        """Nothing is kept back here: what a full socket refuses is lost."""


def unbound(level: int, data: bytes) -> bytes:
    """Return packet information without its interface: the routes choose the way back."""
    if level == socket.IPPROTO_IPV6:
        return data[:16] + bytes(4)
    return bytes(4) + data[4:]


class _PacketClient:
    """Who sent a packet received alone."""

    __slots__ = ("_address", "_control", "_counts", "_sock")

    def __init__(
        self,
        sock: socket.socket,
        control: list[tuple[int, int, bytes]],
        address: tuple[Any, ...],
        counts: UdpCounts,
    ) -> None:
        self._sock = sock
        self._control = control
        self._address = address
        self._counts = counts

    @property
    def host(self) -> str:
        return str(self._address[0]).partition("%")[0]

    @property
    def port(self) -> int:
        return int(self._address[1])

    def later(self) -> Later:
        return self.send

    def send(self, reply: bytes | None) -> None:
        """Send an answer from the address that was asked."""
        if reply is None:
            return
        control = [(level, kind, unbound(level, data)) for level, kind, data in self._control]
        try:
            self._sock.sendmsg([reply], control, 0, self._address)
        except OSError:
            self._counts.send_errors += 1
        else:
            self._counts.answered += 1


class _SlotClient:
    """Who sent the packet that lies in a slot now; made once a slot, it costs a packet nothing."""

    __slots__ = ("_block", "_counts", "_slot", "_sock")

    def __init__(
        self, sock: socket.socket, block: PacketBlock, slot: int, counts: UdpCounts
    ) -> None:
        self._sock = sock
        self._block = block
        self._slot = slot
        self._counts = counts

    @property
    def host(self) -> str:
        return str(self._block.address(self._slot)[0])

    @property
    def port(self) -> int:
        return int(self._block.address(self._slot)[1])

    def later(self) -> Later:
        control, address = self._block.control(self._slot), self._block.address(self._slot)
        return _PacketClient(self._sock, control, address, self._counts).send


def _runs(count: int, silent: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the stretches of 0..count, first and last plus one, that have an answer."""
    first = 0
    for slot in silent:
        if first < slot:
            yield first, slot
        first = slot + 1
    if first < count:
        yield first, count

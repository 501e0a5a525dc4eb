"""A pump without a kernel: the hot loop alone, as often as wanted, to be counted or profiled.

`python -m bench.pumping WHAT BLOCKS` runs so many blocks of 64 hits (`hits`), or the least that any
Python loop has to do for as many (`least`): cut a slice, look it up, write the reply.
This module never opens a port and never measures time.
"""

import mmap
import socket
import sys
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Final

from skydns_py.servers.mmsg import SLOT, Calls, PacketBlock
from skydns_py.servers.pumps import BlockPump, UdpCounts
from skydns_py.servers.respond import Client, Hits, Later, Measure, Transport

BLOCK: Final = 64

QUESTION: Final = (
    bytes((0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)) + b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"
)
"""A question for the addresses of www.example.org."""


class Kernelless:
    """A pump that finds `count` packets waiting at each turn, and sends into nothing."""

    def __init__(self, hits: Hits, measure: Measure | None = None) -> None:
        self.count = BLOCK
        self._lengths = memoryview(bytes(4 * BLOCK)).cast("I")
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            self._block = PacketBlock(sock, Calls(self._receive, self._send), BLOCK)
            self._pump = BlockPump(sock, _refuse, self._block, UdpCounts(), hits, measure)

    def fill(self, packet: bytes) -> None:
        """Put a packet into every slot, where it stays until its reply is written over it."""
        for start in range(0, BLOCK * SLOT, SLOT):
            self._block.memory[start : start + len(packet)] = packet
        self._lengths = memoryview(len(packet).to_bytes(4, sys.byteorder) * BLOCK).cast("I")

    def pump(self) -> None:
        """Do one turn."""
        self._pump.pump()

    def replies(self) -> list[bytes]:
        """Return what the last turn would have sent."""
        found = zip(range(0, self.count * SLOT, SLOT), self._block.sizes, strict=False)
        return [self._block.memory[start : start + size] for start, size in found]

    def _receive(self, *_call: object) -> int:
        # The kernel's part, in one step: what it costs is the same for any count.
        self._block._lengths[:] = self._lengths  # noqa: SLF001
        return self.count

    def _send(self, _fd: int, _start: int, count: int, _flags: int) -> int:
        return count


class Nobody:
    """A client whose answers never have to wait."""

    host = "192.0.2.1"
    port = 53

    def later(self) -> Later:
        """Refuse."""
        raise RuntimeError("an answer has to wait that should be known")


def least(packet: bytes, hits: Mapping[bytes, bytes]) -> Callable[[], None]:
    """Return a turn of the least that a loop in Python has to do for a block."""
    memory = mmap.mmap(-1, BLOCK * SLOT)
    memory[:] = packet.ljust(SLOT, b"\x00") * BLOCK
    end = len(packet)

    def turn() -> None:
        for start in range(0, BLOCK * SLOT, SLOT):
            memory[start + 2 : start + end] = hits[memory[start + 2 : start + end]]

    return turn


def main(what: str, blocks: int) -> None:
    """Run so many blocks of one of the two; the reply is the question, which so stays there."""
    pump = Kernelless({QUESTION[2:]: repeat(QUESTION[2:], sys.maxsize)})
    pump.fill(QUESTION)
    turn = pump.pump if what == "hits" else least(QUESTION, {QUESTION[2:]: QUESTION[2:]})
    for _ in range(blocks):
        turn()


def _refuse(_packet: bytes, _client: Client, _transport: Transport) -> bytes | None:
    raise RuntimeError("a packet was no hit")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

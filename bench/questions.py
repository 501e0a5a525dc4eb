"""What servers are asked: sets of whole packets, made before anything is measured.

A set is a file as `dnsperf -B` reads it: each packet behind its length, as on a TCP stream.
This module opens nothing, and makes the same packets in every benchmark.
"""

import random
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from bench import cluster
from skydns_py import names

PACKETS: Final = 20_000
"""Packets of a set whose questions come again."""

NEVER_AGAIN: Final = 150_000
"""Packets of a set whose questions do not, neither in this run nor in another."""

SEARCHED: Final = 20
"""Distinct names of a search path: one a namespace, as pods of one kind ask."""

CONNECTIONS: Final = 10
"""TCP connections of a set that goes by TCP."""

_HEADER: Final = bytes((0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
"""Identifier 0, which is overwritten; RD; one question."""

_HEADER_EDNS: Final = _HEADER[:-1] + b"\x01"

_A_IN: Final = bytes((0, 1, 0, 1))

_COOKIE_OPT: Final = bytes((0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8))
"""An OPT of 1,232 octets with a COOKIE option, up to the client's eight octets (RFC 7873 4)."""


class Load(msgspec.Struct, frozen=True):
    """A set of questions; all of them have answers with the same code, `rcode`.

    `make` takes the number of the run: where questions must not come again, its set is new.
    """

    name: str
    meaning: str
    rcode: str
    make: Callable[[int], Iterable[bytes]]
    transport: str = "udp"

    def stream(self, turn: int) -> bytes:
        """Return the packets of a run as `dnsperf -B` reads them."""
        return b"".join(len(packet).to_bytes(2, "big") + packet for packet in self.make(turn))


def _hits(turn: int) -> Iterable[bytes]:
    drawn = _dice(turn)
    packets = [_plain(cluster.name_of(number)) for number in range(cluster.SERVICES)]
    return (drawn.choice(packets) for _ in range(PACKETS))


def _searched(_turn: int) -> Iterable[bytes]:
    packets = [_plain(cluster.searched_name_of(number)) for number in range(SEARCHED)]
    return (packets[number % SEARCHED] for number in range(PACKETS))


def _never_again(turn: int) -> Iterable[bytes]:
    first = turn * NEVER_AGAIN
    return (_plain(cluster.unknown_name(number)) for number in range(first, first + NEVER_AGAIN))


def _cookies(turn: int) -> Iterable[bytes]:
    drawn = _dice(turn)
    asked = [names.from_text(cluster.name_of(number)) for number in range(cluster.SERVICES)]
    for _ in range(PACKETS):
        cookie = drawn.randbytes(8)
        yield _HEADER_EDNS + drawn.choice(asked) + _A_IN + _COOKIE_OPT + cookie


def _mixed_letters(turn: int) -> Iterable[bytes]:
    drawn = _dice(turn)
    for packet in _hits(turn):
        name = bytes(octet ^ 0x20 * _is_flipped(octet, drawn) for octet in packet[12:-4])
        yield packet[:12] + name + packet[-4:]


def _is_flipped(octet: int, drawn: random.Random) -> bool:
    return 0x61 <= octet <= 0x7A and drawn.random() < 0.5


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  (no secret: the same in every benchmark)


def _plain(name: str) -> bytes:
    return _HEADER + names.from_text(name) + _A_IN


HIT: Final = Load("hit", "A of 1,000 Services, again and again", "NOERROR", _hits)

LOADS: Final = (
    HIT,
    Load("search path", "20 names of search paths that do not exist", "NXDOMAIN", _searched),
    Load("miss", "names that do not exist, each asked once", "NXDOMAIN", _never_again),
    Load("cookie", "as hit, each with a DNS cookie of its own", "NOERROR", _cookies),
    Load("0x20", "as hit, letters small and capital at random", "NOERROR", _mixed_letters),
    Load("tcp", f"as hit, over {CONNECTIONS} TCP connections", "NOERROR", _hits, "tcp"),
)

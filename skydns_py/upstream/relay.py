"""Turn what an upstream replied into what a client gets: its id, its spelling, its size, its OPT.

Octets are copied, never taken apart: what the upstream compressed stays compressed.
An OPT is between neighbours (RFC 6891 section 6.1.1): the upstream's is cut off, and who sent one
gets ours.
This module never decides which reply to give, and knows no clock.
"""

import struct
from typing import Final

import msgspec

from skydns_py.answers.query import MAX_UDP, Query
from skydns_py.upstream.reply import HEADER, Reply

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RA: Final = 0x0080
AD: Final = 0x0020

EDE_STALE: Final = 3
EDE_NOT_READY: Final = 14
EDE_UNREACHABLE: Final = 22
EDE_NETWORK: Final = 23
"""Extended errors that are told here (RFC 8914 sections 4.4, 4.15, 4.23, 4.24)."""

_EDE_OPTION: Final = 15
_WORDS: Final = struct.Struct("!5H")
_TTL: Final = struct.Struct("!I")


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A reply without its upstream's id, OPT and transport: flags, code, counts and records.

    `body` is everything behind the question; `ttls` are the positions of the TTLs in it, with what
    stands there.
    """

    flags: int
    rcode: int
    counts: tuple[int, int, int]
    body: bytes
    ttls: tuple[tuple[int, int], ...]

    @property
    def octets(self) -> int:
        """About how much memory it takes: what is said, and what Python needs to hold it."""
        return len(self.body) + 160 * len(self.ttls) + 400


def strip(reply: Reply) -> Kept:
    """Return a reply without its OPT, and without additional records that stand behind that.

    Compressed names would point astray if they moved, and they may be left out (RFC 2181 9).
    """
    start = HEADER + len(reply.question)
    wire = reply.wire
    return Kept(
        flags=reply.flags & (AA | TC | AD),
        rcode=reply.rcode,
        counts=reply.counts,
        body=wire[start : reply.end],
        ttls=tuple((at - start, _TTL.unpack_from(wire, at)[0]) for at in reply.ttls),
    )


def capped(kept: Kept, most: int) -> Kept:
    """Return a reply in which no record lives longer than `most` seconds."""
    return _written(kept, tuple((at, min(ttl, most)) for at, ttl in kept.ttls))


def at_least(kept: Kept, least: int) -> Kept:
    """Return a reply in which every record lives at least `least` seconds."""
    return _written(kept, tuple((at, max(ttl, least)) for at, ttl in kept.ttls))


def aged(kept: Kept, age: int) -> Kept:
    """Return a reply as it is after so many seconds, every TTL counted down to no less than 0."""
    if age <= 0:
        return kept
    return _written(kept, tuple((at, max(ttl - age, 0)) for at, ttl in kept.ttls))


def to_client(kept: Kept, query: Query, limit: int, ede: int = 0) -> bytes:
    """Return the reply to a query in at most `limit` octets.

    What does not fit is left out as a whole and marked: a client that sees TC asks again over TCP
    (RFC 2181 section 9), and a part of an answer would serve nobody but an amplifier.
    """
    opt = _opt(query, kept.rcode, ede)
    flags = QR | RA | query.flags | kept.flags | kept.rcode & 0xF
    question, body = query.question, kept.body
    if HEADER + len(question) + len(body) + len(opt) > limit:
        head = _WORDS.pack(flags | TC, 1, 0, 0, bool(opt))
        return query.id + head + question + opt
    answers, authorities, additional = kept.counts
    head = _WORDS.pack(flags, 1, answers, authorities, additional + bool(opt))
    return b"".join((query.id, head, question, body, opt))


def failure(query: Query, rcode: int, ede: int = 0) -> bytes:
    """Return a reply that holds nothing but a response code and, for who has EDNS, the reason."""
    return to_client(Kept(0, rcode, (0, 0, 0), b"", ()), query, MAX_UDP, ede)


def _written(kept: Kept, ttls: tuple[tuple[int, int], ...]) -> Kept:
    if ttls == kept.ttls:
        return kept
    body = bytearray(kept.body)
    for at, ttl in ttls:
        _TTL.pack_into(body, at, ttl)
    return msgspec.structs.replace(kept, body=bytes(body), ttls=ttls)


def _opt(query: Query, rcode: int, ede: int) -> bytes:
    """Return our OPT for who sent one: our size, the DO bit, an extended error (RFC 6891, 8914)."""
    if query.edns is None:
        return b""
    option = struct.pack("!3H", _EDE_OPTION, 2, ede) if ede else b""
    ttl = (rcode >> 4) << 24 | 0x8000 * query.edns.dnssec_ok
    return struct.pack("!BHHIH", 0, 41, MAX_UDP, ttl, len(option)) + option

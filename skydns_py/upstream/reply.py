"""Read an upstream's reply: where everything stands in it, or that it is no reply at all.

Our own reader, because no library may parse what a stranger sent.
Every record is walked, every name followed; what comes out can be passed to a client as it is.
Octets are never changed here (see `relay`), and no bytes make this module raise or take long: no
position is followed twice.
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from skydns_py.names import MAX_LABEL, MAX_NAME
from skydns_py.records import Type
from skydns_py.upstream.rdata import is_rdata

HEADER: Final = 12

NXDOMAIN: Final = 3

Lengths = dict[int, int]
"""Octets of the uncompressed name that begins at a position, for positions seen already."""

_COUNTS: Final = struct.Struct("!4H")
_RECORD: Final = struct.Struct("!HHIH")
"""Type, class, TTL and length of the rdata (RFC 1035 section 4.1.3)."""

_TSIG: Final = 250
_MAX_TTL: Final = 2**31 - 1


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A well-formed reply and where to find what matters in it.

    `rcode` has the upper bits of the OPT; `flags` is the second word of the header.
    `question` is the question section as it came.
    `counts` are the records in answer, authority and additional section up to the OPT, which
    itself is not counted; `end` is where they end.
    `ttls` are the positions of their TTLs, `least` the smallest of these in seconds, None where
    there is no record.
    `denies` tells that nothing of the type asked for exists; `denial_ttl` is how long that may be
    remembered (RFC 2308 section 5), None without SOA.
    """

    wire: bytes
    flags: int
    rcode: int
    question: bytes
    counts: tuple[int, int, int]
    end: int
    ttls: tuple[int, ...]
    least: int | None
    denies: bool
    denial_ttl: int | None
    has_opt: bool


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record: its section (0 is the answer) and its positions."""

    section: int
    start: int
    type: int
    ttl: int
    ttl_at: int
    end: int


def read(packet: bytes) -> Reply | None:
    """Read one message whose header says that it is a reply; None when it is malformed.

    It must have one question, and no octets behind its last record.
    """
    if len(packet) < HEADER:
        return None
    lengths: Lengths = {}
    questions, *counts = _COUNTS.unpack_from(packet, 4)
    name_end = name_at(packet, HEADER, lengths)
    if questions != 1 or name_end is None or name_end + 4 > len(packet):
        return None
    records = list(_walk(packet, name_end + 4, counts, lengths))
    end = records[-1].end if records else name_end + 4
    if len(records) != sum(counts) or end != len(packet):
        return None
    opts = [record for record in records if record.type == Type.OPT]
    if len(opts) > 1:
        return None
    return _describe(packet, packet[HEADER : name_end + 4], records, opts)


def walk(reply: Reply) -> Iterator[Record]:
    """Yield the records of a reply, its OPT and what stands behind that left out."""
    counts = list(_COUNTS.unpack_from(reply.wire, 4)[1:])
    for record in _walk(reply.wire, HEADER + len(reply.question), counts, {}):
        if record.end <= reply.end:
            yield record


def ttl_of(number: int) -> int:
    """Return a TTL as it is to be taken: with the highest bit set it is 0 (RFC 2181 section 8)."""
    return number if number <= _MAX_TTL else 0


def name_at(packet: bytes, start: int, lengths: Lengths) -> int | None:
    """Return where the name at `start` ends, None when it is none.

    A pointer leads further back each time, so that none goes round in circles, and never into
    the header (RFC 1035 section 4.1.4: to a prior occurrence).
    """
    end, position, lowest, octets = None, start, start, 0
    passed = []
    while end is None or position not in lengths:
        if position >= len(packet):
            return None
        length = packet[position]
        if length == 0:
            lengths[position] = 1
            end = position + 1 if end is None else end
            break
        passed.append(position)
        if length <= MAX_LABEL:
            octets += 1 + length
            position += 1 + length
        else:
            target = _target(packet, position)
            if target is None or not HEADER <= target < lowest:
                return None
            end = position + 2 if end is None else end
            lowest = position = target
        if octets >= MAX_NAME:
            return None
    return end if _remember(packet, passed, lengths[position], lengths) else None


def _remember(packet: bytes, passed: list[int], octets: int, lengths: Lengths) -> bool:
    """Note the length of every name that was passed; False when one is too long."""
    for position in reversed(passed):
        length = packet[position]
        octets += 1 + length if length <= MAX_LABEL else 0
        lengths[position] = octets
    return octets <= MAX_NAME


def _target(packet: bytes, position: int) -> int | None:
    """Return where the pointer at `position` leads, None when there is no whole pointer."""
    if packet[position] < 0xC0 or position + 1 >= len(packet):
        return None
    return (packet[position] & 0x3F) << 8 | packet[position + 1]


def _walk(packet: bytes, start: int, counts: list[int], lengths: Lengths) -> Iterator[Record]:
    """Yield records up to the first that is malformed."""
    position = start
    for section, count in enumerate(counts):
        for _ in range(count):
            name_end = name_at(packet, position, lengths)
            if name_end is None or name_end + _RECORD.size > len(packet):
                return
            rtype, rclass, ttl, size = _RECORD.unpack_from(packet, name_end)
            body = name_end + _RECORD.size
            end = body + size
            if end > len(packet) or not _belongs(packet, position, section, rtype, rclass):
                return
            if not is_rdata(packet, rtype, body, end, lambda at: name_at(packet, at, lengths)):
                return
            yield Record(section, position, rtype, ttl, name_end + 4, end)
            position = end


def _belongs(packet: bytes, start: int, section: int, rtype: int, rclass: int) -> bool:
    """Tell whether a record may stand where it stands.

    An OPT belongs to the root in the additional section (RFC 6891 section 6.1.1); a signature of
    the message is for us, and we shared no key with anybody.
    """
    if rtype == Type.OPT:
        return section == 2 and packet[start] == 0
    return rtype != _TSIG and rclass == 1


def _describe(packet: bytes, question: bytes, records: list[Record], opts: list[Record]) -> Reply:
    end = opts[0].start if opts else len(packet)
    kept = [record for record in records if record.end <= end]
    flags = int.from_bytes(packet[2:4], "big")
    rcode = flags & 0xF | (opts[0].ttl >> 24 << 4 if opts else 0)
    soa = next((r for r in kept if r.section == 1 and r.type == Type.SOA), None)
    return Reply(
        wire=packet,
        flags=flags,
        rcode=rcode,
        question=question,
        counts=(_count(kept, 0), _count(kept, 1), _count(kept, 2)),
        end=end,
        ttls=tuple(record.ttl_at for record in kept),
        least=min((ttl_of(record.ttl) for record in kept), default=None),
        denies=rcode == NXDOMAIN or (rcode == 0 and not _has_asked(question, kept)),
        denial_ttl=None if soa is None else min(ttl_of(soa.ttl), _minimum(packet, soa)),
        has_opt=bool(opts),
    )


def _count(records: list[Record], section: int) -> int:
    return sum(record.section == section for record in records)


def _has_asked(question: bytes, records: list[Record]) -> bool:
    qtype = int.from_bytes(question[-4:-2], "big")
    return any(r.section == 0 and qtype in (r.type, Type.ANY) for r in records)


def _minimum(packet: bytes, soa: Record) -> int:
    return ttl_of(int.from_bytes(packet[soa.end - 4 : soa.end], "big"))

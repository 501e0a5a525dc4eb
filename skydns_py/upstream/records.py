"""Take the records out of a reply that has been read: names written out, rdata in wire form.

For the few replies that become part of another one; all others are passed on as they came.
This module trusts the positions it is given: only `reply.read` may have found them.
"""

from skydns_py.names import fold
from skydns_py.records import RRset
from skydns_py.upstream.rdata import NAMES
from skydns_py.upstream.reply import Reply, walk

Sets = tuple[tuple[bytes, RRset], ...]
"""RRsets with their owners, absolute folded wire names."""


def sections(reply: Reply) -> tuple[Sets, Sets]:
    """Return the answer and the authority section as RRsets, in the order of their records."""
    found: tuple[dict[tuple[bytes, int], RRset], ...] = ({}, {})
    for record in walk(reply):
        if record.section > 1:
            break
        owner = fold(expand(reply.wire, record.start))
        rdata: tuple[bytes, ...] = (_rdata(reply.wire, record.type, record.ttl_at + 6, record.end),)
        sets = found[record.section]
        before = sets.get((owner, record.type))
        # One set has one TTL, the smallest of those it came with (RFC 2181 section 5.2).
        ttl = min(before.ttl, record.ttl) if before else record.ttl
        rdata = (*before.rdata, *rdata) if before else rdata
        sets[owner, record.type] = RRset(record.type, ttl, rdata)
    answer, authority = (
        tuple((owner, rrset) for (owner, _), rrset in sets.items()) for sets in found
    )
    return answer, authority


def expand(wire: bytes, position: int) -> bytes:
    """Return the name at a position without compression."""
    name = bytearray()
    while length := wire[position]:
        if length >= 0xC0:
            position = (length & 0x3F) << 8 | wire[position + 1]
        else:
            name += wire[position : position + 1 + length]
            position += 1 + length
    return bytes(name) + b"\x00"


def _rdata(wire: bytes, rrtype: int, start: int, end: int) -> bytes:
    if rrtype not in NAMES:
        return wire[start:end]
    before, count, _ = NAMES[rrtype]
    position = start + before
    parts = [wire[start:position]]
    for _ in range(count):
        parts.append(expand(wire, position))
        position = _name_end(wire, position)
    return b"".join((*parts, wire[position:end]))


def _name_end(wire: bytes, position: int) -> int:
    while length := wire[position]:
        if length >= 0xC0:
            return position + 2
        position += 1 + length
    return position + 1

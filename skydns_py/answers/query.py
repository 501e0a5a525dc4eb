"""Judge a packet: a query to answer, a refusal with its reason, or nothing at all.

The header is judged before the body, and what should be empty is never decoded (see README.md for
the table of RFCs).
Our own reader, because no library may parse what a stranger sent: it reads a header, one question
and at most two additional records, each octet once.
This module never raises for any bytes, and never looks a name up.
"""

import struct
from enum import IntEnum
from typing import Final

import msgspec

from skydns_py.names import MAX_LABEL, MAX_NAME, fold
from skydns_py.records import Type

MAX_UDP: Final = 1232
"""Octets of the largest UDP reply: what no path fragments (DNS Flag Day 2020)."""

MIN_UDP: Final = 512
"""Octets of a UDP reply to who sent no OPT (RFC 1035 section 2.3.4)."""

MAX_TCP: Final = 65_535

CLASS_IN: Final = 1

_HEADER: Final = 12
_COUNTS: Final = struct.Struct("!4H")
_NUMBERS: Final = struct.Struct("!2H")
_NO_MEANING: Final = frozenset((0, Type.OPT, Type.AXFR, Type.IXFR))
_QR: Final = 0x8000
_OPCODE: Final = 0x7800
_COPIED: Final = 0x0110
"""RD and CD: the flags of a query that its reply repeats (RFC 1035 4.1.1, RFC 4035 3.1.6)."""


class Rcode(IntEnum):
    """Response codes that are given here (IANA, RFC 6895); above 15 they need an OPT."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Edns(msgspec.Struct, frozen=True, gc=False):
    """What the OPT of a query said: the octets its sender can take, and the DO bit (RFC 6891)."""

    payload: int
    dnssec_ok: bool


class Query(msgspec.Struct, frozen=True, gc=False):
    """A query that can be answered.

    `asked` is the name as spelled, `name` the same folded; both absolute wire names.
    `flags` are those that the reply repeats, `size` the octets of the whole query.
    """

    id: bytes
    flags: int
    size: int
    asked: bytes
    name: bytes
    type: int
    edns: Edns | None

    @property
    def question(self) -> bytes:
        """The question section as it was sent."""
        return self.asked + self.type.to_bytes(2, "big") + b"\x00\x01"


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A query that gets an error only: its `reason` is the label of a metric.

    `question` is the section to repeat, empty where it could not be read.
    """

    id: bytes
    flags: int
    rcode: Rcode
    reason: str
    question: bytes = b""
    edns: Edns | None = None


def judge(packet: bytes) -> Query | Refusal | None:
    """Judge one message; None is silence, for what is no query at all.

    A response is never answered, or two servers would talk to each other for ever.
    """
    if len(packet) < _HEADER:
        return None
    bits = packet[2] << 8 | packet[3]
    if bits & _QR:
        return None
    flags = bits & _COPIED
    if opcode := bits & _OPCODE:
        # RFC 8906 3.1.4: an unknown opcode gets NOTIMP, whatever stands behind the header.
        return Refusal(packet[:2], flags | opcode, Rcode.NOTIMP, "opcode")
    return _judge_body(packet, flags)


def payload_of(query: Query | Refusal) -> int:
    """Return the octets of the largest UDP reply that may be sent."""
    if query.edns is None:
        return MIN_UDP
    return min(max(query.edns.payload, MIN_UDP), MAX_UDP)


def _judge_body(packet: bytes, flags: int) -> Query | Refusal:
    """Judge counts, question and additional section, in the order in which they stand."""
    counts = _COUNTS.unpack_from(packet, 4)
    # RFC 9619: a query has one question. The other counts are more than it could be meant with.
    if counts[0] != 1 or counts[1] or counts[3] > 2:
        return Refusal(packet[:2], flags, Rcode.FORMERR, "counts")
    end = _name_end(packet, _HEADER)
    if end is None or end + 4 > len(packet):
        return Refusal(packet[:2], flags, Rcode.FORMERR, "question")
    question = packet[_HEADER : end + 4]
    if counts[2]:
        # Only IXFR has an authority section (RFC 1995 3), and that is refused unread.
        ixfr = question[-4:-2] == Type.IXFR.to_bytes(2, "big") and counts[2] == 1
        rcode, reason = (Rcode.REFUSED, "transfer") if ixfr else (Rcode.FORMERR, "counts")
        return Refusal(packet[:2], flags, rcode, reason, question)
    edns, version = None, 0
    if counts[3] or end + 4 != len(packet):
        opts = _read_additional(packet, end + 4, counts[3])
        if opts is None or len(opts) > 1:
            return Refusal(packet[:2], flags, Rcode.FORMERR, "additional", question)
        for payload, ttl in opts:
            edns, version = Edns(payload, bool(ttl & 0x8000)), ttl >> 16 & 0xFF
    qtype, qclass = _NUMBERS.unpack_from(packet, end)
    if version or qclass != CLASS_IN or qtype in _NO_MEANING:
        rcode, reason = _judge_meaning(qtype, qclass, version)
        return Refusal(packet[:2], flags, rcode, reason, question, edns)
    asked = packet[_HEADER:end]
    return Query(packet[:2], flags, len(packet), asked, fold(asked), qtype, edns)


def _judge_meaning(qtype: int, qclass: int, version: int) -> tuple[Rcode, str]:
    """Say why a well-formed query is refused: EDNS version, class, a type that is no record."""
    if version:
        return Rcode.BADVERS, "edns version"
    if qclass != CLASS_IN:
        return Rcode.REFUSED, "class"
    if qtype in (Type.AXFR, Type.IXFR):
        return Rcode.REFUSED, "transfer"
    return Rcode.FORMERR, "type"


def _name_end(packet: bytes, start: int) -> int | None:
    """Return where the uncompressed name at `start` ends, None when it is none.

    A question's name has nothing before it to point to.
    """
    position, size = start, len(packet)
    last = start + MAX_NAME
    while position < size:
        length = packet[position]
        position += 1 + length
        if length == 0:
            return position if position <= last else None
        if length > MAX_LABEL or position > last:
            return None
    return None


def _read_additional(packet: bytes, start: int, count: int) -> list[tuple[int, int]] | None:
    """Return class and TTL of each OPT among `count` records that must fill the packet.

    None when they do not, or an OPT is malformed (RFC 6891 6.1.2).
    """
    opts = []
    position = start
    for _ in range(count):
        end = _name_end(packet, position)
        if end is None or end + 10 > len(packet):
            return None
        body = end + 10
        rdata_end = body + int.from_bytes(packet[end + 8 : body], "big")
        if rdata_end > len(packet):
            return None
        if packet[end : end + 2] == b"\x00\x29":
            if packet[position] != 0 or not _are_options(packet, body, rdata_end):
                return None
            payload = int.from_bytes(packet[end + 2 : end + 4], "big")
            opts.append((payload, int.from_bytes(packet[end + 4 : end + 8], "big")))
        position = rdata_end
    return opts if position == len(packet) else None


def _are_options(packet: bytes, start: int, end: int) -> bool:
    """Tell whether the octets are whole options; what they say is ignored (RFC 6891 6.1.2)."""
    while start + 4 <= end:
        start += 4 + int.from_bytes(packet[start + 2 : start + 4], "big")
    return start == end

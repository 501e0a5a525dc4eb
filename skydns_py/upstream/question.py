"""What is asked of an upstream: the message, and whether a packet is the reply to it.

Nothing a client sent goes on but name, type, RD, CD and DO: options are between neighbours (RFC
6891 section 6.1.1), and an id or a spelling of a client's would be no secret.
This module draws no random numbers: they are handed in.
"""

import struct
from typing import Final

import msgspec

from skydns_py.answers.query import MAX_UDP, Query
from skydns_py.names import fold
from skydns_py.upstream.reply import HEADER, Reply, read

_QR_AND_OPCODE: Final = 0xF8
_FORMERR, _NOTIMP = 1, 4


class Question(msgspec.Struct, frozen=True):
    """A question as an upstream sees it, and as it is remembered: `name` is folded.

    `flags` are RD and CD. All of them change what is replied, RD as well: who does not want
    recursion gets what the upstream happens to know, and nobody else must get that.
    """

    name: bytes
    type: int
    flags: int = 0x0100
    dnssec_ok: bool = False


def question_of(query: Query) -> Question:
    """Return what a client asks, without what is nobody else's business."""
    dnssec_ok = query.edns is not None and query.edns.dnssec_ok
    return Question(query.name, query.type, query.flags, dnssec_ok)


def pack(question: Question, number: int, bits: int = 0, *, edns: bool = True) -> bytes:
    """Return the message with the id `number`; set bits of `bits` spell letters as capitals.

    With `edns` it has an OPT: without one no reply above 512 octets would come over UDP.
    """
    header = struct.pack("!6H", number, question.flags, 1, 0, 0, edns)
    section = _spelled(question.name, bits) + struct.pack("!HH", question.type, 1)
    opt = struct.pack("!BHHIH", 0, 41, MAX_UDP, 0x8000 * question.dnssec_ok, 0) if edns else b""
    return header + section + opt


def answers(sent: bytes, packet: bytes, *, exactly: bool = False) -> Reply | None:
    """Return the reply to the message `sent` that a packet is; None when it is anything else.

    Id, QR, opcode and the question must be right, with `exactly` in its spelling too, and all of it
    well formed; whatever is not gets ignored by who waits (RFC 5452 section 9.1).
    """
    if packet[:2] != sent[:2] or len(packet) < HEADER or packet[2] & _QR_AND_OPCODE != 0x80:
        return None
    section = _question_in(sent)
    there = packet[HEADER : HEADER + len(section)]
    same = there == section if exactly else fold(there[:-4]) == fold(section[:-4])
    if not same or there[-4:] != section[-4:]:
        return None
    return read(packet)


def knows_no_edns(reply: Reply) -> bool:
    """Tell whether an upstream refused the OPT, not the question (RFC 6891 section 7)."""
    return reply.rcode in {_FORMERR, _NOTIMP} and not reply.has_opt


def _question_in(message: bytes) -> bytes:
    """Return the question section of a message of ours."""
    position = HEADER
    while message[position]:
        position += 1 + message[position]
    return message[HEADER : position + 5]


def _spelled(name: bytes, bits: int) -> bytes:
    """Return a name with the letters in capitals whose bit is set; length octets are no letters."""
    if not bits:
        return name
    return bytes(
        octet - 0x20 if 0x61 <= octet <= 0x7A and bits >> i & 1 else octet
        for i, octet in enumerate(name)
    )

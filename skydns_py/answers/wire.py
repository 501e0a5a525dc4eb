"""Pack an `Answer` or a refusal into the bytes of a reply: the one module that speaks to dnslib.

A reply is packed once, from our own values, and never parsed here.
This module never decides what to say.
"""

import struct
from typing import Final

from dnslib import DNSLabel
from dnslib.label import DNSBuffer

from skydns_py import names
from skydns_py.answers.lookup import Answer, Section
from skydns_py.answers.query import CLASS_IN, MAX_UDP, Edns, Query, Refusal
from skydns_py.names import ROOT
from skydns_py.records import RRset, Type

QR, AA, TC = 0x8000, 0x0400, 0x0200

MAX_AMPLIFICATION: Final = 3
"""A truncated reply is at most so many times as long as the query, so that a forged sender gains
little; who is real asks again over TCP."""

Counts = tuple[int, int, int, int]
"""Entries in the question, answer, authority and additional sections."""

_HEADER: Final = 12
_WORDS: Final = struct.Struct("!5H")
_RECORD: Final = struct.Struct("!HHIH")
"""Type, class, TTL and length of the rdata (RFC 1035 section 4.1.3)."""

_OWNER: Final = (0xC000 | _HEADER).to_bytes(2, "big")
"""A pointer to the name of the question."""

_MAX_POINTER: Final = 0x3FFF
_SOA_NUMBERS: Final = 20
_EDE_OPTION: Final = 15


def pack(answer: Answer, query: Query, limit: int, *, datagram: bool) -> bytes:
    """Return the reply to a query, at most `limit` octets long.

    Where all does not fit, the additional section goes first, set by set, without a mark (RFC 2181
    section 9); then the reply holds as many whole records as fit, and TC.
    """
    opt = _opt(query.edns, answer.rcode, answer.ede)
    if _is_bare_denial(answer):
        denial = _denial(answer, query)
        if _HEADER + len(denial) + len(opt) <= limit:
            return _header(answer, query, (1, 0, 1, bool(opt))) + denial + opt
    if _is_bare_addresses(answer, query):
        addresses = _addresses(answer.answer[0][1], query)
        if _HEADER + len(addresses) + len(opt) <= limit:
            counts = (1, len(answer.answer[0][1].rdata), 0, bool(opt))
            return _header(answer, query, counts) + addresses + opt
    reply = _Reply(query, answer.apex, limit - len(opt))
    complete = reply.add(answer.answer) and reply.add(answer.authority, section=1)
    if complete:
        reply.add_whole_sets(answer.additional)
    else:
        room = min(limit, MAX_AMPLIFICATION * query.size) if datagram else limit
        reply = _Reply(query, answer.apex, room - len(opt))
        reply.add(answer.answer)
    header = _header(answer, query, reply.counts(opt), is_cut=not complete)
    return header + reply.sections() + opt


def pack_refusal(refusal: Refusal) -> bytes:
    """Return the reply to what cannot be answered: header, question if there is one, OPT."""
    flags = QR | refusal.flags | refusal.rcode & 0xF
    opt = _opt(refusal.edns, refusal.rcode, 0)
    counts = (bool(refusal.question), 0, 0, bool(opt))
    header = refusal.id + b"".join(n.to_bytes(2, "big") for n in (flags, *counts))
    return header + refusal.question + opt


def _header(answer: Answer, query: Query, counts: Counts, *, is_cut: bool = False) -> bytes:
    flags = QR | AA * answer.authoritative | TC * is_cut | query.flags | answer.rcode & 0xF
    return query.id + _WORDS.pack(flags, *counts)


def _is_bare_denial(answer: Answer) -> bool:
    """Tell whether an answer is its zone's SOA and nothing else, as most answers are."""
    return (
        not answer.answer
        and len(answer.authority) == 1
        and answer.authority[0][0] == answer.apex != ROOT
    )


def _denial(answer: Answer, query: Query) -> bytes:
    """Return question and SOA of a denial.

    Search paths make it the commonest reply by far, and it has but one shape: both names of the SOA
    lie in the zone, and all three point to where the question names it.
    """
    apex, rrset = answer.authority[0]
    at = len(query.asked) - len(apex)
    pointer = (0xC000 | _HEADER + at).to_bytes(2, "big")
    rdata = rrset.rdata[0]
    end = rdata.index(b"\x00") + 1
    mname, rname = rdata[: end - len(apex)], rdata[end : -_SOA_NUMBERS - len(apex)]
    packed = mname + pointer + rname + pointer + rdata[-_SOA_NUMBERS:]
    return (
        query.question
        + pointer
        + _RECORD.pack(rrset.type, CLASS_IN, rrset.ttl, len(packed))
        + packed
    )


def _is_bare_addresses(answer: Answer, query: Query) -> bool:
    """Tell whether an answer is the addresses of the name that was asked for, and nothing else."""
    return (
        len(answer.answer) == 1
        and not answer.authority
        and not answer.additional
        and answer.answer[0][1].type in (Type.A, Type.AAAA)
        and answer.answer[0][0] == query.name != ROOT
    )


def _addresses(rrset: RRset, query: Query) -> bytes:
    """Return question and address records, whose owner is where the question names it.

    Headless Services make this the reply that is packed most often: once for each turn.
    """
    length = len(rrset.rdata[0])
    head = _OWNER + _RECORD.pack(rrset.type, CLASS_IN, rrset.ttl, length)
    return query.question + b"".join([head + address for address in rrset.rdata])


class _Reply:
    """A message in the making: the question, then records as long as they fit."""

    def __init__(self, query: Query, apex: bytes, limit: int) -> None:
        self._query = query
        self._apex = apex
        self._limit = limit
        self._counts = [0, 0, 0]
        self._buffer = DNSBuffer(bytes(_HEADER))
        self._buffer.offset = _HEADER
        self._name(query.asked)
        self._buffer.append(query.question[-4:])

    def add(self, sets: Section, section: int = 0) -> bool:
        """Add the records of a section up to the first that does not fit."""
        for owner, rrset in sets:
            for rdata in rrset.rdata:
                mark = len(self._buffer.data)
                self._record(owner, rrset, rdata)
                if len(self._buffer.data) > self._limit:
                    self._cut(mark)
                    return False
                self._counts[section] += 1
        return True

    def add_whole_sets(self, sets: Section) -> None:
        """Add sets to the additional section, each as a whole or not at all."""
        for owner, rrset in sets:
            mark, count = len(self._buffer.data), self._counts[2]
            if not self.add(((owner, rrset),), section=2):
                self._cut(mark)
                self._counts[2] = count
                return

    def counts(self, opt: bytes) -> Counts:
        """Return how many records stand in each section, an OPT behind them included."""
        answer, authority, additional = self._counts
        return 1, answer, authority, additional + bool(opt)

    def sections(self) -> bytes:
        """Return the message without its header."""
        return bytes(self._buffer.data[_HEADER:])

    def _record(self, owner: bytes, rrset: RRset, rdata: bytes) -> None:
        self._name(self._query.asked if owner == self._query.name else owner)
        buffer = self._buffer
        buffer.pack("!HHIH", rrset.type, CLASS_IN, rrset.ttl, 0)
        start = len(buffer.data)
        self._rdata(rrset.type, rdata)
        length = len(buffer.data) - start
        buffer.data[start - 2 : start] = length.to_bytes(2, "big")

    def _rdata(self, rrtype: int, rdata: bytes) -> None:
        """Write rdata; only the names of RFC 1035's own types may be compressed (RFC 3597 4)."""
        match rrtype:
            case Type.NS | Type.CNAME | Type.PTR:
                self._name(rdata)
            case Type.SOA:
                end = 1 + rdata.index(b"\x00")
                self._name(rdata[:end])
                self._name(rdata[end:-_SOA_NUMBERS])
                self._buffer.append(rdata[-_SOA_NUMBERS:])
            case Type.SRV:
                self._buffer.append(rdata[:6] + self._spelled(rdata[6:]))
            case _:
                self._buffer.append(rdata)

    def _name(self, name: bytes) -> None:
        self._buffer.encode_name(DNSLabel(tuple(names.labels(self._spelled(name)))))
        self._forget_names(_MAX_POINTER + 1)

    def _spelled(self, name: bytes) -> bytes:
        """Return a name with the zone in the spelling of the question."""
        asked, apex = self._query.asked, self._apex
        if asked is self._query.name or not (
            name.endswith(apex) and self._query.name.endswith(apex)
        ):
            return name
        return name[: len(name) - len(apex)] + asked[len(asked) - len(apex) :]

    def _cut(self, length: int) -> None:
        """Take back what was written beyond `length`."""
        del self._buffer.data[length:]
        self._buffer.offset = length
        self._forget_names(length)

    def _forget_names(self, start: int) -> None:
        """Forget names written at `start` or beyond: gone, or out of a pointer's 14 bits."""
        written = self._buffer.names
        while written:
            name, offset = written.popitem()
            if offset < start:
                written[name] = offset
                return


def _opt(edns: Edns | None, rcode: int, ede: int) -> bytes:
    """Return an OPT for who sent one (RFC 6891 6.1.1): our size, the DO bit, an extended error."""
    if edns is None:
        return b""
    option = b"".join(n.to_bytes(2, "big") for n in (_EDE_OPTION, 2, ede)) if ede else b""
    ttl = (rcode >> 4) << 24 | 0x8000 * edns.dnssec_ok
    return (
        b"\x00\x00\x29"
        + MAX_UDP.to_bytes(2, "big")
        + ttl.to_bytes(4, "big")
        + len(option).to_bytes(2, "big")
        + option
    )

"""The one door: `respond(packet, client, transport)` gives the bytes to send back, or None.

The ladder, cheapest and most dangerous first: is it a query at all, is it one that is answered
here, whose zone is it, what stands there, how does it fit.
Whatever goes wrong inside is a bug: it becomes SERVFAIL, a count and one call to `report`; nothing
is raised.
This module never waits and never logs.
"""

from collections import Counter
from collections.abc import Callable, Mapping, MutableSequence
from typing import Any, Final, Literal

import msgspec

from skydns_py import names
from skydns_py.answers.lookup import Answer, Section, Zones, lookup
from skydns_py.answers.query import MAX_TCP, Query, Rcode, Refusal, judge, payload_of
from skydns_py.answers.wire import pack, pack_refusal
from skydns_py.records import RRset, Type

Transport = Literal["udp", "tcp", "tls"]
Shuffle = Callable[[MutableSequence[Any]], None]

_DROPPED: Final = "dropped"


class Block(msgspec.Struct, frozen=True):
    """One server block: the zones it can answer for, and whether it shuffles addresses."""

    zones: Zones
    shuffles: bool = True


class Responder:
    """Answers packets for the server blocks that share an address and port.

    `blocks` are by apex; `shuffle` puts a list into a random order in place.
    `counts` are refusals by reason and replies by code name.
    """

    def __init__(
        self,
        blocks: Mapping[bytes, Block],
        *,
        shuffle: Shuffle,
        report: Callable[[Exception], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._blocks = blocks
        self._shuffle = shuffle
        self._report = report

    def respond(self, packet: bytes, _client: Any, transport: Transport) -> bytes | None:
        """Return the reply to a packet, None when it deserves none. Never raises."""
        try:
            return self._respond(packet, transport)
        except Exception as bug:  # noqa: BLE001  (the door: law 6, nothing raises out of here)
            self.counts["panic"] += 1
            self._report(bug)
            refusal = Refusal(packet[:2], 0, Rcode.SERVFAIL, "panic")
            return pack_refusal(refusal)

    def _respond(self, packet: bytes, transport: Transport) -> bytes | None:
        query = judge(packet)
        if query is None:
            self.counts[_DROPPED] += 1
            return None
        if isinstance(query, Refusal):
            return self._refuse(query)
        block = self._block_of(query.name)
        if block is None:
            return self._refuse(_refusal_of(query, Rcode.REFUSED, "zone"))
        answer = lookup(block.zones, query.name, query.type)
        if answer is None:
            return self._refuse(_refusal_of(query, Rcode.SERVFAIL, "unserved"))
        self.counts[answer.rcode.name] += 1
        return self._pack(answer, query, transport, shuffles=block.shuffles)

    def _pack(self, answer: Answer, query: Query, transport: Transport, *, shuffles: bool) -> bytes:
        if shuffles and answer.rcode is Rcode.NOERROR:
            answer = _shuffled(answer, self._shuffle)
        datagram = transport == "udp"
        limit = payload_of(query) if datagram else MAX_TCP
        return pack(answer, query, limit, datagram=datagram)

    def _refuse(self, refusal: Refusal) -> bytes:
        self.counts[refusal.reason] += 1
        return pack_refusal(refusal)

    def _block_of(self, name: bytes) -> Block | None:
        apex = names.closest(name, self._blocks)
        return None if apex is None else self._blocks[apex]


def _refusal_of(query: Query, rcode: Rcode, reason: str) -> Refusal:
    return Refusal(query.id, query.flags, rcode, reason, query.question, query.edns)


def _shuffled(answer: Answer, shuffle: Shuffle) -> Answer:
    """Return an answer whose addresses stand in a new order, so that clients spread."""
    return msgspec.structs.replace(
        answer,
        answer=tuple(_shuffled_sets(answer.answer, shuffle)),
        additional=_shuffled_section(answer.additional, shuffle),
    )


def _shuffled_section(section: Section, shuffle: Shuffle) -> Section:
    if len(section) < 2:
        return section
    sets = _shuffled_sets(section, shuffle)
    shuffle(sets)
    return tuple(sets)


def _shuffled_sets(section: Section, shuffle: Shuffle) -> list[tuple[bytes, RRset]]:
    found = []
    for owner, rrset in section:
        if rrset.type in (Type.A, Type.AAAA) and len(rrset.rdata) > 1:
            rdata = list(rrset.rdata)
            shuffle(rdata)
            found.append((owner, RRset(rrset.type, rrset.ttl, tuple(rdata))))
        else:
            found.append((owner, rrset))
    return found

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
from skydns_py.answers.lookup import Answer, Zones, lookup
from skydns_py.answers.memo import Facts, Memo
from skydns_py.answers.query import MAX_TCP, Query, Rcode, Refusal, judge, payload_of
from skydns_py.answers.wire import pack, pack_refusal
from skydns_py.records import RRset, Type
from skydns_py.table import Delta, Table

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
        self.datagrams = Memo(shuffle)
        self.streams = Memo(shuffle)
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

    def changed(self, table: Table, delta: Delta) -> None:
        """Forget what a change of a table made wrong; to be called before the next question."""
        for memo in (self.datagrams, self.streams):
            memo.forget(delta.keys)
            memo.renew(table, table.serial)

    def _respond(self, packet: bytes, transport: Transport) -> bytes | None:
        memo = self.datagrams if transport == "udp" else self.streams
        kept = memo.hits.get(packet[2:])
        if kept is not None:
            return packet[:2] + (kept if isinstance(kept, bytes) else next(kept))
        query = judge(packet)
        if query is None:
            self.counts[_DROPPED] += 1
            return None
        if isinstance(query, Refusal):
            return self._refuse(query)
        block = self._block_of(query.name)
        if block is None:
            return self._refuse(_refusal_of(query, Rcode.REFUSED, "zone"))
        limit = payload_of(query) if transport == "udp" else MAX_TCP
        return memo.recall(query, limit, packet) or self._look_up(packet, query, block, limit, memo)

    def _look_up(self, packet: bytes, query: Query, block: Block, limit: int, memo: Memo) -> bytes:
        answer = lookup(block.zones, query.name, query.type)
        if answer is None:
            return self._refuse(_refusal_of(query, Rcode.SERVFAIL, "unserved"))
        self.counts[answer.rcode.name] += 1
        turns = _turns_of(answer) if block.shuffles else 1

        def pack_turn(query: Query, turn: int) -> bytes:
            turned = _turned(answer, turn, self._shuffle) if turns > 1 else answer
            return pack(turned, query, limit, datagram=memo is self.datagrams)

        reply = pack_turn(query, self._any(turns))
        if answer.rcode is not Rcode.SERVFAIL:
            has_soa = bool(answer.authority) or query.type == Type.SOA
            facts = Facts(
                keys=answer.keys,
                denies=answer.rcode is Rcode.NXDOMAIN,
                table=block.zones[answer.apex].table if has_soa else None,
                pack=pack_turn,
                turns=turns,
            )
            memo.keep(packet, query, limit, reply, facts)
        return reply

    def _any(self, turns: int) -> int:
        """Return any of so many turns."""
        if turns == 1:
            return 0
        order = list(range(turns))
        self._shuffle(order)
        return order[0]

    def _refuse(self, refusal: Refusal) -> bytes:
        self.counts[refusal.reason] += 1
        return pack_refusal(refusal)

    def _block_of(self, name: bytes) -> Block | None:
        apex = names.closest(name, self._blocks)
        return None if apex is None else self._blocks[apex]


def _refusal_of(query: Query, rcode: Rcode, reason: str) -> Refusal:
    return Refusal(query.id, query.flags, rcode, reason, query.question, query.edns)


def _turns_of(answer: Answer) -> int:
    """Return how many replies take turns, so that each address is first as often as any other."""
    if answer.rcode is not Rcode.NOERROR:
        return 1
    sizes = [len(rrset.rdata) for _, rrset in answer.answer if rrset.type in _ADDRESSES]
    return max((1, *sizes, len(answer.additional)))


def _turned(answer: Answer, turn: int, shuffle: Shuffle) -> Answer:
    """Return an answer with the address of this turn first, and the others in a new order."""
    return msgspec.structs.replace(
        answer,
        answer=tuple((owner, _turned_set(rrset, turn, shuffle)) for owner, rrset in answer.answer),
        additional=_first(
            tuple((owner, _turned_set(rrset, turn, shuffle)) for owner, rrset in answer.additional),
            turn,
            shuffle,
        ),
    )


def _turned_set(rrset: RRset, turn: int, shuffle: Shuffle) -> RRset:
    if rrset.type not in _ADDRESSES or len(rrset.rdata) < 2:
        return rrset
    return RRset(rrset.type, rrset.ttl, _first(rrset.rdata, turn, shuffle))


def _first(items: tuple[Any, ...], turn: int, shuffle: Shuffle) -> tuple[Any, ...]:
    """Return items with that of the turn first."""
    if len(items) < 2:
        return items
    turn %= len(items)
    others = [*items[:turn], *items[turn + 1 :]]
    shuffle(others)
    return (items[turn], *others)


_ADDRESSES: Final = frozenset((Type.A, Type.AAAA))

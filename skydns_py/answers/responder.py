"""The one door: `respond(packet, client, transport)` gives the bytes to send back, or None.

The ladder, cheapest and most dangerous first: is it a query at all, is it one that is answered
here, whose zone is it, what stands there, how does it fit.
Whatever goes wrong inside is a bug: it becomes SERVFAIL, a count and one call to `report`; nothing
is raised.
This module never waits and never logs.
"""

from collections import Counter
from collections.abc import Callable, Mapping, MutableSequence
from functools import partial
from typing import Any, Final, Literal, Protocol

import msgspec

from skydns_py import names
from skydns_py.answers.lookup import NOT_READY, Answer, Zones, lookup
from skydns_py.answers.memo import Facts, Memo
from skydns_py.answers.query import MAX_TCP, Query, Rcode, Refusal, judge, payload_of
from skydns_py.answers.wire import pack, pack_refusal
from skydns_py.records import RRset, Type
from skydns_py.table import Delta, Table

Transport = Literal["udp", "tcp", "tls"]
Shuffle = Callable[[MutableSequence[Any]], None]
Order = Callable[[tuple[Any, ...]], tuple[Any, ...]]

Later = Callable[[bytes | None], None]
"""Sends an answer that had to wait; None gives the question up. To be called exactly once."""

FEW: Final = 8
"""Items whose order is random behind the first: about as many as a truncated reply has room for."""

_DROPPED: Final = "dropped"

_NAMES: Final = {rcode: rcode.name for rcode in Rcode}
"""At hand: an enumeration looks its own up in Python, each time."""


class Client(Protocol):
    """Who asks, as far as answering has to know."""

    def later(self) -> Later:
        """Promise an answer after `respond` has returned None, and get the way to send it."""


class Elsewhere(Protocol):
    """Answers what is not ours.

    Both return a reply of at most `limit` octets; or None, having called `later` to send it then.
    """

    def ask(
        self, query: Query, limit: int, later: Callable[[], Later], transport: Transport
    ) -> bytes | None:
        """Answer a query."""

    def follow(
        self,
        query: Query,
        answer: Answer,
        limit: int,
        later: Callable[[], Later],
        transport: Transport,
    ) -> bytes | None:
        """Answer a query that `answer` answers up to an alias whose target is not ours."""


class Block(msgspec.Struct, frozen=True):
    """One server block: the zones it can answer for, and whether it shuffles addresses.

    `elsewhere` is asked for names that lie in no zone, and for names unknown here that lie in one
    of `fallthrough`; None where nobody else is asked.
    """

    zones: Zones
    shuffles: bool = True
    elsewhere: Elsewhere | None = None
    fallthrough: frozenset[bytes] = frozenset()

    def goes_on(self, answer: Answer, name: bytes) -> bool:
        """Tell whether an answer is for somebody else to give: we do not know the name."""
        unknown = answer.rcode is Rcode.NXDOMAIN or answer.ede == NOT_READY
        return (
            unknown
            and self.elsewhere is not None
            and not answer.answer
            and names.closest(name, self.fallthrough) is not None
        )


class Responder:
    """Answers packets for the server blocks that share an address and port.

    `blocks` are by apex; `shuffle` puts a list into a random order in place.
    `counts` are refusals by reason and replies by code name.
    `asked`, `zone` and `writer` tell of the last packet: what it was, None when its reply was kept
    or it got none; the server block's zone, None when it reached no block; and the directive that
    replies, "" for the server itself.
    """

    def __init__(
        self,
        blocks: Mapping[bytes, Block],
        *,
        shuffle: Shuffle,
        report: Callable[[Exception], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.asked: Query | Refusal | None = None
        self.zone: bytes | None = None
        self.writer = ""
        self.datagrams = Memo(shuffle)
        self.streams = Memo(shuffle)
        self._blocks = blocks
        self._shuffle = shuffle
        self._report = report

    def respond(self, packet: bytes, client: Client | None, transport: Transport) -> bytes | None:
        """Return the reply to a packet, None when it deserves none or comes later. Never raises.

        Without a `client` nobody could be sent a reply later: then nobody else is asked.
        """
        try:
            return self._respond(packet, client, transport)
        except Exception as bug:  # noqa: BLE001  (the door: law 6, nothing raises out of here)
            self.counts["panic"] += 1
            self._report(bug)
            refusal = Refusal(packet[:2], 0, Rcode.SERVFAIL, "panic")
            self.asked, self.zone, self.writer = refusal, None, ""
            return pack_refusal(refusal)

    def changed(self, delta: Delta) -> None:
        """Forget what a change of a table made wrong; to be called before the next question."""
        for memo in (self.datagrams, self.streams):
            memo.forget(delta.keys)

    def _respond(self, packet: bytes, client: Client | None, transport: Transport) -> bytes | None:
        memo = self.datagrams if transport == "udp" else self.streams
        kept = memo.hits.get(packet[2:])
        if kept is not None:
            self.asked = None
            return packet[:2] + next(kept)
        self.asked = query = judge(packet)
        self.zone, self.writer = None, "kubernetes"
        if query is None:
            self.counts[_DROPPED] += 1
            return None
        if isinstance(query, Refusal):
            return self._refuse(query)
        self.zone = apex = names.closest(query.name, self._blocks)
        if apex is None:
            return self._refuse(_refusal_of(query, Rcode.REFUSED, "zone"))
        block = self._blocks[apex]
        limit = payload_of(query) if transport == "udp" else MAX_TCP
        reply = memo.recall(query, limit, packet)
        if reply is not None:
            return reply
        answer = lookup(block.zones, query.name, query.type)
        if answer is None or block.goes_on(answer, query.name):
            if block.elsewhere is None or client is None:
                return self._refuse(_refusal_of(query, Rcode.SERVFAIL, "unserved"))
            self.counts["elsewhere"] += 1
            self.writer = "forward"
            return block.elsewhere.ask(query, limit, client.later, transport)
        if block.elsewhere is not None and client is not None and _leads_away(answer, query.type):
            self.counts["elsewhere"] += 1
            self.writer = "forward"
            return block.elsewhere.follow(query, answer, limit, client.later, transport)
        self.counts[_NAMES[answer.rcode]] += 1
        facts = self._facts(answer, block, limit, datagram=transport == "udp")
        reply = facts.pack(query, self._any(facts.turns))
        if answer.rcode is not Rcode.SERVFAIL:
            memo.keep(packet, query, limit, reply, facts)
        return reply

    def _facts(self, answer: Answer, block: Block, limit: int, *, datagram: bool) -> Facts:
        """Return how an answer is packed, turn by turn, and what it hangs on."""
        turns = _turns_of(answer) if block.shuffles else 1
        base = _ordered(answer, self._mixed) if turns > 1 else answer

        def pack_turn(query: Query, turn: int) -> bytes:
            turned = base
            if turns > 1:
                turned = _ordered(base, partial(_first, turn=turn, shuffle=self._shuffle))
            return pack(turned, query, limit, datagram=datagram)

        last = (*answer.answer, *answer.authority)[-1:]
        has_soa = any(rrset.type == Type.SOA for _, rrset in last)
        return Facts(
            keys=answer.keys,
            denies=answer.rcode is Rcode.NXDOMAIN,
            serial=partial(_serial_of, block.zones[answer.apex].table) if has_soa else None,
            pack=pack_turn,
            turns=turns,
        )

    def _any(self, turns: int) -> int:
        """Return any of so many turns."""
        if turns == 1:
            return 0
        order = list(range(turns))
        self._shuffle(order)
        return order[0]

    def _mixed(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        mixed = list(items)
        self._shuffle(mixed)
        return tuple(mixed)

    def _refuse(self, refusal: Refusal) -> bytes:
        self.counts[refusal.reason] += 1
        self.writer = ""
        return pack_refusal(refusal)


def _leads_away(answer: Answer, qtype: int) -> bool:
    """Tell whether an answer ends with an alias whose target lies in no zone of ours."""
    if qtype == Type.CNAME or answer.rcode is not Rcode.NOERROR or answer.authority:
        return False
    last = answer.answer[-1][1] if answer.answer else None
    return last is not None and last.type == Type.CNAME and not answer.is_loop


def _refusal_of(query: Query, rcode: Rcode, reason: str) -> Refusal:
    return Refusal(query.id, query.flags, rcode, reason, query.question, query.edns)


def _turns_of(answer: Answer) -> int:
    """Return how many replies take turns, so that each address is first as often as any other."""
    if answer.rcode is not Rcode.NOERROR:
        return 1
    sections = (*answer.answer, *answer.additional)
    sizes = [len(rrset.rdata) for _, rrset in sections if rrset.type in _ADDRESSES]
    return max((1, *sizes, len(answer.additional)))


def _ordered(answer: Answer, order: Order) -> Answer:
    """Return an answer whose addresses stand in another order, and its additional sets too."""
    return msgspec.structs.replace(
        answer,
        answer=tuple((owner, _ordered_set(rrset, order)) for owner, rrset in answer.answer),
        additional=order(
            tuple((owner, _ordered_set(rrset, order)) for owner, rrset in answer.additional)
        ),
    )


def _ordered_set(rrset: RRset, order: Order) -> RRset:
    if rrset.type not in _ADDRESSES or len(rrset.rdata) < 2:
        return rrset
    return RRset(rrset.type, rrset.ttl, order(rrset.rdata))


def _first(items: tuple[Any, ...], turn: int, shuffle: Shuffle) -> tuple[Any, ...]:
    """Return items with that of the turn first.

    Few have the others in a random order behind it, so that whoever goes on to the second spreads
    too. Many go round: where not all fit, each then is among those that do as often as any other.
    """
    if len(items) < 2:
        return items
    turn %= len(items)
    others = [*items[turn + 1 :], *items[:turn]]
    if len(items) <= FEW:
        shuffle(others)
    return (items[turn], *others)


def _serial_of(table: Table) -> int:
    return table.serial


_ADDRESSES: Final = frozenset((Type.A, Type.AAAA))

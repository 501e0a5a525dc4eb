"""Counting what a responder answers, for the `prometheus` directives of its server blocks.

Replies that were kept are counted by the memo's own iterators and by the batch; the others one by
one, in a dictionary of few distinct rows.
Labels are made of both only when the numbers are read, or when too many rows have come together.
This module never changes a reply.
"""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from skydns_py import names
from skydns_py.answers.query import Query, Rcode, Refusal, judge
from skydns_py.answers.responder import Client, Responder
from skydns_py.metrics import DURATIONS, SUM, Sums, observe
from skydns_py.records import Type
from skydns_py.servers.respond import Later, Transport
from skydns_py.settings import Block, Listen

MAX_ROWS: Final = 4096
"""Rows that wait for their labels: about a megabyte."""

DROPPED: Final = "dropped"
"""The zone of what reached no server block."""

_TYPES: Final = {int(rrtype): rrtype.name for rrtype in Type if rrtype is not Type.OPT} | {
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    50: "NSEC3",
    65: "HTTPS",
}
_RCODES: Final = {int(code): code.name for code in Rcode} | {
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
}


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """What was alike in so many questions; `size` in octets."""

    zone: bytes | None
    proto: str
    type: int
    dnssec_ok: bool
    writer: str
    size: int


_Row = tuple[_Asked, int, int]
"""Questions with the code and the octets of their replies."""


class _Durations:
    """How long replies took: how many by bucket, and the seconds of all."""

    def __init__(self) -> None:
        self.counts = [0] * (len(DURATIONS) + 1)
        self.seconds = 0.0

    def add(self, times: int, seconds: float) -> None:
        """Count so many replies that took so long each."""
        self.counts[bisect_left(DURATIONS, seconds)] += times
        self.seconds += times * seconds


class Meter:
    """Counts for one responder, whose questions all come to one `listen` in one address `family`.

    `family` is 4 or 6; `clock` gives seconds of any one clock.
    Blocks without a `prometheus` directive are left out.
    """

    def __init__(
        self,
        responder: Responder,
        blocks: Sequence[Block],
        listen: Listen,
        family: int,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._responder = responder
        self._zones = frozenset(zone for block in blocks for zone in block.zones)
        self._labels: dict[bytes | None, str] = {
            zone: names.to_text(zone)
            for block in blocks
            if block.prometheus
            for zone in block.zones
        }
        self._labels[None] = DROPPED
        self._server = f"dns://{listen}"
        self._family = "1" if family == 4 else "2"
        self._clock = clock
        self._sums: Sums = defaultdict(float)
        self._rows: Counter[_Row] = Counter()
        self._durations: dict[bytes | None, _Durations] = defaultdict(_Durations)
        self._batches = _Durations()
        self._given: Counter[bytes | None] = Counter()
        for proto, memo in (("udp", responder.datagrams), ("tcp", responder.streams)):
            memo.given = partial(self._give, proto)

    def sums(self) -> Sums:
        """Return everything counted since the start, up to now."""
        self._responder.datagrams.tell()
        self._responder.streams.tell()
        self._share_batches()
        self._label_rows()
        self._label_durations()
        return self._sums

    def measure(self, times: int, seconds: float) -> None:
        """Note that so many kept replies were given, after so many seconds each."""
        self._batches.add(times, seconds)

    def respond(self, packet: bytes, client: Client, transport: Transport) -> bytes | None:
        """Let the responder answer, and count what it does not count itself."""
        began, responder, asker = self._clock(), self._responder, _Asker(client)
        reply = responder.respond(packet, asker, transport)
        judged = responder.asked
        if judged is not None:
            asked = self._asked(judged, transport, len(packet))
            if reply is None:
                asker.count = partial(self._count, asked, began)
            else:
                # A code above 15 is not in the header alone (RFC 6891 section 6.1.3).
                rcode = judged.rcode if isinstance(judged, Refusal) else None
                self._count(asked, began, reply, rcode)
        elif reply is not None:
            self.measure(1, self._clock() - began)
        return reply

    def _asked(self, judged: Query | Refusal, transport: Transport, size: int) -> _Asked:
        """Return the row of a question that the responder has just judged."""
        rrtype = (
            judged.type
            if isinstance(judged, Query)
            else int.from_bytes(judged.question[-4:-2], "big")
        )
        edns, responder = judged.edns, self._responder
        return _Asked(
            responder.zone,
            "udp" if transport == "udp" else "tcp",
            rrtype,
            edns is not None and edns.dnssec_ok,
            responder.writer,
            size,
        )

    def _count(
        self, asked: _Asked, began: float, reply: bytes | None, rcode: int | None = None
    ) -> None:
        """Count an exchange; one that was given up has no reply."""
        if reply is None:
            return
        self._rows[asked, reply[3] & 0x0F if rcode is None else rcode, len(reply)] += 1
        self._durations[asked.zone].add(1, self._clock() - began)
        if len(self._rows) > MAX_ROWS:
            self._label_rows()

    def _give(self, proto: str, packet: bytes, rcode: int, size: int, times: int) -> None:
        """Count what the memo tells of: what is kept there are replies of `kubernetes`."""
        query = judge(b"\0\0" + packet)
        if not isinstance(query, Query):
            raise TypeError("a reply is kept for what is no query")
        zone = names.closest(query.name, self._zones)
        dnssec_ok = query.edns is not None and query.edns.dnssec_ok
        asked = _Asked(zone, proto, query.type, dnssec_ok, "kubernetes", query.size)
        self._rows[asked, rcode, size] += times
        self._given[zone] += times

    def _share_batches(self) -> None:
        """Add the durations of kept replies to those of their zones.

        A batch is measured as a whole. Where it had replies of several server blocks, each block
        gets its share of what was measured since this was last done.
        """
        batches, self._batches = self._batches, _Durations()
        given, self._given = self._given, Counter()
        total = given.total()
        for zone, times in given.items():
            durations, shared, seen = self._durations[zone], 0, 0
            for bucket, count in enumerate(batches.counts):
                # Whole numbers that add up to those of the zone.
                seen += count
                upto = seen * times // total
                durations.counts[bucket] += upto - shared
                shared = upto
            durations.seconds += batches.seconds * times / total

    def _label_rows(self) -> None:
        rows, self._rows = self._rows, Counter()
        for row, times in rows.items():
            if row[0].zone in self._labels:
                self._label_row(row, times)

    def _label_row(self, row: _Row, times: int) -> None:
        asked, code, size = row
        sums, server = self._sums, (self._server, self._labels[asked.zone], "")
        rrtype = _TYPES.get(asked.type, "other")
        rcode = _RCODES.get(code, f"RCODE{code}")
        sums["coredns_dns_requests_total", (*server, asked.proto, self._family, rrtype), 0] += times
        sums["coredns_dns_responses_total", (*server, rcode, asked.writer), 0] += times
        if asked.dnssec_ok:
            sums["coredns_dns_do_requests_total", server, 0] += times
        by_proto = (*server, asked.proto)
        observe(sums, "coredns_dns_request_size_bytes", by_proto, asked.size, times)
        observe(sums, "coredns_dns_response_size_bytes", by_proto, size, times)

    def _label_durations(self) -> None:
        name = "coredns_dns_request_duration_seconds"
        for zone, durations in self._durations.items():
            if zone not in self._labels:
                continue
            labels = (self._server, self._labels[zone], "")
            for bucket, count in enumerate(durations.counts):
                if count:
                    self._sums[name, labels, bucket] += count
            self._sums[name, labels, SUM] += durations.seconds
        self._durations.clear()


class _Asker:
    """A client, whose reply is counted when it comes later."""

    __slots__ = ("_client", "count")

    def __init__(self, client: Client) -> None:
        self._client = client
        self.count: Callable[[bytes | None], None] | None = None

    def later(self) -> Later:
        send = self._client.later()

        def send_and_count(reply: bytes | None) -> None:
            send(reply)
            if self.count is not None:
                self.count(reply)

        return send_and_count

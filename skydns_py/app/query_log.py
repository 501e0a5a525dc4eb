"""What the `log` and `errors` directives write about queries, in CoreDNS's own words.

A wrapper around `respond`, put there only where a directive asks for it: nothing is logged by
default, and nothing is paid for it.
This module never changes a reply.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from skydns_py import names
from skydns_py.answers.query import MAX_TCP, MIN_UDP, Query, Rcode, judge
from skydns_py.records import Type
from skydns_py.servers.respond import Client, Later, Respond, Transport
from skydns_py.settings import Block

_FLAGS: Final = (
    (0x8000, "qr"),
    (0x0400, "aa"),
    (0x0200, "tc"),
    (0x0100, "rd"),
    (0x0080, "ra"),
    (0x0040, "z"),
    (0x0020, "ad"),
    (0x0010, "cd"),
)
_OTHER_TYPES: Final = {
    13: "HINFO",
    17: "RP",
    18: "AFSDB",
    24: "SIG",
    25: "KEY",
    29: "LOC",
    35: "NAPTR",
    36: "KX",
    37: "CERT",
    39: "DNAME",
    44: "SSHFP",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    50: "NSEC3",
    51: "NSEC3PARAM",
    52: "TLSA",
    53: "SMIMEA",
    59: "CDS",
    60: "CDNSKEY",
    61: "OPENPGPKEY",
    64: "SVCB",
    65: "HTTPS",
    99: "SPF",
    256: "URI",
    257: "CAA",
}
"""Types that are asked for and never answered here, by their IANA names."""

_OTHER_CODES: Final = {6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE"}
"""Codes that are passed on and never given here, by their IANA names."""

_NAMED: Final = re.compile(r"\{(>?\w+|/[^{}]*)\}")


class Exchange(msgspec.Struct, frozen=True):
    """A query and its reply; `duration` in seconds, `client` as `host:port`."""

    query: Query
    reply: bytes
    client: tuple[str, int]
    transport: Transport
    duration: float

    @property
    def flags(self) -> int:
        """The second word of the reply's header."""
        return int.from_bytes(self.reply[2:4], "big")

    @property
    def rcode(self) -> int:
        """The reply's code; an upstream's may be one that is never given here."""
        return self.flags & 0xF


Tell = Callable[[Exchange], None]


class _Heard(msgspec.Struct, frozen=True):
    """How a query came, and when; `client` as in `Exchange`."""

    client: tuple[str, int]
    transport: Transport
    at: float


class _Waiting(msgspec.Struct, frozen=True):
    """A client, of whose reply is told also when it comes later."""

    client: Client
    tell: Callable[[bytes, tuple[str, int]], None]

    @property
    def host(self) -> str:
        """The client's address."""
        return self.client.host

    @property
    def port(self) -> int:
        """The port asked from."""
        return self.client.port

    def later(self) -> Later:
        """Promise an answer; who asks is read now, for the view does not last."""
        source = (self.client.host, self.client.port)
        send = self.client.later()

        def send_and_tell(reply: bytes | None) -> None:
            send(reply)
            if reply is not None:
                self.tell(reply, source)

        return send_and_tell


def watched(respond: Respond, blocks: Sequence[Block], tell: Callable[[str, str], None]) -> Respond:
    """Return `respond`, watched by the directives of `blocks`; itself when there are none.

    `tell` takes a level and a line.
    """
    if not any(block.log or block.errors for block in blocks):
        return respond
    by_apex = {apex: _teller(block, tell) for block in blocks for apex in block.zones}
    logs = any(block.log for block in blocks)

    def tell_of(packet: bytes, reply: bytes, heard: _Heard) -> None:
        if not (logs or reply[3] & 0xF == Rcode.SERVFAIL):
            return
        query = judge(packet)
        if not isinstance(query, Query):
            return
        apex = names.closest(query.name, by_apex)
        if apex is not None:
            duration = time.perf_counter() - heard.at
            by_apex[apex](Exchange(query, reply, heard.client, heard.transport, duration))

    def respond_and_tell(packet: bytes, client: Client, transport: Transport) -> bytes | None:
        started = time.perf_counter()

        def tell_later(reply: bytes, source: tuple[str, int]) -> None:
            tell_of(packet, reply, _Heard(source, transport, started))

        reply = respond(packet, _Waiting(client, tell_later), transport)
        if reply is not None:
            tell_of(packet, reply, _Heard((client.host, client.port), transport, started))
        return reply

    return respond_and_tell


def line_of(exchange: Exchange, form: str) -> str:
    """Return a log line: `form` with its `{words}` filled in, others left as they stand.

    `{/words}` name metadata, of which there is none: a dash.
    """
    words = _words_of(exchange)
    return _NAMED.sub(
        lambda match: "-" if match[1][0] == "/" else words.get(match[1], match[0]), form
    )


def classes_of(exchange: Exchange) -> frozenset[str]:
    """Return the classes a reply is of: what a `class` of the `log` directive can name."""
    if exchange.rcode not in {Rcode.NOERROR, Rcode.NXDOMAIN}:
        return frozenset({"all", "error"})
    has_answer = exchange.reply[6:8] != b"\x00\x00"
    denied = exchange.rcode == Rcode.NXDOMAIN or not has_answer
    return frozenset({"all", "denial" if denied else "success"})


def _teller(block: Block, tell: Callable[[str, str], None]) -> Tell:
    def take(exchange: Exchange) -> None:
        for rule in block.log:
            if names.is_at_or_below(exchange.query.name, rule.zone):
                # The first rule of a name decides, also that nothing is told.
                if rule.classes & classes_of(exchange):
                    tell("info", line_of(exchange, rule.format))
                break
        if block.errors and exchange.rcode == Rcode.SERVFAIL:
            asked = names.to_text(exchange.query.name)
            rrtype = _type_text(exchange.query.type)
            tell("error", f"plugin/errors: 2 {asked} {rrtype}: {_reason(block, exchange)}")

    return take


def _reason(block: Block, exchange: Exchange) -> str:
    """Say whose failure it was: only what we do not know yet comes with the zone's SOA."""
    name, served = exchange.query.name, block.kubernetes.zones if block.kubernetes else ()
    is_ours = names.closest(name, served) is not None
    if is_ours and (exchange.reply[8:10] != b"\x00\x00" or not block.forward):
        return "plugin/kubernetes: the cluster has not been read yet"
    if is_ours or names.closest(name, {each.zone for each in block.forward}) is not None:
        return "plugin/forward: no upstream gave an answer"
    return "no directive of this server block answers for the name"


def _rcode_text(rcode: int) -> str:
    if rcode in set(Rcode):
        return Rcode(rcode).name
    return _OTHER_CODES.get(rcode, f"RCODE{rcode}")


def _type_text(rrtype: int) -> str:
    if rrtype in set(Type):
        return Type(rrtype).name
    return _OTHER_TYPES.get(rrtype, f"TYPE{rrtype}")


def _size_of(exchange: Exchange) -> int:
    """Return the octets a client can take: over TCP all, over UDP what it said, 512 at least."""
    if exchange.transport != "udp":
        return MAX_TCP
    return max(exchange.query.edns.payload if exchange.query.edns else 0, MIN_UDP)


def _words_of(exchange: Exchange) -> dict[str, str]:
    query, edns = exchange.query, exchange.query.edns
    host, port = exchange.client
    return {
        "remote": f"[{host}]" if ":" in host else host,
        "port": str(port),
        ">id": str(int.from_bytes(query.id, "big")),
        "type": _type_text(query.type),
        "class": "IN",
        "name": names.to_text(query.name),
        "proto": exchange.transport,
        "size": str(query.size),
        ">do": str(bool(edns and edns.dnssec_ok)).lower(),
        ">bufsize": str(_size_of(exchange)),
        ">opcode": "0",
        "rcode": _rcode_text(exchange.rcode),
        ">rflags": ",".join(word for bit, word in _FLAGS if exchange.flags & bit),
        "rsize": str(len(exchange.reply)),
        "duration": f"{exchange.duration:.9f}s",
    }

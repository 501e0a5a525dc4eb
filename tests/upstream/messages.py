"""Messages of upstreams as zone-file text, and an eye that is not ours to read replies with.

dnspython writes and reads here; nothing in this file decides what is right.
"""

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rrset
import dns.wire

from skydns_py import names
from skydns_py.answers.query import Query, judge
from skydns_py.upstream.question import Question
from skydns_py.upstream.reply import Reply, read

JUDGED = frozenset({1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39})
"""Types whose rdata every client reads, so that it must be whole; others are opaque."""

SOA = "example.org. 300 IN SOA ns.example.org. root.example.org. 1 7200 3600 86400 60"


def query(name: str = "www.example.org", rrtype: str = "A", **options) -> Query:
    """Return a query as a server judges it; `options` are those of dnspython's `make_query`."""
    found = judge(dns.message.make_query(name, rrtype, **options).to_wire())
    assert isinstance(found, Query)
    return found


def ask(name: str = "www.example.org", rrtype: int = 1) -> Question:
    return Question(names.fold(names.from_text(name)), rrtype)


def reply_to(
    packet: bytes,
    answer: str = "",
    *,
    authority: str = "",
    additional: str = "",
    rcode: str = "NOERROR",
    flags: int = 0,
) -> bytes:
    """Return the reply to a packet, with records in zone-file text, one a line."""
    message = dns.message.make_response(dns.message.from_wire(packet), recursion_available=True)
    message.flags |= flags
    message.set_rcode(dns.rcode.from_text(rcode))
    sections = ((message.answer, answer), (message.authority, authority))
    for section, text in (*sections, (message.additional, additional)):
        section.extend(dns.rrset.from_text(*_cut(line)) for line in text.splitlines() if line)
    return message.to_wire(max_size=65_535)


def made(
    answer: str = "", name: str = "www.example.org", rrtype: str = "A", edns: int = -1, **more
) -> Reply:
    """Return a reply as it is read; `more` as in `reply_to`."""
    packet = dns.message.make_query(name, rrtype, use_edns=edns).to_wire()
    reply = read(reply_to(packet, answer, **more))
    assert reply is not None
    return reply


def shown(wire: bytes | None) -> str:
    """Return a reply's code and answers in zone-file text, one a line."""
    assert wire is not None
    message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    code = dns.rcode.to_text(message.rcode())
    return "\n".join([code, *(rrset.to_text() for rrset in message.answer)])


def extended_errors(wire: bytes | None) -> list[int]:
    assert wire is not None
    return [int(option.code) for option in dns.message.from_wire(wire).extended_errors()]


def assert_whole(wire: bytes) -> None:
    """Walk a message with another's reader; raise where a client would trip."""
    parser = dns.wire.Parser(wire)
    parser.seek(4)
    questions, *counts = parser.get_struct("!4H")
    for _ in range(questions):
        parser.get_name(decompress=True)
        parser.get_struct("!HH")
    for _ in range(sum(counts)):
        parser.get_name(decompress=True)
        rrtype, rrclass, _, size = parser.get_struct("!HHIH")
        with parser.restrict_to(size):
            if rrtype in JUDGED:
                dns.rdata.from_wire_parser(rrclass, rrtype, parser)
            else:
                parser.get_remaining()
    assert 0 == parser.remaining()


def _cut(line: str) -> tuple[str, int, str, str, str]:
    name, ttl, rrclass, rrtype, rdata = line.split(None, 4)
    return name, int(ttl), rrclass, rrtype, rdata

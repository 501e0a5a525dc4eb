"""Reading replies: what is whole is found where it stands, and nothing else is a reply."""

import struct
import time

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.upstream.relay import strip, to_client
from skydns_py.upstream.reply import read
from tests.upstream.messages import SOA, assert_whole, made, query, reply_to

QUERY = dns.message.make_query("www.example.org", "A", use_edns=0).to_wire()
RICH = reply_to(
    QUERY,
    "www.example.org. 300 IN CNAME web.example.org.\nweb.example.org. 60 IN A 192.0.2.1",
    authority="example.org. 3600 IN NS ns.example.org.",
    additional='ns.example.org. 1800 IN A 192.0.2.53\nmail.example.org. 9 IN TXT "a" "b"',
)
MANY = reply_to(
    QUERY,
    """www.example.org. 30 IN MX 10 mail.example.org.
www.example.org. 30 IN SRV 0 10 80 web.example.org.
www.example.org. 30 IN NAPTR 1 2 "u" "E2U" "!a!b!" web.example.org.
www.example.org. 30 IN AAAA 2001:db8::1
www.example.org. 30 IN TXT "one" "two"
www.example.org. 30 IN PTR web.example.org.""",
    authority=SOA,
)


def _header(counts: tuple[int, int, int, int]) -> bytes:
    return struct.pack("!6H", 1, 0x8180, *counts)


def test_counts_and_times():
    """A reply tells its code, how many records stand where, and the smallest TTL."""
    reply = read(RICH)

    assert reply is not None
    assert (0, (2, 1, 2), 9) == (reply.rcode, reply.counts, reply.least)
    assert not reply.denies


def test_denials():
    """Who has nothing of the type asked for denies it, for the least of SOA TTL and MINIMUM."""
    nothing = made(authority=SOA)
    alias = made("www.example.org. 30 IN CNAME web.example.org.", authority=SOA)
    unknown = made(authority=SOA, rcode="NXDOMAIN")
    bare = made(rcode="NXDOMAIN")

    assert [True] * 4 == [reply.denies for reply in (nothing, alias, unknown, bare)]
    assert [60, 60, 60, None] == [r.denial_ttl for r in (nothing, alias, unknown, bare)]


def test_extended_rcode():
    """The upper bits of a response code stand in the OPT."""
    assert 16 == made(rcode="BADVERS", edns=0).rcode


def test_negative_ttl():
    """A TTL with its highest bit set is 0."""
    wire = bytearray(made("www.example.org. 30 IN A 192.0.2.1").wire)
    wire[-10] |= 0x80
    reply = read(bytes(wire))

    assert reply is not None
    assert 0 == reply.least


@pytest.mark.parametrize("wire", [RICH, MANY], ids=["rich", "many"])
def test_every_cut_is_malformed(wire):
    """A reply cut anywhere is none, and neither is one with an octet too many."""
    assert [None] * len(wire) == [read(wire[:end]) for end in range(len(wire))]
    assert read(wire + b"\x00") is None
    assert read(wire) is not None


@pytest.mark.parametrize(
    "record",
    [
        b"\xc0\x21" + struct.pack("!HHIH", 1, 1, 1, 4) + bytes(4),  # to itself
        b"\xc0\x00" + struct.pack("!HHIH", 1, 1, 1, 4) + bytes(4),  # into the header
        b"\xc0\xff" + struct.pack("!HHIH", 1, 1, 1, 4) + bytes(4),  # ahead
        b"\x40a" + struct.pack("!HHIH", 1, 1, 1, 4) + bytes(4),  # a label type long gone
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 3) + bytes(3),  # a short address
        b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, 1, 4) + bytes(4),  # an IPv4 address as AAAA
        b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 1, 3) + b"\x00\x00\x00",  # a name and more
        b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 1, 2) + b"\x05a",  # a string too short
        b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 1, 0),  # a TXT of nothing
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 3, 1, 4) + bytes(4),  # class CHAOS
        b"\xc0\x0c" + struct.pack("!HHIH", 250, 255, 0, 0),  # a signature
        b"\x00" + struct.pack("!HHIH", 41, 1232, 0, 0),  # an OPT among the answers
    ],
)
def test_malformed_records(record):
    """A record that a client would trip over makes the whole reply malformed."""
    question = b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"
    assert read(_header((1, 0, 0, 0)) + question) is not None

    assert read(_header((1, 1, 0, 0)) + question + record) is None


def test_name_too_long_by_pointer():
    """A name that a pointer makes longer than 255 octets is malformed."""
    name = (b"\x3f" + b"a" * 63) * 3 + b"\x00"
    body = struct.pack("!HHIH", 1, 1, 1, 4) + bytes(4)
    fitting = b"\x3d" + b"b" * 61 + b"\xc0\x0c" + body
    longer = b"\x3e" + b"b" * 62 + b"\xc0\x0c" + body
    question = name + b"\x00\x01\x00\x01"

    assert read(_header((1, 1, 0, 0)) + question + fitting) is not None
    assert read(_header((1, 1, 0, 0)) + question + longer) is None


def test_two_opts():
    """A reply with two OPTs is malformed."""
    opt = b"\x00" + struct.pack("!HHIH", 41, 1232, 0, 0)
    question = b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"

    assert read(_header((1, 0, 0, 1)) + question + opt) is not None
    assert read(_header((1, 0, 0, 2)) + question + opt + opt) is None


def test_pointer_chains_cost_little():
    """Thousands of records at the end of a chain of thousands of pointers are read in no time."""
    question = b"\x00\x00\x01\x00\x01"
    start = 12 + len(question) + 11
    chain = b"\xc0\x0c" + b"".join((0xC000 | start + 2 * i).to_bytes(2, "big") for i in range(8000))
    holder = b"\x00" + struct.pack("!HHIH", 999, 1, 1, len(chain)) + chain
    last = (0xC000 | start + 2 * 8000).to_bytes(2, "big")
    record = last + struct.pack("!HHIH", 1, 1, 1, 4) + bytes(4)
    wire = _header((1, 3001, 0, 0)) + question + holder + record * 3000

    begun = time.process_time()

    assert read(wire) is not None
    assert time.process_time() - begun < 1.0


def _assert_harmless(wire: bytes) -> None:
    reply = read(wire)
    if reply is None:
        return
    assert_whole(reply.wire)
    if reply.question == query().question and reply.rcode < 16:
        for size in (512, 65_535):
            client = query(use_edns=0)
            out = to_client(strip(reply), client, size)
            assert_whole(out)
            assert len(out) <= size


@given(st.binary(max_size=200))
def test_any_bytes(tail):
    """Any bytes behind a good question never raise, and never reach a client malformed."""
    _assert_harmless(RICH[:33] + tail)
    _assert_harmless(tail)


@given(
    st.sampled_from([RICH, MANY]),
    st.lists(st.tuples(st.integers(4, 400), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_any_damage(wire, changes):
    """A good reply with a few octets changed never raises, and never reaches a client malformed."""
    damaged = bytearray(wire)
    for at, octet in changes:
        damaged[at % len(damaged)] = octet
    _assert_harmless(bytes(damaged))

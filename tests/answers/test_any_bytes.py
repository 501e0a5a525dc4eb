"""Any packet of any bytes: a well-formed reply that fits, or silence, and never a bug."""

import struct

import dns.flags
import dns.message
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skydns_py.answers.query import Refusal, judge, payload_of
from skydns_py.sources.kubernetes.records import Exposure
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
)
from tests.conftest import World

HTTP = ServicePort("http", 80, "TCP")
MANY = tuple(
    Endpoint((f"198.51.100.{i}", f"2001:db8::{i:x}"), ready=True, hostname=f"Pod-{i}", pod="")
    for i in range(1, 60)
)
WORLD = World(
    Namespace("shop"),
    Service("shop", "web", "ClusterIP", ("192.0.2.1", "2001:db8:1::1"), "", (HTTP,)),
    Service("shop", "db", "ClusterIP", ("None",), "", (HTTP,)),
    Service("shop", "far", "ExternalName", (), "db.shop.svc.cluster.local", ()),
    Service("shop", "loop", "ExternalName", (), "loop.shop.svc.cluster.local", ()),
    EndpointSlice("shop", "db-1", "db", "IPv4", MANY, (HTTP,)),
    exposure=Exposure(pods="insecure"),
    own=("198.51.100.7",),
    shuffles=True,
)
LABELS = [
    b"web",
    b"DB",
    b"far",
    b"loop",
    b"pod-7",
    b"_http",
    b"_TCP",
    b"_",
    b"shop",
    b"svc",
    b"pod",
    b"ns",
    b"dns",
    b"cluster",
    b"LOCAL",
    b"in-addr",
    b"ip6",
    b"arpa",
    b"198",
    b"7",
    b"100",
    b"51",
    b"256",
    b"d",
    b"web.shop",
    b"192-0-2-1",
    b"2001-db8--1",
    b"--",
    b"-",
    b"1.2.3.4",
    b"\x00",
    b"\xc0\x0c",
    b"\xc4\xb0K\xdf",
    b"a" * 63,
]
ZONES = [
    [b"web", b"shop", b"svc", b"cluster", b"local"],
    [b"db", b"shop", b"svc", b"cluster", b"local"],
    [b"loop", b"shop", b"svc", b"Cluster", b"local"],
    [b"shop", b"pod", b"CLUSTER", b"local"],
    [b"7", b"100", b"51", b"198", b"in-addr", b"arpa"],
    [b"ip6", b"arpa"],
    [],
]


def labels_to_wire(labels):
    return b"".join(bytes((len(label),)) + label for label in labels)


labels = st.lists(st.sampled_from(LABELS) | st.binary(min_size=1, max_size=63), max_size=6)
fine_names = st.builds(
    lambda below, zone: labels_to_wire([*below, *zone]) + b"\x00", labels, st.sampled_from(ZONES)
)
names = (
    fine_names
    | st.builds(lambda some: labels_to_wire(some) + b"\xc0\x0c", labels)
    | st.builds(
        lambda some, size: labels_to_wire(some) + bytes((size,)), labels, st.integers(0, 255)
    )
    | st.just(b"\x01a" * 127 + b"\x00")
)
types = st.sampled_from([1, 2, 5, 6, 12, 16, 28, 33, 255]) | st.integers(0, 65_535)
classes = st.sampled_from([1, 1, 1, 1, 255]) | st.integers(0, 65_535)
options = st.lists(
    st.builds(
        lambda code, data, lie: struct.pack("!HH", code, max(0, len(data) + lie)) + data,
        st.integers(0, 65_535),
        st.binary(max_size=16),
        st.sampled_from([0, 0, 0, 0, 1, -1]),
    ),
    max_size=3,
).map(b"".join)
opts = st.builds(
    lambda owner, payload, ttl, rdata, lie: (
        owner + struct.pack("!HHIH", 41, payload, ttl, max(0, len(rdata) + lie)) + rdata
    ),
    st.sampled_from([b"\x00", b"\x00", b"\x00", b"\x01a\x00", b"\xc0\x0c"]),
    st.sampled_from([0, 512, 700, 1232, 4096, 65_535]) | st.integers(0, 65_535),
    st.sampled_from([0, 0x8000, 0xFFFF, 1 << 16]),
    options,
    st.sampled_from([0, 0, 0, 0, 1]),
)
records = st.lists(opts, max_size=3)
bits = st.sampled_from([0, 0x0100, 0x0110, 0x7FFF, 0x2800]) | st.integers(0, 0x7FFF)


@st.composite
def packets(draw):
    """Draw a query that is mostly right, then spoil some of its octets."""
    additional = draw(records)
    counts = draw(
        st.just((1, 0, 0, len(additional))) | st.tuples(*[st.sampled_from([0, 1, 2, 65_535])] * 4)
    )
    header = struct.pack("!6H", draw(st.integers(0, 65_535)), draw(st.just(0) | bits), *counts)
    question = draw(names) + struct.pack("!HH", draw(types), draw(classes))
    packet = bytearray(header + question + b"".join(additional) + draw(tails))
    for position, octet in draw(spoils):
        packet[position % len(packet)] ^= octet
    return bytes(packet[: draw(st.none() | st.integers(0, len(packet)))])


tails = st.just(b"") | st.binary(max_size=3)
spoils: st.SearchStrategy[list[tuple[int, int]]] = st.just([]) | st.lists(
    st.tuples(st.integers(0, 120), st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128, 0xFF])), max_size=4
)
fine_packets = st.builds(
    lambda name, rrtype, additional: (
        struct.pack("!6H", 7, 0, 1, 0, 0, len(additional))
        + name
        + struct.pack("!HH", rrtype, 1)
        + b"".join(additional)
    ),
    fine_names,
    types,
    st.lists(opts, max_size=1),
)


def check(packet, transport):
    """Assert all that is promised for any packet, the first time it comes and the third."""
    for _ in range(3):
        check_reply(packet, WORLD.responder.respond(packet, None, transport), transport)


def check_reply(packet, reply, transport):
    is_query = len(packet) >= 12 and not packet[2] & 0x80
    assert is_query == (reply is not None)
    if reply is None:
        return
    read = dns.message.from_wire(reply)
    judged = judge(packet)
    assert judged is not None
    assert packet[:2] == reply[:2]
    assert read.flags & dns.flags.QR
    assert packet[2] >> 3 & 15 == read.opcode()
    assert (judged.edns is not None) == (read.edns >= 0)
    assert judged.question in {b"", reply[12 : 12 + len(judged.question)]}
    assert len(reply) <= (payload_of(judged) if transport == "udp" else 65_535)
    if isinstance(judged, Refusal):
        assert len(reply) <= len(packet)
    if read.flags & dns.flags.TC:
        assert len(reply) <= 3 * len(packet)
        assert not read.authority
        assert not read.additional


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@settings(max_examples=400)
@given(packets())
def test_spoiled_queries(transport, packet):
    """A query with anything wrong about it gets a well-formed reply that fits, or none."""
    check(packet, transport)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@settings(max_examples=300)
@given(fine_packets)
def test_queries_for_any_name(transport, packet):
    """A query for any octets, in the zones or beside them, gets a well-formed reply that fits."""
    check(packet, transport)


@settings(max_examples=200)
@given(st.binary(max_size=80))
@example(bytes(12))
@example(b"\xff" * 12)
@example(bytes(11))
@example(bytes(65_535))
@example(b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\xc0\x0c" * 9000)
@example(b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x01a" * 30_000)
def test_noise(packet):
    """Octets that are no query at all do no harm."""
    check(packet, "udp")
    check(packet, "tcp")


def test_every_cut_of_a_query():
    """A query cut anywhere is refused or dropped, never answered."""
    query = dns.message.make_query("web.shop.svc.cluster.local", "A", use_edns=0).to_wire()
    for size in range(len(query)):
        check(query[:size], "udp")
        assert not isinstance(judge(query[:size]), type(judge(query)))


def test_every_flip_of_one_bit():
    """A query with any one bit flipped gets a well-formed reply that fits, or none."""
    query = dns.message.make_query("DB.shop.svc.cluster.local", "SRV", use_edns=0).to_wire()
    for position in range(8 * len(query)):
        flipped = bytearray(query)
        flipped[position // 8] ^= 1 << position % 8
        check(bytes(flipped), "udp")

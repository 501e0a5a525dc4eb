"""Replies packed: whole records only, names compressed where they may be, never beyond a limit."""

import dns.flags
import dns.message
import dns.rdatatype
import pytest

from skydns_py import names
from skydns_py.answers.lookup import Answer
from skydns_py.answers.query import Rcode, judge
from skydns_py.answers.wire import pack
from skydns_py.records import RRset, Type, soa, srv

PRIVATE = 65_280
"""A type whose rdata is any octets (RFC 6895 3.1)."""

ZONE = names.from_text("cluster.local")
NAME = names.from_text("db.shop.svc.cluster.local")
SOA = (ZONE, RRset(Type.SOA, 5, (soa(b"\x02ns" + ZONE, b"\x04host" + ZONE, (1, 2, 3, 4, 5)),)))


def query_for(text="db.shop.svc.cluster.local", rrtype="SRV", **options):
    return judge(dns.message.make_query(text, rrtype, **options).to_wire())


def host(number):
    return names.relative(f"pod-{number}") + NAME


def services(count):
    """Return an answer of `count` SRV records, and a set of addresses for each."""
    rdata = tuple(srv(0, 1, 80, host(number)) for number in range(count))
    additional = [
        (host(number), RRset(Type.A, 5, (bytes((198, 51, number >> 8, number & 255)),)))
        for number in range(count)
    ]
    return Answer(Rcode.NOERROR, ZONE, ((NAME, RRset(Type.SRV, 5, rdata)),), (), tuple(additional))


def texts_of(section):
    return [rrset.to_text() for rrset in section]


@pytest.mark.parametrize("limit", range(512, 1233))
def test_every_limit(limit):
    """At each size a reply has whole records, as many as fit, and TC when some do not."""
    full = dns.message.from_wire(pack(services(40), query_for(), 65_535, datagram=False))
    packed = pack(services(40), query_for(), limit, datagram=False)
    reply = dns.message.from_wire(packed, one_rr_per_rrset=True)
    whole = full.answer[0].to_text().splitlines()
    record = len(pack(services(2), query_for(), limit, datagram=False))
    record -= len(pack(services(1), query_for(), limit, datagram=False))

    assert reply.flags & dns.flags.TC
    assert limit - record < len(packed) <= limit
    assert [] == reply.additional
    assert whole[: len(reply.answer)] == texts_of(reply.answer)


@pytest.mark.parametrize("count", range(1, 20))
def test_additional_sets_go_first(count):
    """What is merely helpful is left out without a mark before any answer is (RFC 2181 9)."""
    packed = pack(services(count), query_for(use_edns=0), 1232, datagram=True)
    reply = dns.message.from_wire(packed, one_rr_per_rrset=True)

    assert count == len(reply.answer)
    assert not reply.flags & dns.flags.TC
    assert texts_of(reply.additional) == [
        f"pod-{i}.db.shop.svc.cluster.local. 5 IN A 198.51.0.{i}"
        for i in range(len(reply.additional))
    ]


@pytest.mark.parametrize("payload", [None, 512, 1232])
def test_a_truncated_datagram_is_short(payload):
    """A truncated datagram is at most three times its query, so that forging one gains little."""
    query = query_for() if payload is None else query_for(use_edns=0, payload=payload)
    packed = pack(services(100), query, payload or 512, datagram=True)
    reply = dns.message.from_wire(packed)

    assert reply.flags & dns.flags.TC
    assert len(packed) <= 3 * query.size
    assert (payload is not None) == (reply.edns == 0)


@pytest.mark.parametrize("count", [100, 300, 301, 302, 303, 304, 305, 1000, 1200])
@pytest.mark.parametrize("spelling", ["db.shop.svc.cluster.local", "DB.Shop.svc.CLUSTER.Local"])
def test_long_replies_are_compressed_within_reach(count, spelling):
    """Beyond 16 KiB no pointer points where its 14 bits cannot reach (RFC 1035 4.1.4)."""
    packed = pack(services(count), query_for(spelling), 65_535, datagram=False)
    reply = dns.message.from_wire(packed, one_rr_per_rrset=True)
    addresses = {
        record.name: record[0].address for record in reply.additional if record.rdtype == 1
    }

    assert count == len(reply.answer)
    assert not reply.flags & dns.flags.TC
    assert [f"pod-{number}" for number in range(count)] == [
        record[0].target.labels[0].decode() for record in reply.answer
    ]
    assert {f"198.51.{i >> 8}.{i & 255}" for i in range(len(addresses))} == set(addresses.values())


def test_fifteen_hundred_addresses():
    """A Service of 1,500 endpoints is answered whole over TCP, each address once."""
    rdata = tuple(bytes((198, 51, number >> 8, number & 255)) for number in range(1500))
    answer = Answer(Rcode.NOERROR, ZONE, ((NAME, RRset(Type.A, 5, rdata)),))
    packed = pack(answer, query_for(rrtype="A"), 65_535, datagram=False)

    assert 24_000 < len(packed) < 24_100
    assert rdata == tuple(
        bytes(map(int, record.address.split(".")))
        for record in dns.message.from_wire(packed).answer[0]
    )


def test_replies_end_at_64_kib():
    """A reply over TCP has at most 65,535 octets, and TC when that is too little."""
    packed = pack(services(2000), query_for(), 65_535, datagram=False)
    reply = dns.message.from_wire(packed, one_rr_per_rrset=True)

    assert 65_535 - 70 < len(packed) <= 65_535
    assert reply.flags & dns.flags.TC
    assert len(reply.answer) < 2000


@pytest.mark.parametrize("start", range(16_340, 16_400))
def test_names_around_the_last_pointer(start):
    """Names that begin within a pointer's reach and end beyond it are readable (RFC 1035 4.1.4)."""
    query = query_for()
    filler = RRset(PRIVATE, 5, (bytes(start - 12 - len(query.question) - 12),))
    targets = tuple(names.from_text(f"{i}.a.b.c.d.e.f.example.org") for i in range(4))
    answer = Answer(Rcode.NOERROR, ZONE, ((NAME, filler), (NAME, RRset(Type.PTR, 5, targets))))
    packed = pack(answer, query, 65_535, datagram=False)

    assert b"\x00\x0c\x00\x01" == packed[start + 2 : start + 6]
    assert targets == tuple(
        rdata.target.to_wire() for rdata in dns.message.from_wire(packed).answer[1]
    )


def test_names_of_any_octets():
    """Labels with dots, lengths and octets beyond ASCII are written as they are."""
    odd = b"\x03a.b\x02\xc0\x0c\x04\x00\xff\\\xdf" + ZONE
    rdata = (odd, b"\x01x" + odd)
    answer = Answer(Rcode.NOERROR, ZONE, ((NAME, RRset(Type.PTR, 5, rdata)),))
    reply = dns.message.from_wire(pack(answer, query_for(), 512, datagram=True))

    assert rdata == tuple(rdata.target.to_wire() for rdata in reply.answer[0])


@pytest.mark.parametrize("length", [59, 60, 61])
def test_names_of_255_octets(length):
    """The longest names there are can be asked for and pointed to."""
    longest = ".".join(["a" * 63] * 3 + ["b" * length])
    name = names.from_text(longest)
    answer = Answer(Rcode.NOERROR, names.ROOT, ((name, RRset(Type.CNAME, 5, (name,))),))
    reply = dns.message.from_wire(pack(answer, query_for(longest), 1232, datagram=False))

    assert [f"{longest}. 5 IN CNAME {longest}."] == texts_of(reply.answer)


def test_only_old_types_are_compressed():
    """An SRV target is written in full; names of RFC 1035's own types are not (RFC 3597 4)."""
    ours = b"\x03pod" + NAME
    in_full = Answer(Rcode.NOERROR, ZONE, ((NAME, RRset(Type.SRV, 5, (srv(0, 0, 1, ours),))),))
    short = Answer(Rcode.NOERROR, ZONE, ((NAME, RRset(Type.PTR, 5, (ours,))),))

    assert ours in pack(in_full, query_for(), 512, datagram=True)
    assert ours not in pack(short, query_for(), 512, datagram=True)


def test_the_zone_is_spelled_as_it_was_asked():
    """Owners are spelled as asked; targets in the zone have its spelling, and their own labels."""
    packed = pack(services(1), query_for("dB.SHOP.svc.Cluster.LOCAL"), 512, datagram=True)
    reply = dns.message.from_wire(packed)

    assert ["dB.SHOP.svc.Cluster.LOCAL. 5 IN SRV 0 1 80 pod-0.db.shop.svc.Cluster.LOCAL."] == (
        texts_of(reply.answer)
    )


def test_names_outside_of_the_zone_keep_their_spelling():
    """A target that only ends in octets like the zone's is left as it is."""
    odd = b"\x13x\x07cluster\x05local.org\x03org\x00"
    answer = Answer(Rcode.NOERROR, ZONE, ((NAME, RRset(Type.CNAME, 5, (odd,))),))
    query = query_for("DB.shop.svc.CLUSTER.local", "CNAME")

    assert odd in pack(answer, query, 512, datagram=True)


@pytest.mark.parametrize("rcode", [Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.SERVFAIL])
def test_a_denial(rcode):
    """A denial has the SOA of its zone in the authority section (RFC 2308)."""
    answer = Answer(rcode, ZONE, authority=(SOA,))
    reply = dns.message.from_wire(pack(answer, query_for(), 512, datagram=True))

    assert rcode == reply.rcode()
    assert dns.flags.QR | dns.flags.AA == reply.flags & 0x8E80
    assert ["cluster.local. 5 IN SOA ns.cluster.local. host.cluster.local. 1 2 3 4 5"] == (
        texts_of(reply.authority)
    )


def test_an_extended_error():
    """Who sent an OPT is told more than a code; who did not, gets no OPT (RFC 8914)."""
    answer = Answer(Rcode.SERVFAIL, ZONE, authority=(SOA,), ede=14)
    with_opt = dns.message.from_wire(pack(answer, query_for(use_edns=0), 512, datagram=True))
    without = dns.message.from_wire(pack(answer, query_for(), 512, datagram=True))

    assert [14] == [option.code for option in with_opt.extended_errors()]
    assert (1232, -1) == (with_opt.payload, without.edns)

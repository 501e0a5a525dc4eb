"""The one door: every reason to refuse is counted, and nothing is raised out of it."""

import random

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from skydns_py import names
from skydns_py.answers.lookup import Zone
from skydns_py.answers.responder import Block, Responder
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
)
from skydns_py.table import Table
from tests.conftest import FORWARD, World

HTTP = ServicePort("http", 80, "TCP")
MANY = [f"198.51.{i >> 8}.{i & 255}" for i in range(1500)]
WORLD = World(
    Namespace("shop"),
    Service("shop", "web", "ClusterIP", ("192.0.2.1",), "", (HTTP,)),
    Service("shop", "db", "ClusterIP", ("None",), "", ()),
    Service("shop", "few", "ClusterIP", ("None",), "", ()),
    EndpointSlice(
        "shop", "db-1", "db", "IPv4", tuple(Endpoint((a,), True, "", "") for a in MANY), ()
    ),
    EndpointSlice(
        "shop", "few-1", "few", "IPv4", tuple(Endpoint((a,), True, "", "") for a in MANY[:4]), ()
    ),
)
WEB = "web.shop.svc.cluster.local"


def responder(*, zones=None, apex=names.ROOT, shuffle=lambda _: None, bugs=None, shuffles=True):
    block = Block(WORLD.zones if zones is None else zones, shuffles=shuffles)
    report = [].append if bugs is None else bugs.append
    return Responder({apex: block}, shuffle=shuffle, report=report)


def ask(door, name=WEB, rrtype="A", transport="udp", **options):
    return send(door, dns.message.make_query(name, rrtype, **options), transport)[1]


def send(door, query, transport="udp"):
    """Return the octets of a reply, and what dnspython reads in them."""
    reply = door.respond(query.to_wire(), None, transport)
    assert reply is not None
    return reply, dns.message.from_wire(reply)


def test_an_answer():
    """A name that is there is answered with authority, under the spelling that was asked."""
    reply = ask(responder(), "WEB.Shop.svc.cluster.LOCAL")

    assert dns.flags.QR | dns.flags.AA | dns.flags.RD == reply.flags
    assert ["WEB.Shop.svc.cluster.LOCAL. 5 IN A 192.0.2.1"] == [str(r) for r in reply.answer]


@pytest.mark.parametrize(
    ("name", "options", "rcode", "count"),
    [
        (WEB, {}, "NOERROR", "NOERROR"),
        ("nope.cluster.local", {}, "NXDOMAIN", "NXDOMAIN"),
        (WEB, {"rdclass": "CH"}, "REFUSED", "class"),
        (WEB, {"use_edns": 1}, "BADVERS", "edns version"),
        ("example.org", {}, "SERVFAIL", "unserved"),
    ],
)
def test_each_code_is_counted(name, options, rcode, count):
    """Each reply is counted once, a refusal under its reason, an answer under its code."""
    door = responder()

    assert rcode == dns.rcode.to_text(ask(door, name, **options).rcode())
    assert {count: 1} == door.counts


def test_no_block():
    """A name that no server block is there for is refused, its question repeated."""
    door = responder(apex=FORWARD)
    reply = ask(door, "example.org", use_edns=0)

    assert dns.rcode.REFUSED == reply.rcode()
    assert ["example.org. IN A"] == [str(question) for question in reply.question]
    assert {"zone": 1} == door.counts


def test_silence_is_counted():
    """What gets no reply is counted too."""
    door = responder()
    response = bytearray(dns.message.make_query(WEB, "A").to_wire())
    response[2] |= 0x80

    assert door.respond(bytes(response), None, "udp") is None
    assert door.respond(b"", None, "tcp") is None
    assert {"dropped": 2} == door.counts


def test_a_bug():
    """A bug becomes SERVFAIL, a count and one report; the next question is answered."""
    bugs: list[Exception] = []

    class Broken(Table):
        def find(self, relative, zone):
            raise RuntimeError("a bug")

    door = responder(
        zones={FORWARD: Zone(FORWARD, Broken(WORLD.table.naming, ()), 5, FORWARD)}, bugs=bugs
    )
    query = dns.message.make_query(WEB, "A").to_wire()
    reply = door.respond(query, None, "udp")

    assert query[:2] + b"\x80\x02" + bytes(8) == reply
    assert ["a bug"] == [str(bug) for bug in bugs]
    assert 1 == door.counts["panic"]
    assert dns.rcode.NOERROR == ask(door, "cluster.local", "SOA").rcode()


@pytest.mark.parametrize(("payload", "limit"), [(0, 512), (512, 512), (1232, 1232), (65_535, 1232)])
def test_a_datagram_has_its_limits(payload, limit):
    """A long answer is cut to what the asker takes and to three times what it sent, with TC."""
    for _ in range(3):
        query = dns.message.make_query(
            "db.shop.svc.cluster.local", "A", use_edns=0, payload=payload
        )
        reply, read = send(WORLD.responder, query)

        assert len(reply) <= min(limit, 3 * len(query.to_wire()))
        assert read.flags & dns.flags.TC
        assert {record.address for record in read.answer[0]} <= set(MANY)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_stream_takes_all(transport):
    """Over TCP and TLS an answer of 1,500 addresses is whole, the first time and later."""
    door = responder()
    for _ in range(4):
        reply = ask(door, "db.shop.svc.cluster.local", transport=transport)

        assert not reply.flags & dns.flags.TC
        assert set(MANY) == {record.address for record in reply.answer[0]}


def test_padding_does_not_buy_more():
    """A query stuffed with options gets no more octets than the path may carry."""
    padding = dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(1000))
    query = dns.message.make_query(
        "db.shop.svc.cluster.local", "A", use_edns=0, payload=65_535, options=[padding]
    )

    assert len(send(WORLD.responder, query)[0]) <= 1232


@pytest.mark.parametrize("spelling", ["few.shop.svc.cluster.local", "FEW.shop.svc.cluster.local"])
@pytest.mark.parametrize("options", [{}, {"use_edns": 0}])
def test_each_address_comes_first_as_often(spelling, options):
    """Addresses take turns at the front, for every way to ask, so that clients spread evenly."""
    door = responder(shuffle=random.Random(7).shuffle)
    for _ in range(2):
        ask(door, spelling, **options)
    firsts = [ask(door, spelling, **options).answer[0][0].address for _ in range(400)]

    assert set(MANY[:4]) == set(firsts)
    assert all(firsts.count(address) >= 80 for address in MANY[:4])


def test_no_shuffling():
    """Without `loadbalance` addresses stay in their own order."""
    door = responder(shuffle=random.Random(7).shuffle, shuffles=False)
    for _ in range(5):
        reply = ask(door, "few.shop.svc.cluster.local")
        assert MANY[:4] == [record.address for record in reply.answer[0]]


@pytest.mark.parametrize("flags", [0, 0x0100, 0x0010, 0x0110, 0x0020, 0x0130])
def test_flags_come_back_each_time(flags):
    """RD and CD are those of each query, also when the reply was made for another one."""
    door = responder()
    for name in (WEB, WEB.upper(), WEB, WEB.title(), WEB):
        query = dns.message.make_query(name, "A", flags=flags, id=4711)
        _, reply = send(door, query)

        assert 4711 == reply.id
        assert flags & 0x0110 == reply.flags & 0x01FF & ~0x0020
        assert name == str(reply.question[0].name).removesuffix(".")

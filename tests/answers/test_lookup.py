"""Questions looked up: which zone, which code, which sections, and what the answer hangs on."""

import pytest

from skydns_py import names
from skydns_py.answers.lookup import Zone, lookup
from skydns_py.answers.query import Rcode
from skydns_py.records import Type
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
)
from skydns_py.table import ANY_ADDRESS, SYNCED
from tests.conftest import FORWARD, World

HTTP = ServicePort("http", 80, "TCP")
SHOP = Namespace("shop")
WEB = Service("shop", "web", "ClusterIP", ("192.0.2.1", "2001:db8::1"), "", (HTTP,))
HEADLESS = Service("shop", "db", "ClusterIP", ("None",), "", (HTTP,))


def alias(name, target):
    return Service("shop", name, "ExternalName", (), target, ())


def part(*addresses, of="db", hostname=""):
    endpoints = tuple(Endpoint((text,), True, hostname, "") for text in addresses)
    return EndpointSlice("shop", f"{of}-1", of, "IPv4", endpoints, (HTTP,))


def test_no_zone():
    """A name in none of the zones is not answered at all."""
    assert lookup(World().zones, names.from_text("example.org"), 1) is None
    assert lookup(World().zones, names.ROOT, 1) is None
    assert lookup({}, FORWARD, 1) is None


def test_zone_boundaries():
    """A name that ends in the zone's octets but not in its labels lies elsewhere."""
    for text in ("xcluster.local", r"x\007cluster\005local", "local", r"cluster\.local"):
        assert lookup(World().zones, names.from_text(text), 1) is None


@pytest.mark.parametrize(
    ("name", "rrtype", "rcode"),
    [
        ("cluster.local", "A", Rcode.NOERROR),
        ("svc.cluster.local", "A", Rcode.NOERROR),
        ("web.shop.svc.cluster.local", "A", Rcode.NOERROR),
        ("web.shop.svc.cluster.local", "MX", Rcode.NOERROR),
        ("dns-version.cluster.local", "TXT", Rcode.NOERROR),
        ("1.2.0.192.in-addr.arpa", "PTR", Rcode.NOERROR),
        ("2.0.192.in-addr.arpa", "PTR", Rcode.NOERROR),
        ("nope.shop.svc.cluster.local", "A", Rcode.SERVFAIL),
        ("nope.cluster.local", "A", Rcode.SERVFAIL),
        ("9.2.0.192.in-addr.arpa", "PTR", Rcode.SERVFAIL),
        ("far.shop.svc.cluster.local", "A", Rcode.SERVFAIL),
    ],
)
def test_before_all_has_synced(name, rrtype, rcode):
    """What is known is answered before the table has synced; nothing else is denied."""
    world = World(SHOP, WEB, alias("far", "nope.shop.svc.cluster.local"), synced=False)
    answer = world.answer(name, rrtype)

    assert rcode == answer.rcode
    assert (14 if rcode else 0) == answer.ede
    assert (rcode is Rcode.SERVFAIL) == (SYNCED in answer.keys)


@pytest.mark.parametrize("own", [(), ("203.0.113.9", "2001:db8::9")])
@pytest.mark.parametrize("zone", ["cluster.local", "in-addr.arpa", "ip6.arpa"])
def test_nameserver_without_service(zone, own):
    """A server that no Service stands for is `ns.dns` of each zone, at its own addresses."""
    world = World(SHOP, own=own)
    answer = world.answer(zone, "NS")
    server = names.from_text(f"ns.dns.{zone}")
    rdata = [rrset.rdata for _, rrset in answer.additional]

    assert [(names.from_text(zone), (server,))] == [(o, r.rdata) for o, r in answer.answer]
    assert [(address,) for address in map(names.pack_address, own)] == rdata
    assert {server} >= {owner for owner, _ in answer.additional}


def test_nameserver_of_a_service():
    """A server that is an endpoint is named by each Service that has it (with a cluster IP)."""
    dns = Service("kube-system", "dns", "ClusterIP", ("192.0.2.53",), "", (HTTP,))
    plain = Service("kube-system", "plain", "ClusterIP", ("None",), "", (HTTP,))
    slices = [
        EndpointSlice(
            "kube-system",
            f"{name}-1",
            name,
            "IPv4",
            (Endpoint(("203.0.113.9",), True, "", ""),),
            (),
        )
        for name in ("dns", "plain")
    ]
    world = World(Namespace("kube-system"), dns, plain, *slices, own=("203.0.113.9",))
    told = """
    ? cluster.local NS
    cluster.local. 5 IN NS dns.kube-system.svc.cluster.local.
    cluster.local. 5 IN NS 203-0-113-9.plain.kube-system.svc.cluster.local.
    + dns.kube-system.svc.cluster.local. 5 IN A 192.0.2.53
    + 203-0-113-9.plain.kube-system.svc.cluster.local. 5 IN A 203.0.113.9
    ? ns.dns.cluster.local A
    ns.dns.cluster.local. 5 IN A 192.0.2.53
    ns.dns.cluster.local. 5 IN A 203.0.113.9
    ? CLUSTER.local NS
    CLUSTER.local. 5 IN NS dns.kube-system.svc.CLUSTER.local.
    CLUSTER.local. 5 IN NS 203-0-113-9.plain.kube-system.svc.CLUSTER.local.
    + dns.kube-system.svc.CLUSTER.local. 5 IN A 192.0.2.53
    + 203-0-113-9.plain.kube-system.svc.CLUSTER.local. 5 IN A 203.0.113.9
    """

    assert told == world.replay(told)


@pytest.mark.parametrize(("links", "records"), [(1, 2), (9, 10), (10, 10), (12, 10)])
def test_chains_of_aliases(links, records):
    """A chain of aliases is followed for ten steps."""
    objects = [
        alias(
            f"a{i}",
            f"a{i + 1}.shop.svc.cluster.local" if i < links else "web.shop.svc.cluster.local",
        )
        for i in range(1, links + 1)
    ]
    answer = World(SHOP, WEB, *objects).answer("a1.shop.svc.cluster.local", "A")
    expected = [Type.CNAME] * min(links, 10) + [Type.A] * (links < 10)

    assert records == len(expected)
    assert (Rcode.NOERROR, expected) == (answer.rcode, [r.type for _, r in answer.answer])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_loops_of_aliases(size):
    """A loop of aliases ends where it began, with each of them told once."""
    objects = [alias(f"a{i}", f"A{(i + 1) % size}.shop.svc.cluster.local") for i in range(size)]
    answer = World(SHOP, *objects).answer("a0.shop.svc.cluster.local", "A")

    assert (Rcode.NOERROR, size) == (answer.rcode, len(answer.answer))
    assert () == answer.authority


def test_an_alias_to_a_name_that_is_not_there():
    """The code is that of the last name of the chain (RFC 6604), its SOA beside it."""
    world = World(
        SHOP, WEB, alias("far", "nope.shop.svc.cluster.local"), alias("a", "cluster.local")
    )
    gone = world.answer("far.shop.svc.cluster.local", "A")
    empty = world.answer("a.shop.svc.cluster.local", "A")

    assert (Rcode.NXDOMAIN, 1, 1) == (gone.rcode, len(gone.answer), len(gone.authority))
    assert (Rcode.NOERROR, 1, 1) == (empty.rcode, len(empty.answer), len(empty.authority))


def test_an_alias_into_another_zone():
    """A chain may cross into another zone of the server; the SOA of a denial is that zone's."""
    world = World(SHOP, WEB, alias("a", "1.2.0.192.in-addr.arpa"), alias("b", "9.in-addr.arpa"))
    found = world.answer("a.shop.svc.cluster.local", "PTR")
    denied = world.answer("b.shop.svc.cluster.local", "PTR")

    assert [Type.CNAME, Type.PTR] == [rrset.type for _, rrset in found.answer]
    assert Rcode.NXDOMAIN == denied.rcode
    assert [names.from_text("in-addr.arpa")] == [owner for owner, _ in denied.authority]


def test_keys_of_answers():
    """An answer hangs on each name from the top down to the first that is not there."""
    world = World(SHOP, WEB, alias("far", "web.shop.svc.cluster.local"))
    shop, web = names.relative("shop", "svc"), names.relative("web", "shop", "svc")
    far, nope = names.relative("far", "shop", "svc"), names.relative("nope", "svc")

    assert {shop, web} == set(world.answer("web.shop.svc.cluster.local", "A").keys)
    assert {shop, web, far} == set(world.answer("far.shop.svc.cluster.local", "A").keys)
    assert {nope} == set(world.answer("a.b.nope.svc.cluster.local", "A").keys)
    assert {ANY_ADDRESS} == set(world.answer("2.0.192.in-addr.arpa", "PTR").keys)
    assert {ANY_ADDRESS + bytes((192, 0, 2, 1)), shop, web} == set(
        world.answer("1.2.0.192.in-addr.arpa", "PTR").keys
    )


@pytest.mark.parametrize(("ttl", "kept"), [(0, 0), (5, 5), (300, 300), (3600, 300)])
def test_denials_are_kept_for_five_minutes_at_most(ttl, kept):
    """The TTL of a SOA is that of the zone, but at most 300 seconds (RFC 2308)."""
    zone = Zone(FORWARD, World().table, ttl, FORWARD)
    answer = lookup({FORWARD: zone}, names.from_text("nope.cluster.local"), 1)
    assert answer is not None

    assert [kept] == [rrset.ttl for _, rrset in answer.authority]
    assert ttl.to_bytes(4, "big") == answer.authority[0][1].rdata[0][-4:]


def test_additional_addresses_stand_once():
    """Endpoints of one hostname give its addresses once, in both families."""
    world = World(SHOP, HEADLESS, part("198.51.100.1", "198.51.100.2", hostname="a"), WEB)
    found = world.answer("db.shop.svc.cluster.local", "SRV")
    both = world.answer("web.shop.svc.cluster.local", "SRV")

    assert [(Type.A, 2)] == [(rrset.type, len(rrset.rdata)) for _, rrset in found.additional]
    assert [Type.A, Type.AAAA] == [rrset.type for _, rrset in both.additional]
    assert world.answer("web.shop.svc.cluster.local", "A").additional == ()


def test_other_pointer_zone():
    """PTR records of a reverse zone point into its forward zone; what gets too long is left out."""
    world = World(SHOP, WEB)
    reverse = names.from_text("in-addr.arpa")
    name = names.reverse(bytes((192, 0, 2, 1)))
    long_zone = names.from_text(".".join(["z" * 60] * 4))
    for pointer_zone, rcode in (names.from_text("example.org"), 0), (long_zone, 3):
        zone = Zone(reverse, world.table, 5, pointer_zone)
        answer = lookup({reverse: zone}, name, Type.PTR)
        assert answer is not None
        targets = [rdata for _, rrset in answer.answer for rdata in rrset.rdata]
        assert rcode == answer.rcode
        assert [] == targets or [b"\x03web\x04shop\x03svc" + pointer_zone] == targets

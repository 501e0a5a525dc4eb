"""The rules by which a cluster's objects get names and records, as questions and answers."""

import msgspec
import pytest

from skydns_py import names
from skydns_py.sources.kubernetes.records import Exposure, KubernetesNaming
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
)
from tests.conftest import World

HTTP = ServicePort("http", 80, "TCP")
HTTPS = ServicePort("https", 443, "TCP")
DNS = ServicePort("dns", 53, "UDP")
DNS_TCP = ServicePort("dns", 53, "TCP")
UNNAMED = ServicePort("", 8080, "TCP")

SHOP = Namespace("shop")


def service(*ports, name="web", addresses=("192.0.2.1",), kind="ClusterIP", target="", ns="shop"):
    return Service(ns, name, kind, addresses, target, ports)


def headless(*ports, name="web", ns="shop"):
    return service(*ports, name=name, addresses=("None",), ns=ns)


def alias(target, *ports):
    return service(*ports, name="far", addresses=(), kind="ExternalName", target=target)


def ready(*addresses, hostname="", pod=""):
    return Endpoint(addresses, ready=True, hostname=hostname, pod=pod)


def part(*endpoints, ports=(HTTP,), name="web-1", of="web", kind="IPv4", ns="shop"):
    return EndpointSlice(ns, name, of, kind, endpoints, ports)


CASES = {
    "a ClusterIP Service has its addresses of both families": (
        [service(addresses=("192.0.2.1", "2001:db8::1"))],
        """
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? web.shop.svc.cluster.local AAAA
        web.shop.svc.cluster.local. 5 IN AAAA 2001:db8::1
        ? web.shop.svc.cluster.local MX
        NODATA
        ? web.shop.svc.cluster.local SRV
        NODATA
        """,
    ),
    "two ports share the weight": (
        [service(HTTP, HTTPS)],
        """
        ? web.shop.svc.cluster.local SRV
        web.shop.svc.cluster.local. 5 IN SRV 0 50 80 web.shop.svc.cluster.local.
        web.shop.svc.cluster.local. 5 IN SRV 0 50 443 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _https._tcp.web.shop.svc.cluster.local SRV
        _https._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 443 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        """,
    ),
    "an address of each family counts, though the record is one": (
        [service(HTTP, addresses=("192.0.2.1", "2001:db8::1"))],
        """
        ? web.shop.svc.cluster.local SRV
        web.shop.svc.cluster.local. 5 IN SRV 0 50 80 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        + web.shop.svc.cluster.local. 5 IN AAAA 2001:db8::1
        """,
    ),
    "three hits have 33 each": (
        [headless(HTTP), part(*(ready(f"192.0.2.{i}") for i in (1, 2, 3)))],
        """
        ? _http._tcp.web.shop.svc.cluster.local SRV
        _http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 33 80 \
192-0-2-1.web.shop.svc.cluster.local.
        _http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 33 80 \
192-0-2-2.web.shop.svc.cluster.local.
        _http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 33 80 \
192-0-2-3.web.shop.svc.cluster.local.
        + 192-0-2-1.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        + 192-0-2-2.web.shop.svc.cluster.local. 5 IN A 192.0.2.2
        + 192-0-2-3.web.shop.svc.cluster.local. 5 IN A 192.0.2.3
        """,
    ),
    "port and protocol must be those of one port": (
        [service(DNS, HTTP)],
        """
        ? _dns._udp.web.shop.svc.cluster.local SRV
        _dns._udp.web.shop.svc.cluster.local. 5 IN SRV 0 100 53 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _dns._tcp.web.shop.svc.cluster.local SRV
        NXDOMAIN
        ? _http._udp.web.shop.svc.cluster.local SRV
        NXDOMAIN
        ? _dns._udp.web.shop.svc.cluster.local A
        _dns._udp.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        """,
    ),
    "a port number of two protocols is one record of two hits": (
        [service(DNS, DNS_TCP)],
        """
        ? web.shop.svc.cluster.local SRV
        web.shop.svc.cluster.local. 5 IN SRV 0 50 53 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _dns._tcp.web.shop.svc.cluster.local SRV
        _dns._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 53 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        """,
    ),
    "ports are found in other spellings, an unnamed one by none of its own": (
        [service(HTTP, UNNAMED)],
        """
        ? http.tcp.web.shop.svc.cluster.local SRV
        http.tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _HTTP._Tcp.web.shop.svc.cluster.local SRV
        _HTTP._Tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _._tcp.web.shop.svc.cluster.local SRV
        _._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 50 80 web.shop.svc.cluster.local.
        _._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 50 8080 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _tcp.web.shop.svc.cluster.local A
        NODATA
        ? _http.web.shop.svc.cluster.local A
        NXDOMAIN
        ? x._http._tcp.web.shop.svc.cluster.local A
        NXDOMAIN
        """,
    ),
    "a double in two slices counts twice and stands once": (
        [
            headless(HTTP),
            part(ready("192.0.2.1")),
            part(ready("192.0.2.1"), name="web-2"),
        ],
        """
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? web.shop.svc.cluster.local SRV
        web.shop.svc.cluster.local. 5 IN SRV 0 50 80 192-0-2-1.web.shop.svc.cluster.local.
        + 192-0-2-1.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? 1.2.0.192.in-addr.arpa PTR
        1.2.0.192.in-addr.arpa. 5 IN PTR 192-0-2-1.web.shop.svc.cluster.local.
        """,
    ),
    "slices may have ports of their own": (
        [
            headless(HTTP),
            part(ready("192.0.2.1")),
            part(ready("192.0.2.2"), name="web-2", ports=(HTTPS,)),
        ],
        """
        ? _http._tcp.web.shop.svc.cluster.local A
        _http._tcp.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? _https._tcp.web.shop.svc.cluster.local A
        _https._tcp.web.shop.svc.cluster.local. 5 IN A 192.0.2.2
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        web.shop.svc.cluster.local. 5 IN A 192.0.2.2
        """,
    ),
    "a headless Service without ports has addresses only": (
        [headless(), part(ready("192.0.2.1"), ports=())],
        """
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? web.shop.svc.cluster.local SRV
        NODATA
        ? 192-0-2-1.web.shop.svc.cluster.local SRV
        NODATA
        """,
    ),
    "a headless Service with no ready endpoint is not there": (
        [headless(HTTP), part(Endpoint(("192.0.2.1",), ready=False, hostname="", pod=""))],
        """
        ? web.shop.svc.cluster.local A
        NXDOMAIN
        ? web.shop.svc.cluster.local SOA
        NXDOMAIN
        ? 1.2.0.192.in-addr.arpa PTR
        NXDOMAIN
        """,
    ),
    "endpoints of a ClusterIP Service have names too": (
        [service(HTTP), part(ready("198.51.100.1", hostname="One"), ports=(UNNAMED,))],
        """
        ? one.web.shop.svc.cluster.local A
        one.web.shop.svc.cluster.local. 5 IN A 198.51.100.1
        ? one.web.shop.svc.cluster.local SRV
        one.web.shop.svc.cluster.local. 5 IN SRV 0 100 8080 one.web.shop.svc.cluster.local.
        + one.web.shop.svc.cluster.local. 5 IN A 198.51.100.1
        ? 198-51-100-1.web.shop.svc.cluster.local A
        NXDOMAIN
        """,
    ),
    "a hostname is shared by endpoints and families": (
        [
            headless(HTTP),
            part(ready("192.0.2.1", hostname="a"), ready("192.0.2.2", hostname="a")),
            part(ready("2001:db8::1", hostname="a"), name="web-2", kind="IPv6"),
        ],
        """
        ? a.web.shop.svc.cluster.local A
        a.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        a.web.shop.svc.cluster.local. 5 IN A 192.0.2.2
        ? a.web.shop.svc.cluster.local AAAA
        a.web.shop.svc.cluster.local. 5 IN AAAA 2001:db8::1
        ? web.shop.svc.cluster.local SRV
        web.shop.svc.cluster.local. 5 IN SRV 0 33 80 a.web.shop.svc.cluster.local.
        + a.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        + a.web.shop.svc.cluster.local. 5 IN A 192.0.2.2
        + a.web.shop.svc.cluster.local. 5 IN AAAA 2001:db8::1
        """,
    ),
    "a label must not end in a dash": (
        [headless(HTTP), part(ready("fd00::"), ready("2001:DB8::1"), kind="IPv6")],
        """
        ? fd00--0.web.shop.svc.cluster.local AAAA
        fd00--0.web.shop.svc.cluster.local. 5 IN AAAA fd00::
        ? fd00--.web.shop.svc.cluster.local AAAA
        NXDOMAIN
        ? 2001-db8--1.web.shop.svc.cluster.local AAAA
        2001-db8--1.web.shop.svc.cluster.local. 5 IN AAAA 2001:db8::1
        """,
    ),
    "an alias is a CNAME for every type, and nothing is below it": (
        [alias("www.example.org.", HTTP)],
        """
        ? far.shop.svc.cluster.local A
        far.shop.svc.cluster.local. 5 IN CNAME www.example.org.
        ? far.shop.svc.cluster.local TXT
        far.shop.svc.cluster.local. 5 IN CNAME www.example.org.
        ? far.shop.svc.cluster.local CNAME
        far.shop.svc.cluster.local. 5 IN CNAME www.example.org.
        ? x.far.shop.svc.cluster.local A
        NXDOMAIN
        ? _http._tcp.far.shop.svc.cluster.local A
        NXDOMAIN
        """,
    ),
    "an alias into the zone is followed": (
        [alias("WEB.shop.svc.cluster.local"), service(HTTP)],
        """
        ? far.shop.svc.cluster.local A
        far.shop.svc.cluster.local. 5 IN CNAME WEB.shop.svc.cluster.local.
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? far.shop.svc.cluster.local SRV
        far.shop.svc.cluster.local. 5 IN CNAME WEB.shop.svc.cluster.local.
        web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        """,
    ),
    "an address is no target of an alias": (
        [alias("192.0.2.1")],
        """
        ? far.shop.svc.cluster.local A
        NXDOMAIN
        """,
    ),
    "a slice of host names is an alias": (
        [headless(HTTP), part(ready("www.example.org", hostname="a"), kind="FQDN")],
        """
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN CNAME www.example.org.
        ? a.web.shop.svc.cluster.local A
        a.web.shop.svc.cluster.local. 5 IN CNAME www.example.org.
        """,
    ),
    "the PTR of an endpoint names each Service that has it": (
        [
            headless(HTTP),
            headless(HTTP, name="api"),
            part(ready("192.0.2.1")),
            part(ready("192.0.2.1", hostname="one"), name="api-1", of="api"),
            part(ready("192.0.2.1"), name="lost", of=""),
        ],
        """
        ? 1.2.0.192.in-addr.arpa PTR
        1.2.0.192.in-addr.arpa. 5 IN PTR one.api.shop.svc.cluster.local.
        1.2.0.192.in-addr.arpa. 5 IN PTR 192-0-2-1.web.shop.svc.cluster.local.
        ? 1.2.0.192.in-addr.arpa A
        NODATA
        ? 2.0.192.in-addr.arpa PTR
        NODATA
        ? 3.0.192.in-addr.arpa PTR
        NXDOMAIN
        """,
    ),
    "a Service of two cluster IPs has two PTR names": (
        [service(addresses=("192.0.2.1", "2001:db8::1"))],
        """
        ? 1.2.0.192.in-addr.arpa PTR
        1.2.0.192.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local.
        ? 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa PTR
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa. \
5 IN PTR web.shop.svc.cluster.local.
        """,
    ),
    "the names every cluster has": (
        [],
        """
        ? dns-version.cluster.local TXT
        dns-version.cluster.local. 28800 IN TXT "1.1.0"
        ? DNS-version.cluster.local A
        NODATA
        ? svc.cluster.local A
        NODATA
        ? pod.cluster.local TXT
        NODATA
        ? dns.cluster.local A
        NODATA
        ? x.pod.cluster.local A
        NXDOMAIN
        ? *.shop.svc.cluster.local A
        NXDOMAIN
        ? any.shop.svc.cluster.local A
        NXDOMAIN
        ? nope.cluster.local SOA
        NXDOMAIN
        ? cluster.local SOA
        cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 0 7200 1800 86400 5
        """,
    ),
}


@pytest.mark.parametrize(("objects", "told"), CASES.values(), ids=CASES)
def test_rules(objects, told):
    """A cluster of these objects answers these questions so."""
    assert told == World(SHOP, *objects).replay(told)


EXPOSURES = {
    "pods insecure": (
        Exposure(pods="insecure", ttl=30),
        """
        ? 192-0-2-9.shop.pod.cluster.local A
        192-0-2-9.shop.pod.cluster.local. 30 IN A 192.0.2.9
        ? 192-0-2-9.shop.pod.cluster.local AAAA
        NODATA
        ? 2001-db8--9.shop.pod.cluster.local AAAA
        2001-db8--9.shop.pod.cluster.local. 30 IN AAAA 2001:db8::9
        ? x.y.192-0-2-9.shop.pod.cluster.local A
        x.y.192-0-2-9.shop.pod.cluster.local. 30 IN A 192.0.2.9
        ? x.y.z.192-0-2-9.shop.pod.cluster.local A
        NXDOMAIN
        ? 192-0-2-09.shop.pod.cluster.local A
        NXDOMAIN
        ? 192-0-2-256.shop.pod.cluster.local A
        NXDOMAIN
        ? 192-0-2-9.nope.pod.cluster.local A
        NXDOMAIN
        ? web.shop.pod.cluster.local A
        NXDOMAIN
        """,
    ),
    "pods verified": (
        Exposure(pods="verified"),
        """
        ? 203-0-113-1.shop.pod.cluster.local A
        203-0-113-1.shop.pod.cluster.local. 5 IN A 203.0.113.1
        ? 203-0-113-2.shop.pod.cluster.local A
        NXDOMAIN
        ? 203-0-113-1.bank.pod.cluster.local A
        NXDOMAIN
        ? 2001-db8--.shop.pod.cluster.local AAAA
        2001-db8--.shop.pod.cluster.local. 5 IN AAAA 2001:db8::
        ? 2001-db8--0.shop.pod.cluster.local AAAA
        NXDOMAIN
        """,
    ),
    "pods disabled": (
        Exposure(),
        """
        ? shop.pod.cluster.local A
        NXDOMAIN
        ? 203-0-113-1.shop.pod.cluster.local A
        NXDOMAIN
        """,
    ),
    "namespaces": (
        Exposure(namespaces=frozenset({"bank"})),
        """
        ? web.shop.svc.cluster.local A
        NXDOMAIN
        ? shop.svc.cluster.local A
        NXDOMAIN
        ? vault.bank.svc.cluster.local A
        vault.bank.svc.cluster.local. 5 IN A 192.0.2.2
        ? 1.2.0.192.in-addr.arpa PTR
        NXDOMAIN
        ? 1.100.51.198.in-addr.arpa PTR
        NXDOMAIN
        ? 198.in-addr.arpa PTR
        NXDOMAIN
        """,
    ),
    "noendpoints": (
        Exposure(endpoints=False),
        """
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? 198-51-100-1.web.shop.svc.cluster.local A
        NXDOMAIN
        ? 1.100.51.198.in-addr.arpa PTR
        NXDOMAIN
        ? 198.in-addr.arpa PTR
        NXDOMAIN
        """,
    ),
    "ignore empty_service": (
        Exposure(ignore_empty_service=True),
        """
        ? web.shop.svc.cluster.local A
        web.shop.svc.cluster.local. 5 IN A 192.0.2.1
        ? vault.bank.svc.cluster.local A
        NXDOMAIN
        ? 2.2.0.192.in-addr.arpa PTR
        2.2.0.192.in-addr.arpa. 5 IN PTR vault.bank.svc.cluster.local.
        """,
    ),
    "endpoint_pod_names": (
        Exposure(endpoint_pod_names=True),
        """
        ? web.1.web.shop.svc.cluster.local A
        web.1.web.shop.svc.cluster.local. 5 IN A 198.51.100.1
        ? 1.web.shop.svc.cluster.local A
        NODATA
        ? 198-51-100-1.web.shop.svc.cluster.local A
        NXDOMAIN
        ? 198-51-100-2.web.shop.svc.cluster.local A
        198-51-100-2.web.shop.svc.cluster.local. 5 IN A 198.51.100.2
        """,
    ),
}


@pytest.mark.parametrize(("exposure", "told"), EXPOSURES.values(), ids=EXPOSURES)
def test_options(exposure, told):
    """What of a cluster is shown, and how, follows the options of the directive."""
    long_name = "p" * 64
    world = World(
        SHOP,
        Namespace("bank"),
        service(HTTP),
        service(name="vault", addresses=("192.0.2.2",), ns="bank"),
        part(ready("198.51.100.1", pod="web.1"), ready("198.51.100.2", pod=long_name)),
        Pod("shop", "pod-1", "203.0.113.1"),
        Pod("shop", "pod-2", "203.0.113.1"),
        Pod("shop", "pod-3", "2001:db8::"),
        Pod("shop", "pod-4", ""),
        exposure=exposure,
    )

    assert told == world.replay(told)


def test_a_pod_name_needs_its_dashes():
    """A label with real dots or colons in it is no spelling of an address ([K8S-DNS] 2.3.1)."""
    told = r"""
    ? 192\.0\.2\.9.shop.pod.cluster.local A
    NXDOMAIN
    ? --192\.0\.2\.9.shop.pod.cluster.local AAAA
    NXDOMAIN
    """

    assert told == World(SHOP, exposure=Exposure(pods="insecure")).replay(told)


def test_many_weights():
    """A weight is never zero, which would mean "hardly ever" (RFC 2782)."""
    endpoints = (ready(f"198.51.100.{i}") for i in range(150))
    answer = World(SHOP, headless(HTTP), part(*endpoints)).answer(
        "web.shop.svc.cluster.local", "SRV"
    )

    assert {b"\x00\x01"} == {rdata[2:4] for rdata in answer.answer[0][1].rdata}


def test_a_port_name_as_long_as_the_api_server_lets_it_be():
    """A Service's port name may have 63 octets: it fits no label, but its Service answers."""
    told = """
    ? web.shop.svc.cluster.local A
    web.shop.svc.cluster.local. 5 IN A 192.0.2.1
    ? _http._tcp.web.shop.svc.cluster.local A
    _http._tcp.web.shop.svc.cluster.local. 5 IN A 192.0.2.1
    """
    longest = ServicePort("p" * 63, 81, "TCP")

    assert told == World(SHOP, service(HTTP, longest)).replay(told)
    sliced = part(ready("192.0.2.1"), ports=(HTTP, longest))
    assert told == World(SHOP, headless(HTTP, longest), sliced).replay(told)


@pytest.mark.parametrize(
    "strange",
    [
        service(ServicePort("p", 70_000, "TCP")),
        service(ServicePort("p", -1, "TCP")),
        service(ServicePort("\u00e9" * 40, 80, "\u00e9")),
        service(HTTP, addresses=("", "nonsense", "192.0.2.1/32")),
        service(addresses=()),
        service(HTTP, name="a" * 64),
        service(HTTP, name=""),
        service(HTTP, name="a.b"),
        service(HTTP, ns=""),
        alias("a..b"),
        alias("\\"),
        alias("." * 300),
        headless(HTTP),
        part(ready(""), ready("..."), ready("a" * 64), ready("b" * 300)),
        part(ready("192.0.2.1", hostname="a" * 64)),
        part(ready("192.0.2.1", hostname="a..b")),
        part(ready("192.0.2.1", hostname="." * 9)),
        part(ready("192.0.2.1", hostname=".".join(["a" * 60] * 4))),
        part(Endpoint((), ready=True, hostname="", pod="")),
        Pod("shop", "pod", "nonsense"),
        Pod("", "pod", "192.0.2.1"),
        Pod("shop", "pod", "::ffff:192.0.2.1"),
        Namespace("a" * 64),
        Namespace(""),
        Namespace("a.b"),
    ],
    ids=lambda slim: f"{type(slim).__name__} {msgspec.json.encode(slim).decode()[:120]}",
)
@pytest.mark.parametrize("beside", [(), (headless(HTTP),), (service(HTTP),)], ids=["", "h", "c"])
def test_objects_no_api_server_should_let_through(strange, beside):
    """An object that cannot be meant harms no question, and is gone when it is gone."""
    exposure = Exposure(pods="verified", endpoint_pod_names=True)
    world = World(SHOP, *beside, strange, exposure=exposure)
    for name in ("web.shop.svc", "a.web.shop.svc", "_p._tcp.web.shop.svc", "far.shop.svc", "a"):
        for rrtype in ("A", "SRV"):
            world.ask(f"{name}.cluster.local", rrtype, "tcp")
    world.ask("1.2.0.192.in-addr.arpa", "PTR")
    assert list(world.table.subtrees(names.from_text("cluster.local")))
    world.remove(SHOP, *beside, strange)

    assert [] == list(world.table.addresses())


def test_names_are_those_of_the_naming():
    """Roots and owners are folded names relative to the zone."""
    naming = KubernetesNaming(Exposure(pods="verified"))

    assert frozenset({b"\x03svc", b"\x03pod"}) == naming.roots
    assert (b"\x04shop\x03svc", b"\x04shop\x03pod") == naming.stands_at(Namespace("Shop"))
    assert (b"\x03web\x04shop\x03svc",) == naming.stands_at(service(name="Web", ns="SHOP"))
    assert (b"\x0b203-0-113-1\x04shop\x03pod",) == naming.stands_at(Pod("shop", "p", "203.0.113.1"))

"""While a cluster changes under a storm of packets, no kept reply is ever older than the cluster.

Each packet is answered by a responder that keeps replies, and by a new one that has kept nothing;
every so often also by a table made from scratch of what is there then.
`SKYDNS_CHURN_PACKETS` and `SKYDNS_CHURN_CHANGES` set how long the storm is, for all worlds
together; the seeds are fixed, so that a failure is a failure again.
"""

import os
import random
from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from skydns_py import names
from skydns_py.answers.lookup import Zone, Zones
from skydns_py.answers.memo import Memo
from skydns_py.answers.responder import Block, Responder, Transport
from skydns_py.batch import Batch, Key
from skydns_py.sources.kubernetes.records import Exposure, KubernetesNaming
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
    Slim,
)
from skydns_py.table import Table
from tests.conftest import APEXES, FORWARD, key_of

PACKETS = int(os.environ.get("SKYDNS_CHURN_PACKETS", "60000"))
CHANGES = int(os.environ.get("SKYDNS_CHURN_CHANGES", "600"))

REBUILT_EVERY = 20
"""Changes from one table made from scratch to the next."""

ASKED_ANEW = 40
"""Packets that are asked of such a table."""

SOURCES = ("kubernetes", "manifests")
SPACES = ["shop", "bank", "a" * 60]
SERVICES = ["web", "db", "cache", "b" * 63]
PODS = ["pod-0", "pod-1", "pod.2"]
V4 = [f"192.0.2.{number}" for number in range(1, 9)]
V6 = ["2001:db8::", "2001:db8::1", "2001:DB8::2"]
PORTS = [
    ServicePort("http", 80, "TCP"),
    ServicePort("dns", 53, "UDP"),
    ServicePort("dns", 53, "TCP"),
    ServicePort("", 8080, "TCP"),
]
EXPOSURES = [
    Exposure(pods="insecure", ttl=5),
    Exposure(pods="verified", endpoint_pod_names=True, ttl=30),
    Exposure(pods="insecure", ignore_empty_service=True, ttl=3600),
    Exposure(namespaces=frozenset({"shop", "bank"}), ttl=0),
    Exposure(endpoints=False, pods="verified"),
]
OWN = ("192.0.2.1", "2001:db8::1")
TYPES = [*[1] * 8, *[28] * 3, *[33] * 4, 12, 12, 2, 6, 5, 16, 255, 65, 15, 43, 257]
TRANSPORTS: list[Transport] = ["udp", "udp", "tcp"]
OPTIONS = [
    b"\x00\x0a\x00\x08clientid",
    b"\x00\x0a\x00\x03bad",
    b"\x00\x03\x00\x00",
    b"\x00\x0c\x00\x10" + bytes(16),
    b"\xfd\xe9\x00\x02ab",
]


NOBODY: Any = None
"""Who asks: nothing here has to wait for its answer."""


class Storm:
    """A world that changes by chance, what is there beside it, and packets about it."""

    def __init__(self, seed: int, exposure: Exposure, *, shuffles: bool) -> None:
        self.by_chance = random.Random(seed)
        self.exposure = exposure
        self.shuffles = shuffles
        self.there: dict[str, dict[Key, Slim]] = {source: {} for source in SOURCES}
        self.synced: set[str] = set()
        self.now = 1_700_000_000
        self.table = Table(KubernetesNaming(exposure), SOURCES)
        self.zones = zones_of(self.table)
        self.responder = self.responder_over(self.zones, shuffles=shuffles)
        self.asked: list[tuple[bytes, Transport]] = []
        # Most of what there is to get wrong needs a namespace to be seen in.
        self.tell("kubernetes", {key_of(slim): slim for slim in map(Namespace, SPACES)})

    def responder_over(self, zones: Zones, *, shuffles: bool = False) -> Responder:
        block = Block(zones, shuffles=shuffles)
        return Responder({names.ROOT: block}, shuffle=self.by_chance.shuffle, report=raise_)

    def memo_of(self, transport: Transport) -> Memo:
        return self.responder.datagrams if transport == "udp" else self.responder.streams

    def change(self) -> None:
        """Apply one batch: mostly few objects, sometimes many, sometimes nothing new."""
        source = self.by_chance.choice(SOURCES)
        changes: dict[Key, Slim | None] = {}
        for _ in range(self.by_chance.choice([0, 1, 1, 1, 2, 5, 30])):
            slim = self.some_object(source)
            gone = self.by_chance.random() < (0.1 if isinstance(slim, Namespace) else 0.3)
            changes[key_of(slim)] = None if gone else slim
        self.now += self.by_chance.choice([0, 0, 1, 60])
        self.tell(source, changes, synced=self.by_chance.random() < 0.2)

    def tell(self, source: str, changes: dict[Key, Slim | None], *, synced: bool = False) -> None:
        delta = self.table.apply(Batch(source, changes, synced or None), self.now)
        self.responder.changed(delta)
        self.synced |= {source} if synced else set()
        there = self.there[source] | changes
        self.there[source] = {key: slim for key, slim in there.items() if slim is not None}

    def rebuilt(self) -> Responder:
        """Return a responder over a new table of what is there now, told backwards."""
        table = Table(KubernetesNaming(self.exposure), SOURCES)
        table.serial = self.table.serial
        for source in reversed(SOURCES):
            there = dict(sorted(self.there[source].items(), reverse=True))
            table.apply(Batch(source, there, source in self.synced or None), 0)
        return self.responder_over(zones_of(table))

    def some_object(self, source: str) -> Slim:
        choose = self.by_chance.choice
        space = choose(SPACES)
        match choose("nssssseeeeepp"):
            case "n":
                return Namespace(space)
            case "p":
                return Pod(space, choose(PODS), choose([*V4, *V6, ""]))
            case "s":
                return self.some_service(space)
        # One owner of a slice's name: two sources would be two clusters.
        part = f"{source[0]}-{choose('12')}"
        endpoints = tuple(self.some_endpoint() for _ in range(choose([0, 1, 2, 3, 40])))
        return EndpointSlice(space, part, choose([*SERVICES, ""]), "IPv4", endpoints, self.ports())

    def some_service(self, space: str) -> Service:
        choose = self.by_chance.choice
        name = choose(SERVICES)
        kind = choose(["own", "own", "none", "none", "alias"])
        if kind == "alias":
            target = choose([*self.spellings(), "example.org", "192.0.2.1", ""])
            return Service(space, name, "ExternalName", (), target, ())
        own = (choose(V4), choose(V6))[: choose([1, 2])]
        addresses = own if kind == "own" else ("None",)
        return Service(space, name, "ClusterIP", addresses, "", self.ports())

    def some_endpoint(self) -> Endpoint:
        choose = self.by_chance.choice
        address = choose([*V4, *V6, f"198.51.100.{self.by_chance.randrange(256)}"])
        return Endpoint(
            (address,), choose([True, True, False]), choose(["", "", "h"]), choose(PODS)
        )

    def ports(self) -> tuple[ServicePort, ...]:
        return tuple(self.by_chance.sample(PORTS, self.by_chance.choice([0, 1, 2, 4])))

    def spellings(self) -> Iterator[str]:
        """Yield targets of aliases: here and elsewhere, there or not, in capitals too."""
        for space in SPACES:
            for service in SERVICES:
                yield f"{service}.{space}.svc.cluster.local"
                yield f"{service}.{space}.SVC.Cluster.Local."
        yield from ("nope.shop.svc.cluster.local", "1.2.0.192.in-addr.arpa", "ns.dns.cluster.local")

    def question(self) -> tuple[bytes, Transport]:
        """Return a packet and how it travels: half of them as asked before, but for the id."""
        transport: Transport = self.by_chance.choice(TRANSPORTS)
        if self.asked and self.by_chance.random() < 0.75:
            packet, transport = self.by_chance.choice(self.asked)
            return self.by_chance.randbytes(2) + packet[2:], transport
        packet = self.new_packet()
        self.asked.append((packet, transport))
        if len(self.asked) > 150:
            del self.asked[: self.by_chance.randrange(50)]
        return packet, transport

    def new_packet(self) -> bytes:
        chance, choose = self.by_chance.random, self.by_chance.choice
        flags = choose([0x0100, 0x0100, 0x0000, 0x0120, 0x0110, 0x0040])
        if chance() < 0.05:
            flags = self.by_chance.randrange(65_536)
        rrtype = choose(TYPES) if chance() < 0.97 else self.by_chance.randrange(65_536)
        end = rrtype.to_bytes(2, "big") + (b"\x00\x01" if chance() < 0.99 else b"\x00\x03")
        opt = self.opt() if chance() < 0.6 else b""
        counts = bytes((0, 1, 0, 0, 0, 0, 0, bool(opt)))
        packet = self.by_chance.randbytes(2) + flags.to_bytes(2, "big") + counts
        packet += self.spelled(self.some_name()) + end + opt
        return self.spoiled(packet) if chance() < 0.05 else packet

    def opt(self) -> bytes:
        choose = self.by_chance.choice
        size = choose([0, 512, 600, 1232, 4096, 65_535, self.by_chance.randrange(65_536)])
        version = choose([0] * 30 + [1])
        flags = choose([0, 0, 0x8000, 0x8000, 0x4001])
        options = choose([b""] * 3 + OPTIONS)
        head = b"\x00\x00\x29" + size.to_bytes(2, "big") + bytes((0, version))
        return head + flags.to_bytes(2, "big") + len(options).to_bytes(2, "big") + options

    def some_name(self) -> bytes:
        choose = self.by_chance.choice
        there = [*self.there["kubernetes"].values()] or [Namespace("nope")]
        slim = choose(there)
        space, service = choose([*SPACES, "nope"]), choose([*SERVICES, "nope"])
        if isinstance(slim, Service | EndpointSlice) and self.by_chance.random() < 0.9:
            space = slim.namespace
            service = (slim.name if isinstance(slim, Service) else slim.service) or "nope"
        address = choose(V4 + V6)
        packed = names.pack_address(address) or b""
        dashed = address.lower().replace(".", "-").replace(":", "-")
        dashed += "0" * dashed.endswith("-")
        here = f"{service}.{space}.svc"
        reverse = names.suffixes(names.reverse(packed))[:-1]
        below = choose(
            ["h", *PODS, dashed, "_http._tcp", "_dns._udp", "dns.tcp", "_._", "_tcp", "x"]
        )
        relative = choose(
            [
                *[here] * 20,
                *[f"{below}.{here}"] * 10,
                f"x.{below}.{here}",
                *(f"{space}.svc", "svc", "pod", f"{space}.pod", f"{dashed}.{space}.pod"),
                *(f"x.{dashed}.{space}.pod", "", "dns", "ns.dns", "dns-version", "nope", "x.nope"),
            ]
        )
        zone = names.to_text(choose([FORWARD] * 8 + list(APEXES)))
        forward = names.from_text(f"{relative}.{zone}".lstrip("."))
        return choose(
            [forward] * 12 + [choose(reverse), reverse[0], names.from_text("example.org")]
        )

    def spelled(self, name: bytes) -> bytes:
        """Return a name as it is, in capitals, or in a spelling that comes never again."""
        match self.by_chance.randrange(6):
            case 0:
                return capitals(name, every=True, chance=self.by_chance)
            case 1:
                return capitals(name, every=False, chance=self.by_chance)
        return name

    def spoiled(self, packet: bytes) -> bytes:
        match self.by_chance.randrange(4):
            case 0:
                return packet[: self.by_chance.randrange(len(packet))]
            case 1:
                return packet + self.by_chance.randbytes(3)
            case 2:
                return self.by_chance.randbytes(len(packet))
        at = self.by_chance.randrange(len(packet))
        return packet[:at] + self.by_chance.randbytes(1) + packet[at + 1 :]


def zones_of(table: Table) -> Zones:
    own = tuple(filter(None, map(names.pack_address, OWN)))
    naming: KubernetesNaming = table.naming  # type: ignore[assignment]
    return {apex: Zone(apex, table, naming.exposure.ttl, FORWARD, own) for apex in APEXES}


def capitals(name: bytes, *, every: bool, chance: random.Random) -> bytes:
    spelled = bytearray(name)
    at = 0
    while spelled[at]:
        for i in range(at + 1, at + 1 + spelled[at]):
            if 0x61 <= spelled[i] <= 0x7A and (every or chance.random() < 0.5):
                spelled[i] -= 0x20
        at += 1 + spelled[at]
    return bytes(spelled)


def raise_(bug: Exception) -> None:
    raise bug


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2 * len(EXPOSURES)))
def test_no_reply_is_older_than_the_cluster(seed: int):
    """Whatever is asked while whatever changes, a kept reply is the one made anew, octet for octet.

    Serials included. Where addresses rotate, it has the same octets in another order.
    """
    exposure = EXPOSURES[seed // 2]
    storm = Storm(seed, exposure, shuffles=bool(seed % 2))
    worlds = 2 * len(EXPOSURES)
    kept = 0
    for number in range(CHANGES // worlds):
        storm.change()
        for _ in range(PACKETS // CHANGES):
            packet, transport = storm.question()
            kept += packet[2:] in storm.memo_of(transport).hits
            check(storm, storm.responder_over(storm.zones), packet, transport)
        if number % REBUILT_EVERY == 0:
            rebuilt = storm.rebuilt()
            for packet, transport in storm.by_chance.sample(
                storm.asked, min(ASKED_ANEW, len(storm.asked))
            ):
                check(storm, rebuilt, packet, transport)

    assert kept > PACKETS // worlds // 20, "hardly a reply was a kept one: the storm shows nothing"


def check(storm: Storm, other: Responder, packet: bytes, transport: Transport) -> None:
    expected = other.respond(packet, NOBODY, transport)
    actual = storm.responder.respond(packet, NOBODY, transport)
    if expected == actual:
        return
    assert expected is not None
    assert actual is not None
    assert packet[:2] == actual[:2]
    assert told(expected) == told(actual), (packet, transport)
    whole = expected if transport == "tcp" else other.respond(packet, NOBODY, "tcp")
    assert whole is not None
    if storm.shuffles:
        assert additional(actual) <= additional(whole), (packet, transport)
    else:
        assert additional(expected) == additional(actual), (packet, transport)


def told(reply: bytes) -> tuple[object, ...]:
    """Return what a reply must say, however its names are spelled and compressed.

    A truncated one says how many records it has: which of them is a matter of turns.
    """
    message = dns.message.from_wire(reply, one_rr_per_rrset=True)
    question = reply[4:6], reply[12 : 12 + len(message.question[0].name.to_wire() or b"") + 4]
    if message.flags & dns.flags.TC:
        return reply[2:10], question
    return reply[2:10], question, texts(message.answer), texts(message.authority), message.opt


def additional(reply: bytes) -> set[str]:
    return texts(dns.message.from_wire(reply, one_rr_per_rrset=True).additional)


def texts(section: list[dns.rrset.RRset]) -> set[str]:
    return {rrset.to_text().lower() for rrset in section}

"""After a change, every reply with a SOA has the new serial at once, and no other reply is touched.

The serial is written into kept replies: where it is not the last thing in them, it would overwrite
something else.
"""

from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import pytest

from skydns_py import names
from skydns_py.answers.responder import Block, Responder, Transport
from skydns_py.batch import Key
from skydns_py.sources.kubernetes.schema import Namespace, Service
from tests.conftest import World

BEFORE, AFTER = 1_700_000_000, 1_700_000_777

LONG = "a" * 60
"""A label so long that a chain of aliases does not fit a small reply."""

DENIED = {
    "a name that is not there": ("nope.shop.svc.cluster.local", "A"),
    "a type that is not there": ("web.shop.svc.cluster.local", "AAAA"),
    "an empty non-terminal": ("svc.cluster.local", "TXT"),
    "an alias to a name that is not there": ("lost.shop.svc.cluster.local", "A"),
    "an address that is not there": ("9.2.0.192.in-addr.arpa", "PTR"),
    "the apex, asked for its SOA": ("cluster.local", "SOA"),
}


NOBODY: Any = None
"""Who asks: nothing here has to wait for its answer."""


def service(name: str, address: str) -> Service:
    return Service("shop", name, "ClusterIP", (address,), "", ())


def alias(name: str, target: str) -> Service:
    return Service("shop", name, "ExternalName", (), target, ())


def world() -> World:
    made = World(Namespace("shop"), service("web", "192.0.2.1"), shuffles=True)
    made.put(alias("lost", "nope.shop.svc.cluster.local"), alias("out", "www.example.org"))
    # Twice as far as a reply without EDNS can tell, and the end of it is denied.
    made.put(*(alias(f"{n}{LONG}", f"{n + 1}{LONG}.shop.svc.cluster.local") for n in range(6)))
    made.table.serial = BEFORE
    return made


def question(asked: tuple[str, str], edns: int | None = None) -> bytes:
    options = {} if edns is None else {"use_edns": 0, "payload": edns}
    return dns.message.make_query(*asked, id=0, **options).to_wire()  # type: ignore[arg-type]


def change(world: World) -> None:
    """Change something that has nothing to do with any question here."""
    at = world.table.serial + AFTER - BEFORE
    world.apply({Key("Namespace", "", "far"): Namespace("far")}, "kubernetes", now=at)


def ask(world: World, packet: bytes, transport: Transport = "udp") -> bytes:
    return world.responder.respond(packet, NOBODY, transport) or b""


def anew(world: World, packet: bytes, transport: Transport) -> bytes:
    """Return the reply of a responder that has kept nothing."""
    other = Responder({names.ROOT: Block(world.zones)}, shuffle=lambda _: None, report=print)
    return other.respond(packet, NOBODY, transport) or b""


def serials(reply: bytes) -> list[int]:
    message = dns.message.from_wire(reply)
    return [
        rdata.serial
        for section in message.sections
        for rrset in section
        if rrset.rdtype == dns.rdatatype.SOA
        for rdata in rrset
    ]


@pytest.mark.parametrize("edns", [None, 512, 1232])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("asked", DENIED.values(), ids=DENIED.keys())
def test_a_kept_denial_has_the_new_serial_at_once(asked, transport, edns):
    """The first reply after a change has its serial, however often the old one was given."""
    served = world()
    packet = question(asked, edns)
    for _ in range(4):
        assert [BEFORE] == serials(ask(served, packet, transport))

    change(served)

    for _ in range(4):
        assert [AFTER] == serials(ask(served, packet, transport))


@pytest.mark.parametrize("asked", DENIED.values(), ids=DENIED.keys())
def test_a_serial_beyond_31_bits_is_written(asked):
    """A serial is a number of 32 bits (RFC 1982): the year 2038 is none of its concern."""
    served = world()
    served.table.serial = 2**32 - 10
    packet = question(asked)
    for _ in range(3):
        ask(served, packet)

    change(served)

    assert [AFTER - BEFORE - 10] == serials(ask(served, packet))


UNTOUCHED = {
    "a question for a SOA that an alias answers": ("out.shop.svc.cluster.local", "SOA"),
    "an alias out of the zone": ("out.shop.svc.cluster.local", "A"),
    "a question for a SOA that is answered in part": (f"0{LONG}.shop.svc.cluster.local", "SOA"),
    "a denial that is cut": (f"0{LONG}.shop.svc.cluster.local", "A"),
    "an address": ("web.shop.svc.cluster.local", "A"),
}


@pytest.mark.parametrize("edns", [None, 512, 1232])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("asked", UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_a_reply_that_ends_with_no_soa_is_not_spoiled(asked, transport, edns):
    """A kept reply that is cut, or ends with something else, is right after a change."""
    served = world()
    packet = question(asked, edns)
    for _ in range(4):
        ask(served, packet, transport)

    change(served)

    expected = anew(served, packet, transport)
    for _ in range(3):
        assert expected == ask(served, packet, transport)


def test_the_long_chain_is_cut():
    """The chain of these tests is too long for a reply without EDNS, as they need it to be."""
    reply = dns.message.from_wire(ask(world(), question((f"0{LONG}.shop.svc.cluster.local", "A"))))

    assert reply.flags & dns.flags.TC

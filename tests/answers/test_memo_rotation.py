"""Kept or made anew, replies take turns: each address is first as often as any other.

A client that takes the first address spreads its load only because of that.
The shuffling is pseudo-random with a fixed seed: a failure here is a failure each time.
"""

import random
from collections import Counter
from itertools import islice
from typing import Any

import dns.message
import dns.name
import pytest

from skydns_py import names
from skydns_py.answers.responder import Block, Responder, Transport
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
)
from tests.conftest import World

NAME = "db.shop.svc.cluster.local"
SIZES = [2, 3, 7, 64, 100, 300]
EACH = 32
"""How often each address should be first, about."""


NOBODY: Any = None
"""Who asks: nothing here has to wait for its answer."""


def address(number: int) -> str:
    return f"198.51.{100 + number // 256}.{number % 256}"


def served(*endpoints: Endpoint) -> World:
    """Return a world with a headless Service of these endpoints."""
    return World(
        Namespace("shop"),
        Service("shop", "db", "ClusterIP", ("None",), "", ()),
        EndpointSlice("shop", "db-1", "db", "IPv4", endpoints, (ServicePort("sql", 5432, "TCP"),)),
    )


def alone(size: int) -> World:
    """Return a world with `size` endpoints of one address and one name each."""
    return served(*(Endpoint((address(n),), True, f"pod-{n}", "") for n in range(size)))


class Client:
    """Asks one question again and again, of a responder that shuffles."""

    def __init__(self, world: World, rrtype: str = "A", *, keeps: bool = True) -> None:
        self.packet = dns.message.make_query(NAME, rrtype, use_edns=0, payload=1232).to_wire()
        self._world = world
        self._keeps = keeps
        self._shuffle = random.Random(4).shuffle
        self._responder = self._new()

    def ask(self, transport: Transport = "udp") -> bytes:
        responder = self._responder if self._keeps else self._new()
        reply = responder.respond(self.packet, NOBODY, transport)
        assert reply is not None
        return reply

    def firsts(self, times: int, transport: Transport = "udp") -> Counter[bytes]:
        """Count the address that stands first in the answer."""
        return Counter(self.addresses(transport)[0] for _ in range(times))

    def addresses(self, transport: Transport = "udp") -> list[bytes]:
        """Return the addresses of a reply: each behind a pointer, type, class, TTL and length."""
        reply = self.ask(transport)
        start = len(self.packet) - 11
        size = int.from_bytes(reply[start + 10 : start + 12], "big")
        places = range(start + 12, len(reply), 12 + size)
        return [reply[at : at + size] for at in places][: int.from_bytes(reply[6:8], "big")]

    def messages(self, times: int, transport: Transport = "udp") -> list[dns.message.Message]:
        return [
            dns.message.from_wire(self.ask(transport), one_rr_per_rrset=True) for _ in range(times)
        ]

    def _new(self) -> Responder:
        return Responder({names.ROOT: Block(self._world.zones)}, shuffle=self._shuffle, report=fail)


def fail(bug: Exception) -> None:
    raise bug


def assert_even(counts: Counter[Any], size: int, each: float) -> None:
    """Check that `size` things were counted `each` times, by half more or less at most."""
    assert size == len(counts)
    assert each / 2 <= min(counts.values())
    assert max(counts.values()) <= each * 1.5


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("size", SIZES)
def test_each_address_is_first_equally_often(size: int, transport: Transport):
    """Of however many addresses, each is first in as many of the kept replies."""
    assert_even(Client(alone(size)).firsts(EACH * size, transport), size, EACH)


@pytest.mark.parametrize("size", [2, 3, 7, 64])
def test_a_round_has_each_address_first_once(size: int):
    """Once replies are kept, each address is first in exactly one of as many as there are."""
    client = Client(alone(size))
    client.firsts(2)  # The first is forgotten, the second is kept.

    for _ in range(5):
        assert dict.fromkeys(map(packed, range(size)), 1) == client.firsts(size)


@pytest.mark.parametrize("size", [2, 3, 7, 64, 100])
def test_replies_made_anew_are_as_even(size: int):
    """What is never kept is first a random address: no other than in the long run of what is."""
    assert_even(Client(alone(size), keeps=False).firsts(EACH * size), size, EACH)


@pytest.mark.parametrize("size", [100, 300])
def test_each_address_appears_equally_often_where_not_all_fit(size: int):
    """A reply that is cut shows a few addresses, and each of all is shown as often."""
    client = Client(alone(size))
    times = 8 * EACH * size
    shown = Counter(each for _ in range(times) for each in client.addresses())

    assert client.ask()[2] & 0x02, "all fit"
    assert_even(shown, size, shown.total() / size)


@pytest.mark.parametrize("size", [2, 3, 7, 20])
def test_each_host_is_first_in_the_additional_section(size: int):
    """The hosts of a SRV set take turns in the additional section."""
    messages = Client(alone(size), "SRV").messages(EACH * size, "tcp")
    firsts = Counter(message.additional[0][0].to_text() for message in messages)

    assert_even(firsts, size, EACH)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_the_addresses_of_one_host_take_turns_in_the_additional_section(size: int):
    """A host with several addresses has each of them first, also behind a SRV set."""
    world = served(*(Endpoint((address(n),), True, "pod", "") for n in range(size)))
    messages = Client(world, "SRV").messages(EACH * size, "tcp")
    firsts = Counter(message.additional[0][0].to_text() for message in messages)

    assert_even(firsts, size, EACH)


def test_hosts_with_different_numbers_of_addresses():
    """Three hosts with one, two and three addresses: each host, and each address of a host."""
    hosts = {"one": [1], "two": [2, 3], "six": [4, 5, 6]}
    world = served(
        *(
            Endpoint((address(n),), True, host, "")
            for host, numbers in hosts.items()
            for n in numbers
        )
    )
    messages = Client(world, "SRV").messages(EACH * 6, "tcp")

    assert_even(Counter(str(message.additional[0].name) for message in messages), 3, EACH * 2)
    for host, numbers in hosts.items():
        name = dns.name.from_text(f"{host}.{NAME}.")
        firsts = Counter(
            next(rrset for rrset in message.additional if rrset.name == name)[0].to_text()
            for message in messages
        )
        assert_even(firsts, len(numbers), EACH * 6 / len(numbers))


@pytest.mark.parametrize("size", [2, 3, 4, 64])
@pytest.mark.parametrize("period", [2, 3, 4])
def test_clients_that_ask_in_step_all_see_every_address(size: int, period: int):
    """Clients that ask one after the other, always in the same order, get all addresses each."""
    client = Client(alone(size))
    firsts = [client.addresses()[0] for _ in range(EACH * size * period)]

    for number in range(period):
        seen = Counter(islice(firsts, number, None, period))
        assert size == len(seen)
        assert max(seen.values()) <= EACH * 2


def test_a_question_of_two_types_in_turn_sees_every_address():
    """Who asks for A and AAAA in turn, as resolvers do, gets each address first."""
    world = alone(2)
    v6 = Endpoint(("2001:db8::1", "2001:db8::2"), True, "", "")
    world.put(EndpointSlice("shop", "db-2", "db", "IPv6", (v6,), ()))
    a, aaaa = Client(world), Client(world, "AAAA")
    a._responder = aaaa._responder
    pairs = {(a.addresses()[0], aaaa.addresses()[0]) for _ in range(64)}

    assert 4 == len(pairs)


def test_without_loadbalance_nothing_rotates():
    """Where the server block does not ask for it, every reply has the same order."""
    world = alone(7)
    responder = Responder(
        {names.ROOT: Block(world.zones, shuffles=False)}, shuffle=random.shuffle, report=fail
    )
    packet = Client(world).packet

    assert 1 == len({responder.respond(packet, NOBODY, "udp") for _ in range(50)})


@pytest.mark.parametrize("size", [2, 7, 64, 100])
def test_every_reply_has_every_address(size: int):
    """However they are turned, a reply that is not cut has each address once."""
    for message in Client(alone(size)).messages(3 * size, "tcp"):
        assert {address(n) for n in range(size)} == {each[0].to_text() for each in message.answer}
        assert size == len(message.answer)


def packed(number: int) -> bytes:
    return names.pack_address(address(number)) or b""

"""Every scenario, asked until its replies are kept: they are those of a responder that keeps none.

Octet for octet but for the id, in the responder and through the socket of a UDP server, whatever a
client adds to its question that must not matter.
Nothing is shuffled here: turns are for `test_memo_rotation.py`.
"""

import asyncio
import random
import socket
from collections.abc import Iterator
from typing import Any

import dns.message
import msgspec
import pytest

from skydns_py import names
from skydns_py.answers.query import Query, judge
from skydns_py.answers.responder import Responder, Transport
from skydns_py.servers.bind import bind_udp
from skydns_py.servers.udp import CALLS, UdpServer
from tests.scenario import Scenario, query_packet, read_all
from tests.scenarios.serving import responder_of

SCENARIOS = [pytest.param(scenario, id=scenario.name) for scenario in read_all()]

TIMES = 4
"""Made anew and forgotten; made anew and kept; the kept one, twice."""

FLAGS = (0x0100, 0x0010, 0x0020, 0x0040, 0x0080, 0x0400, 0x0200, 0x0130)
"""RD, CD, AD, Z; RA, AA and TC, which no query should have; those of dig."""

SIZES = (0, 512, 1232, 4096, 65_535)

OPTIONS = {
    "cookie": b"\x00\x0a\x00\x08clientid",
    "padding": b"\x00\x0c\x00\x09" + bytes(9),
    "nsid": b"\x00\x03\x00\x00",
    "unknown": b"\xfd\xe9\x00\x02ab",
}


NOBODY: Any = None
"""Who asks: nothing here has to wait for its answer."""

_BUILT: dict[str, Responder] = {}


def keeping_none(scenario: Scenario) -> Responder:
    """Return a new responder over a scenario's cluster, without turns."""
    if scenario.name not in _BUILT:
        _BUILT[scenario.name] = responder_of(scenario)
    one = _BUILT[scenario.name]
    blocks = {
        apex: msgspec.structs.replace(block, shuffles=False) for apex, block in one._blocks.items()
    }
    return Responder(blocks, shuffle=one._shuffle, report=one._report)


def variants(packet: bytes) -> Iterator[bytes]:
    """Yield a packet as it is, and with what must not matter, or matters alike however it is kept.

    Packets that are no queries are left as they are.
    """
    yield packet
    query = judge(packet)
    if not isinstance(query, Query):
        return
    plain = packet[:10] + b"\x00\x00" + packet[12 : 16 + len(query.asked)]
    for flags in FLAGS:
        yield plain[:2] + flags.to_bytes(2, "big") + plain[4:]
    for size in SIZES:
        for ttl in (0, 0x8000, 0x4001):
            yield with_opt(plain, size, ttl)
    for option in OPTIONS.values():
        yield with_opt(plain, 1232, 0, option)
    yield with_opt(plain, 1232, 0x8000, b"".join(OPTIONS.values()))
    for spelled in (query.asked.upper(), spelled_by_chance(query.asked)):
        if names.fold(spelled) == query.name:
            yield plain[:12] + spelled + plain[12 + len(spelled) :]
            yield with_opt(plain[:12] + spelled + plain[12 + len(spelled) :], 1232, 0x8000)


def with_opt(packet: bytes, size: int, ttl: int, options: bytes = b"") -> bytes:
    opt = b"\x00\x00\x29" + size.to_bytes(2, "big") + ttl.to_bytes(4, "big")
    opt += len(options).to_bytes(2, "big") + options
    return packet[:10] + b"\x00\x01" + packet[12:] + opt


def spelled_by_chance(name: bytes) -> bytes:
    chance = random.Random(name)
    return bytes(
        octet - 0x20 if 0x61 <= octet <= 0x7A and chance.random() < 0.5 else octet for octet in name
    )


def every_packet(scenario: Scenario) -> list[bytes]:
    packets = (query_packet(case.question) for case in scenario.cases)
    return list(dict.fromkeys(variant for packet in packets for variant in variants(packet)))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kept_reply_is_the_one_made_anew(scenario: Scenario, transport: Transport):
    """The same packet four times, with another id each, gets the reply that is made anew."""
    keeps = keeping_none(scenario)
    for packet in every_packet(scenario):
        expected = keeping_none(scenario).respond(packet, NOBODY, transport)
        assert expected is not None
        for number in range(TIMES):
            message_id = number.to_bytes(2, "big")
            actual = keeps.respond(message_id + packet[2:], NOBODY, transport)
            assert actual is not None
            assert message_id == actual[:2]
            assert told(packet, expected) == told(packet, actual), packet


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_packets_in_any_order(scenario: Scenario):
    """Whichever packet a reply was kept for, small letters get what is made anew for them.

    Other spellings get the same records.
    """
    keeps = keeping_none(scenario)
    packets = every_packet(scenario) * 3
    random.Random(scenario.name).shuffle(packets)
    for packet in packets:
        expected = keeping_none(scenario).respond(packet, NOBODY, "udp")
        actual = keeps.respond(packet, NOBODY, "udp")
        assert told(packet, expected or b"") == told(packet, actual or b""), packet


@pytest.mark.parametrize("calls", [CALLS, None], ids=["many a call", "one a call"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_socket_gives_the_reply_made_anew(scenario: Scenario, calls):
    """What a UDP server sends, from kept replies or not, is the reply that is made anew."""
    keeps = keeping_none(scenario)
    server = UdpServer(
        bind_udp("127.0.0.1", 0), keeps.respond, hits=keeps.datagrams.hits, calls=calls
    )
    server.start(asyncio.get_running_loop())
    packets = every_packet(scenario)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(server.address)
        try:
            for _ in range(TIMES):
                for start in range(0, len(packets), 100):
                    asked = packets[start : start + 100]
                    for packet, actual in await exchanged(client, asked):
                        expected = keeping_none(scenario).respond(packet, NOBODY, "udp") or b""
                        assert told(packet, expected) == told(packet, actual), packet
        finally:
            server.close()


async def exchanged(client: socket.socket, packets: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Send packets in one go, each with its number for an id; return packets with their replies."""
    loop = asyncio.get_running_loop()
    for number, packet in enumerate(packets):
        await loop.sock_sendall(client, number.to_bytes(2, "big") + packet[2:])
    replies: dict[int, bytes] = {}
    async with asyncio.timeout(10):
        while len(replies) < len(packets):
            reply = await loop.sock_recv(client, 65_535)
            replies[int.from_bytes(reply[:2], "big")] = reply
    return [(packet, replies[number]) for number, packet in enumerate(packets)]


def told(packet: bytes, reply: bytes) -> object:
    """Return what a reply says: its octets but for the id, which are the whole truth.

    Where the question has capitals, a name that an alias points to may be written in full or as a
    pointer to the question: then its records, and the question as it is.
    """
    query = judge(packet)
    if not isinstance(query, Query) or query.asked == query.name:
        return reply[2:]
    message = dns.message.from_wire(reply, one_rr_per_rrset=True)
    records = [[rrset.to_text().lower() for rrset in section] for section in message.sections]
    return reply[2 : 16 + len(query.asked)], records, message.opt

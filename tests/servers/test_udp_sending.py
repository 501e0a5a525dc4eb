"""Answers that cannot be sent cost themselves only, and a full socket only time."""

import asyncio
import ctypes
import errno
import os
import socket
import struct
import sys
from contextlib import asynccontextmanager

import pytest

from skydns_py.servers import udp
from skydns_py.servers.bind import bind_udp
from skydns_py.servers.mmsg import Calls, PacketBlock, load_calls
from skydns_py.servers.pumps import unbound
from skydns_py.servers.udp import CALLS, UdpServer
from tests.fakes.echo import Echo, answer, question

LIMIT = 5.0
INTERFACE = socket.if_nametoindex("lo").to_bytes(4, sys.byteorder)

REAL = load_calls() or pytest.fail("these calls are there on any Linux")


class Sending:
    """`sendmmsg` by a script: a number sends that many, an error's name fails; then all is sent."""

    def __init__(self, *script):
        self.script = list(script)

    def calls(self):
        return Calls(REAL.recvmmsg, self.sendmmsg)

    def sendmmsg(self, fd, headers, count, flags):
        step = self.script.pop(0) if self.script else count
        if isinstance(step, int):
            return REAL.sendmmsg(fd, headers, min(step, count), flags)
        ctypes.set_errno(getattr(errno, step))
        return -1


@asynccontextmanager
async def asked(calls, count):
    """Serve, with `count` questions of one client waiting; yields the server and the client."""
    server = UdpServer(bind_udp("127.0.0.1", 0), Echo(), calls=calls)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for number in range(count):
            sock.sendto(question(number), server.address)
        server.start(asyncio.get_running_loop())
        try:
            yield server, sock
        finally:
            server.close()


async def receive(sock, count):
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LIMIT):
        return [await loop.sock_recv(sock, 4096) for _ in range(count)]


@pytest.mark.parametrize("error", ["ENETUNREACH", "EPERM", "EINVAL", "ENOBUFS", "EHOSTUNREACH"])
@pytest.mark.parametrize("at", [0, 5, 9])
async def test_one_fails(error, at):
    """An answer that cannot be sent is counted and skipped; those around it are sent."""
    sending = Sending(at, error) if at else Sending(error)
    async with asked(sending.calls(), 10) as (server, sock):
        answers = await receive(sock, 9)

    assert [answer(question(number)) for number in range(10) if number != at] == answers
    assert (10, 9, 1) == (
        server.counts.received,
        server.counts.answered,
        server.counts.send_errors,
    )


async def test_all_fail():
    """When nothing can be sent at all, everything is counted and the server goes on."""
    async with asked(Sending(*["ENETUNREACH"] * 10).calls(), 10) as (server, sock):
        while server.counts.send_errors < 10:
            await asyncio.sleep(0)
        sock.sendto(question(11), server.address)
        assert [answer(question(11))] == await receive(sock, 1)


async def test_partial():
    """What one call leaves over, the next one sends."""
    async with asked(Sending(1, 3, 2).calls(), 10) as (server, sock):
        answers = await receive(sock, 10)

    assert [answer(question(number)) for number in range(10)] == answers
    assert 10 == server.counts.answered


@pytest.mark.parametrize("script", [("EAGAIN",), (4, "EAGAIN"), ("EAGAIN", 1, "EAGAIN", 2)])
async def test_full_socket(script):
    """Answers wait for a full socket, and all are sent in order, with what came meanwhile."""
    async with asked(Sending(*script).calls(), 100) as (server, sock):
        answers = await receive(sock, 100)

    assert [answer(question(number)) for number in range(100)] == answers
    assert (100, 0) == (server.counts.answered, server.counts.send_errors)


async def test_full_socket_at_the_end():
    """Answers kept back by a full socket are sent before the server closes."""
    async with asked(Sending("EAGAIN").calls(), 10) as (server, sock):
        await asyncio.sleep(0)
        server.close()
        answers = await receive(sock, 10)

    assert 10 == len(answers)


async def test_full_for_long(monkeypatch):
    """After its limit a full socket's answers are given up, and new questions are answered."""
    monkeypatch.setattr(udp, "_FULL_LIMIT", 0.0)
    sending = Sending("EAGAIN")
    async with asked(sending.calls(), 10) as (server, sock):
        # Keeps the loop from seeing the socket writable first.
        monkeypatch.setattr(asyncio.get_running_loop(), "add_writer", lambda *_: None)
        while not server.counts.send_errors:
            await asyncio.sleep(0)
        sock.sendto(question(11), server.address)
        assert [answer(question(11))] == await receive(sock, 1)

    assert 10 == server.counts.send_errors


@pytest.mark.parametrize("calls", [CALLS, None], ids=["batches", "single"])
async def test_broken_socket(calls):
    """An error of receiving is counted, and ends the turn instead of spinning in it."""
    server = UdpServer(bind_udp("127.0.0.1", 0), Echo(), calls=calls)
    os.dup2(os.open(os.devnull, os.O_RDONLY), server._sock.fileno())

    server.drain()

    assert 1 == server.counts.receive_errors
    server.close()


@pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.0.0.2"), ("::", "::1")])
def test_the_routes_choose_the_way_back(wildcard, asked):
    """Of where a packet came in, an answer keeps the address, and leaves the interface open."""
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    with bind_udp(wildcard, 0) as sock, socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (asked, sock.getsockname()[1]))
        block = PacketBlock(sock, REAL, 4)

        assert 1 == block.receive()
        ((_, _, data),) = block.control(0)
        packed = socket.inet_pton(family, asked)
        interface = data[16:20] if family == socket.AF_INET6 else data[:4]
        assert packed in data
        assert bytes(4) == interface


@pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.0.0.2"), ("::", "::1")])
def test_the_routes_choose_the_way_back_one_by_one(wildcard, asked):
    """The same holds for a packet that is received alone."""
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    with bind_udp(wildcard, 0) as sock, socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (asked, sock.getsockname()[1]))
        _, ((level, _, data),), _, _ = sock.recvmsg(100, 100)

        packed = socket.inet_pton(family, asked)
        assert data != unbound(level, data)
        assert packed in unbound(level, data)
        assert data.replace(INTERFACE, bytes(4), 1) == unbound(level, data)


@pytest.mark.skipif(os.getuid() != 0, reason="forges a packet, which takes a raw socket")
@pytest.mark.parametrize("calls", [CALLS, None], ids=["batches", "single"])
async def test_forged_port(calls):
    """A packet from port 0, to which nothing can be sent, costs its neighbours nothing."""
    server = UdpServer(bind_udp("127.0.0.1", 0), Echo(), calls=calls)
    target = server.address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(question(1), target)
        forge(question(2), port=0, target=target)
        sock.sendto(question(3), target)
        server.start(asyncio.get_running_loop())
        answers = await receive(sock, 2)
    server.close()

    assert [answer(question(1)), answer(question(3))] == answers
    assert (3, 2, 1) == (
        server.counts.received,
        server.counts.answered,
        server.counts.send_errors,
    )


def forge(packet, port, target):
    """Send a UDP packet that names `port` as its origin; the kernel fills in the IP header."""
    header = struct.pack(">4H", port, target[1], 8 + len(packet), 0)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(header + packet, (target[0], 0))

"""No client of a TCP server can keep the others out, hold what is theirs, or stay for ever."""

import asyncio
import os
import resource
import socket
import struct
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from skydns_py.servers.bind import bind_tcp
from skydns_py.servers.crowd import Ending, TcpLimits
from skydns_py.servers.framing import frame
from skydns_py.servers.tcp import TcpServer
from tests.fakes.echo import Echo, answer, question

LIMIT = 20.0
LARGE = "large.example.org"


@asynccontextmanager
async def serving(respond=None, **limits):
    chosen = {"sweep": 0.01, "connections": 1000} | limits
    server = TcpServer(bind_tcp("127.0.0.1", 0), respond or Echo(), limits=TcpLimits(**chosen))
    await server.start()
    try:
        async with asyncio.timeout(LIMIT):
            yield server
    finally:
        await server.close(grace=0)


class Peer:
    """A client that does just what it is told; it neither reads nor closes of itself."""

    def __init__(self, sock):
        self.sock = sock
        self.loop = asyncio.get_running_loop()

    async def send(self, data):
        await self.loop.sock_sendall(self.sock, data)

    async def receive(self):
        length = await self.read(2)
        return await self.read(int.from_bytes(length, "big"))

    async def read(self, count):
        data = b""
        while len(data) < count:
            data += await self.loop.sock_recv(self.sock, count - len(data)) or self.fail()
        return data

    def fail(self):
        raise EOFError

    async def is_ended(self):
        """Read until the end, and say that it came."""
        try:
            while await self.loop.sock_recv(self.sock, 65_536):
                pass
        except ConnectionResetError:
            pass
        return True


@asynccontextmanager
async def peer(server, receive_buffer=None):
    with socket.socket() as sock:
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, server.address)
        yield Peer(sock)


async def is_answered(server):
    """Say whether somebody who comes now is answered."""
    async with peer(server) as client:
        await client.send(frame(question(9)))
        return answer(question(9)) == await client.receive()


async def test_idle_from_the_start():
    """Who connects and asks nothing has to go, soon."""
    async with serving(idle_new=0.02, idle=600) as server, peer(server) as client:
        assert await client.is_ended()
        assert {Ending.IDLE: 1} == server.counts.ended


async def test_idle_after_an_answer():
    """Who was answered may stay longer, but not for ever."""
    async with serving(idle_new=600, idle=0.02) as server, peer(server) as client:
        await client.send(frame(question(1)))
        assert answer(question(1)) == await client.receive()

        assert await client.is_ended()
        assert {Ending.IDLE: 1} == server.counts.ended


async def test_only_silence_is_idle():
    """Messages that deserve no answer are no sign of life: responses, for one."""
    async with serving(idle_new=0.02, idle=600) as server, peer(server) as client:
        await client.send(frame(question(1, "silent.example.org")))

        assert await client.is_ended()
        assert {Ending.IDLE: 1} == server.counts.ended


async def test_answers_to_wait_for_are_not_idle():
    """Who waits for an answer has the time of one that was answered."""
    echo = Echo()
    async with serving(echo, idle_new=0.02, idle=600) as server, peer(server) as client:
        await client.send(frame(question(1, "later.example.org")))
        async with peer(server) as other:
            await other.is_ended()

        packet, later = echo.waiting[0]
        later(answer(packet))
        assert answer(packet) == await client.receive()


async def test_half_message():
    """A message has to come whole within its time, whatever trickles in meanwhile."""
    async with serving(message=0.05, idle_new=600) as server, peer(server) as client:
        for octet in frame(question(1))[:-1]:
            await client.send(bytes((octet,)))

        assert await client.is_ended()
        assert {Ending.MESSAGE: 1} == server.counts.ended


async def test_trickle_is_timed_from_the_first_octet():
    """Whole messages before it do not make the time of a half message longer or shorter."""
    async with serving(message=0.05, idle=600) as server, peer(server) as client:
        await client.send(frame(question(1)) + frame(question(2))[:1])
        assert answer(question(1)) == await client.receive()

        assert await client.is_ended()
        assert {Ending.MESSAGE: 1} == server.counts.ended


async def test_crowded():
    """When many are connected, the idle have to go sooner."""
    limits = {"connections": 8, "idle_new": 600, "idle_crowded": 0.02}
    async with serving(**limits) as server, many(server, 7) as peers:
        assert await peers[0].is_ended()
        assert Ending.IDLE in server.counts.ended


async def test_full():
    """When all places are taken, who has been quiet longest makes room for the next."""
    limits = {"connections": 4, "idle_new": 600, "idle": 600, "crowded": 1.0}
    async with serving(**limits) as server, many(server, 4) as peers:
        await peers[0].send(frame(question(1)))
        assert answer(question(1)) == await peers[0].receive()

        assert await is_answered(server)
        assert await peers[1].is_ended()
        await peers[0].send(frame(question(2)))
        assert answer(question(2)) == await peers[0].receive()
        assert {Ending.CROWDED: 1} == server.counts.ended


async def test_two_thousand():
    """2,000 connections that only stay do not keep the next one from its answer (RFC 9210 4)."""
    with descriptors(5000):
        limits = {"connections": 500, "idle_new": 600, "crowded": 1.0}
        async with serving(**limits) as server, many(server, 2000):
            assert await is_answered(server)
            assert server.connections <= 500


@pytest.mark.parametrize("count", [1, 40])
async def test_never_reads(count):
    """Clients that ask and never read are not read any more, and then have to go."""
    echo = Echo()
    serving_echo = serving(echo, unread=0.1, idle=600)
    async with serving_echo as server, many(server, count, receive_buffer=4096) as peers:
        for client in peers:
            await client.send(frame(question(1, LARGE)) * 200)
        while server.counts.ended[Ending.UNREAD] + server.counts.ended[Ending.MEMORY] < count:
            await asyncio.sleep(0.01)

        # What the kernel takes, and not much more, was answered before reading stopped.
        assert len(echo.asked) < 200 * count
        assert await is_answered(server)


async def test_slow_reader_stays():
    """Who reads slowly but steadily gets everything."""
    async with serving(idle=600) as server, peer(server, receive_buffer=4096) as client:
        await client.send(frame(question(1, LARGE)) * 100)

        sizes = [len(await client.receive()) for _ in range(100)]
        assert [60_000] * 100 == sizes
        assert {} == server.counts.ended


async def test_unread_at_the_end():
    """A connection that is closing does not wait for ever for its last answers to be read."""
    limits = {"unread": 0.1, "idle": 0.05, "backlog": 2**30, "memory": 2**30}
    async with serving(Echo(), **limits) as server, peer(server, receive_buffer=4096) as client:
        await client.send(frame(question(1, LARGE)) * 200)
        while server.connections:
            await asyncio.sleep(0.01)

        assert await client.is_ended()


async def test_memory_of_all():
    """Half messages of many together hold no more than is allowed; who came first with one goes."""
    async with serving(memory=310_000, message=600, idle_new=600) as server:
        half = frame(bytes(60_000))[:-1]
        async with many(server, 8) as peers:
            for client in peers:
                await client.send(half)
            while server.counts.ended[Ending.MEMORY] < 3:
                await asyncio.sleep(0.01)

            assert await peers[0].is_ended()
            await peers[7].send(b"\x00")
            assert 60_000 == len(await peers[7].receive())
            assert await is_answered(server)
            assert {Ending.MEMORY: 3} == server.counts.ended


async def test_others_have_their_turn():
    """While one client floods, another one's question is answered after a turn or two."""
    echo = Echo()
    async with serving(echo, turn=5) as server, peer(server) as flood, peer(server) as client:
        await is_answered(server)
        await flood.send(frame(question(1)) * 400)
        await client.send(frame(question(2)))
        assert answer(question(2)) == await client.receive()
        port = client.sock.getsockname()[1]

        # One for `is_answered`, and some turns of the flood; not all of it.
        assert [asked[1] for asked in echo.asked].index(port) < 100


async def test_resets():
    """Clients that reset their connections leave nothing behind."""
    async with serving() as server:
        for _ in range(20):
            async with peer(server) as client:
                await client.send(frame(question(1)))
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert await is_answered(server)
        while server.connections:
            await asyncio.sleep(0)


async def test_no_descriptors_while_others_are_idle():
    """Without descriptors idle connections make room, and the next client is answered."""
    async with serving(pause=0.05, idle_new=600) as server, many(server, 3) as peers:
        while server.connections < 3:
            await asyncio.sleep(0)
        with socket.create_connection(server.address) as late, no_descriptors_left():
            late.setblocking(False)
            client = Peer(late)
            await client.send(frame(question(1)))

            assert answer(question(1)) == await client.receive()
            assert await peers[0].is_ended()
            assert 1 == server.counts.exhausted


async def test_no_descriptors_at_all():
    """Without descriptors nor connections to end, who comes is turned away without spinning."""
    server = TcpServer(
        bind_tcp("127.0.0.1", 0), Echo(), limits=TcpLimits(pause=0.05, connections=10)
    )
    async with asyncio.timeout(LIMIT):
        with socket.create_connection(server.address) as early:
            early.setblocking(False)
            await server.start()
            with no_descriptors_left():
                assert await Peer(early).is_ended()
                assert 1 == server.counts.exhausted
                assert {Ending.DESCRIPTORS: 1} == server.counts.ended
        assert await is_answered(server)
    await server.close()


async def test_no_descriptors_no_spinning():
    """While nobody can be accepted nor turned away, the loop does not look again all the time."""
    server = TcpServer(
        bind_tcp("127.0.0.1", 0), Echo(), limits=TcpLimits(pause=600, connections=10)
    )
    await server.start()
    server._close_reserve()
    with socket.create_connection(server.address), no_descriptors_left():
        while not server.counts.exhausted:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert 1 == server.counts.exhausted
    await server.close()


async def test_nothing_stays_open():
    """A server that has closed leaves as many descriptors as there were before."""
    before = open_descriptors()
    async with serving() as server, many(server, 20):
        assert await is_answered(server)

    assert len(before) == len(open_descriptors())


def test_default_places():
    """Half the descriptors are for connections, so that the rest goes on without them."""
    with descriptors(1000):
        assert 500 == TcpLimits().connections
    with descriptors(3):
        assert 1 == TcpLimits().connections


@asynccontextmanager
async def many(server, count, receive_buffer=None):
    """Connect `count` clients, one after the other."""
    peers = []
    try:
        for _ in range(count):
            sock = socket.socket()
            peers.append(Peer(sock))
            sock.setblocking(False)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            await asyncio.get_running_loop().sock_connect(sock, server.address)
        yield peers
    finally:
        for client in peers:
            client.sock.close()


def open_descriptors():
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


@contextmanager
def descriptors(count):
    """Allow this process `count` descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_descriptors_left():
    """Allow this process no descriptor more than it has: gaps below are filled."""
    fillers = []
    with descriptors(max(open_descriptors()) + 1):
        try:
            while True:
                fillers.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        try:
            yield
        finally:
            for filler in fillers:
                os.close(filler)

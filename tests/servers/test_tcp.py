"""A TCP connection carries queries as RFC 7766 lets clients send them."""

import asyncio
import shutil
import socket
import ssl
import struct
from contextlib import asynccontextmanager

import pytest
import trustme

from skydns_py.servers.bind import bind_tcp
from skydns_py.servers.crowd import Ending, TcpLimits
from skydns_py.servers.framing import frame
from skydns_py.servers.tcp import TcpServer
from tests.fakes.echo import Echo, answer, question

LIMIT = 10.0


@asynccontextmanager
async def serving(respond=None, address="127.0.0.1", tls=None, **limits):
    server = TcpServer(bind_tcp(address, 0), respond or Echo(), limits=TcpLimits(**limits), tls=tls)
    await server.start()
    try:
        async with asyncio.timeout(LIMIT):
            yield server
    finally:
        await server.close(grace=0)


@asynccontextmanager
async def connection(server, **options):
    reader, writer = await asyncio.open_connection(*server.address, **options)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def receive(reader):
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_answers(address):
    """A question gets its answer, and the responder can see who asked."""
    echo = Echo()
    async with serving(echo, address) as server, connection(server) as (reader, writer):
        writer.write(frame(question(7)))

        assert answer(question(7)) == await receive(reader)
        assert [(address, writer.get_extra_info("sockname")[1], "tcp")] == echo.asked


async def test_many_on_one_connection():
    """A connection stays open for one question after the other."""
    async with serving() as server, connection(server) as (reader, writer):
        for number in range(20):
            writer.write(frame(question(number)))
            assert answer(question(number)) == await receive(reader)

        assert (1, 20, 20) == (
            server.counts.accepted,
            server.counts.received,
            server.counts.answered,
        )


@pytest.mark.parametrize("turn", [1, 7, 100])
async def test_pipelined(turn):
    """Questions sent without waiting are all answered, however small a turn is."""
    async with serving(turn=turn) as server, connection(server) as (reader, writer):
        writer.write(b"".join(frame(question(number)) for number in range(1500)))

        assert [answer(question(number)) for number in range(1500)] == [
            await receive(reader) for _ in range(1500)
        ]


@pytest.mark.parametrize("size", [1, 5])
async def test_split_anywhere(size):
    """Questions may come in pieces of any size."""
    stream = frame(question(1)) + frame(question(2))
    async with serving() as server, connection(server) as (reader, writer):
        for at in range(0, len(stream), size):
            writer.write(stream[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)

        assert [answer(question(1)), answer(question(2))] == [
            await receive(reader) for _ in range(2)
        ]


async def test_longest():
    """A question and an answer as long as the frame allows pass whole."""
    asked = question(1).ljust(65_535, b"\x00")
    async with serving() as server, connection(server) as (reader, writer):
        writer.write(frame(asked))

        assert answer(asked) == await receive(reader)


async def test_half_close():
    """A client that has finished asking still gets all its answers, then the end."""
    async with serving(turn=3) as server, connection(server) as (reader, writer):
        writer.write(b"".join(frame(question(number)) for number in range(50)))
        writer.write_eof()

        answers = [await receive(reader) for _ in range(50)]
        assert [answer(question(number)) for number in range(50)] == answers
        assert b"" == await reader.read()


async def test_half_close_and_slow_reading():
    """Answers that the kernel has no room for reach a client that had finished asking."""
    async with serving(Echo()) as server, connection(server, limit=2048) as (reader, writer):
        count = 300
        writer.write(
            b"".join(frame(question(number, "large.example.org")) for number in range(count))
        )
        writer.write_eof()

        answers = [await receive(reader) for _ in range(count)]
        assert [60_000] * count == [len(reply) for reply in answers]
        assert b"" == await reader.read()


async def test_any_order():
    """An answer that has to wait is overtaken by those behind it (RFC 7766 6.2.1.1)."""
    echo = Echo()
    async with serving(echo) as server, connection(server) as (reader, writer):
        writer.write(frame(question(1, "later.example.org")) + frame(question(2)))
        assert answer(question(2)) == await receive(reader)
        packet, later = echo.waiting[0]
        later(answer(packet))

        assert answer(question(1, "later.example.org")) == await receive(reader)


async def test_half_close_waits_for_later_answers():
    """A client that has finished asking still gets the answer that has to wait."""
    echo = Echo()
    async with serving(echo) as server, connection(server) as (reader, writer):
        writer.write(frame(question(1, "later.example.org")) + frame(question(2)))
        writer.write_eof()
        assert answer(question(2)) == await receive(reader)
        packet, later = echo.waiting[0]
        later(answer(packet))

        assert answer(packet) == await receive(reader)
        assert b"" == await reader.read()


async def test_many_answers_to_wait_for():
    """Past so many promised answers nothing more is read, until one of them is given."""
    echo = Echo()
    async with serving(echo, waiting=3) as server, connection(server) as (reader, writer):
        for number in range(5):
            writer.write(frame(question(number, "later.example.org")))
        writer.write(frame(question(5)))
        while len(echo.waiting) < 3:
            await asyncio.sleep(0)
        async with connection(server) as (other_reader, other):
            other.write(frame(question(6)))
            await receive(other_reader)
        assert 3 == len(echo.waiting)

        for number in range(5):
            packet, later = echo.waiting[number]
            later(None if number == 1 else answer(packet))
            while number < 2 and len(echo.waiting) < 4 + number:
                await asyncio.sleep(0)
        numbers = [int.from_bytes((await receive(reader))[:2], "big") for _ in range(5)]

        assert {0, 2, 3, 4, 5} == set(numbers)


async def test_answer_for_who_has_left():
    """An answer that comes after its client has gone is dropped in silence."""
    echo = Echo()
    async with serving(echo) as server:
        async with connection(server) as (_, writer):
            writer.write(frame(question(1, "later.example.org")))
            while not echo.waiting:
                await asyncio.sleep(0)
            # Resets instead of finishing, which would be a wish for the answers still to come.
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while server.connections:
            await asyncio.sleep(0)

        packet, later = echo.waiting[0]
        later(answer(packet))

        assert 0 == server.counts.answered


async def test_silence():
    """A message that stays unanswered leaves the connection and its other questions alone."""
    async with serving() as server, connection(server) as (reader, writer):
        writer.write(frame(question(1, "silent.example.org")) + frame(question(2)))

        assert answer(question(2)) == await receive(reader)
        assert 1 == server.counts.dropped


@pytest.mark.parametrize("length", [0, 11])
async def test_no_message(length):
    """A stream that is no DNS ends the connection, after the answers to what came before."""
    async with serving() as server, connection(server) as (reader, writer):
        writer.write(frame(question(1)) + frame(bytes(length)))

        assert answer(question(1)) == await receive(reader)
        assert b"" == await reader.read()
        assert {Ending.FRAMING: 1} == server.counts.ended


async def test_close_answers_what_came():
    """Closing answers what was asked, also by who was not accepted yet, and ends the idle."""
    server = TcpServer(bind_tcp("127.0.0.1", 0), Echo())
    await server.start()
    async with (
        asyncio.timeout(LIMIT),
        connection(server) as (idle, _),
        connection(server) as (reader, writer),
    ):
        with socket.create_connection(server.address) as late:
            late.sendall(frame(question(2)))
            writer.write(frame(question(1)))
            await server.close(grace=600)

            assert answer(question(1)) == await receive(reader)
            assert b"" == await reader.read()
            assert b"" == await idle.read()
            assert frame(answer(question(2))) == late.recv(4096)
            assert b"" == late.recv(4096)
    assert 0 == server.connections


async def test_close_has_a_limit():
    """A client in the middle of a message does not keep the server from closing."""
    server = TcpServer(bind_tcp("127.0.0.1", 0), Echo())
    await server.start()
    async with asyncio.timeout(LIMIT), connection(server) as (reader, writer):
        writer.write(frame(question(1))[:5])
        await server.close(grace=0.05)

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    assert {Ending.SHUTDOWN: 1} == server.counts.ended


async def test_close_refuses_the_next():
    """A closed server's port is free, and closing twice does nothing."""
    async with serving() as server:
        address = server.address
        await server.close()
        await server.close()

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


async def test_tls(authority):
    """Inside TLS it is the same (RFC 7858), and the responder knows."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("dns.example.org").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    echo = Echo()
    async with serving(echo, tls=tls) as server:
        options = {"ssl": trusting, "server_hostname": "dns.example.org"}
        async with connection(server, **options) as (reader, writer):
            writer.write(b"".join(frame(question(number)) for number in range(300)))

            assert [answer(question(number)) for number in range(300)] == [
                await receive(reader) for _ in range(300)
            ]
            assert "tls" == echo.asked[0][2]


async def test_tls_without_a_handshake(authority):
    """Who connects and never speaks TLS is let go after the time of a message."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("dns.example.org").configure_cert(tls)
    async with serving(tls=tls, message=0.05) as server, connection(server) as (reader, _):
        assert b"" == await reader.read()
        while server.connections:
            await asyncio.sleep(0)
        assert {Ending.HANDSHAKE: 1} == server.counts.ended


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not here")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_dig(address):
    """The program dig accepts what comes back over TCP."""
    async with serving(address=address) as server:
        process = await asyncio.create_subprocess_exec(
            *("dig", f"@{address}", "-p", str(server.address[1]), "+tcp", "+tries=1", "+time=3"),
            *("+noedns", "+noad", "www.example.org"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    assert 0 == process.returncode
    assert b"status: NOERROR" in output

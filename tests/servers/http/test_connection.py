"""The limits of one connection, over real sockets and with short times."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.servers.http import door
from skydns_py.servers.http.connection import Limits, OpenHead

Start = Callable[..., Awaitable[Any]]

REQUEST = b"GET /fine HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENT = Limits(idle=60, linger=0.1)
SHORT = Limits(idle=0.3, send=0.3, linger=0.3)


async def fine(_request: web.Request) -> web.Response:
    return web.Response(text="fine")


async def large(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(32 * 1024 * 1024))


def application() -> web.Application:
    routes = [web.get("/fine", fine), web.get("/large", large)]
    return door.application(routes, trusted=())


async def read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the server hangs up, which it has to do long before ten seconds are over."""
    found = b""
    async with asyncio.timeout(10):
        try:
            while piece := await reader.read(65_536):
                found += piece
        except ConnectionError:
            pass
    return found


@pytest.mark.parametrize("sent", [b"", b"GET", REQUEST[:-2], REQUEST + REQUEST[:-2]])
async def test_a_head_that_does_not_come(start: Start, sent: bytes) -> None:
    """A head that is not complete in time is the end, at the start and after an answer."""
    server = await start(application(), limits=SHORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    reply = await read_to_the_end(reader)
    writer.close()

    assert sent.count(b"\r\n\r\n") == reply.count(b"HTTP/1.1 200 OK")


async def test_a_head_that_drips(start: Start) -> None:
    """A head of which some comes ever again is the end too: what counts is when it began."""
    server = await start(application(), limits=SHORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def drip() -> None:
        writer.write(b"GET /fine HTTP/1.1\r\nHost: localhost\r\n")
        while not writer.is_closing():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.02)

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        dripping = tasks.create_task(drip())
        reply = await read_to_the_end(reader)
        dripping.cancel()
    writer.close()

    assert b"" == reply


async def test_an_idle_connection(start: Start) -> None:
    """A connection kept alive answers again, and ends when nothing is asked any more."""
    server = await start(application(), limits=SHORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(2):
        writer.write(REQUEST)
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 OK")

    assert b"" == await read_to_the_end(reader)
    writer.close()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"X: y\r\n" * 4_000, b" 431 "),
        (b"X: y\r\n" * 4_000 + b"\r\n", b" 431 "),
        (b"X: y\r\n" * 200 + b"\r\n", b" 400 "),
        (b"X: " + b"y" * 7_000 + b"\r\nY: " + b"y" * 7_000 + b"\r\n\r\n", b" 200 "),
        (b"".join(b"%c: %s\r\n" % (c, b"y" * 7_000) for c in b"XYZ") + b"\r\n", b" 431 "),
    ],
    ids=["open", "ended", "too many fields", "below", "long fields"],
)
async def test_a_head_that_is_too_long(start: Start, fields: bytes, expected: bytes) -> None:
    """A head above 16 kB is 431, also in the parser's limits; one with too many fields is 400."""
    server = await start(application(), limits=PATIENT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /fine HTTP/1.1\r\nHost: a.svc\r\nConnection: close\r\n" + fields)
    reply = await read_to_the_end(reader)
    writer.close()

    assert expected in reply.partition(b"\r\n")[0]


async def test_a_second_head_that_is_too_long(start: Start) -> None:
    """A head above 16 kB after an answer is the end; the answer before it stays whole."""
    server = await start(application(), limits=PATIENT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST)
    assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 OK")
    writer.write(b"GET /fine HTTP/1.1\r\n" + b"X: y\r\n" * 4_000)

    assert b" 200 " not in await read_to_the_end(reader)
    writer.close()


@pytest.mark.parametrize("size", [1_000, 2_000_000])
async def test_a_body_is_not_waited_for(start: Start, size: int) -> None:
    """A body is refused at once, before it came, and the connection with it."""
    server = await start(application(), limits=SHORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
    writer.write(bytes(size // 2))
    reply = await read_to_the_end(reader)
    writer.close()

    assert reply.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")


async def test_an_answer_that_is_not_read(start: Start) -> None:
    """Who does not read an answer is cut off, and nothing of the answer stays in memory."""
    server = await start(application(), limits=SHORT)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.sendall(REQUEST.replace(b"fine", b"large"))
        async with asyncio.timeout(10):
            while server.connections == 0:
                await asyncio.sleep(0.01)
            while server.connections:
                await asyncio.sleep(0.01)

    assert 0 == server.connections


async def test_pipelined_requests(start: Start) -> None:
    """Requests in one packet are each answered, in order."""
    server = await start(application(), limits=SHORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST * 100)
    reply = await read_to_the_end(reader)
    writer.close()

    assert 100 == reply.count(b"HTTP/1.1 200 OK")


pieces = st.lists(st.sampled_from([b"\r\n\r\n", b"\r\n", b"\r", b"\n", b"a", b"bcd"]), max_size=30)


@given(pieces, st.integers(1, 5))
def test_heads_are_measured_however_they_are_cut(parts: list[bytes], size: int) -> None:
    """The sizes of heads, and how many ended, are the same for a whole and for its pieces."""
    data = b"".join(parts)
    head = OpenHead()
    found = [head.feed(data[start : start + size]) for start in range(0, len(data), size)]
    sizes = [len(each) for each in data.split(b"\r\n\r\n")]

    assert sizes == OpenHead().feed(data)
    if found:
        # A head fed in pieces is measured on its way too, with up to three octets of its end.
        assert max(sizes) <= max(map(max, found)) <= max(sizes) + 3
        assert sizes[-1] == found[-1][-1]
        assert len(sizes) - 1 == sum(len(each) - 1 for each in found)

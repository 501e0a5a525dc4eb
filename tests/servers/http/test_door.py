"""Who is let in, and what every answer carries, refusals included."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from skydns_py.servers.http import door
from skydns_py.servers.http.server import HttpServer

Ask = Callable[..., Awaitable[Any]]
Start = Callable[..., Awaitable[Any]]


async def fine(_request: web.Request) -> web.Response:
    return web.Response(text="fine")


async def broken(_request: web.Request) -> web.Response:
    raise KeyError("secret")


def application() -> web.Application:
    routes = [web.get("/fine", fine), web.get("/broken", broken)]
    return door.application(routes, trusted=["node-1.example.org"])


async def exchange(server: HttpServer, request: bytes) -> bytes:
    """Send octets and return everything until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1:80", "[::1]", "localhost", "NODE-1.example.org."])
async def test_known_hosts(ask: Ask, host: str) -> None:
    """A request under a name that is ours is answered."""
    reply = await ask(application(), "/fine", headers={"Host": host})

    assert (200, "fine") == (reply.status, reply.text)


@pytest.mark.parametrize("path", ["/fine", "/nothing"])
async def test_foreign_hosts(ask: Ask, path: str) -> None:
    """A request under a stranger's name is 421, whatever it asks for."""
    reply = await ask(application(), path, headers={"Host": "rebound.example.org"})

    assert 421 == reply.status
    assert reply.text.startswith("This server is not known as 'rebound.example.org': ")


@pytest.mark.parametrize(
    ("target", "status"), [("rebound.example.org", 421), ("localhost", 200), ("[2001:db8::1]", 200)]
)
async def test_an_absolute_target(start: Start, target: str, status: int) -> None:
    """The host of an absolute target counts, as well as the Host field (RFC 9112, 3.2.2)."""
    server = await start(application())
    request = f"GET http://{target}/fine HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    reply = await exchange(server, request.encode())

    assert reply.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    "fields",
    [b"", b"Host: localhost\r\nHost: localhost\r\n", b"Host: a b\r\n", b"Host: [x]\r\n"],
)
async def test_bad_host_fields(start: Start, fields: bytes) -> None:
    """No Host field, two of them, or one that is no host, is 400."""
    server = await start(application())
    request = b"GET /fine HTTP/1.1\r\nConnection: close\r\n" + fields + b"\r\n"
    reply = await exchange(server, request)

    assert reply.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))


async def test_http_1_0_without_host(start: Start) -> None:
    """HTTP/1.0 may leave the Host field out."""
    server = await start(application())
    reply = await exchange(server, b"GET /fine HTTP/1.0\r\n\r\n")

    assert reply.startswith(b"HTTP/1.0 200 OK\r\n")
    assert reply.endswith(b"\r\n\r\nfine")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/fine", "/nothing"])
async def test_other_methods(ask: Ask, method: str, path: str) -> None:
    """Methods other than GET and HEAD are 405 with those that are allowed, a preflight too."""
    headers = {"Origin": "http://rebound.example.org", "Access-Control-Request-Method": "GET"}
    reply = await ask(application(), path, method, headers=headers)

    assert 405 == reply.status
    assert {"GET", "HEAD"} == set(reply.headers["Allow"].split(","))
    assert not [name for name in reply.headers if name.startswith("Access-Control")]


async def test_a_request_with_a_body(ask: Ask) -> None:
    """A GET with a body is 400."""
    reply = await ask(application(), "/fine", data=b"x")

    assert (400, "A request has no body here, and this one has.\n") == (reply.status, reply.text)


@pytest.mark.parametrize("path", ["/fine", "/nothing", "/broken"])
async def test_fields_of_every_answer(ask: Ask, path: str) -> None:
    """Every answer says no-store and nosniff, opens nothing to strangers, tells no version."""
    reply = await ask(application(), path, headers={"Origin": "http://rebound.example.org"})

    assert "skydns-py" == reply.headers["Server"]
    assert "no-store" == reply.headers["Cache-Control"]
    assert "nosniff" == reply.headers["X-Content-Type-Options"]
    assert "Access-Control-Allow-Origin" not in reply.headers


async def test_a_bug(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """A bug is 500 without a trace, and the trace is in the log."""
    with caplog.at_level(logging.ERROR):
        reply = await ask(application(), "/broken")

    assert 500 == reply.status
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\r\n\r\n",
        b"hello\r\n\r\n",
        b"BREW /fine HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /fine HTTP/9.9\r\n\r\n",
        b"GET /fine HTTP/1.1\r\nHost: localhost\r\nbad field: x\r\n\r\n",
        b"GET /fine HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /fine HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_not_http(
    start: Start, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no HTTP is 400 and the end, with a sentence and without a trace anywhere."""
    server = await start(application())
    with caplog.at_level(logging.INFO):
        reply = await exchange(server, request_bytes)

    head, _, body = reply.partition(b"\r\n\r\n")
    assert b" 400 " in head.split(b"\r\n")[0]
    assert b"\r\nServer: skydns-py\r\n" in head
    assert b"aiohttp" not in reply
    assert body.startswith(b"What came could not be read as HTTP/1.1")
    assert "" == caplog.text


@pytest.mark.parametrize(
    "path",
    ["/%00", "/%ff%fe", "/%0d%0aSet-Cookie:%20a=b", "//rebound.example.org/", "/../../etc/passwd"],
)
async def test_odd_paths(start: Start, path: str) -> None:
    """An odd path is 404, and nothing in it becomes a field of the answer."""
    server = await start(application())
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    reply = await exchange(server, request.encode())

    assert reply.startswith(b"HTTP/1.1 404 ")
    assert b"Set-Cookie" not in reply.partition(b"\r\n\r\n")[0]

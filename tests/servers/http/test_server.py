"""Listening and closing."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from skydns_py.errors import SettingsError
from skydns_py.servers.http.probes import health_application
from skydns_py.servers.http.server import serve

Start = Callable[..., Awaitable[Any]]


async def status_of(host: str, port: int) -> int:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://{host}:{port}/health") as response,
    ):
        return response.status


async def test_several_addresses() -> None:
    """One application is served at several addresses, each told with its port."""
    server = await serve(health_application(), [("127.0.0.1", 0), ("127.0.0.2", 0)])
    try:
        assert ["127.0.0.1", "127.0.0.2"] == [host for host, _ in server.addresses]
        assert [200, 200] == [await status_of(*address) for address in server.addresses]
    finally:
        await server.close()


async def test_all_addresses() -> None:
    """An empty host is all addresses of the machine, of both families under one port."""
    server = await serve(health_application(), [("", 0)])
    hosts = ["127.0.0.1", "[::1]"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
    try:
        assert [200 for _ in hosts] == [await status_of(host, server.port) for host in hosts]
    finally:
        await server.close()


async def test_a_name() -> None:
    """A name is listened at where its first IPv4 address is."""
    server = await serve(health_application(), [("localhost", 0)])
    await server.close()

    assert "127.0.0.1" == server.addresses[0][0]


async def test_an_address_that_is_taken() -> None:
    """An address that is taken is told in a sentence, and none of the others is kept."""
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port, free_port = other.getsockname()[1], free.getsockname()[1]
        free.close()
        with pytest.raises(
            SettingsError,
            match=f"HTTP cannot be served at 127.0.0.1 port {port}: Address already in use. ",
        ):
            await serve(health_application(), [("127.0.0.1", free_port), ("127.0.0.1", port)])
        socket.create_server(("127.0.0.1", free_port)).close()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (("192.0.2.1", 0), "Cannot assign requested address"),
        (("no.example.invalid.", 0), "known|failure"),
        (("127.0.0.1", 65_536), "port must be 0-65535"),
        (("", -1), "port must be 0-65535"),
        (("a" * 300, 0), "too long|known"),
    ],
)
async def test_addresses_that_are_none(address: tuple[str, int], reason: str) -> None:
    """An address that is another machine's, unknown, or none at all is told in a sentence."""
    with pytest.raises(SettingsError, match=f"HTTP cannot be served at .*: .*{reason}"):
        await serve(health_application(), [address])


async def test_after_a_close() -> None:
    """After a close nothing listens, and a connection kept alive is gone."""
    server = await serve(health_application(), [("127.0.0.1", 0)])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\nOK")
    await server.close()

    async with asyncio.timeout(10):
        assert b"" == await reader.read()
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_an_answer_during_a_close() -> None:
    """An answer being made at a close is finished within the grace."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        asked.set()
        await go.wait()
        return web.Response(text="late")

    application = web.Application()
    application.router.add_get("/slow", slow)
    server = await serve(application, [("127.0.0.1", 0)])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        await asked.wait()
        tasks.create_task(server.close())
        go.set()
        reply = await reader.read()
    writer.close()

    assert reply.endswith(b"late")


async def test_a_close_does_not_wait_for_ever() -> None:
    """An answer that never comes does not keep a close from ending."""
    asked = asyncio.Event()

    async def endless(_request: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    application = web.Application()
    application.router.add_get("/endless", endless)
    server = await serve(application, [("127.0.0.1", 0)], grace=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        await asked.wait()
        await server.close()
        assert b"" == await reader.read()
    writer.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_curl(start: Start) -> None:
    """Curl is answered."""
    server = await start(health_application())
    url = f"http://127.0.0.1:{server.port}/health"
    done = await asyncio.to_thread(
        subprocess.run, ["curl", "-sS", "-m", "10", url], capture_output=True, check=True
    )

    assert b"OK" == done.stdout

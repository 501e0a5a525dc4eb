"""A client goes through the proxy its kubeconfig names, and says when the proxy fails it."""

import asyncio
import base64
import contextlib
import socket
from urllib.parse import urlsplit

import pytest
import trustme
from aiohttp import web

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.access import Access
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.content import Inline
from skydns_py.sources.kubernetes.credentials import Stated
from skydns_py.sources.kubernetes.tls import Trust
from tests.fakes.loopback import pem, serve, server_context


async def ok(request):
    return web.Response(text="through")


@contextlib.asynccontextmanager
async def proxying(context=None, refusal=b""):
    """Run a proxy that knows CONNECT and absolute URLs, and writes down what it was asked."""
    heads = []

    async def serve_one(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head.decode())
        method, target, _ = head.split(b" ", 2)
        if refusal:
            writer.write(refusal)
            writer.close()
            return
        host = target if method == b"CONNECT" else urlsplit(target).netloc
        name, _, port = host.decode().partition(":")
        upstream_reader, upstream_writer = await asyncio.open_connection(name, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream_writer.write(head)
        await asyncio.gather(copy(reader, upstream_writer), copy(upstream_reader, writer))

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
    writer.close()


async def test_tunnels_to_an_https_server():
    """HTTPS goes through CONNECT, and the server's own certificate is still checked."""
    authority = trustme.CA()
    trust = Trust(Inline(pem(authority)))
    async with (
        serve(ok, server_context(authority, "127.0.0.1")) as server,
        proxying() as (port, heads),
    ):
        assert b"through" == await read(server.url, f"http://127.0.0.1:{port}", trust)
        assert [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"] == first_lines(heads)


async def test_expects_the_servers_other_name_through_a_tunnel():
    """`tls-server-name` is that of the server behind the proxy."""
    authority = trustme.CA()
    trust = Trust(Inline(pem(authority)), "api.example.org")
    async with (
        serve(ok, server_context(authority, "api.example.org")) as server,
        proxying() as (port, _),
    ):
        assert b"through" == await read(server.url, f"http://127.0.0.1:{port}", trust)


async def test_tunnels_through_an_https_proxy():
    """An https:// proxy is spoken to in TLS, with another TLS inside."""
    authority = trustme.CA()
    trust = Trust(Inline(pem(authority)))
    context = server_context(authority, "127.0.0.1")
    async with serve(ok, context) as server, proxying(context) as (port, heads):
        assert b"through" == await read(server.url, f"https://127.0.0.1:{port}", trust)
        assert [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"] == first_lines(heads)


async def test_asks_a_proxy_for_a_plain_server():
    """HTTP is asked for with the whole URL, and the proxy's password is for the proxy."""
    async with serve(ok) as server, proxying() as (port, heads):
        assert b"through" == await read(server.url, f"http://me:hush@127.0.0.1:{port}", Trust())
        assert [f"GET {server.url}/ HTTP/1.1"] == first_lines(heads)
        assert base64.b64encode(b"me:hush").decode() in heads[0]


async def test_gives_a_password_to_the_tunnel_only():
    """The proxy's password stands in CONNECT and never reaches the server."""
    authority = trustme.CA()
    async with (
        serve(ok, server_context(authority, "127.0.0.1")) as server,
        proxying() as (port, heads),
    ):
        proxy = f"http://me:hush@127.0.0.1:{port}"
        await read(server.url, proxy, Trust(Inline(pem(authority))))
        assert "Proxy-Authorization: Basic bWU6aHVzaA==" in heads[0]
        assert "Proxy-Authorization" not in server.asked[0].headers


async def test_names_a_proxy_that_refuses():
    """A proxy's own refusal is told apart from the server's, without its password."""
    async with proxying(refusal=b"HTTP/1.1 407 Who are you\r\n\r\n") as (port, _):
        with pytest.raises(SourceError) as caught:
            await read("https://192.0.2.1", f"http://me:hush@127.0.0.1:{port}", Trust())
    assert f"API server 192.0.2.1:443: the proxy 127.0.0.1:{port} refused: 407 Who are you" == str(
        caught.value
    )


@pytest.mark.parametrize("url", ["http://192.0.2.1", "https://192.0.2.1"])
async def test_names_a_proxy_that_is_not_there(url):
    """A proxy nobody listens at is named instead of the server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SourceError, match=f"proxy 127.0.0.1:{port} cannot be reached: Connection"):
        await read(url, f"http://127.0.0.1:{port}", Trust())


async def read(url, proxy, trust):
    access = Access(url, "the test", trust, Stated(), proxy=proxy)
    async with Client(access) as client, client.get("/", {}, read_timeout=5) as response:
        return await response.body(1000)


def first_lines(heads):
    return [head.partition("\r\n")[0] for head in heads]

"""A client asks, hands on what comes, and says in a sentence what did not."""

import asyncio
import gzip
import socket
import struct

import aiohttp
import pytest
from aiohttp import web

from skydns_py import __version__
from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.access import from_endpoint
from skydns_py.sources.kubernetes.client import Client
from tests.fakes.loopback import serve


async def ok(request):
    return web.json_response({"kind": "NamespaceList"})


async def hang_up(request):
    request.transport.abort()
    return web.Response()


def streaming(*pieces, then="end"):
    async def answer(request):
        response = web.StreamResponse()
        response.content_length = None if then == "end" else 1000
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if then == "reset":
            linger = struct.pack("ii", 1, 0)
            raw = request.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.transport.abort()
        elif then == "silence":
            await asyncio.Event().wait()
        return response

    return answer


async def test_asks_below_the_servers_path():
    """The path goes behind the server's own, with the parameters encoded and our name."""
    async with serve(ok) as server, Client(from_endpoint(f"{server.url}/k8s/c-1/")) as client:
        parameters = {"labelSelector": "a=b,c!=d", "continue": "x+/="}
        async with client.get("/api/v1/pods", parameters, read_timeout=5) as response:
            body = await response.body(1000)

    (asked,) = server.asked
    assert (200, b'{"kind": "NamespaceList"}') == (response.status, body)
    assert "/k8s/c-1/api/v1/pods" == asked.path
    assert parameters == dict(asked.query)
    assert f"skydns-py/{__version__}" == asked.headers["User-Agent"]
    assert "application/json" == asked.headers["Accept"]
    assert "Authorization" not in asked.headers


async def test_keeps_a_connection_for_the_next_question():
    """An answer that was read to its end leaves its connection for the next one."""
    async with serve(ok) as server, Client(from_endpoint(server.url)) as client:
        for _ in range(3):
            async with client.get("/", {}, read_timeout=5) as response:
                await response.body(1000)
        assert 1 == len({request.transport for request in server.asked})


async def test_hands_on_pieces_as_they_come():
    """Chunks come one by one, without waiting for the end of the answer."""
    async with (
        serve(streaming(b"one", b"two")) as server,
        Client(from_endpoint(server.url)) as client,
        client.get("/", {}, read_timeout=5) as response,
    ):
        assert b"onetwo" == b"".join([chunk async for chunk in response.chunks()])


async def test_unpacks_gzip_within_the_limit():
    """A compressed body is limited by what it unpacks to."""

    async def bomb(request):
        assert "gzip" == request.headers["Accept-Encoding"]
        packed = gzip.compress(b"0" * 1_000_000)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serve(bomb) as server, Client(from_endpoint(server.url)) as client:
        async with client.get("/", {}, read_timeout=5) as response:
            assert 1_000_000 == len(await response.body(1_000_000))
        async with client.get("/big", {}, read_timeout=5) as response:
            with pytest.raises(SourceError, match=r"answer to /big has more than 999999 octets"):
                await response.body(999_999)


@pytest.mark.parametrize("status", [302, 401, 403, 410, 429, 500])
async def test_hands_on_every_status(status):
    """No status is an error, and no redirect is followed."""

    async def answer(request):
        return web.Response(status=status, headers={"Location": "/elsewhere", "Retry-After": "7"})

    async with (
        serve(answer) as server,
        Client(from_endpoint(server.url)) as client,
        client.get("/", {}, read_timeout=5) as response,
    ):
        assert status == response.status
        assert "7" == response.headers["retry-after"]
        assert {"/"} == {request.path for request in server.asked}


async def test_names_an_answer_that_breaks_off():
    """A connection reset in the middle of a body is a SourceError with its cause."""
    async with (
        serve(streaming(b"one", then="reset")) as server,
        Client(from_endpoint(server.url)) as client,
    ):
        with pytest.raises(SourceError, match=f"API server {client.host}: the connection broke"):
            await read(client)


async def test_names_silence():
    """Nothing for the read limit is a SourceError that says how long it waited."""
    async with (
        serve(streaming(b"one", then="silence")) as server,
        Client(from_endpoint(server.url)) as client,
    ):
        with pytest.raises(SourceError, match=f"{client.host}: silent for 0.05 s") as caught:
            await read(client, read_timeout=0.05)
        assert isinstance(caught.value.__cause__, aiohttp.SocketTimeoutError)


async def test_names_a_refused_connection():
    """A port nobody listens on is named, with where its address was written."""
    url = f"http://127.0.0.1:{free_port()}"
    async with Client(from_endpoint(url)) as client:
        with pytest.raises(
            SourceError, match=rf"Connection refused; the address is from endpoint {url}"
        ):
            await read(client)


async def test_names_a_host_that_does_not_resolve():
    """A name without address is called that, not a failed connection."""
    async with Client(from_endpoint("http://nowhere.invalid")) as client:
        with pytest.raises(SourceError, match="its name does not resolve"):
            await read(client)


async def test_names_a_server_that_hangs_up():
    """A connection closed before any header is named."""
    async with serve(hang_up) as server, Client(from_endpoint(server.url)) as client:
        with pytest.raises(SourceError, match="closed the connection without an answer"):
            await read(client)


async def test_names_a_server_that_does_not_accept():
    """A TLS handshake nobody answers ends with the connect limit."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        async with Client(from_endpoint(url), connect_timeout=0.05) as client:
            with pytest.raises(SourceError, match="no connection in time"):
                await read(client)


async def test_names_an_answer_that_is_no_http():
    """Octets that are no HTTP are the server's fault, in one line."""

    async def greet(request):
        request.transport.write(b"SSH-2.0-example\r\n\r\n")
        return await hang_up(request)

    async with serve(greet) as server, Client(from_endpoint(server.url)) as client:
        with pytest.raises(SourceError, match="what it answered is not HTTP") as caught:
            await read(client)
        assert "\n" not in str(caught.value)


async def test_tells_of_every_request():
    """The observer hears method, status and seconds, and of failures as "<error>"."""
    heard = []

    async with serve(ok) as server:
        access = from_endpoint(server.url)
        async with Client(access, observe=lambda *told: heard.append(told)) as client:
            await read(client)
    async with Client(access, observe=lambda *told: heard.append(told)) as client:
        with pytest.raises(SourceError):
            await read(client)

    assert [("GET", "200"), ("GET", "<error>")] == [told[:2] for told in heard]
    assert all(0 <= seconds < 5 for _, _, seconds in heard)


async def test_leaves_the_callers_errors_alone():
    """What is raised while an answer is read goes through as it is."""
    async with serve(ok) as server, Client(from_endpoint(server.url)) as client:
        with pytest.raises(TimeoutError, match="the caller's own"):
            async with client.get("/", {}, read_timeout=5):
                raise TimeoutError("the caller's own")


async def test_wants_to_be_opened_first():
    """A client that was not entered says so instead of leaking a connection."""
    with pytest.raises(RuntimeError, match="async with"):
        await read(Client(from_endpoint("http://192.0.2.1")))


async def read(client, read_timeout=5.0):
    async with client.get("/", {}, read_timeout=read_timeout) as response:
        return response.status, await response.body(1_000_000)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]

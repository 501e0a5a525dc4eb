"""The Kubernetes source when the server says what it does not want to hear."""

import pytest

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.source import Selection
from tests.fakes.apiserver import ApiServer
from tests.fakes.eventually import eventually
from tests.fakes.mirrored import mirrored
from tests.fakes.objects import endpoint_slice, namespace, service


@pytest.fixture
async def server():
    async with ApiServer() as server:
        await server.put(namespace("shop"), service("shop", "web"), service("shop", "db"))
        yield server


@pytest.fixture
async def seen(server):
    settings = Selection(name="cluster", credentials="/var/run/token")
    async with mirrored(server.url, settings=settings) as seen:
        await eventually(lambda: seen.synced)
        yield seen


async def test_refused_once_then_well(server):
    """HTTP 500 and 429 are tried again until they pass, and the objects come."""
    server.refuse("services", 500, times=1)
    server.refuse("namespaces", 429, times=1, retry_after=0)
    async with mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)

        assert ["listing", "lost", "listing", "watching"] == seen.states("services")
        assert {"web", "db"} == seen.names("Service")
        assert 2 == len(server.asked("services"))


async def test_retry_after(server):
    """The server's Retry-After is waited out, however short our own backoff is."""
    server.refuse("services", 429, times=1, retry_after=300)
    server.refuse("namespaces", 429)
    async with mirrored(server.url):
        await eventually(lambda: len(server.asked("namespaces")) > 10)

        assert 1 == len(server.asked("services"))


async def test_unauthorized(server, seen):
    """401 is told with the credentials in use; the objects stay, and it is tried again."""
    server.tokens = {"another"}
    server.cut()
    await eventually(lambda: "does not know our credentials" in seen.last("services").error)
    assert "(credentials of /var/run/token)" in seen.last("services").error
    assert {"web", "db"} == seen.names("Service")

    server.tokens = None
    await seen.reaches("services", "watching")


async def test_forbidden(server):
    """403 is told with the very RBAC rule that is missing, and tried again until it is there."""
    server.refuse("endpointslices", 403)
    async with mirrored(server.url) as seen:
        lost = await seen.reaches("endpointslices", "lost")

        assert "cannot watch endpointslices" in lost.error
        assert 'User "nobody" cannot watch resource "endpointslices"' in lost.error
        assert (
            '- apiGroups: ["discovery.k8s.io"]\n'
            '  resources: ["endpointslices"]\n'
            '  verbs: ["list", "watch"]'
        ) in lost.error
        assert not seen.synced

        server.allow("endpointslices")
        await eventually(lambda: seen.synced)


async def test_old_server(server):
    """A server without discovery.k8s.io/v1 is told to be too old."""
    server.missing = {"endpointslices"}
    async with mirrored(server.url) as seen:
        lost = await seen.reaches("endpointslices", "lost")

        assert "Kubernetes 1.21 or newer" in lost.error


async def test_unreadable_object(server, seen):
    """An object that cannot be read is reported; its last shape and the watch stay."""
    web = Key("Service", "shop", "web")
    known = seen.objects[web]
    broken = service("shop", "web") | {"spec": {"type": 5}}
    await server.put(broken, service("shop", "late"))
    await eventually(lambda: "late" in seen.names("Service"))

    assert known == seen.objects[web]
    assert "watching" == seen.last("services").state
    assert "the Service shop/web cannot be read" in seen.last("services").error
    assert 1 == len(server.asked("services"))

    await server.delete("Service", "shop", "web")
    await eventually(lambda: web not in seen.objects)


@pytest.mark.parametrize("watchlist", ["yes", "refused"])
async def test_unreadable_object_stays_over_a_relist(watchlist):
    """An object that has become unreadable is not taken for gone by a relist."""
    async with ApiServer(watchlist=watchlist) as server:
        await server.put(service("shop", "web"), service("shop", "db"))
        async with mirrored(server.url) as seen:
            await eventually(lambda: seen.synced)
            await server.stop()
            await seen.reaches("services", "lost")
            await server.put(service("shop", "web") | {"spec": {"type": 5}})
            await server.delete("Service", "shop", "db")
            server.compact()
            await server.start()
            await eventually(lambda: "db" not in seen.names("Service"))

            assert {"web"} == seen.names("Service")


async def test_no_api_server(server, seen):
    """A line that is no watch event is told with what it says, and the objects stay."""
    server.say("services", b"<html>welcome</html>\n")
    lost = await seen.reaches("services", "lost")

    assert "<html>welcome</html>" in lost.error
    assert {"web", "db"} == seen.names("Service")


async def test_error_events_that_repeat(server, seen):
    """A version at which the server only ever answers with an error is left behind."""
    error = b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"unable to decode"}}\n'
    for _ in range(3):
        server.replay("services", error)
    server.cut("services")
    await eventually(lambda: server.versions("services").count("") > 1)
    await seen.reaches("services", "watching")

    assert {"web", "db"} == seen.names("Service")


async def test_trickle(server):
    """A stream that comes octet by octet is read as one that comes whole."""
    server.trickle = 1
    await server.put(endpoint_slice("shop", "web-1", "web", "192.0.2.1"))
    async with mirrored(server.url) as seen:
        await eventually(lambda: seen.synced, within=30)

        assert {"web", "db"} == seen.names("Service")
        assert {"web-1"} == seen.names("EndpointSlice")


async def test_huge_object(server, seen):
    """An object of many megabytes, far above aiohttp's limit for lines, passes."""
    await server.put(service("shop", "huge", annotations={"filler": "x" * 5_000_000}))
    await eventually(lambda: "huge" in seen.names("Service"))

    assert "lost" not in seen.states("services")


async def test_streaming_in_vain(server):
    """A server that ends each stream before the first picture is complete is asked for pages."""
    for _ in range(2):
        server.replay("services", b"")
    async with mirrored(server.url) as seen:
        await eventually(lambda: len(server.asked("services")) == 4)

        assert [True, True, False, True] == [asked.is_watch for asked in server.asked("services")]
        assert {"web", "db"} == seen.names("Service")

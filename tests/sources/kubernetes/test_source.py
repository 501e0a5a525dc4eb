"""The Kubernetes source against a cluster where all goes well."""

import asyncio

import pytest

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.access import from_endpoint
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.resources import RUNNING_PODS
from skydns_py.sources.kubernetes.source import KubernetesSource, Selection
from tests.fakes.apiserver import ApiServer
from tests.fakes.eventually import eventually
from tests.fakes.mirrored import FAST, SETTINGS, Mirrored, mirrored
from tests.fakes.objects import endpoint_slice, namespace, pod, service


@pytest.fixture(params=["yes", "refused", "ignored"])
async def server(request):
    """Servers that stream the first picture, that refuse to, and that do not know the question."""
    async with ApiServer(watchlist=request.param) as server:
        server.bookmark_every = 0.02 if request.param == "ignored" else None
        yield server


async def test_first_picture(server):
    """Every object that is there comes, whether the server can stream the first picture or not."""
    await server.put(
        namespace("shop"), service("shop", "web"), endpoint_slice("shop", "web-1", "web")
    )
    async with mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)

        assert {
            Key("Namespace", "", "shop"),
            Key("Service", "shop", "web"),
            Key("EndpointSlice", "shop", "web-1"),
        } == seen.objects.keys()


async def test_changes(server):
    """What is created, changed and deleted after the first picture comes as it happens."""
    async with mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)

        await server.put(service("shop", "web", "192.0.2.1"))
        web = Key("Service", "shop", "web")
        await eventually(lambda: web in seen.objects)
        await server.put(service("shop", "web", "192.0.2.2"))
        await eventually(lambda: seen.objects[web].cluster_ips == ("192.0.2.2",))
        await server.delete("Service", "shop", "web")
        await eventually(lambda: web not in seen.objects)

        assert {web: None} == seen.batches[-1].objects


async def test_synced_exactly_once():
    """One batch says that the source is synced: the one that completes the last resource."""
    async with ApiServer() as server:
        server.refuse("namespaces", 503)
        await server.put(namespace("shop"), service("shop", "web"))
        async with mirrored(server.url) as seen:
            await seen.reaches("endpointslices", "watching")
            await seen.reaches("services", "watching")
            assert not seen.synced

            server.allow("namespaces")
            await eventually(lambda: seen.synced)
            assert Key("Namespace", "", "shop") in seen.batches[-1].objects

            server.compact()
            server.end()
            await server.put(service("shop", "late"))
            await eventually(lambda: "late" in seen.names("Service"))

            assert [True] == [batch.synced for batch in seen.batches if batch.synced is not None]


async def test_synced_without_objects():
    """An empty cluster is synced too: by a batch without objects."""
    async with ApiServer() as server, mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)

        assert [({}, True)] == [(batch.objects, batch.synced) for batch in seen.batches]


async def test_pages():
    """A long list comes in pages of 500, each a batch of its own."""
    async with ApiServer(watchlist="refused", cached=False) as server:
        await server.put(*(service("shop", f"s{number:04}") for number in range(1203)))
        async with mirrored(server.url) as seen:
            await eventually(lambda: seen.synced)

            assert [500, 500, 203] == [
                len(batch.objects) for batch in seen.batches if batch.objects
            ]
            lists = [asked for asked in server.asked("services") if not asked.is_watch]
            assert [None] * 3 == [asked.params.get("resourceVersion") for asked in lists]
            assert [False, True, True] == ["continue" in asked.params for asked in lists]


async def test_requests():
    """Streaming asks for the initial events, and the selectors narrow each resource."""
    settings = Selection(name="cluster", labels="app=web", namespace_labels="team", pods=True)
    async with ApiServer() as server, mirrored(server.url, settings=settings) as seen:
        await eventually(lambda: seen.synced)

        streaming = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "450",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
        }
        assert {
            "/api/v1/services": streaming | {"labelSelector": "app=web"},
            "/api/v1/namespaces": streaming | {"labelSelector": "team"},
            "/apis/discovery.k8s.io/v1/endpointslices": streaming | {"labelSelector": "app=web"},
            "/api/v1/pods": streaming | {"labelSelector": "app=web", "fieldSelector": RUNNING_PODS},
        } == {asked.path: asked.params for asked in server.requests}


async def test_without_endpoints():
    """Slices are not asked for when endpoints are not wanted, pods only when they are."""
    settings = Selection(name="cluster", endpoints=False)
    async with ApiServer() as server, mirrored(server.url, settings=settings) as seen:
        await eventually(lambda: seen.synced)

        assert {"/api/v1/services", "/api/v1/namespaces"} == {
            asked.path for asked in server.requests
        }


async def test_pods(server):
    """A pod first met terminating is left out, a known one stays until deleted, IP or not."""
    settings = Selection(name="cluster", pods=True)
    await server.put(
        pod("shop", "old", "192.0.2.1"),
        pod("shop", "leaving", "192.0.2.2", deleted_at="2026-11-23T09:00:00Z"),
        pod("shop", "new", phase="Pending"),
        pod("shop", "done", "192.0.2.3", phase="Succeeded"),
    )
    async with mirrored(server.url, settings=settings) as seen:
        await eventually(lambda: seen.synced)
        assert {"old", "new"} == seen.names("Pod")

        await server.put(
            pod("shop", "old", "192.0.2.4", deleted_at="2026-11-23T09:00:00Z"),
            pod("shop", "leaving", "192.0.2.5", deleted_at="2026-11-23T09:00:00Z"),
            pod("shop", "new", phase="Failed"),
        )
        await eventually(lambda: seen.names("Pod") == {"old"})
        assert "192.0.2.4" == seen.objects[Key("Pod", "shop", "old")].ip

        await server.delete("Pod", "shop", "leaving")
        await server.delete("Pod", "shop", "old")
        await eventually(lambda: not seen.names("Pod"))


async def test_reports():
    """Each resource is listing first and watching then, since a time by the given clock."""
    async with ApiServer() as server, mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)
        report = await seen.reaches("services", "watching")

        assert report.synced
        assert "" == report.error
        assert ["listing", "watching"] == seen.states("services")


async def test_cancelled():
    """Cancelling the source ends it at once, though its watches stand open."""
    async with ApiServer() as server, Client(from_endpoint(server.url)) as client:
        source = KubernetesSource(client, SETTINGS, emit=Mirrored().emit, timing=FAST)
        task = asyncio.create_task(source.run())
        await eventually(lambda: len(server.watches) == 3)

        task.cancel()
        await asyncio.wait([task], timeout=5)

        assert task.cancelled()
        await eventually(lambda: not server.watches)

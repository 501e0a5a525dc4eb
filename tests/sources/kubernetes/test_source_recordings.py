"""The Kubernetes source fed with what a real API server said, byte for byte."""

import json
from pathlib import Path

import pytest

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.picture import Difference
from skydns_py.sources.kubernetes.source import Selection
from tests.fakes.apiserver import ApiServer
from tests.fakes.eventually import eventually
from tests.fakes.mirrored import mirrored

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "kubernetes"


def recorded(name):
    return (RECORDINGS / name).read_bytes()


@pytest.fixture
async def server():
    """A server that has nothing of its own: all there is comes from recordings."""
    async with ApiServer() as server:
        yield server


@pytest.fixture
async def seen(server):
    async with mirrored(server.url, settings=Selection(name="cluster", pods=True)) as seen:
        await eventually(lambda: seen.synced)
        yield seen


async def replay(server, seen, plural):
    """Say a recorded life line by line; return what each line led to, None for nothing."""
    told: list[Difference | None] = []
    for line in recorded(f"{plural}.lifecycle.watch.jsonl").splitlines(keepends=True):
        before = len(seen.batches)
        server.say(plural, line)
        if json.loads(line)["type"] == "BOOKMARK":
            told.append(None)
        else:
            await seen.tells(before + 1)
            told.append(dict(seen.batches[-1].objects))
    return told


async def test_life_of_services(server, seen):
    """A ClusterIP and a headless Service come, one changes a port, both go."""
    told = await replay(server, seen, "services")
    web, db = Key("Service", "shop", "web"), Key("Service", "shop", "db")
    first, second, third, *rest = told

    assert [{web}, {db}, {web}] == [found.keys() for found in (first, second, third)]
    assert ("None",) == second[db].cluster_ips
    assert first[web].ports != third[web].ports
    assert [{web: None}, {db: None}, None, None, None] == rest
    assert {} == seen.objects


async def test_life_of_slices(server, seen):
    """The slices of two Services follow their pods: not ready, ready, unready, none."""
    told = await replay(server, seen, "endpointslices")
    web, db = Key("EndpointSlice", "shop", "web-26pwl"), Key("EndpointSlice", "shop", "db-6hvjs")
    shapes = [
        (key.name, [endpoint.ready for endpoint in slim.endpoints])
        for change in told
        if change
        for key, slim in change.items()
    ]

    assert [
        (web.name, []),
        (db.name, []),
        (web.name, [False]),
        (db.name, [False]),
        (web.name, [True]),
        (db.name, [True]),
        (web.name, [False]),
        (web.name, [False]),
        (web.name, []),
    ] == shapes
    assert {web, db} == seen.objects.keys()


async def test_life_of_pods(server, seen):
    """Pods get their addresses; a terminating one stays until it is deleted."""
    told = await replay(server, seen, "pods")
    web, db = Key("Pod", "shop", "web-1"), Key("Pod", "shop", "db-0")
    addresses = [
        (key, slim and slim.ip) for change in told if change for key, slim in change.items()
    ]

    assert [
        (web, ""),
        (db, ""),
        (web, "10.200.0.1"),
        (db, "10.200.0.2"),
        (web, "10.200.0.1"),
        (db, "10.200.0.2"),
        (web, "10.200.0.1"),
        (web, "10.200.0.1"),
        (web, None),
        (db, "10.200.0.2"),
    ] == addresses
    assert {db} == seen.objects.keys()


async def test_life_of_a_namespace(server, seen):
    """A terminating namespace is there until the server deletes it."""
    told = await replay(server, seen, "namespaces")
    shop = Key("Namespace", "", "shop")

    assert [{shop}] * 4 == [change.keys() for change in told if change]
    assert {shop} == seen.objects.keys()


@pytest.mark.parametrize("plural", ["services", "endpointslices", "pods", "namespaces"])
async def test_goes_on_from_the_recorded_bookmark(server, seen, plural):
    """The version of the last recorded bookmark is the one the next watch begins at."""
    await replay(server, seen, plural)
    last = json.loads(recorded(f"{plural}.lifecycle.watch.jsonl").splitlines()[-1])
    server.store.version = int(last["object"]["metadata"]["resourceVersion"])
    server.cut(plural)
    await eventually(lambda: len(server.asked(plural)) == 2)

    assert str(server.store.version) == server.asked(plural)[-1].params["resourceVersion"]


async def test_streaming_list(server):
    """A recorded streaming list makes the source synced with its 24 Services."""
    server.replay("services", recorded("services.ns-2.watchlist.jsonl"), hold=True)
    async with mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)

        assert 24 == len(seen.names("Service"))
        assert ["listing", "watching"] == seen.states("services")


async def test_pages(server):
    """Recorded pages of a list, of which the third has expired, are told as they came."""
    server.watchlist = "refused"
    for name in ("services.list.page1.json", "services.list.page2.json"):
        server.replay("services", recorded(name), params={"limit": "500"})
    server.replay(
        "services",
        recorded("services.list.continue_expired.status.json"),
        status=410,
        params={"limit": "500"},
    )
    async with mirrored(server.url) as seen:
        await eventually(lambda: seen.synced)

        tokens = [
            asked.params.get("continue") for asked in server.asked("services") if not asked.is_watch
        ]
        pages = [json.loads(recorded(f"services.list.page{number}.json")) for number in (1, 2)]
        assert [None, *(page["metadata"]["continue"] for page in pages), None] == tokens
        # The list that began anew is the server's own, and empty.
        counts = [len(batch.objects) for batch in seen.batches if batch.objects]
        assert [40, 40, 80] == counts
        assert set() == seen.names("Service")


async def test_list_of_a_namespace(server):
    """Recorded lists of slices, pods and namespaces are read whole."""
    server.watchlist = "refused"
    for plural, name in (
        ("endpointslices", "endpointslices.ns-1.list.json"),
        ("pods", "pods.ns-1.list.json"),
        ("namespaces", "namespaces.list.json"),
    ):
        server.replay(plural, recorded(name), params={"limit": "500"})
    async with mirrored(server.url, settings=Selection(name="cluster", pods=True)) as seen:
        await eventually(lambda: seen.synced)

        for kind, name in (
            ("EndpointSlice", "endpointslices.ns-1.list.json"),
            ("Pod", "pods.ns-1.list.json"),
            ("Namespace", "namespaces.list.json"),
        ):
            names = {item["metadata"]["name"] for item in json.loads(recorded(name))["items"]}
            assert names == seen.names(kind)


async def test_expired_watch(server, seen):
    """A recorded expiry of a watch leads to a new first picture, which is the server's own."""
    server.replay("services", recorded("services.watch.expired.jsonl"))
    server.cut("services")
    await eventually(lambda: len(server.asked("services")) == 3)

    versions = [asked.params.get("resourceVersion") for asked in server.asked("services")]
    assert [None, str(server.store.version), None] == versions
    assert "410" not in seen.last("services").error


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("forbidden", 403, 'services is forbidden: User "nobody" cannot list resource'),
        ("unauthorized", 401, "does not know our credentials (Unauthorized)"),
    ],
)
async def test_refusal(server, name, status, sentence):
    """A recorded refusal is told with the server's own words."""
    server.replay("services", recorded(f"services.list.{name}.status.json"), status=status)
    # The client looks for newer credentials after a 401, and asks once more at once.
    server.replay("services", recorded(f"services.list.{name}.status.json"), status=status)
    async with mirrored(server.url) as seen:
        lost = await seen.reaches("services", "lost")

        assert sentence in lost.error

"""The fake API server held to the recordings of a real one, and to its own promises."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.apiserver import ApiServer
from tests.fakes.apistore import Selection
from tests.fakes.eventually import eventually
from tests.fakes.objects import endpoint_slice, namespace, pod, service

RECORDINGS = Path(__file__).parents[1] / "fixtures" / "kubernetes"
SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
STREAMING = {
    "watch": "true",
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}


def recorded(name):
    return (RECORDINGS / name).read_bytes()


def shape(value, depth=9):
    """Keys and types of a value, of lists those of the first element, to some depth."""
    if isinstance(value, dict) and depth:
        return {key: shape(part, depth - 1) for key, part in value.items()}
    return type(value).__name__


@pytest.fixture
async def server():
    async with ApiServer(cached=False) as server:
        yield server


@pytest.fixture
async def ask(server):
    """Ask the server: returns status and body."""
    async with aiohttp.ClientSession() as session:

        async def ask(path, headers=None, **params):
            url = server.url + path
            async with session.get(url, params=params, headers=headers) as answer:
                return answer.status, await answer.read()

        yield ask


@pytest.fixture
async def watch(server):
    """Open a watch: returns a function that reads its next line, decoded, None at the end."""
    async with aiohttp.ClientSession(read_bufsize=2**24) as session:

        async def watch(path=SERVICES, **params):
            answer = await session.get(server.url + path, params={"watch": "true"} | params)
            assert 200 == answer.status

            async def line():
                async with asyncio.timeout(5):
                    found = await answer.content.readline()
                return json.loads(found) if found else None

            return line

        yield watch


async def test_list_has_the_recorded_shape(server, ask):
    """A page of a list has the keys of a recorded one, in their order, and so has its object."""
    await server.put(*(service("shop", f"s{number}", labels={"app": "x"}) for number in range(3)))
    _, body = await ask(SERVICES, limit="2")
    made, real = json.loads(body), json.loads(recorded("services.list.page1.json"))

    assert list(real) == list(made)
    assert shape(real["metadata"]) == shape(made["metadata"])
    assert (
        {"v": "str", "rv": "int", "start": "str"} == shape(token_of(real)) == shape(token_of(made))
    )
    assert shape(real["items"][0], 1) == shape(made["items"][0], 1)
    assert (
        shape(real["items"][0]["metadata"], 1).items()
        <= (shape(made["items"][0]["metadata"], 1) | {"namespace": "str"}).items()
    )


def token_of(page):
    from tests.fakes.apianswers import read_token

    version, start = read_token(page["metadata"]["continue"])
    return {"v": "meta.k8s.io/v1", "rv": version, "start": start}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("endpointslices.ns-1", SLICES),
        ("pods.ns-1", "/api/v1/pods"),
        ("namespaces", "/api/v1/namespaces"),
    ],
)
async def test_whole_lists_have_the_recorded_shape(server, ask, name, path):
    """A list that fits into one page has no token, as a recorded one has none."""
    await server.put(
        namespace("shop"), endpoint_slice("shop", "web-1", "web", "192.0.2.1"), pod("shop", "p")
    )
    made, real = json.loads((await ask(path))[1]), json.loads(recorded(f"{name}.list.json"))

    assert shape(real | {"items": 0}) == shape(made | {"items": 0})
    assert real["kind"] == made["kind"]
    assert list(real["items"][0]) == list(made["items"][0])


@pytest.mark.parametrize(
    ("name", "path", "thing"),
    [
        ("services", SERVICES, service("shop", "web", labels={"app": "web"})),
        ("pods", "/api/v1/pods", pod("shop", "web-1", phase="Pending", labels={"app": "web"})),
        ("namespaces", "/api/v1/namespaces", namespace("shop", labels={"team": "shop"})),
        ("endpointslices", SLICES, endpoint_slice("shop", "web-1", "web", "192.0.2.1")),
    ],
)
async def test_watch_has_the_recorded_shape(server, watch, name, path, thing):
    """Events and bookmarks have the keys of recorded ones, in their order, without a space."""
    lines = recorded(f"{name}.lifecycle.watch.jsonl").splitlines()
    real, real_bookmark = json.loads(lines[0]), json.loads(lines[-1])
    line = await watch(path, resourceVersion="1000", allowWatchBookmarks="true")
    await server.put(thing)
    server.bookmark()
    made, made_bookmark = await line(), await line()

    assert (
        list(real["object"])[:3] == list(made["object"])[:3] == ["kind", "apiVersion", "metadata"]
    )
    assert real["object"].keys() == made["object"].keys()
    assert (real["type"], real["object"]["kind"]) == (made["type"], made["object"]["kind"])
    known = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields"}
    assert real["object"]["metadata"].keys() & known == made["object"]["metadata"].keys() & known
    version = {"metadata": {"resourceVersion": str(server.store.version)}}
    assert real_bookmark["object"] | version == made_bookmark["object"]
    assert list(real_bookmark["object"]) == list(made_bookmark["object"])


async def test_streaming_list_has_the_recorded_shape(server, watch):
    """A streaming list is synthetic ADDED events, and the recorded bookmark behind them."""
    real = [json.loads(line) for line in recorded("services.ns-2.watchlist.jsonl").splitlines()]
    await server.put(service("shop", "web"), service("shop", "db"))
    line = await watch(**STREAMING)
    made = [await line() for _ in range(3)]

    assert ["ADDED", "ADDED", "BOOKMARK"] == [event["type"] for event in made]
    assert shape(real[-1]) == shape(made[-1])
    assert (
        real[-1]["object"]["metadata"]["annotations"]
        == (made[-1]["object"]["metadata"]["annotations"])
    )
    assert ["db", "web"] == [event["object"]["metadata"]["name"] for event in made[:2]]


async def test_expired_watch_is_the_recorded_one(server, watch):
    """A watch from a forgotten version is HTTP 200, one ERROR line as recorded, and its end."""
    real = recorded("services.watch.expired.jsonl").decode()
    await server.put(service("shop", "web"), service("shop", "db"))
    server.compact()
    line = await watch(resourceVersion="5")
    made = json.dumps(await line(), separators=(",", ":")) + "\n"

    assert real.replace("2906", str(server.store.version)) == made
    assert await line() is None


async def test_expired_token_is_the_recorded_one(server, ask):
    """An expired token is a 410 with a new token, which goes on with the newest objects."""
    real = json.loads(recorded("services.list.continue_expired.status.json"))
    await server.put(*(service("shop", name) for name in "abc"))
    _, first = await ask(SERVICES, limit="1")
    await server.delete("Service", "shop", "b")
    server.compact()
    status, body = await ask(
        SERVICES, limit="1", **{"continue": json.loads(first)["metadata"]["continue"]}
    )
    made = json.loads(body)

    assert 410 == status
    assert shape(real) == shape(made)
    assert real["reason"] == made["reason"]
    assert real["message"].startswith(made["message"])
    assert -1 == token_of(real)["rv"] == token_of(made)["rv"]

    _, rest = await ask(SERVICES, **{"continue": made["metadata"]["continue"]})
    assert ["c"] == [item["metadata"]["name"] for item in json.loads(rest)["items"]]
    assert str(server.store.version) == json.loads(rest)["metadata"]["resourceVersion"]


async def test_refusals_are_the_recorded_ones(server, ask):
    """401 and 403 are, word for word, the recorded ones."""
    server.refuse("services", 403)
    status, forbidden = await ask(SERVICES)
    assert 403 == status
    assert json.loads(recorded("services.list.forbidden.status.json")) == json.loads(forbidden)

    server.tokens = {"right"}
    status, unauthorized = await ask(SERVICES)
    assert 401 == status
    assert json.loads(recorded("services.list.unauthorized.status.json")) == (
        json.loads(unauthorized)
    )

    server.allow("services")
    assert 200 == (await ask(SERVICES, headers={"Authorization": "Bearer right"}))[0]


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDINGS.glob("*.json*")))
async def test_replay(server, ask, name):
    """Whatever was recorded is said byte for byte, once."""
    server.replay("services", recorded(name))

    assert (200, recorded(name)) == await ask(SERVICES)
    assert recorded(name) != (await ask(SERVICES))[1]


async def test_pages_show_one_version(server, ask):
    """The pages of a list show the objects as they were when it began."""
    await server.put(*(service("shop", name) for name in "abcd"))
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = json.loads((await ask(SERVICES, limit="2", **token))[1])
        names += [item["metadata"]["name"] for item in page["items"]]
        if not (following := page["metadata"].get("continue")):
            break
        token = {"continue": following}
        await server.delete("Service", "shop", "c")
        await server.put(service("shop", "e"), service("shop", "a", "192.0.2.9"))

    assert list("abcd") == names
    assert "1004" == page["metadata"]["resourceVersion"]


async def test_list_from_the_cache(server, ask):
    """At resourceVersion 0 a server with a watch cache ignores the limit."""
    await server.put(*(service("shop", name) for name in "abcd"))

    for server.cached, count in ((True, 4), (False, 2)):
        _, body = await ask(SERVICES, limit="2", resourceVersion="0")
        assert count == len(json.loads(body)["items"])


async def test_watch_from_a_version(server, watch):
    """A watch tells what happened after its version, in order, and goes on from there."""
    version = await server.put(service("shop", "a"))
    await server.put(service("shop", "b"), service("shop", "a", "192.0.2.9"))
    await server.delete("Service", "shop", "b")
    line = await watch(resourceVersion=version)
    await eventually(lambda: server.watches)
    await server.put(namespace("other"), service("shop", "c"))
    found = [await line() for _ in range(4)]

    assert [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("ADDED", "c")] == [
        (event["type"], event["object"]["metadata"]["name"]) for event in found
    ]
    assert ["1002", "1003", "1004", "1006"] == [
        event["object"]["metadata"]["resourceVersion"] for event in found
    ]


async def test_watch_of_a_selection(server, watch):
    """An object that enters or leaves a selection is ADDED or DELETED for those who chose it."""
    line = await watch(resourceVersion="1000", labelSelector="app=web")
    await server.put(
        service("shop", "a"),
        service("shop", "a", labels={"app": "web"}),
        service("shop", "a", "192.0.2.9", labels={"app": "web"}),
        service("shop", "a", labels={"app": "db"}),
        service("shop", "end", labels={"app": "web"}),
    )

    assert ["ADDED", "MODIFIED", "DELETED", "ADDED"] == [(await line())["type"] for _ in range(4)]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("", "abc"),
        ("app=web", "a"),
        ("app==web", "a"),
        ("app!=web", "bc"),
        ("app in (web, db)", "ab"),
        ("app notin (web)", "bc"),
        ("app", "ab"),
        ("!app", "c"),
        ("tier,app=web", ""),
        ("app in (web,db),tier=back", "b"),
    ],
)
def test_label_selectors(selector, chosen):
    """Label selectors choose as Kubernetes documents them."""
    labels = {"a": {"app": "web"}, "b": {"app": "db", "tier": "back"}, "c": {}}

    assert chosen == "".join(
        name
        for name, found in labels.items()
        if Selection(labels=selector).matches(service("shop", name, labels=found))
    )


@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded", "Failed", "Unknown"])
def test_field_selector(phase):
    """The field selector of pods chooses by their phase."""
    selector = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"

    assert (phase in {"Pending", "Running"}) == (
        Selection(fields=selector).matches(pod("shop", "p", phase=phase))
    )


async def test_server_without_watchlist(server, ask):
    """A server without the feature refuses to send initial events: 422, Invalid."""
    server.watchlist = "refused"
    status, body = await ask(SERVICES, **STREAMING)

    assert (422, "Invalid") == (status, json.loads(body)["reason"])


@pytest.mark.parametrize(("status", "retry_after"), [(429, 7), (503, 1), (500, None)])
async def test_refuse(server, status, retry_after):
    """A refusal has its status, a Retry-After if one is wanted, and ends after its times."""
    server.refuse("services", status, times=1, retry_after=retry_after)
    async with aiohttp.ClientSession() as session:
        async with session.get(server.url + SERVICES) as answer:
            assert status == answer.status == (await answer.json())["code"]
            assert (retry_after and str(retry_after)) == answer.headers.get("Retry-After")
        async with session.get(server.url + SERVICES) as answer:
            assert 200 == answer.status


async def test_missing(server, ask):
    """A resource the server does not know is 404 in plain text."""
    server.missing = {"endpointslices"}

    assert (404, b"404 page not found\n") == await ask(SLICES)


async def test_end(server, watch):
    """A watch ends in good order behind a bookmark."""
    line = await watch(resourceVersion="1000")
    await eventually(lambda: server.watches)
    server.end()

    assert "BOOKMARK" == (await line())["type"]
    assert await line() is None


async def test_timeout_seconds(server, watch):
    """A watch lasts as long as it was asked to, and ends behind a bookmark."""
    line = await watch(resourceVersion="1000", timeoutSeconds="0.05")

    assert "BOOKMARK" == (await line())["type"]
    assert await line() is None


async def test_cut(server, watch):
    """A watch that is cut breaks off within its answer."""
    line = await watch(resourceVersion="1000")
    await eventually(lambda: server.watches)
    server.cut()

    with pytest.raises(aiohttp.ClientError):
        await line()


async def test_silence(server, watch):
    """A watch that fell silent stays open and says nothing more; a new one speaks again."""
    line = await watch(resourceVersion="1000")
    await eventually(lambda: server.watches)
    server.fall_silent()
    server.speak_again()
    await server.put(service("shop", "a"))
    other = await watch(resourceVersion="1000")

    assert "ADDED" == (await other())["type"]
    read = asyncio.create_task(line())
    done, _ = await asyncio.wait([read], timeout=0.05)
    assert not done
    read.cancel()


async def test_bookmarks(server, watch):
    """Bookmarks come by themselves when they are wanted."""
    server.bookmark_every = 0.01
    line = await watch(resourceVersion="1000")

    assert ["BOOKMARK"] * 3 == [(await line())["type"] for _ in range(3)]


async def test_trickle(server):
    """A trickling watch comes in many pieces, and is whole in the end."""
    server.trickle, server.trickle_pause = 50, 0.001
    await server.put(service("shop", "web"))
    async with aiohttp.ClientSession() as session:
        answer = await session.get(server.url + SERVICES, params=STREAMING)
        pieces = []
        async for piece in answer.content.iter_any():
            pieces.append(piece)
            if b"initial-events-end" in b"".join(pieces) and piece.endswith(b"\n"):
                break

    assert len(pieces) > 5
    assert 2 == len([json.loads(line) for line in b"".join(pieces).splitlines()])


async def test_huge_line(server, watch):
    """An object of many megabytes is one line."""
    line = await watch(resourceVersion="1000")
    await server.put(service("shop", "a", annotations={"filler": "x" * 3_000_000}))

    assert 3_000_000 == len((await line())["object"]["metadata"]["annotations"]["filler"])


async def test_restart(server, ask, watch):
    """A stopped server refuses connections; started again it has its port and its objects."""
    await server.put(service("shop", "a"))
    port = server.port
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(SERVICES)
    await server.start()

    assert port == server.port
    assert 1 == len(json.loads((await ask(SERVICES))[1])["items"])


async def test_requests(server, ask):
    """Requests are remembered with their path, their query and their token."""
    await ask(SERVICES, headers={"Authorization": "Bearer secret"}, limit="5")
    (asked,) = server.asked("services")

    assert (SERVICES, {"limit": "5"}, "secret") == (asked.path, asked.params, asked.token)
    assert not asked.is_watch

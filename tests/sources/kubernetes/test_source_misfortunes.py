"""The Kubernetes source when the cluster, the network or its own makers fail it."""

import asyncio
import itertools

import msgspec
import pytest

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.source import Selection
from tests.fakes.apiserver import ApiServer
from tests.fakes.eventually import eventually
from tests.fakes.mirrored import FAST, Mirrored, mirrored
from tests.fakes.objects import namespace, service

SILENT = msgspec.structs.replace(FAST, silence=0.05)


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


async def test_relist_after_downtime(server, seen):
    """What was deleted while the server was away is told as gone, and nothing else is told."""
    await server.stop()
    await seen.reaches("services", "lost")
    before = len(seen.batches)
    await server.delete("Service", "shop", "db")
    server.compact()
    await server.start()
    await eventually(lambda: "db" not in seen.names("Service"))

    assert [{Key("Service", "shop", "db"): None}] == [b.objects for b in seen.batches[before:]]
    assert {"web"} == seen.names("Service")


@pytest.mark.parametrize("cached", [True, False])
async def test_relist_in_pages(cached):
    """A relist in pages replaces by difference too: changed, new and gone, not what stayed."""
    async with ApiServer(watchlist="refused", cached=cached) as server:
        await server.put(*(service("shop", f"s{number:04}") for number in range(1200)))
        async with mirrored(server.url) as seen:
            await eventually(lambda: seen.synced)
            await server.stop()
            await seen.reaches("services", "lost")
            before = len(seen.batches)
            await server.put(service("shop", "s0007", "192.0.2.7"), service("shop", "s9999"))
            await server.delete("Service", "shop", "s1100")
            server.compact()
            await server.start()
            await eventually(lambda: "s1100" not in seen.names("Service"))

            told = {
                key.name: slim is not None
                for batch in seen.batches[before:]
                for key, slim in batch.objects.items()
            }
            assert {"s0007": True, "s9999": True, "s1100": False} == told


async def test_lost_and_found(server, seen):
    """Without a server the objects stay, and the report says why and since when."""
    objects = dict(seen.objects)
    await server.stop()
    lost = await seen.reaches("services", "lost")
    await eventually(lambda: len(seen.states("services")) > 3 or seen.last("services") != lost)

    assert objects == seen.objects
    assert lost.error
    assert lost.synced
    assert lost.since == seen.last("services").since

    await server.start()
    found = await seen.reaches("services", "watching")
    assert "" == found.error
    assert found.since >= lost.since


async def test_starts_before_the_server(server):
    """A source that starts without a server says so, and is synced once there is one."""
    await server.stop()
    async with mirrored(server.url) as seen:
        lost = await seen.reaches("services", "lost")
        assert not lost.synced
        assert f"127.0.0.1:{server.port}" in lost.error

        await server.start()
        await eventually(lambda: seen.synced)


async def test_cut_watch_goes_on(server, seen):
    """A watch that is cut goes on from the last version: nothing is told twice or missed."""
    newest = await server.put(service("shop", "late"))
    await eventually(lambda: "late" in seen.names("Service"))
    before = len(seen.batches)
    server.cut("services")
    await server.put(service("shop", "later"))
    await eventually(lambda: "later" in seen.names("Service"))

    assert newest == server.versions("services")[-1]
    assert [{"later"}] == [{key.name for key in b.objects} for b in seen.batches[before:]]


async def test_cut_after_a_while_is_no_loss(server, seen, monkeypatch):
    """A working watch that is cut, as idle ones are by proxies, is not reported as a loss."""
    monkeypatch.setattr("skydns_py.sources.kubernetes.mirror.STEADY", 0.0)
    server.cut("services")
    await eventually(lambda: len(server.asked("services")) == 2)

    assert ["listing", "watching"] == seen.states("services")


async def test_ended_watch_goes_on(server, seen):
    """A watch that ends in good order goes on from its last bookmark, and is never lost."""
    newest = await server.put(namespace("other"))
    server.end("services")
    await eventually(lambda: len(server.asked("services")) == 2)

    assert ["", newest] == server.versions("services")
    assert "lost" not in seen.states("services")


async def test_bookmarks_move_on(server, seen):
    """A bookmark alone moves the version on, so that a quiet resource does not expire."""
    newest = await server.put(*(namespace(f"ns-{number}") for number in range(5)))
    await eventually(lambda: "ns-4" in seen.names("Namespace"))
    server.bookmark()
    server.cut("services")
    await eventually(lambda: len(server.asked("services")) == 2)

    assert newest == server.versions("services")[-1]


async def test_expired_watch(server, seen):
    """A version that the server has forgotten, as an ERROR event says, leads to a new picture."""
    server.refuse("services", 503)
    server.cut("services")
    await seen.reaches("services", "lost")
    await server.delete("Service", "shop", "db")
    server.compact()
    server.allow("services")
    await eventually(lambda: "db" not in seen.names("Service"))

    assert "" == server.versions("services")[-1]


async def test_expired_watch_by_status(server, seen):
    """A version that is refused by HTTP status 410 leads to a new picture too."""
    server.refuse("services", 410, times=1)
    server.cut("services")
    await eventually(lambda: len(server.asked("services")) == 3)

    assert ["", True, ""] == [v and v.isdigit() for v in server.versions("services")]
    await seen.reaches("services", "watching")
    assert {"web", "db"} == seen.names("Service")


class Expiring(Mirrored):
    """Has the rest of a list expire when its first page has come, and the world change."""

    server: ApiServer

    def emit(self, batch):
        super().emit(batch)
        if len(batch.objects) == 500 and self.server.store.oldest == 0:
            self.server.store.delete("Service", "shop", "s0001")
            self.server.compact()


async def test_expired_page():
    """A list whose next page has expired begins again in larger pages, and misses nothing."""
    async with ApiServer(watchlist="refused", cached=False) as server:
        await server.put(*(service("shop", f"s{number:04}") for number in range(700)))
        expiring = Expiring()
        expiring.server = server
        async with mirrored(server.url, into=expiring) as seen:
            await eventually(lambda: seen.synced)

            assert 699 == len(seen.names("Service"))
            assert "s0001" not in seen.names("Service")
            lists = [asked.params for asked in server.asked("services") if not asked.is_watch]
            assert ["500", "500", "1000"] == [params["limit"] for params in lists]
            assert [False, True, False] == ["continue" in params for params in lists]


async def test_silent_watch(server):
    """An open watch that says nothing is given up, and goes on from the last version."""
    server.bookmark_every = 0.01
    async with mirrored(server.url, timing=SILENT) as seen:
        await eventually(lambda: seen.synced)
        server.fall_silent()
        lost = await seen.reaches("services", "lost")
        assert "silent for 0.05 s" in lost.error

        server.speak_again()
        await server.put(service("shop", "late"))
        await eventually(lambda: "late" in seen.names("Service"))
        assert {"web", "db", "late"} == seen.names("Service")


async def test_quiet_watch(server):
    """A watch on which nothing but bookmarks come is alive, however long that lasts."""
    server.bookmark_every = 0.01
    timing = msgspec.structs.replace(FAST, silence=0.5)
    loop = asyncio.get_running_loop()
    async with mirrored(server.url, timing=timing) as seen:
        await eventually(lambda: seen.synced)
        begin = loop.time()
        await eventually(lambda: loop.time() > begin + 1.2)

        assert ["listing", "watching"] == seen.states("services")


async def test_octets_without_events(server):
    """Blank lines, as a proxy may send them to keep a connection open, are silence too."""
    timing = msgspec.structs.replace(FAST, silence=0.05)
    async with mirrored(server.url, timing=timing) as seen:
        await seen.reaches("services", "watching")

        def is_lost_among_blank_lines():
            server.say("services", b"\n")
            return "lost" in seen.states("services")

        await eventually(is_lost_among_blank_lines)


async def test_no_answer(server):
    """A server that takes the question and never answers is given up as well."""
    timing = msgspec.structs.replace(FAST, answer=0.05)
    released = asyncio.Event()

    async def hang(_reader, writer):
        await released.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        async with mirrored(f"http://127.0.0.1:{port}", timing=timing) as seen:
            lost = await seen.reaches("services", "lost")
            assert f"127.0.0.1:{port}: services: no whole answer in 0.05 s" in lost.error
        released.set()


async def test_version_that_only_brings_silence(server):
    """A version on which two watches stay silent is dropped: the cluster may be a restored one."""
    server.bookmark_every = 0.01
    async with mirrored(server.url, timing=SILENT) as seen:
        await eventually(lambda: seen.synced)
        server.fall_silent()
        await eventually(lambda: server.versions("services").count("") > 1)
        server.speak_again()
        await seen.reaches("services", "watching")

        assert {"web", "db"} == seen.names("Service")


async def test_bug(server):
    """A bug behind `emit` is reported, and what it may have lost is told again, gone or not."""
    failures = itertools.count()

    class Buggy(Mirrored):
        def emit(self, batch):
            lost = Key("Service", "shop", "db")
            if batch.objects.get(lost, self) is None and next(failures) < 1:
                raise KeyError("a bug")
            super().emit(batch)

    async with mirrored(server.url, into=Buggy()) as seen:
        await eventually(lambda: seen.synced)
        await server.delete("Service", "shop", "db")
        lost = await seen.reaches("services", "lost")
        assert "KeyError: 'a bug'" in lost.error
        assert "test_source_misfortunes.py:" in lost.error

        await eventually(lambda: "db" not in seen.names("Service"))
        await seen.reaches("services", "watching")
        assert {"web"} == seen.names("Service")

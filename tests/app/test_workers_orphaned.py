"""A worker answers when it is told to, and goes on for a while when nobody is there to tell."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from skydns_py.app import feed, worker
from skydns_py.app.feed import Counted, Failed, Open, Opened, Stop
from skydns_py.app.logs import open_log
from skydns_py.app.worker import Worker
from skydns_py.batch import Batch, Key
from skydns_py.settings import Block, KubernetesSettings, Listen, Manifests, Settings
from skydns_py.sources.kubernetes.schema import Namespace, Service
from tests.conftest import FORWARD
from tests.processes import answers, ask, free_port

WEB = "web.shop.svc.cluster.local"


def settings(port: int) -> Settings:
    kubernetes = KubernetesSettings(zones=(FORWARD,), origin=Manifests("deploy/examples"))
    listen = (Listen("127.0.0.1", port),)
    return Settings((Block((FORWARD,), listen, "Corefile:1", kubernetes=kubernetes),))


class Parent:
    """The parent's end of a worker's socket."""

    def __init__(self, ours: socket.socket, running: asyncio.Task[None]) -> None:
        self.socket = ours
        self.running = running
        self._frames = feed.Frames()
        self._waiting: list[feed.ToParent] = []

    async def tell(self, *messages: feed.ToWorker) -> None:
        data = b"".join(map(feed.frame, messages))
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def give(self, address: str) -> None:
        """Tell of one Service, at this address."""
        shop, web = Namespace("shop"), Service("shop", "web", "ClusterIP", (address,), "", ())
        objects = {Key("Namespace", "", "shop"): shop, Key("Service", "shop", "web"): web}
        await self.tell(*feed.fed(0, Batch("manifests", objects, True)))

    async def hear(self, kind: type) -> feed.ToParent:
        """Return the next message of a kind."""
        while True:
            for message in self._waiting:
                if isinstance(message, kind):
                    self._waiting.remove(message)
                    return message
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65_536)
            assert data, "the worker has closed its end"
            self._waiting += map(feed.for_parent, self._frames.feed(data))


@contextlib.asynccontextmanager
async def running(port: int) -> AsyncIterator[Parent]:
    """Run a worker in this process, and end it with the context."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=theirs)
    child = Worker(settings(port), open_log(quiet=True))
    task = asyncio.create_task(child.run(reader, writer))
    try:
        async with asyncio.timeout(30):
            yield Parent(ours, task)
            child.stop.set()
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ours.close()
        writer.close()


async def test_a_worker_opens_when_it_is_told_to():
    """Nothing listens before the word; then what was told is answered, and what is told later."""
    port = free_port()
    async with running(port) as parent:
        await parent.give("192.0.2.1")
        await parent.tell(Open())
        opened = await parent.hear(Opened)
        assert Opened((("dns/udp", "127.0.0.1", port), ("dns/tcp", "127.0.0.1", port))) == opened
        assert ["192.0.2.1"] == answers(await ask("127.0.0.1", port, WEB))

        await parent.give("192.0.2.2")
        while ["192.0.2.2"] != answers(await ask("127.0.0.1", port, WEB)):
            await asyncio.sleep(0.01)


async def test_a_worker_tells_what_it_counted():
    """Its counts come by themselves, all since its start."""
    port = free_port()
    async with running(port) as parent:
        await parent.give("192.0.2.1")
        await parent.tell(Open())
        await parent.hear(Opened)
        for _ in range(5):
            await ask("127.0.0.1", port, WEB)
        while True:
            counted = await parent.hear(Counted)
            if isinstance(counted, Counted) and counted.counts["udp answered"] == 5:
                break


async def test_an_address_that_is_taken_is_told():
    """A worker that cannot listen says so in a sentence, and does not fall over."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        async with running(other.getsockname()[1]) as parent:
            await parent.tell(Open())
            failed = await parent.hear(Failed)

            assert isinstance(failed, Failed)
            assert "another program holds it" in failed.sentence
            assert not parent.running.done()


@pytest.mark.parametrize("unread", [False, True], ids=["all was read", "something was not"])
async def test_a_worker_goes_on_when_its_parent_is_gone(unread: bool):
    """The last state is answered on, whatever the parent left unread when it was killed."""
    port = free_port()
    async with running(port) as parent:
        await parent.give("192.0.2.1")
        await parent.tell(Open())
        if unread:
            await until_readable(parent.socket)
        else:
            await parent.hear(Opened)
        parent.socket.close()

        for _ in range(20):
            assert ["192.0.2.1"] == answers(await ask("127.0.0.1", port, WEB))
            await asyncio.sleep(0.01)
        assert not parent.running.done()


async def test_an_orphan_ends_by_itself(monkeypatch: pytest.MonkeyPatch):
    """Whoever starts anew does not find the old workers for ever."""
    monkeypatch.setattr(worker, "ORPHANED", 0.2)
    port = free_port()
    async with running(port) as parent:
        await parent.tell(Open())
        await parent.hear(Opened)
        parent.socket.close()
        await parent.running

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))


@pytest.mark.parametrize("opens", [True, False])
async def test_a_worker_that_is_told_to_stop_ends(opens: bool):
    """The word to stop ends it, listening or not."""
    async with running(free_port()) as parent:
        await parent.tell(*([Open()] * opens), Stop())
        await parent.running


async def until_readable(sock: socket.socket) -> None:
    """Wait until something has arrived, and leave it where it is."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(sock, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(sock)

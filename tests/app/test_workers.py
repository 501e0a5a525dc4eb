"""The parent keeps its workers alive, tells each of them everything, and outlives them all.

Workers here are two ends of a conversation without a process; time is simulated.
What real processes do is in `tests/e2e/test_workers.py`.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from skydns_py.app import feed, workers
from skydns_py.app.feed import Counted, Failed, Fed, Open, Opened, Stop
from skydns_py.app.logs import open_log
from skydns_py.app.workers import SOON, STOPPING, Workers
from skydns_py.app.world import World
from skydns_py.batch import Batch, Key
from skydns_py.errors import SettingsError
from skydns_py.settings import Block, KubernetesSettings, Listen, Manifests, Settings
from skydns_py.sources.kubernetes.schema import Namespace
from tests.conftest import FORWARD

pytestmark = pytest.mark.looptime

KUBERNETES = KubernetesSettings(zones=(FORWARD,), origin=Manifests("deploy/examples"))
SETTINGS = Settings(
    blocks=(
        Block(
            zones=(FORWARD,),
            listen=(Listen("127.0.0.1", 0),),
            place="Corefile:1",
            kubernetes=KUBERNETES,
        ),
    )
)
ADDRESSES = (("dns/udp", "127.0.0.1", 53),)


class Lines:
    """A stream for a log, whose lines can be looked at."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Keep nothing back."""


class Worker:
    """The other end of a worker's socket, and the process behind it."""

    pids = iter(range(1000, 10_000))

    def __init__(self, *, obeys: bool = True) -> None:
        self.pid = next(self.pids)
        self.killed = False
        self.reader = asyncio.StreamReader()
        self.told: list[feed.ToWorker] = []
        self._obeys = obeys
        self._frames = feed.Frames()
        self._ended = asyncio.Event()

    def write(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            message = feed.for_worker(body)
            self.told.append(message)
            if isinstance(message, Stop) and self._obeys:
                self.die()

    def close(self) -> None:
        """Have nothing to close."""

    def say(self, *messages: feed.ToParent) -> None:
        for message in messages:
            self.reader.feed_data(feed.frame(message))

    def die(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            self.reader.feed_eof()

    def kill(self) -> None:
        self.killed = True
        self.die()

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    @property
    def namespaces(self) -> set[str]:
        """The namespaces it knows by what it was told."""
        known: dict[Key, Any] = {}
        for message in self.told:
            if isinstance(message, Fed):
                known |= feed.batch_of(message).objects
        return {key.name for key, slim in known.items() if slim is not None}


class Scene:
    """A world, its workers, and those that were started in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.lines = Lines()
        log = open_log(self.lines)  # type: ignore[arg-type]
        self.world = World(KUBERNETES, log)
        self.started: list[Worker] = []
        self.pause = 0.0
        self.obeys = True
        self.dies_at_once = False
        self.says: feed.ToParent = Opened(ADDRESSES)
        self.workers = Workers(count, SETTINGS, {KUBERNETES: self.world}, log, quiet=False)
        monkeypatch.setattr(workers, "_start", self._start)

    def add(self, *names: str) -> None:
        self._apply({Key("Namespace", "", name): Namespace(name) for name in names})

    def remove(self, name: str) -> None:
        self._apply({Key("Namespace", "", name): None})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the workers as the program does, with a limit to it all."""
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            await self.workers.open(group)
            yield
            await self.workers.close()

    def _apply(self, changes: dict[Key, Any]) -> None:
        self.world.apply(Batch("manifests", changes, True))

    async def _start(self, _settings: Settings, *, quiet: bool) -> workers._Live:
        await asyncio.sleep(self.pause)
        worker = Worker(obeys=self.obeys)
        self.started.append(worker)
        if self.dies_at_once:
            worker.die()
        else:
            worker.say(self.says)
        return workers._Live(worker, worker.reader, worker)  # type: ignore[arg-type]


async def test_every_worker_is_told_the_whole_picture_before_it_opens(monkeypatch):
    """First all objects and that they are all, then the word to open."""
    scene = Scene(monkeypatch, 3)
    scene.add("shop", *(f"n-{n}" for n in range(1200)))
    async with scene.open():
        assert list(ADDRESSES) == scene.workers.addresses
        assert 3 == len(scene.started)
        for worker in scene.started:
            *batches, last = worker.told
            assert Open() == last
            assert scene.world.services() == []
            assert scene.world.namespaces() == worker.namespaces
            assert [None, None, True] == [each.synced for each in batches if isinstance(each, Fed)]


async def test_a_change_is_told_to_every_worker(monkeypatch):
    """What the table here gets, each worker gets too, in the same order."""
    scene = Scene(monkeypatch, 2)
    async with scene.open():
        scene.add("shop", "bank")
        scene.remove("shop")

        assert [{"bank"}] * 2 == [worker.namespaces for worker in scene.started]


async def test_a_worker_that_died_is_replaced_and_knows_what_changed_meanwhile(monkeypatch):
    """Another takes its place, told everything that is there by then."""
    scene = Scene(monkeypatch, 2)
    scene.add("shop", "gone")
    scene.pause = 3.0
    async with scene.open():
        await asyncio.sleep(5)
        scene.started[0].die()
        await asyncio.sleep(1)
        scene.add("new")
        scene.remove("gone")
        await asyncio.sleep(3)

        assert 3 == len(scene.started)
        assert {"shop", "new"} == scene.started[2].namespaces == scene.started[1].namespaces
        assert f"[ERROR] worker {scene.started[0].pid} died" in scene.lines.text


async def test_workers_that_die_at_once_are_not_started_without_pause(monkeypatch):
    """A worker that never lives costs one start a second, not a processor."""
    scene = Scene(monkeypatch, 1)
    async with scene.open():
        scene.dies_at_once = True
        scene.started[0].die()
        await asyncio.sleep(20 * SOON)
        starts = len(scene.started) - 1
        scene.dies_at_once = False
        await asyncio.sleep(2 * SOON)

        assert 10 <= starts <= 21
        assert Open() in scene.started[-1].told


async def test_a_worker_that_lived_is_replaced_without_pause(monkeypatch):
    """Who dies after a while has another in its place at once."""
    scene = Scene(monkeypatch, 1)
    async with scene.open():
        await asyncio.sleep(2 * SOON)
        scene.started[0].die()
        await asyncio.sleep(0.001)

        assert 2 == len(scene.started)


async def test_counts_add_up_and_stay_when_a_worker_is_gone(monkeypatch):
    """What all workers have counted, last told, those that died included."""
    scene = Scene(monkeypatch, 2)
    async with scene.open():
        scene.started[0].say(Counted({"NOERROR": 1}), Counted({"NOERROR": 5, "counts": 1}))
        scene.started[1].say(Counted({"NOERROR": 7}))
        await asyncio.sleep(1)
        assert Counter(NOERROR=12, counts=1) == scene.workers.counts()

        scene.started[0].die()
        await asyncio.sleep(2)
        assert Counter(NOERROR=12, counts=1) == scene.workers.counts()
        scene.started[2].say(Counted({"NOERROR": 100}))
        await asyncio.sleep(1)
        assert Counter(NOERROR=112, counts=1) == scene.workers.counts()


async def test_at_the_end_every_worker_is_told_to_stop(monkeypatch):
    """Each is let go once, and none takes its place."""
    scene = Scene(monkeypatch, 3)
    async with scene.open():
        pass

    assert all(Stop() in worker.told and not worker.killed for worker in scene.started)
    assert 3 == len(scene.started)


async def test_a_worker_that_does_not_stop_is_killed(monkeypatch):
    """After the time to drain is over the process is ended."""
    scene = Scene(monkeypatch, 1)
    scene.obeys = False
    async with scene.open():
        ending = asyncio.get_running_loop().time()

    assert scene.started[0].killed
    assert STOPPING <= asyncio.get_running_loop().time() - ending < 2 * STOPPING


async def test_the_end_comes_while_a_worker_is_being_started(monkeypatch):
    """A worker that is not there yet when all are told to stop holds up nothing."""
    scene = Scene(monkeypatch, 1)
    async with scene.open():
        await asyncio.sleep(2 * SOON)
        scene.pause = 0.5
        scene.started[0].die()
        await asyncio.sleep(0.1)

    assert Stop() in scene.started[-1].told


async def test_an_address_that_cannot_be_opened_ends_the_start(monkeypatch):
    """One sentence for the operator; every worker is ended, and nothing else is printed."""
    scene = Scene(monkeypatch, 3)
    scene.says = Failed("127.0.0.1 port 53: another program holds it")
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    with pytest.raises(ExceptionGroup) as raised:
        async with scene.open():
            pytest.fail("nobody answers, and the program says it is up")
    assert raised.group_contains(SettingsError, match="another program")
    del raised
    gc.collect()
    await asyncio.sleep(1)

    assert [] == told
    assert all(Stop() in worker.told for worker in scene.started)


async def test_a_replacement_that_cannot_open_is_told_and_replaced(monkeypatch):
    """A worker without listeners is of no use: it is told, ended, and tried again in a while."""
    scene = Scene(monkeypatch, 1)
    async with scene.open():
        await asyncio.sleep(2 * SOON)
        scene.says = Failed("127.0.0.1 port 53: another program holds it")
        scene.started[0].die()
        await asyncio.sleep(5 * SOON)
        scene.says = Opened(ADDRESSES)
        await asyncio.sleep(3 * SOON)

        assert "[ERROR] 127.0.0.1 port 53: another program holds it" in scene.lines.text
        assert Stop() in scene.started[1].told
        assert 3 <= len(scene.started) <= 9
        assert Stop() not in scene.started[-1].told

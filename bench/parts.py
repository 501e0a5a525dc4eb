"""What a change costs on its way through the program, part by part, without any waiting.

The parts run here, in turn, in a cluster of the benchmark's size whose names are all remembered.
This module opens nothing and asks nobody.
"""

import random
from collections.abc import Callable, Iterator
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any, Final

import msgspec

from bench import cluster
from bench.pumping import Nobody
from bench.questions import HIT
from skydns_py import names
from skydns_py.answers.lookup import Zone
from skydns_py.answers.responder import Block, Responder
from skydns_py.app import feed
from skydns_py.batch import Batch
from skydns_py.sources.kubernetes import events
from skydns_py.sources.kubernetes.records import Exposure, KubernetesNaming
from skydns_py.table import Table
from tests.fakes import apianswers
from tests.fakes.apistore import Store

CHANGES: Final = 2000

_SOURCE: Final = "kubernetes"


class Part(msgspec.Struct, frozen=True):
    """Microseconds a part takes: the median, and what 99 of 100 changes stay below."""

    name: str
    p50: float
    p99: float


class _World:
    """A table and the responder in front of it, as the program has them."""

    def __init__(self) -> None:
        self.table = Table(KubernetesNaming(Exposure()), [_SOURCE])
        apex = names.from_text(cluster.ZONE)
        block = Block({apex: Zone(apex, self.table, 5, apex)})
        self.responder = Responder({apex: block}, shuffle=random.shuffle, report=_raise)

    def apply(self, batch: Batch) -> Any:
        return self.table.apply(batch, 1)

    def remember(self) -> None:
        """Answer every question often enough for the reply to be kept."""
        for _ in range(2):
            for packet in HIT.make(0):
                self.responder.respond(packet, Nobody(), "udp")


def measured() -> list[Part]:
    """Return the parts in the order in which a change passes them."""
    store, here, there = Store(), _World(), _World()
    first = [_event(store, thing) for thing in cluster.objects()]
    batch = Batch(_SOURCE, {put.key: put.slim for put in map(_decode, first)}, synced=True)
    for world in (here, there):
        world.responder.changed(world.apply(batch))
        world.remember()
    times: dict[str, list[int]] = {}
    for number in range(CHANGES):
        moved = 1 + number // cluster.SERVICES
        thing = cluster.service_objects(number % cluster.SERVICES, moved)[0]
        for name, nanoseconds in _passage(_event(store, thing), here, there):
            times.setdefault(name, []).append(nanoseconds)
    return [
        Part(name, median(each) / 1e3, quantiles(each, n=100)[98] / 1e3)
        for name, each in times.items()
    ]


def _passage(line: tuple[str, bytes], here: _World, there: _World) -> Iterator[tuple[str, int]]:
    """Take one change through all parts; yield the nanoseconds of each."""
    put, took = _timed(lambda: _decode(line))
    yield "decode", took
    batch = Batch(_SOURCE, {put.key: put.slim}, None)
    delta, took = _timed(lambda: here.apply(batch))
    yield "table", took
    yield "memo", _timed(lambda: here.responder.changed(delta))[1]
    frames, took = _timed(lambda: b"".join(map(feed.frame, feed.fed(0, batch))))
    yield "feed: encode", took
    fed, took = _timed(lambda: [_batch_of(body) for body in feed.Frames().feed(frames)])
    yield "feed: decode", took
    delta, took = _timed(lambda: there.apply(fed[0]))
    yield "worker: table", took
    yield "worker: memo", _timed(lambda: there.responder.changed(delta))[1]


def _timed(work: Callable[[], Any]) -> tuple[Any, int]:
    started = perf_counter_ns()
    done = work()
    return done, perf_counter_ns() - started


def _event(store: Store, thing: dict[str, Any]) -> tuple[str, bytes]:
    """Return the kind of an object, and the line a watch tells of it."""
    after = store.put(thing).after
    return thing["kind"], apianswers.line("MODIFIED", after or {})


def _decode(event: tuple[str, bytes]) -> events.Put:
    put = events.read_event(*event)
    if not isinstance(put, events.Put):
        raise TypeError(f"the fake API server says what cannot be read: {put}")
    return put


def _batch_of(body: bytes) -> Batch:
    message = feed.for_worker(body)
    if not isinstance(message, feed.Fed):
        raise TypeError(f"no batch: {message}")
    return feed.batch_of(message)


def _raise(bug: Exception) -> None:
    raise bug

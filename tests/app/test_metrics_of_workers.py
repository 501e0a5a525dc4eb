"""With workers, the parent shows what all of them have measured, the dead ones included."""

import asyncio

import pytest

from skydns_py.app.feed import Measured
from skydns_py.metrics import Cell
from tests.app.test_workers import Scene

pytestmark = pytest.mark.looptime

UDP: Cell = ("coredns_dns_requests_total", ("dns://:53", ".", "", "udp", "1", "A"), 0)
TCP: Cell = ("coredns_dns_requests_total", ("dns://:53", ".", "", "tcp", "1", "A"), 0)


async def test_what_workers_measured_is_added_up(monkeypatch):
    """Each worker tells what has changed since it last did; the rest stays as it was told."""
    scene = Scene(monkeypatch, 2)
    async with scene.open():
        first, second = scene.started
        first.say(Measured(((UDP, 3), (TCP, 0.5))), Measured(((UDP, 5),)))
        second.say(Measured(((UDP, 10),)))
        await asyncio.sleep(1)

        assert {UDP: 15, TCP: 0.5} == scene.workers.cells()
        assert {first.pid, second.pid} == set(scene.workers.pids())


async def test_a_worker_that_died_has_counted_all_the_same(monkeypatch):
    """A counter never falls because a worker died; its successor counts from nothing."""
    scene = Scene(monkeypatch, 1)
    async with scene.open():
        scene.started[0].say(Measured(((UDP, 7),)))
        await asyncio.sleep(1)
        scene.started[0].die()
        await asyncio.sleep(5)
        assert {UDP: 7} == scene.workers.cells()

        scene.started[1].say(Measured(((UDP, 1), (TCP, 2))))
        await asyncio.sleep(1)

        assert {UDP: 8, TCP: 2} == scene.workers.cells()
        assert [scene.started[1].pid] == scene.workers.pids()

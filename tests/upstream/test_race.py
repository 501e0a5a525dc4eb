"""Attempts side by side, in simulated time."""

import asyncio

import pytest

from skydns_py.settings.upstream_shapes import Upstream
from skydns_py.upstream.peer import Peer
from skydns_py.upstream.race import race
from tests.upstream.messages import made

pytestmark = pytest.mark.looptime

GOOD = made("www.example.org. 300 IN A 192.0.2.80")
PEERS = [Peer(Upstream(f"192.0.2.{i}"), 2) for i in range(15)]


async def test_many_dead(looptime):
    """However many are dead before it, one that lives is reached within 2.5 s."""

    async def attempt(peer):
        await asyncio.sleep(0.3 if peer is PEERS[-1] else 3600)
        return GOOD

    assert GOOD is await race(PEERS, attempt, lambda _: True)
    assert looptime < 2.5


async def test_losers_are_ended():
    """When one has won nothing is left running."""
    running = set()

    async def attempt(peer):
        running.add(peer)
        try:
            await asyncio.sleep(0.3 if peer is PEERS[2] else 3600)
        finally:
            running.remove(peer)
        return GOOD

    assert GOOD is await race(PEERS[:3], attempt, lambda _: True)
    assert set() == running


async def test_cancelled():
    """When nobody wants the reply any more nothing is left running either."""
    running = set()

    async def attempt(peer):
        running.add(peer)
        try:
            await asyncio.sleep(3600)
        finally:
            running.remove(peer)
        return GOOD

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await race(PEERS[:3], attempt, lambda _: True)
    assert set() == running

"""Ask upstreams one after the other without waiting for the slow: the first good reply counts.

Each is given the time in which it mostly replies; then the next is asked besides, and whoever comes
first wins.
One that fails is followed at once.
This module knows no sockets: what an attempt is, it is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from skydns_py.upstream.peer import MAX_PATIENCE, Peer
from skydns_py.upstream.reply import Reply

TOTAL: Final = 4.0
"""Seconds for all attempts: the resolvers of most systems give up after 5 (resolv.conf(5))."""

ROUND: Final = 2.0
"""Seconds in which every upstream has been asked once."""

ROUNDS: Final = 2
"""How often each is asked: a datagram that was lost is sent again."""

Attempt = Callable[[Peer], Awaitable[Reply | Exception]]
"""Asks one upstream and returns its reply, or why there is none; raises when cancelled only."""


async def race(
    peers: Sequence[Peer], attempt: Attempt, is_good: Callable[[Reply], bool]
) -> Reply | Exception | None:
    """Return the first good reply; else the last other one, else the last failure.

    None when there is neither after `TOTAL` seconds.
    Attempts that are not over by then, or when somebody else was faster, are cancelled.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + TOTAL
    waiting = [*peers] * ROUNDS
    running: set[asyncio.Future[Reply | Exception]] = set()
    fallback: Reply | Exception | None = None
    try:
        while (waiting or running) and loop.time() < end:
            patience = TOTAL
            if waiting:
                peer = waiting.pop(0)
                running.add(asyncio.ensure_future(attempt(peer)))
                patience = _patience(peer, len(peers)) if waiting else TOTAL
            limit = min(loop.time() + patience, end)
            done = await _first(running, limit)
            running -= done
            for outcome in (task.result() for task in done):
                if isinstance(outcome, Reply) and is_good(outcome):
                    return outcome
                fallback = _better(fallback, outcome)
    finally:
        await _cancel(running)
    return fallback


def _patience(peer: Peer, count: int) -> float:
    """Return the seconds until the next of `count` upstreams is asked besides.

    The same one is asked twice only when a packet must have been lost.
    """
    return MAX_PATIENCE if count == 1 else min(peer.patience, ROUND / count)


async def _first(
    running: set[asyncio.Future[Reply | Exception]], limit: float
) -> set[asyncio.Future[Reply | Exception]]:
    """Return what is over first, nothing when that takes beyond `limit`."""
    wait = max(0.0, limit - asyncio.get_running_loop().time())
    done, _ = await asyncio.wait(running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
    return done


def _better(known: Reply | Exception | None, new: Reply | Exception) -> Reply | Exception:
    """A reply is more than a failure, even a bad one."""
    return known if isinstance(known, Reply) and not isinstance(new, Reply) else new


async def _cancel(running: set[asyncio.Future[Reply | Exception]]) -> None:
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)

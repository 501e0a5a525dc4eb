"""Whether upstreams answer: told by what was asked of them, and after a failure by checks.

Nobody is checked who did not fail, and a check ends with the first reply, whatever it says.
This module decides nothing: who is asked first follows from `peer`.
"""

import asyncio
import errno
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from skydns_py.records import Type
from skydns_py.settings.upstream_shapes import ForwardSettings, Upstream
from skydns_py.upstream.peer import Peer
from skydns_py.upstream.question import Question
from skydns_py.upstream.reply import Reply

_RD: Final = 0x0100

_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What we ran out of: nothing an upstream could be blamed for."""

Spawn = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]
"""Starts a task that somebody owns: `asyncio.TaskGroup.create_task`."""


class Ask(Protocol):
    """Asks one upstream (see `exchange.Exchange`); raises OSError when there is no reply."""

    async def __call__(
        self, upstream: Upstream, question: Question, *, by_stream: bool = False
    ) -> Reply:
        """Return the reply, of whatever code."""


class Health:
    """Keeps count of failures and replies, and checks who failed; tasks are started by `spawn`.

    `counts` gets failures and checks by upstream, `tell` a sentence when one is down or back, and
    `report` our own bugs.
    """

    def __init__(
        self,
        settings: ForwardSettings,
        ask: Ask,
        spawn: Spawn,
        *,
        counts: Counter[str],
        tell: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._spawn = spawn
        self._counts = counts
        self._tell = tell
        self._report = report
        self._checks: dict[Peer, asyncio.Task[None]] = {}

    def failed(self, peer: Peer, error: OSError) -> None:
        """Note that a question got no reply, and have the upstream checked from now on."""
        if error.errno in _OURS:
            self._counts["out of sockets"] += 1
            return
        self._counts[f"failed {peer.upstream}"] += 1
        self._blame(peer, error)
        wanted = self._settings.health_check > 0 and self._settings.max_fails > 0
        if not wanted or peer in self._checks or peer.is_gone:
            return
        task = spawned(self._spawn, self._check(peer))
        if task is not None:
            self._checks[peer] = task
            task.add_done_callback(lambda _: self._checks.pop(peer, None))

    def replied(self, peer: Peer, seconds: float) -> None:
        """Note a reply, of whatever code, after so many seconds."""
        if peer.replied(seconds):
            self._tell(f"{_named(peer)} answers again")

    def forget(self, peer: Peer) -> None:
        """Check an upstream no more, as it is not asked any more."""
        peer.is_gone = True
        if peer in self._checks:
            self._checks[peer].cancel()

    def close(self) -> None:
        """End all checks."""
        for task in self._checks.values():
            task.cancel()

    def _blame(self, peer: Peer, error: OSError) -> None:
        if peer.failed():
            self._tell(f"{_named(peer)} does not answer ({reason_of(error)}); others go first")

    async def _check(self, peer: Peer) -> None:
        """Ask an upstream that failed for something it must know, until any reply comes."""
        flags = 0 if self._settings.health_no_rec else _RD
        question = Question(self._settings.health_domain, Type.NS, flags)
        try:
            while True:
                await asyncio.sleep(self._settings.health_check)
                if await self._is_there(peer, question):
                    return
        except Exception as bug:  # noqa: BLE001  (the door: a check must not end the server)
            self._report(bug)

    async def _is_there(self, peer: Peer, question: Question) -> bool:
        loop = asyncio.get_running_loop()
        self._counts[f"checked {peer.upstream}"] += 1
        begun = loop.time()
        try:
            await self._ask(peer.upstream, question, by_stream=self._settings.force_tcp)
        except OSError as error:
            self._blame(peer, error)
            return False
        self.replied(peer, loop.time() - begun)
        return True


def spawned(spawn: Spawn, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any] | None":
    """Start a task; None when its owner is on the way out (a TaskGroup raises then)."""
    try:
        return spawn(work)
    except RuntimeError:
        work.close()
        return None


def reason_of(error: Exception) -> str:
    """Return why there is no reply, in words."""
    return "no reply in time" if isinstance(error, TimeoutError) else str(error)


def _named(peer: Peer) -> str:
    place = f" ({peer.upstream.line})" if peer.upstream.line else ""
    return f"upstream {peer.upstream}{place}"

"""The loop that mirrors one resource of a Kubernetes API server: ask, take the answer, wait.

What to ask and what an answer changes is decided in `watch`; here is only the waiting.
A server that cannot be reached costs no object: the last ones stay, and the reports say since when.
This module never gives up, and interprets no object.
"""

import asyncio
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from skydns_py.errors import SettingsError, SourceError
from skydns_py.sources.kubernetes.client import Client, Response
from skydns_py.sources.kubernetes.events import Expired, Refused, Unreadable, read_refusal
from skydns_py.sources.kubernetes.report import Standing, State
from skydns_py.sources.kubernetes.resources import Resource, explain
from skydns_py.sources.kubernetes.watch import STEADY, Changes, Phase, Reflector

_MAX_PAGE: Final = 2**30
"""Octets in one page of a list; a server that ignores the limit sends all its pods in one."""

_MAX_REFUSAL: Final = 2**20
"""Octets in the body of a refusal."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How time passes; all lengths are in seconds.

    `answer` is the limit for a whole list, or for a watch to open; `silence` that for the next
    event of an open watch, on which a bookmark comes about each minute.
    `pause` and `longest_pause` are the first and the longest backoff.
    `clock` returns seconds of the Unix epoch, `random` numbers from 0 to 1.
    """

    answer: float = 120.0
    silence: float = 150.0
    pause: float = 0.8
    longest_pause: float = 30.0
    clock: Callable[[], float] = time.time
    random: Callable[[], float] = random.random


@dataclass(eq=False)
class Mirror:
    """One resource: calls `tell` with each difference, and keeps `standing` up to date.

    `credentials` says for messages where the client's credentials come from.
    """

    client: Client
    resource: Resource
    reflector: Reflector
    tell: Callable[[Changes], None]
    standing: Standing
    timing: Timing
    credentials: str = ""
    _opened: float | None = field(default=None, init=False)

    @property
    def synced(self) -> bool:
        """Whether a whole picture of the resource has come."""
        return self.reflector.synced

    async def run(self) -> None:
        """Ask for ever: nothing but cancellation ends it, and our own bugs stop here too."""
        while True:
            self._opened = None
            try:
                pause = await self._ask()
            except TimeoutError:
                pause = self.reflector.fell_silent()
                self._lose(self._describe_silence())
            except (SourceError, SettingsError) as error:
                lived = self._lived()
                pause = self.reflector.broke(lived)
                # Proxies cut working streams as they please: only failing to go on is a loss.
                if lived < STEADY:
                    self._lose(str(error))
            except Exception as error:  # noqa: BLE001  (one of the two doors where bugs are caught)
                pause = self.reflector.doubt()
                self._lose(_describe_bug(error))
            await asyncio.sleep(pause)

    async def _ask(self) -> float:
        """Ask once, take the whole answer, and return the seconds to wait before asking again."""
        request = self.reflector.next_request()
        # The client's own limit is for the next octet. Ours fires first: only here is it known
        # that octets without an event are silence too.
        patience = 2 * max(self.timing.answer, self.timing.silence)
        async with (
            asyncio.timeout(self.timing.answer) as deadline,
            self.client.get(self.resource.path, request.params, read_timeout=patience) as response,
        ):
            if response.status != 200:
                verb = "watch" if request.is_watch else "list"
                return self._turned_away(verb, await _read_refusal(response))
            self._opened = asyncio.get_running_loop().time()
            if request.is_watch:
                return await self._take_stream(response, deadline)
            return await self._take_page(response)

    async def _take_page(self, response: Response) -> float:
        body = await response.body(_MAX_PAGE)
        for changes in self.reflector.take_page(body):
            self._take(changes)
            await asyncio.sleep(0)
        return 0.0

    async def _take_stream(self, response: Response, deadline: asyncio.Timeout) -> float:
        self._prolong(deadline)
        self._hold()
        async for chunk in response.chunks():
            changes = self.reflector.take_chunk(chunk)
            self._take(changes)
            if changes.heard:
                self._prolong(deadline)
            if changes.end is not None:
                return self._turned_away("watch", changes.end)
        return self.reflector.ended(self._lived())

    def _take(self, changes: Changes) -> None:
        self.tell(changes)
        self._hold(_describe_unreadable(self.resource, changes.unreadable))

    def _turned_away(self, verb: str, end: Expired | Refused) -> float:
        pause = self.reflector.turned_away(end)
        if isinstance(end, Refused) and pause:
            refusal = explain(self.resource, verb, end, self.client.host)
            known = f" (credentials of {self.credentials})" if self.credentials else ""
            self._lose(refusal + known)
        else:
            self._hold()
        return pause

    def _hold(self, error: str = "") -> None:
        watching = self.reflector.phase is Phase.WATCHING
        state: State = "watching" if watching else "listing"
        self.standing.set(state, synced=self.synced, error=error)

    def _lose(self, error: str) -> None:
        self.standing.set("lost", synced=self.synced, error=error)

    def _prolong(self, deadline: asyncio.Timeout) -> None:
        deadline.reschedule(asyncio.get_running_loop().time() + self.timing.silence)

    def _lived(self) -> float:
        if self._opened is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._opened

    def _describe_silence(self) -> str:
        opened = self._opened is not None
        seconds = self.timing.silence if opened else self.timing.answer
        asked = f"API server {self.client.host}: {self.resource.name}"
        if opened and self.reflector.phase is not Phase.PAGING:
            return f"{asked}: the watch is open, but silent for {seconds:g} s"
        return f"{asked}: no whole answer in {self.timing.answer:g} s"


async def _read_refusal(response: Response) -> Expired | Refused:
    seconds = response.headers.get("Retry-After", "")
    # The other form, a date, needs a clock that agrees with the server's: our backoff will do.
    wait = float(seconds) if seconds.isascii() and seconds.isdigit() else 0.0
    return read_refusal(response.status, await response.body(_MAX_REFUSAL), wait)


def _describe_unreadable(resource: Resource, found: tuple[Unreadable, ...]) -> str:
    if not found:
        return ""
    key, reason = found[-1].key, found[-1].reason
    name = "/".join(part for part in key[1:] if part) if key else "without a name"
    return f"the {resource.kind} {name} cannot be read, what was known of it stays: {reason}"


def _describe_bug(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        "a bug in skydns-py, please tell its makers:"
        f" {type(error).__name__}: {error} at {frame.filename}:{frame.lineno}"
    )

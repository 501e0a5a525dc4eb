"""A Kubernetes API server on loopback, with every misfortune of a real one at a test's command.

Lists in pages, watches with bookmarks, streams the initial events, forgets its history, refuses,
falls silent, breaks off and comes back on the same port.
What it says has the shapes of the recordings in tests/fixtures/kubernetes; `replay` says the
recordings themselves, byte for byte.
It knows the resources of `apistore.KINDS`, in all namespaces at once, and nothing of writing.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, Self

from aiohttp import web

from tests.fakes import apianswers
from tests.fakes.apilist import answer_list
from tests.fakes.apistore import KINDS, Change, Kind, Object, Params, Selection, Store, selection
from tests.fakes.apiwatch import Watch, first_lines


@dataclass(frozen=True)
class Asked:
    """A request that came: its path, its query, and the bearer token it had."""

    path: str
    params: dict[str, str]
    token: str = ""

    @property
    def is_watch(self) -> bool:
        return self.params.get("watch") in {"true", "1"}


@dataclass
class Refusal:
    """What a resource answers with for now; `times` more requests, None for ever."""

    status: int
    times: int | None
    retry_after: int | None


@dataclass(frozen=True)
class Replay:
    """What the next request with these parameters is answered with, byte for byte."""

    body: bytes
    status: int
    hold: bool
    params: dict[str, str]


class ApiServer:
    """The server; `async with` it, then ask `url`.

    `watchlist`: does the initial events ("yes"), refuses to ("refused": a server without the
    feature) or takes them for an ordinary watch ("ignored").
    `cached`: a list at resourceVersion 0 comes from the watch cache, which ignores `limit`.
    `tokens`: bearer tokens that are let in, None for everybody.
    `missing`: plurals the server does not know.
    `bookmark_every`: seconds between bookmarks, None for only those asked for by `bookmark`.
    `trickle`: octets per piece of a watch, None for whole lines; `trickle_pause`: seconds between.
    """

    def __init__(
        self, *, watchlist: Literal["yes", "refused", "ignored"] = "yes", cached: bool = True
    ) -> None:
        self.store = Store()
        self.watchlist = watchlist
        self.cached = cached
        self.tokens: set[str] | None = None
        self.missing: set[str] = set()
        self.bookmark_every: float | None = None
        self.trickle: int | None = None
        self.trickle_pause = 0.0
        self.requests: list[Asked] = []
        self.watches: set[Watch] = set()
        self.port = 0
        self._silent = False
        self._refusals: dict[str, Refusal] = {}
        self._replays: dict[str, list[Replay]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, after a `stop` on the same port again."""
        app = web.Application()
        app.router.add_get("/version", _version)
        for kind in KINDS:
            app.router.add_get(kind.path, self._answering(kind))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Break every connection off and listen no longer."""
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def put(self, *things: Object) -> str:
        """Create or change objects; return the version this made."""
        for thing in things:
            self._publish(self.store.put(thing))
        await asyncio.sleep(0)
        return str(self.store.version)

    async def delete(self, kind: str, namespace: str, name: str) -> str:
        """Delete an object; return the version this made."""
        self._publish(self.store.delete(kind, namespace, name))
        await asyncio.sleep(0)
        return str(self.store.version)

    def compact(self) -> None:
        """Forget the history: older versions and `continue` tokens are 410 from now on."""
        self.store.compact()

    def bookmark(self) -> None:
        """Send every open watch a bookmark at the newest version."""
        for watch in self.watches:
            watch.say(apianswers.bookmark(watch.kind, self.store.version))

    def say(self, plural: str, line: bytes) -> None:
        """Send the open watches of a resource these very octets."""
        for watch in self._open(plural):
            watch.say(line)

    def end(self, plural: str = "") -> None:
        """End the open watches in good order, with the bookmark that comes before."""
        for watch in self._open(plural):
            watch.say(apianswers.bookmark(watch.kind, self.store.version))
            watch.queue.put_nowait("end")

    def cut(self, plural: str = "") -> None:
        """Break the connections of the open watches off."""
        for watch in self._open(plural):
            watch.queue.put_nowait("cut")

    def fall_silent(self) -> None:
        """Keep watches open, old and new, but never say anything on them."""
        self._silent = True
        for watch in self.watches:
            watch.silent = True

    def speak_again(self) -> None:
        """Serve new watches; those that fell silent stay so, as a dead connection does."""
        self._silent = False

    def refuse(
        self, plural: str, status: int, times: int | None = None, retry_after: int | None = None
    ) -> None:
        """Answer requests for a resource with a status, so many times, or until `allow`."""
        self._refusals[plural] = Refusal(status, times, retry_after)

    def allow(self, plural: str) -> None:
        """Stop refusing a resource."""
        self._refusals.pop(plural, None)

    def replay(
        self,
        plural: str,
        body: bytes,
        *,
        status: int = 200,
        hold: bool = False,
        params: dict[str, str] | None = None,
    ) -> None:
        """Answer the next request for a resource, of those with `params`, with these octets.

        `hold` keeps the answer open after them. Several replays are used in their order.
        """
        replay = Replay(body, status, hold, params or {})
        self._replays.setdefault(plural, []).append(replay)

    def asked(self, plural: str) -> list[Asked]:
        """The requests for a resource, in order."""
        return [asked for asked in self.requests if asked.path.endswith(f"/{plural}")]

    def versions(self, plural: str) -> list[str]:
        """The versions that were asked for of a resource, "" by requests that begin anew."""
        return [asked.params.get("resourceVersion", "") for asked in self.asked(plural)]

    def _open(self, plural: str) -> list[Watch]:
        return [watch for watch in self.watches if plural in {"", watch.kind.plural}]

    def _publish(self, change: Change) -> None:
        for watch in self._open(change.kind.plural):
            if event := change.event(watch.selection):
                watch.say(apianswers.line(event["type"], event["object"]))

    def _answering(self, kind: Kind) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            asked = Asked(request.path, dict(request.query), token)
            self.requests.append(asked)
            replays = self._replays.get(kind.plural, [])
            for replay in replays:
                if replay.params.items() <= asked.params.items():
                    replays.remove(replay)
                    return await self._replay(request, replay, kind)
            refused = self._refused(kind, asked)
            if refused is not None:
                return refused
            if asked.is_watch:
                return await self._watch(request, kind, asked.params)
            return answer_list(self.store, kind, asked.params, cached=self.cached)

        return answer

    async def _replay(self, request: web.Request, replay: Replay, kind: Kind) -> web.StreamResponse:
        response = web.StreamResponse(
            status=replay.status, headers={"Content-Type": "application/json"}
        )
        await response.prepare(request)
        await response.write(replay.body)
        if replay.hold:
            await self._serve(request, response, Watch(kind, Selection(), self._silent))
        return response

    def _refused(self, kind: Kind, asked: Asked) -> web.Response | None:
        if kind.plural in self.missing:
            return web.Response(status=404, text="404 page not found\n")
        verb = "watch" if asked.is_watch else "list"
        if self.tokens is not None and asked.token not in self.tokens:
            return apianswers.refusal(401, kind, verb)
        refusal = self._refusals.get(kind.plural)
        if refusal is None or refusal.times == 0:
            return None
        if refusal.times is not None:
            refusal.times -= 1
        return apianswers.refusal(refusal.status, kind, verb, refusal.retry_after)

    async def _watch(self, request: web.Request, kind: Kind, params: Params) -> web.StreamResponse:
        if "sendInitialEvents" in params and self.watchlist == "refused":
            return apianswers.watchlist_refused()
        watch = Watch(kind, selection(params), self._silent)
        for line in first_lines(self.store, kind, params, streams=self.watchlist == "yes"):
            watch.queue.put_nowait(line)
        # Registered before anything is awaited: no change can fall between.
        self.watches.add(watch)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            async with asyncio.timeout(float(params.get("timeoutSeconds", "1800"))):
                await self._serve(request, response, watch)
        except TimeoutError:
            await response.write(apianswers.bookmark(kind, self.store.version))
        finally:
            self.watches.discard(watch)
        return response

    async def _serve(
        self, request: web.Request, response: web.StreamResponse, watch: Watch
    ) -> None:
        self.watches.add(watch)
        try:
            while (item := await self._next(watch)) != "end":
                if item == "cut":
                    if request.transport is not None:
                        request.transport.abort()
                    return
                if not watch.silent:
                    await self._write(response, item)
        except ConnectionError:
            return  # the client went away
        finally:
            self.watches.discard(watch)

    async def _next(self, watch: Watch) -> Any:
        try:
            async with asyncio.timeout(self.bookmark_every):
                return await watch.queue.get()
        except TimeoutError:
            return apianswers.bookmark(watch.kind, self.store.version)

    async def _write(self, response: web.StreamResponse, line: bytes) -> None:
        if self.trickle is None:
            await response.write(line)
            return
        for start in range(0, len(line), self.trickle):
            await response.write(line[start : start + self.trickle])
            await asyncio.sleep(self.trickle_pause)


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0"})

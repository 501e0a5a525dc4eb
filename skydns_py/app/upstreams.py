"""Whom else a server block asks: a resolver for each of its `forward`s, and their loops found out.

This module never answers for a zone of our own.
"""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from skydns_py import names
from skydns_py.answers.lookup import Answer
from skydns_py.answers.query import Query, Rcode
from skydns_py.answers.responder import Later, Transport
from skydns_py.app.logs import Log
from skydns_py.app.measures import of_resolver
from skydns_py.metrics import Cells, added
from skydns_py.servers.interfaces import own_hosts
from skydns_py.settings import Block
from skydns_py.upstream.cache import Cache
from skydns_py.upstream.exchange import Exchange
from skydns_py.upstream.follow import follow
from skydns_py.upstream.forward import Forward
from skydns_py.upstream.loops import Listening, Probes, leads_here
from skydns_py.upstream.relay import failure
from skydns_py.upstream.resolver import Resolver


class Upstreams:
    """The resolvers of one server block, in the order of its `forward`s.

    Questions under way are tasks of this object: `close` ends them.
    """

    def __init__(self, block: Block, log: Log, report: Callable[[Exception], None]) -> None:
        self._block = block
        self._log = log
        self._tasks: set[asyncio.Task[Any]] = set()
        self._exchanges = [Exchange(settings) for settings in block.forward]
        self._resolvers = [
            Resolver(
                Forward(
                    settings,
                    exchange,
                    self._spawn,
                    shuffle=random.shuffle,
                    tell=self._tell,
                    report=report,
                ),
                Cache(block.cache) if block.cache else None,
                clock=time.monotonic,
                report=report,
            )
            for settings, exchange in zip(block.forward, self._exchanges, strict=True)
        ]

    def ask(
        self, query: Query, limit: int, later: Callable[[], Later], transport: Transport
    ) -> bytes | None:
        """Answer by the first `forward` that is for the name, SERVFAIL where none is."""
        for resolver in self._resolvers:
            if resolver.forward.serves(query.name):
                return resolver.ask(query, limit, later, transport)
        return failure(query, Rcode.SERVFAIL)

    def follow(
        self,
        query: Query,
        answer: Answer,
        limit: int,
        later: Callable[[], Later],
        transport: Transport,
    ) -> bytes | None:
        """Answer with an alias of ours and what its target has elsewhere."""
        return follow(self.ask, query, answer, limit, later, transport)

    def counts(self) -> Counter[str]:
        """Return what has been counted since the start, by name."""
        counts: Counter[str] = Counter()
        for resolver in self._resolvers:
            counts.update({f"upstream {name}": n for name, n in resolver.counts.items()})
            counts.update({f"forward {name}": n for name, n in resolver.forward.counts.items()})
        return counts

    def cells(self, server: str) -> Cells:
        """Return what has been counted since the start, by metric; `server` is a label."""
        return added(
            of_resolver(server, self._block.cache, resolver) for resolver in self._resolvers
        )

    def find_loops(self, listening: Collection[Listening]) -> None:
        """Leave out upstreams that are this server, and with `loop` those that lead back to it.

        To be called when questions are answered already.
        """
        own = own_hosts()
        for resolver, exchange, settings in zip(
            self._resolvers, self._exchanges, self._block.forward, strict=True
        ):
            refused = {each: leads_here(each, listening, own) for each in settings.to}
            for sentence in filter(None, refused.values()):
                self._tell(sentence)
            resolver.forward.renew(tuple(each for each in settings.to if not refused[each]))
            if self._block.loop:
                zone = self._block.zones[0] if self._block.zones else names.ROOT
                resolver.probes = Probes(
                    resolver.forward, zone, secret=secrets.token_bytes, tell=self._tell
                )
                self._spawn(resolver.probes.run(exchange))

    async def close(self) -> None:
        """Give up what is under way, and close every connection."""
        for resolver, exchange in zip(self._resolvers, self._exchanges, strict=True):
            resolver.close()
            exchange.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _tell(self, sentence: str) -> None:
        self._log.warning(f"plugin/forward: {sentence}")

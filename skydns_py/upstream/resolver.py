"""Answer what is not ours: from the cache at once, or later when an upstream has replied.

Every promise to answer later is kept, once, whatever happens: with a reply, with an expired one
where that is allowed, else with SERVFAIL and the reason.
This module owns no task (see `forward`) and never raises.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from skydns_py.answers.query import Query, Rcode
from skydns_py.answers.responder import Later, Transport
from skydns_py.upstream.cache import Cache, Found
from skydns_py.upstream.forward import Forward, Outcome, UpstreamError
from skydns_py.upstream.loops import Probes
from skydns_py.upstream.question import Question, question_of
from skydns_py.upstream.relay import AA, Kept, failure, strip, to_client

MAX_WAITING: Final = 16_384
"""Clients who wait for a reply at a time: each costs memory, and no upstream is behind that far."""


STALE_AFTER: Final = 1.8
"""Seconds for an upstream, until an expired reply is given instead (RFC 8767 section 5)."""


class _Waiting(msgspec.Struct, frozen=True):
    """A client who was promised an answer of at most `limit` octets."""

    query: Query
    limit: int
    later: Later


class Resolver:
    """Answers for a `forward` and the `cache` in front of it, if there is one.

    `clock` gives seconds of any one clock; `report` takes our own bugs.
    `probes`, if there are any, are the questions by which loops are found.
    `counts` are hits, misses, stale, prefetched, refused and unanswered; what went to upstreams is
    in `forward.counts`.
    """

    def __init__(
        self,
        forward: Forward,
        cache: Cache | None,
        *,
        clock: Callable[[], float],
        report: Callable[[Exception], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.forward = forward
        self.cache = cache
        self.probes: Probes | None = None
        self._clock = clock
        self._report = report
        self._waiting: dict[Question, list[_Waiting]] = {}
        self._count = 0

    @property
    def waiting(self) -> int:
        """Clients who wait at the moment."""
        return self._count

    def ask(
        self, query: Query, limit: int, later: Callable[[], Later], transport: Transport
    ) -> bytes | None:
        """Return the reply to a query in at most `limit` octets, None when it comes later.

        `later` is called only then, to promise it.
        """
        if self.probes is not None and self.probes.seen(query.name, query.type):
            return failure(query, Rcode.REFUSED)
        question = question_of(query)
        found = None if self.cache is None else self.cache.find(question, self._clock())
        if found is None:
            self.counts["miss"] += 1
            return self._ask_upstream(query, question, limit, later, transport)
        self.counts["stale" if found.is_stale else "hit"] += 1
        if found.refresh:
            self._refresh(question, transport)
        return _from_cache(found, query, limit)

    def close(self) -> None:
        """Give up what is under way; who waits is told nothing any more."""
        self.forward.close()
        for waiting in self._waiting.values():
            for each in waiting:
                each.later(None)
        self._waiting.clear()
        self._count = 0

    def _ask_upstream(
        self,
        query: Query,
        question: Question,
        limit: int,
        later: Callable[[], Later],
        transport: Transport,
    ) -> bytes | None:
        if self._count >= MAX_WAITING or not self.forward.serves(query.name):
            self.counts["refused"] += 1
            return failure(query, Rcode.REFUSED)
        if question not in self._waiting:
            refusal = self._start(question, transport)
            if refusal is not None:
                self.counts["refused"] += 1
                return failure(query, refusal.rcode, refusal.ede)
            if self._stale(question) is not None:
                asyncio.get_running_loop().call_later(STALE_AFTER, self._give_stale, question)
        self._waiting.setdefault(question, []).append(_Waiting(query, limit, later()))
        self._count += 1
        return None

    def _refresh(self, question: Question, transport: Transport) -> None:
        """Ask again for what is still in the cache; nobody waits for it."""
        self.counts["prefetched"] += 1
        if self._start(question, transport) is not None and self.cache is not None:
            self.cache.refreshed(question)

    def _start(self, question: Question, transport: Transport) -> UpstreamError | None:
        """Ask upstreams, and have everybody answered when that is over; return a refusal."""
        try:
            task = self.forward.start(question, transport)
        except UpstreamError as refusal:
            return refusal
        task.add_done_callback(lambda task: self._settle(question, task))
        return None

    def _settle(self, question: Question, task: "asyncio.Task[Outcome]") -> None:
        """Answer all who wait for a question."""
        waiting = self._waiting.pop(question, [])
        self._count -= len(waiting)
        if task.cancelled():
            for each in waiting:
                each.later(None)
            return
        try:
            kept, ede = self._outcome(question, task.result())
        except Exception as bug:  # noqa: BLE001  (the door: who waits is answered all the same)
            self._report(bug)
            kept, ede = _servfail(), 0
        for each in waiting:
            each.later(to_client(kept, each.query, each.limit, ede))

    def _outcome(self, question: Question, outcome: Outcome) -> tuple[Kept, int]:
        """Remember how a question ended, and return what is to be said and the extended error."""
        now = self._clock()
        if isinstance(outcome, UpstreamError):
            self.counts["unanswered"] += 1
            kept, ede = _servfail(), outcome.ede
            if self.cache is not None:
                self.cache.fail(question, kept, ede, now)
        else:
            kept, ede = strip(outcome), 0
            if self.cache is not None:
                kept = self.cache.keep(question, outcome, kept, now)
        if self.cache is None:
            return kept, ede
        self.cache.refreshed(question)
        stale = self._stale(question) if kept.rcode == Rcode.SERVFAIL else None
        if stale is None:
            return kept, ede
        self.counts["stale"] += 1
        return _unauthoritative(stale.reply), stale.ede

    def _stale(self, question: Question) -> Found | None:
        return None if self.cache is None else self.cache.stale(question, self._clock())

    def _give_stale(self, question: Question) -> None:
        """Give who still waits what has expired; the upstream's reply is for the next."""
        stale = self._stale(question)
        if stale is None:
            return
        waiting = self._waiting.pop(question, [])
        self._count -= len(waiting)
        self.counts["stale"] += len(waiting)
        for each in waiting:
            each.later(_from_cache(stale, each.query, each.limit))


def _from_cache(found: Found, query: Query, limit: int) -> bytes:
    return to_client(_unauthoritative(found.reply), query, limit, found.ede)


def _unauthoritative(kept: Kept) -> Kept:
    """Return a reply without AA: what was remembered is nobody's own word (RFC 1035 4.1.1)."""
    return msgspec.structs.replace(kept, flags=kept.flags & ~AA) if kept.flags & AA else kept


def _servfail() -> Kept:
    return Kept(0, Rcode.SERVFAIL, (0, 0, 0), b"", ())

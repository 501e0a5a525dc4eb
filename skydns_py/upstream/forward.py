"""Ask whoever answers: several upstreams as one that is nearly always there.

A question that is under way already is not asked again; all who want it get the same reply.
An upstream that failed is checked until it replies, and no upstream is checked that did not.
Nothing is remembered here (see `cache`), and nothing is logged: sentences go to `tell`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from skydns_py import names
from skydns_py.answers.query import Rcode
from skydns_py.errors import SourceError
from skydns_py.settings.upstream_shapes import ForwardSettings, Upstream
from skydns_py.upstream.health import Ask, Health, Spawn, reason_of, spawned
from skydns_py.upstream.peer import Peer, Shuffle, order
from skydns_py.upstream.question import Question
from skydns_py.upstream.race import race
from skydns_py.upstream.relay import EDE_NETWORK, EDE_NOT_READY, EDE_UNREACHABLE
from skydns_py.upstream.reply import Reply

MAX_CONCURRENT: Final = 1000
"""Questions under way where `max_concurrent` names no number, as kubeadm's Corefile does.

Each holds a socket or two and some 15 KiB.
"""

_EXTENDED: Final = 16
"""Codes from here on need an OPT, and speak of what is between us and the upstream (BADVERS)."""


class UpstreamError(SourceError):
    """There is no reply to pass on; `rcode` and `ede` are what a client is told instead.

    `ede` is an extended error's code (RFC 8914), 0 for none.
    """

    def __init__(self, message: str, ede: int = 0, rcode: int = Rcode.SERVFAIL) -> None:
        super().__init__(message)
        self.ede = ede
        self.rcode = rcode


Outcome = Reply | UpstreamError


class Forward:
    """Asks the upstreams of one `forward`; tasks are started by `spawn`.

    `shuffle` puts a list into a random order; `tell` takes sentences for the operator, and
    `report` our own bugs.
    `counts` are questions that went out, joined one under way, or were refused; replies by code
    name; and failures and checks by upstream.
    """

    def __init__(
        self,
        settings: ForwardSettings,
        ask: Ask,
        spawn: Spawn,
        *,
        shuffle: Shuffle,
        tell: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.peers = [Peer(upstream, settings.max_fails) for upstream in settings.to]
        self._settings = settings
        self._except = frozenset(settings.except_)
        self._ask = ask
        self._spawn = spawn
        self._shuffle = shuffle
        self._report = report
        self._turn = 0
        self._under_way: dict[Question, asyncio.Task[Outcome]] = {}
        self._health = Health(settings, ask, spawn, counts=self.counts, tell=tell, report=report)

    def serves(self, name: bytes) -> bool:
        """Tell whether a folded name is asked here: in the zone, and not below an exception."""
        return names.is_at_or_below(name, self._settings.zone) and (
            not self._except or names.closest(name, self._except) is None
        )

    async def ask(self, question: Question, transport: str = "udp") -> Reply:
        """Return the reply to a question; whoever stops waiting does not disturb the others.

        Raises:
            UpstreamError: no upstream replied, or too many questions are under way.
        """
        outcome = await asyncio.shield(self.start(question, transport))
        if isinstance(outcome, UpstreamError):
            raise outcome
        return outcome

    def start(self, question: Question, transport: str = "udp") -> "asyncio.Task[Outcome]":
        """Return the task that asks, the one under way if there is one; it never raises.

        Raises:
            UpstreamError: too many questions are under way, or nothing is begun any more.
        """
        task = self._under_way.get(question)
        if task is not None:
            self.counts["joined"] += 1
            return task
        if len(self._under_way) >= (self._settings.max_concurrent or MAX_CONCURRENT):
            self.counts["refused"] += 1
            raise UpstreamError(
                f"{len(self._under_way)} questions are under way to upstreams already;"
                " raise `max_concurrent`, or see who asks so much",
                rcode=Rcode.REFUSED,
            )
        task = spawned(self._spawn, self._settle(question, transport))
        if task is None:
            raise UpstreamError("the server is shutting down", EDE_NOT_READY)
        self._under_way[question] = task
        task.add_done_callback(lambda _: self._under_way.pop(question, None))
        return task

    def renew(self, to: tuple[Upstream, ...]) -> None:
        """Ask others from now on; who stays keeps what is known of them."""
        known = {peer.upstream: peer for peer in self.peers}
        new = {upstream: Peer(upstream, self._settings.max_fails) for upstream in to}
        self.peers = [known.pop(upstream, peer) for upstream, peer in new.items()]
        for peer in known.values():
            self._health.forget(peer)

    def close(self) -> None:
        """Cancel what is under way."""
        for task in self._under_way.values():
            task.cancel()
        self._health.close()

    async def _settle(self, question: Question, transport: str) -> Outcome:
        try:
            return await self._race(question, transport)
        except Exception as bug:  # noqa: BLE001  (the door: one question must not end the server)
            self._report(bug)
            return UpstreamError(f"a bug of ours: {bug!r}")

    async def _race(self, question: Question, transport: str) -> Outcome:
        peers = self._order()
        if not peers:
            return UpstreamError(
                "no upstream is left to ask: all are down, or lead back here", EDE_UNREACHABLE
            )
        by_stream = self._settings.force_tcp or (
            transport != "udp" and not self._settings.prefer_udp
        )
        failover = self._settings.failover
        outcome = await race(
            peers,
            lambda peer: self._attempt(peer, question, by_stream=by_stream),
            lambda reply: reply.rcode not in failover and reply.rcode < _EXTENDED,
        )
        if isinstance(outcome, Reply) and outcome.rcode < _EXTENDED:
            return outcome
        return _unanswered(question, peers, outcome)

    def _order(self) -> list[Peer]:
        self._turn += 1
        peers = [peer for peer in self.peers if not peer.loops]
        if self._settings.failfast_all_unhealthy and all(peer.is_down for peer in peers):
            return []
        return order(peers, self._settings.policy, self._turn, self._shuffle)

    async def _attempt(
        self, peer: Peer, question: Question, *, by_stream: bool
    ) -> Reply | Exception:
        loop = asyncio.get_running_loop()
        begun, patience = loop.time(), peer.patience
        self.counts["asked"] += 1
        peer.asked += 1
        try:
            reply = await self._ask(peer.upstream, question, by_stream=by_stream)
        except OSError as error:
            self._health.failed(peer, error)
            return error
        except asyncio.CancelledError:
            # Somebody else was faster: that this one is slow must be known all the same.
            if loop.time() - begun >= patience:
                self._health.failed(peer, TimeoutError())
            raise
        self._health.replied(peer, loop.time() - begun)
        self.counts[f"rcode {reply.rcode}"] += 1
        return reply


def _unanswered(
    question: Question, peers: list[Peer], outcome: Reply | Exception | None
) -> UpstreamError:
    if isinstance(outcome, Reply):
        outcome = ValueError(f"it replied with the code {outcome.rcode}, which is about EDNS alone")
    silent = outcome is None or isinstance(outcome, TimeoutError)
    error = UpstreamError(
        f"{names.to_text(question.name)} was answered by none of"
        f" {', '.join(str(peer.upstream) for peer in peers)}"
        f" ({reason_of(outcome or TimeoutError())})",
        EDE_UNREACHABLE if silent else EDE_NETWORK,
    )
    error.__cause__ = outcome
    return error

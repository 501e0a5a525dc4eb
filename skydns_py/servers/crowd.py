"""Everybody connected to one TCP server: how many, who has been quiet longest, who holds memory.

The rules that keep the next client from being shut out live here (RFC 7766 6.2, RFC 9210 4).
This module never reads, writes or waits: it only says who has to go.
"""

import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Protocol


class Ending(StrEnum):
    """Why we ended a connection; the value is the metric's label."""

    IDLE = "idle"
    MESSAGE = "message"
    UNREAD = "unread"
    CROWDED = "crowded"
    MEMORY = "memory"
    FRAMING = "framing"
    DESCRIPTORS = "descriptors"
    HANDSHAKE = "handshake"
    SHUTDOWN = "shutdown"


def most_connections() -> int:
    """Return half the descriptors this process may open, as Knot does, at most 8,192 (30 MB)."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return 8192
    return max(1, min(descriptors // 2, 8192))


@dataclass(frozen=True, kw_only=True)
class TcpLimits:
    """What a client may take: times in seconds, sizes in bytes. Knot's and CoreDNS's are near.

    Attributes:
        connections: open at once; the next one ends the one that has been quiet longest.
        crowded: the share of `connections` from which `idle_crowded` holds.
        message: from the first octet of a message to its last.
        idle_new: from connecting to the first message.
        idle: after an answer (RFC 7766 6.2.3 wants a few seconds).
        idle_crowded: instead of both, when it is crowded.
        unread: for a client to read when its answers have filled `backlog`.
        backlog: answers of one connection that the kernel has not taken; then reading stops.
        memory: half messages and unsent answers of all connections together.
        turn: messages of one connection until others have their turn.
        waiting: answers of one connection promised for later; then reading stops.
        sweep: between two looks at the clock for all connections.
        pause: without accepting, when descriptors have run out.
    """

    connections: int = field(default_factory=most_connections)
    crowded: float = 0.75
    message: float = 3.0
    idle_new: float = 3.0
    idle: float = 10.0
    idle_crowded: float = 1.0
    unread: float = 3.0
    backlog: int = 64 * 1024
    memory: int = 4 * 2**20
    turn: int = 100
    waiting: int = 100
    sweep: float = 0.25
    pause: float = 0.5


@dataclass
class TcpCounts:
    """What became of connections and messages since the start.

    `dropped` messages were left unanswered by `respond`, or are answered later.
    `exhausted` counts how often descriptors had run out.
    """

    accepted: int = 0
    received: int = 0
    answered: int = 0
    dropped: int = 0
    exhausted: int = 0
    ended: Counter[Ending] = field(default_factory=Counter)


class Member(Protocol):
    """A connection, as the crowd knows it."""

    def overdue(self, now: float, *, crowded: bool) -> Ending | None:
        """Say why the connection has to end at the time `now`, None when it may stay."""

    def is_working(self) -> bool:
        """Say whether answers are still to be made or sent."""

    def end(self, ending: Ending) -> None:
        """Leave, at once or when the last answers are sent."""


class Crowd:
    """The connections of one server, the one that has been quiet longest first."""

    def __init__(self, limits: TcpLimits) -> None:
        self._limits = limits
        self._members: dict[Member, None] = {}
        self._coming: dict[Member, Callable[[], object]] = {}
        self._heavy: dict[Member, int] = {}
        self._weight = 0

    def __len__(self) -> int:
        return len(self._members) + len(self._coming)

    def expect(self, member: Member, turn_away: Callable[[], object]) -> None:
        """Keep a place for a connection on its way in, through a handshake perhaps."""
        self._coming[member] = turn_away

    def enter(self, member: Member) -> None:
        """Take in a new connection, as the least quiet of all."""
        self._coming.pop(member, None)
        self._members[member] = None

    def leave(self, member: Member) -> None:
        """Forget a connection that is closed, or never came in."""
        self._coming.pop(member, None)
        self._members.pop(member, None)
        self._weight -= self._heavy.pop(member, 0)

    def touch(self, member: Member) -> None:
        """Note that a connection got an answer. A half message is no sign of life."""
        if member in self._members:
            del self._members[member]
            self._members[member] = None

    def weigh(self, member: Member, held: int) -> None:
        """Note the bytes a connection holds; end the one heavy longest while all hold too many.

        Those who hold little are never asked: they cannot be what fills the memory.
        """
        self._weight -= self._heavy.get(member, 0)
        if held <= _LIGHT:
            self._heavy.pop(member, None)
            return
        self._heavy[member] = held
        self._weight += held
        while self._weight > self._limits.memory:
            heaviest = next(iter(self._heavy))
            self.leave(heaviest)
            heaviest.end(Ending.MEMORY)

    def end_quietest(self, count: int, ending: Ending) -> int:
        """End the `count` connections that have been quiet longest; return how many there were.

        When they do not suffice, those on their way in are turned away, the first to come first.
        """
        quietest = list(islice(self._members, count))
        for member in quietest:
            self.leave(member)
            member.end(ending)
        slowest = list(islice(self._coming, count - len(quietest)))
        for member in slowest:
            self._coming.pop(member)()
        return len(quietest) + len(slowest)

    def sweep(self, now: float) -> None:
        """End everyone who is overdue at the time `now`."""
        crowded = len(self) > self._limits.crowded * self._limits.connections
        for member in list(self._members):
            ending = member.overdue(now, crowded=crowded)
            if ending is not None:
                member.end(ending)

    def end_done(self, ending: Ending) -> None:
        """End everyone who has got all answers asked for."""
        for member in list(self._members):
            if not member.is_working():
                member.end(ending)


_LIGHT = 2048
"""Bytes that never count: a query and its answer, on their way."""

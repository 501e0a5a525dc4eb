"""One TCP or TLS connection: queries in, answers out in any order (RFC 7766 6.2.1).

A turn answers at most a hundred queries, then others have theirs (`turns`).
While the client does not read its answers, or too many answers are being waited for, nothing more
is read from it: what it may make us hold is bounded.
This module sets no timers: the server asks `overdue` of every connection a few times a second.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from skydns_py.servers.crowd import Crowd, Ending, TcpCounts, TcpLimits
from skydns_py.servers.framing import MAX_MESSAGE, Framer, FramingError, frame
from skydns_py.servers.respond import Later, Respond, Transport
from skydns_py.servers.turns import Turns

_READ = 16 * 1024
"""Octets a read takes at most: some 400 queries, or a quarter of the longest message."""

_POLITE = frozenset({Ending.IDLE, Ending.MESSAGE, Ending.FRAMING})
"""Endings after which unsent answers are still sent; the others give back at once what is held."""


@dataclass(frozen=True)
class Room:
    """What the connections of one server share.

    `scratch` is the buffer all of them read into, since each read is taken from it before the next.
    """

    loop: asyncio.AbstractEventLoop
    respond: Respond
    transport: Transport
    limits: TcpLimits
    counts: TcpCounts
    crowd: Crowd
    turns: Turns
    scratch: memoryview = field(default_factory=lambda: memoryview(bytearray(_READ)))


class TcpConnection(asyncio.BufferedProtocol):
    """A connection from its first octet to its end; to `respond` it is the client."""

    _transport: asyncio.Transport

    def __init__(self, room: Room) -> None:
        self._room = room
        self._framer = Framer()
        self._quiet_since = room.loop.time()
        self._message_since: float | None = None
        self._full_since: float | None = None
        self._closing_since: float | None = None
        self._answered = False
        self._ended_by_client = False
        self._is_in_line = False
        self._waiting = 0

    @property
    def host(self) -> str:
        """The client's address."""
        return str(self._peer()[0]).partition("%")[0]

    @property
    def port(self) -> int:
        """The client's port."""
        return int(self._peer()[1])

    def later(self) -> Later:
        """Promise an answer to the message in hand; others overtake it (RFC 7766 6.2.1.1)."""
        self._waiting += 1
        return self._answer_later

    def overdue(self, now: float, *, crowded: bool) -> Ending | None:
        """Say why the connection has to end at the time `now`, None when it may stay."""
        limits = self._room.limits
        if _passed(now, self._closing_since, limits.unread):
            return Ending.UNREAD
        if _passed(now, self._full_since, limits.unread):
            return Ending.UNREAD
        if self._is_in_line:
            return None
        if _passed(now, self._message_since, limits.message):
            return Ending.MESSAGE
        if self._full_since or self._message_since:
            return None
        patience = self._patience(crowded=crowded)
        return Ending.IDLE if _passed(now, self._quiet_since, patience) else None

    def end(self, ending: Ending) -> None:
        """End the connection: when all is sent, or at once when others need what it holds."""
        if self._closing_since is None:
            self._room.counts.ended[ending] += 1
        self._close()
        if ending not in _POLITE:
            self._transport.abort()

    def is_working(self) -> bool:
        """Say whether answers are still to be made or sent."""
        unsent = self._transport.get_write_buffer_size()
        return bool(self._is_in_line or self._waiting or self._framer.held or unsent)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the crowd."""
        self._transport = cast("asyncio.Transport", transport)
        backlog = self._room.limits.backlog
        self._transport.set_write_buffer_limits(high=backlog, low=backlog // 4)
        self._room.crowd.enter(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Lend the shared buffer; `buffer_updated` follows before anyone else reads."""
        return self._room.scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came, and a turn."""
        self._framer.feed(self._room.scratch[:nbytes])
        if not self._is_in_line:
            self._take_turn()

    def eof_received(self) -> bool:
        """Go on answering: the client has only said that it asks no more (RFC 7766 6.2.4)."""
        self._ended_by_client = True
        self._schedule_turn()
        return self._room.transport != "tls"

    def pause_writing(self) -> None:
        """Read nothing more until the client has read."""
        self._full_since = self._room.loop.time()

    def resume_writing(self) -> None:
        """Go on where the turn stopped."""
        self._full_since = None
        self._schedule_turn()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Leave the crowd; a turn still to come will find the transport closing."""
        self._room.crowd.leave(self)

    def _take_turn(self) -> None:
        """Answer what is here, at most a turn's worth."""
        self._is_in_line = False
        if self._transport.is_closing():
            return
        replies: list[bytes] = []
        try:
            done = self._answer(replies)
        except FramingError:
            self._write(replies)
            self.end(Ending.FRAMING)
            return
        self._write(replies)
        self._weigh()
        if self._is_held_up():
            self._transport.pause_reading()
        elif not done:
            self._schedule_turn()
        elif not self._ended_by_client:
            self._transport.resume_reading()
        elif not self._waiting:
            self._close()

    def _answer(self, replies: list[bytes]) -> bool:
        """Append the framed answers of one turn; say whether all whole messages were taken.

        Raises:
            FramingError: the stream is broken; `replies` has the answers before that point.
        """
        room, size = self._room, 0
        for _ in range(room.turns.share()):
            if size >= room.limits.backlog or self._is_held_up():
                break
            message = self._framer.next_message()
            if message is None:
                self._time_message()
                return True
            room.turns.spend(1)
            self._message_since = None
            room.counts.received += 1
            reply = room.respond(message, self, room.transport)
            if reply is None or len(reply) > MAX_MESSAGE:
                room.counts.dropped += 1
                continue
            replies.append(frame(reply))
            size += len(reply)
        return False

    def _write(self, replies: list[bytes]) -> None:
        if not replies:
            return
        self._room.counts.answered += len(replies)
        self._answered = True
        self._quiet_since = self._room.loop.time()
        self._room.crowd.touch(self)
        self._transport.write(b"".join(replies))

    def _answer_later(self, reply: bytes | None) -> None:
        self._waiting -= 1
        if self._transport.is_closing():
            return
        self._write([] if reply is None else [frame(reply)])
        self._weigh()
        self._schedule_turn()

    def _schedule_turn(self) -> None:
        """Wait in line; until then nothing more is read."""
        if not self._is_in_line:
            self._is_in_line = True
            self._transport.pause_reading()
            self._room.turns.wait(self._take_turn)

    def _is_held_up(self) -> bool:
        return self._full_since is not None or self._waiting >= self._room.limits.waiting

    def _patience(self, *, crowded: bool) -> float:
        """Return the seconds it may be quiet now."""
        limits = self._room.limits
        if self._waiting:
            return limits.idle
        patience = limits.idle if self._answered else limits.idle_new
        return min(patience, limits.idle_crowded) if crowded else patience

    def _time_message(self) -> None:
        """Time the message that is not whole yet from its first octet on."""
        if self._framer.held and self._message_since is None:
            self._message_since = self._room.loop.time()

    def _weigh(self) -> None:
        held = self._framer.held + self._transport.get_write_buffer_size()
        self._room.crowd.weigh(self, held)

    def _close(self) -> None:
        """Close when what was written is sent, which `overdue` gives a limit."""
        if self._closing_since is None:
            self._closing_since = self._room.loop.time()
            self._transport.close()

    def _peer(self) -> tuple[Any, ...]:
        return cast("tuple[Any, ...]", self._transport.get_extra_info("peername")) or ("", 0)


def _passed(now: float, since: float | None, limit: float) -> bool:
    return since is not None and now - since > limit

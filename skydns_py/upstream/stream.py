"""A connection to an upstream over TCP or TLS, with as many questions under way as there are.

Replies come in any order and are told apart by their ids (RFC 7766 sections 6.2.1.1 and 7).
A connection that nobody waits on is closed after a while; what it carried fails, when it breaks.
This module never dials (see `exchange`) and owns no task: the loop calls it.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from skydns_py.upstream.reply import HEADER, Reply

MAX_PENDING: Final = 4096
"""Questions under way on one connection: their ids stay hard to guess, and free ones plenty."""

Accept = Callable[[bytes], Reply | None]


class Stream(asyncio.Protocol):
    """One connection, closed when idle for `expire` seconds."""

    def __init__(self, expire: float) -> None:
        self._expire = expire
        self._buffer = bytearray()
        self._pending: dict[int, tuple[Accept, asyncio.Future[Reply]]] = {}
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether another question can be asked here."""
        transport = self._transport
        return (
            transport is not None
            and not transport.is_closing()
            and len(self._pending) < MAX_PENDING
        )

    async def ask(
        self, pack: Callable[[int], bytes], accept: Callable[[bytes, bytes], Reply | None]
    ) -> Reply:
        """Ask what `pack` makes of an id, and return the first message that `accept` takes.

        `accept` gets what was sent and what came. Only cancelling ends the wait.

        Raises:
            ConnectionError: the connection broke, or was closed, before the reply.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        number = self._free_number()
        message = pack(number)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[number] = (lambda packet: accept(message, packet), reply)
        self._rest()
        # One write for both: a lone length may be taken for a broken message (RFC 7766 section 8).
        self._transport.write(len(message).to_bytes(2, "big") + message)
        try:
            return await reply
        finally:
            self._pending.pop(number, None)
            self._rest()

    def close(self) -> None:
        """Close at once; whoever waits gets a ConnectionError."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over (asyncio calls this)."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (a stream has no other)
        self._transport = transport
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Take what came; who waits for a message in it gets it (asyncio calls this)."""
        self._buffer += data
        buffer = self._buffer
        start = 0
        while len(buffer) >= start + 2:
            end = start + 2 + int.from_bytes(buffer[start : start + 2], "big")
            if end - start - 2 < HEADER:
                self.close()  # the frame is lost: nothing behind this can be trusted
                return
            if len(buffer) < end:
                break
            self._take(bytes(buffer[start + 2 : end]))
            start = end
        del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way (asyncio calls this)."""
        if self._idle is not None:
            self._idle.cancel()
        for _, reply in self._pending.values():
            if not reply.done():
                error = ConnectionResetError("the connection was closed before the reply")
                error.__cause__ = exc
                reply.set_exception(error)
        self._pending.clear()

    def _take(self, packet: bytes) -> None:
        waiting = self._pending.get(int.from_bytes(packet[:2], "big"))
        if waiting is None or waiting[1].done():
            return
        found = waiting[0](packet)
        if found is not None:
            waiting[1].set_result(found)

    def _free_number(self) -> int:
        """Return a random id that no other question here has."""
        while (number := secrets.randbits(16)) in self._pending:
            pass
        return number

    def _rest(self) -> None:
        """Close later, if nothing is asked until then."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._pending and self.is_open:
            self._idle = asyncio.get_running_loop().call_later(self._expire, self.close)

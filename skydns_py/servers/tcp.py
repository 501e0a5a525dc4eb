"""The TCP server: accepts connections, keeps them within their limits, and lets them go at the end.

Whoever comes next is let in: when all places or descriptors are taken, the connection that has been
quiet longest makes room.
It never logs, never spins on a full descriptor table, and never waits for a client without a limit.
"""

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl

from skydns_py.servers.connection import Room, TcpConnection
from skydns_py.servers.crowd import Crowd, Ending, TcpCounts, TcpLimits
from skydns_py.servers.respond import Respond
from skydns_py.servers.turns import Turns

_ACCEPTS = 64
"""Connections accepted until the loop has its turn."""

_SHARE = 16
"""At most this part of all places is given away in one turn: admitting takes a few turns."""

_MAKE_ROOM = 16
"""Connections that go when descriptors have run out: enough for those who wait."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_LOOK = 0.02
"""Seconds between two looks at the connections while closing."""


class TcpServer:
    """Serves `respond` on a listening, non-blocking TCP socket and closes it in the end.

    With `tls` it is DNS over TLS (RFC 7858): the same, inside.
    To be made where it runs: it belongs to the running loop.
    """

    def __init__(
        self,
        sock: socket.socket,
        respond: Respond,
        *,
        limits: TcpLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or TcpLimits()
        self.counts = TcpCounts()
        self._sock = sock
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._crowd = Crowd(self.limits)
        self._room = Room(
            loop=self._loop,
            respond=respond,
            transport="tls" if tls else "tcp",
            limits=self.limits,
            counts=self.counts,
            crowd=self._crowd,
            turns=Turns(self._loop.call_soon, self.limits.turn),
        )
        self._admissions: set[asyncio.Task[object]] = set()
        self._reserve = -1
        self._sweeping: asyncio.TimerHandle | None = None
        self._pausing: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The address and port served, the port in numbers even when any free one was asked for."""
        host, port = self._sock.getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """How many connections are open, or on their way in."""
        return len(self._crowd)

    async def start(self) -> None:
        """Accept and answer until `close`."""
        self._open_reserve()
        self._loop.add_reader(self._sock, self._accept)
        self._sweep()

    async def close(self, grace: float = 1.0) -> None:
        """Accept no more, answer what is on its way for `grace` seconds, then end the rest."""
        if self._sock.fileno() < 0:
            return
        if self._sweeping is not None:
            # Those the kernel let in already would otherwise be reset without an answer.
            self._accept()
        self._stop_accepting()
        self._sock.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._until_done()
        for task in self._admissions:
            task.cancel()
        await asyncio.gather(*self._admissions, return_exceptions=True)
        self._crowd.end_quietest(len(self._crowd), Ending.SHUTDOWN)
        if self._sweeping is not None:
            self._sweeping.cancel()
        # Transports close their sockets one turn of the loop after they were told.
        await asyncio.sleep(0)

    async def _until_done(self) -> None:
        await asyncio.gather(*self._admissions, return_exceptions=True)
        while self._crowd:
            await asyncio.sleep(_LOOK)
            self._crowd.end_done(Ending.SHUTDOWN)

    def _accept(self) -> None:
        # A newcomer must not be pushed out by those behind it before its query is read.
        for _ in range(min(_ACCEPTS, 1 + self.limits.connections // _SHARE)):
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._make_room()
                    return
                # Otherwise it is the client's: it is gone again already (accept(2)).
                continue
            self._admit(sock)

    def _admit(self, sock: socket.socket) -> None:
        self.counts.accepted += 1
        if self.connections >= self.limits.connections:
            self._crowd.end_quietest(1, Ending.CROWDED)
        sock.setblocking(False)
        connection = TcpConnection(self._room)
        admission = self._loop.connect_accepted_socket(
            lambda: connection,
            sock,
            ssl=self._tls,
            ssl_handshake_timeout=self.limits.message if self._tls else None,
            ssl_shutdown_timeout=self.limits.unread if self._tls else None,
        )
        task: asyncio.Task[object] = self._loop.create_task(admission)
        self._admissions.add(task)
        self._crowd.expect(connection, task.cancel)
        task.add_done_callback(functools.partial(self._admitted, sock, connection))

    def _admitted(
        self, sock: socket.socket, connection: TcpConnection, task: asyncio.Task[object]
    ) -> None:
        self._admissions.discard(task)
        if task.cancelled() or task.exception() is not None:
            self.counts.ended[Ending.HANDSHAKE] += 1
            self._crowd.leave(connection)
            sock.close()

    def _make_room(self) -> None:
        """Free descriptors, and try again after a pause: the socket stays readable meanwhile."""
        self.counts.exhausted += 1
        self._loop.remove_reader(self._sock)
        self._pausing = self._loop.call_later(self.limits.pause, self._resume_accepting)
        if not self._crowd.end_quietest(_MAKE_ROOM, Ending.DESCRIPTORS):
            self._turn_away()

    def _turn_away(self) -> None:
        """Close on those who wait, for which one descriptor is kept.

        Nobody here can make room for them: better told now than by a silence of seconds.
        """
        self._close_reserve()
        for _ in range(_ACCEPTS):
            try:
                sock, _ = self._sock.accept()
            except OSError:
                break
            sock.close()
            self.counts.ended[Ending.DESCRIPTORS] += 1
        self._open_reserve()

    def _resume_accepting(self) -> None:
        self._pausing = None
        if self._reserve < 0:
            self._open_reserve()
        self._loop.add_reader(self._sock, self._accept)

    def _stop_accepting(self) -> None:
        self._loop.remove_reader(self._sock)
        if self._pausing is not None:
            self._pausing.cancel()
        self._close_reserve()

    def _open_reserve(self) -> None:
        with contextlib.suppress(OSError):
            self._reserve = os.open(os.devnull, os.O_RDONLY)

    def _close_reserve(self) -> None:
        if self._reserve >= 0:
            os.close(self._reserve)
            self._reserve = -1

    def _sweep(self) -> None:
        self._crowd.sweep(self._loop.time())
        self._sweeping = self._loop.call_later(self.limits.sweep, self._sweep)

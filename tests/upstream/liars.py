"""Upstreams on the loopback that say what a test tells them to: UDP and TCP on one port.

They write down what they were asked and from which port.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from skydns_py.settings.upstream_shapes import Upstream

Answer = Callable[[bytes], Awaitable[list[bytes]]]
"""The packets sent for a packet; over TCP each gets its length in front."""


@dataclass
class Liar:
    """Where the upstream is, and what came: packets over UDP and TCP, and ports asked from."""

    upstream: Upstream
    datagrams: list[bytes] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    connections: int = 0


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, liar: Liar, answer: Answer, tasks: asyncio.TaskGroup) -> None:
        self._liar, self._answer, self._tasks = liar, answer, tasks

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self._liar.datagrams.append(data)
        self._liar.ports.append(addr[1])
        self._tasks.create_task(self._send(data, addr))

    async def _send(self, data: bytes, addr) -> None:
        for packet in await self._answer(data):
            self._transport.sendto(packet, addr)


@contextlib.asynccontextmanager
async def serve(
    answer: Answer | None = None,
    *,
    stream: Answer | None = None,
    raw: bool = False,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Liar]:
    """Serve while the context lasts: `answer` over UDP, `stream` (or `answer`) over TCP.

    With `raw` what is sent over TCP gets no length, and the connection is closed behind it.
    """
    answer = answer or silent
    speak = stream or answer
    loop = asyncio.get_running_loop()
    sock, listener = _pair()
    liar = Liar(Upstream("127.0.0.1", sock.getsockname()[1], tls=context is not None))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        liar.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                packet = await reader.readexactly(size)
                liar.messages.append(packet)
                tasks.create_task(sent(writer, packet))
        writer.close()

    async def sent(writer: asyncio.StreamWriter, packet: bytes) -> None:
        for each in await speak(packet):
            writer.write(each if raw else len(each).to_bytes(2, "big") + each)
        if raw:
            writer.close()

    async with asyncio.TaskGroup() as tasks:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(liar, answer, tasks), sock=sock
        )
        server = await asyncio.start_server(connected, sock=listener, ssl=context)
        lasting = tasks.create_task(asyncio.sleep(3600))
        try:
            yield liar
        finally:
            transport.close()
            server.close()
            lasting.cancel()
            for task in tuple(tasks._tasks):
                task.cancel()


async def silent(packet: bytes) -> list[bytes]:
    return []


def dead() -> Upstream:
    """Return an address where nobody listens: the kernel says so at once."""
    sock, listener = _pair()
    port = sock.getsockname()[1]
    sock.close()
    listener.close()
    return Upstream("127.0.0.1", port)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket on one port."""
    while True:
        listener = socket.create_server(("127.0.0.1", 0))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(listener.getsockname())
        except OSError:
            listener.close()
            sock.close()
        else:
            sock.setblocking(False)
            listener.setblocking(False)
            return sock, listener

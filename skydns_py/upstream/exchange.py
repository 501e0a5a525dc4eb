"""One question to one upstream: by UDP, by TCP where a reply was cut, by TLS where that is asked.

Connections are kept and shared; a datagram gets a socket of its own.
Nothing here decides which upstream to ask, or what its reply is worth.
"""

import asyncio
import errno
import resource
import secrets
import ssl
from typing import Final

from skydns_py.settings.upstream_shapes import ForwardSettings, Upstream
from skydns_py.upstream import datagram
from skydns_py.upstream.question import Question, answers, knows_no_edns, pack
from skydns_py.upstream.relay import TC
from skydns_py.upstream.reply import Reply
from skydns_py.upstream.stream import Stream
from skydns_py.upstream.tls import client_context

READ_TIMEOUT: Final = 2.0
"""Seconds until a question to an upstream is given up, dialling and repetitions included."""

FILES_PER_SOCKET: Final = 2
"""One of so many files that may be open can be a datagram's: clients and sources need theirs."""


class Exchange:
    """Asks upstreams, and keeps the connections to them until `close`.

    Raises:
        SettingsError: from the constructor: a TLS file cannot be used.
    """

    def __init__(self, settings: ForwardSettings) -> None:
        self._settings = settings
        self._sockets = 0
        self._streams: dict[Upstream, Stream] = {}
        self._dials: dict[Upstream, asyncio.Lock] = {}
        has_tls = any(upstream.tls for upstream in settings.to)
        self._tls = client_context(settings) if has_tls else None

    async def __call__(
        self, upstream: Upstream, question: Question, *, by_stream: bool = False
    ) -> Reply:
        """Return an upstream's reply, of whatever code.

        A reply that was cut is asked for again by TCP, and one that refuses EDNS without EDNS.

        Raises:
            TimeoutError: no reply within `READ_TIMEOUT`.
            OSError: nobody listens there, there is no way to it, or a connection broke.
        """
        async with asyncio.timeout(READ_TIMEOUT):
            reply = await self._ask(upstream, question, by_stream=by_stream, edns=True)
            if knows_no_edns(reply):
                reply = await self._ask(upstream, question, by_stream=by_stream, edns=False)
            return reply

    def close(self) -> None:
        """Close all connections; what is under way on them fails."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    async def _ask(
        self, upstream: Upstream, question: Question, *, by_stream: bool, edns: bool
    ) -> Reply:
        if not (by_stream or upstream.tls):
            reply = await self._ask_by_datagram(upstream, question, edns=edns)
            if not reply.flags & TC:
                return reply
        return await self._ask_by_stream(upstream, question, edns=edns)

    async def _ask_by_datagram(
        self, upstream: Upstream, question: Question, *, edns: bool
    ) -> Reply:
        exactly = self._settings.mixed_case
        bits = secrets.randbits(8 * len(question.name)) if exactly else 0
        message = pack(question, secrets.randbits(16), bits, edns=edns)
        if self._sockets >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // FILES_PER_SOCKET:
            raise OSError(errno.EMFILE, "too many sockets are open; raise the limit of open files")
        self._sockets += 1
        try:
            return await datagram.ask(
                datagram.numeric(upstream.host, upstream.port),
                message,
                lambda packet: answers(message, packet, exactly=exactly),
            )
        finally:
            self._sockets -= 1

    async def _ask_by_stream(self, upstream: Upstream, question: Question, *, edns: bool) -> Reply:
        """Ask on the connection that there is, and on a new one when that just ended.

        An upstream may close an idle connection while a question is on its way (RFC 7766 6.2.4).
        """
        kept = self._streams.get(upstream)
        stream = await self._open(upstream)
        try:
            return await stream.ask(lambda number: pack(question, number, edns=edns), answers)
        except ConnectionError:
            if stream is not kept:
                raise
        stream = await self._open(upstream)
        return await stream.ask(lambda number: pack(question, number, edns=edns), answers)

    async def _open(self, upstream: Upstream) -> Stream:
        """Return a connection; those who need one at once dial once."""
        async with self._dials.setdefault(upstream, asyncio.Lock()):
            stream = self._streams.get(upstream)
            if stream is None or not stream.is_open:
                stream = self._streams[upstream] = await self._dial(upstream)
            return stream

    async def _dial(self, upstream: Upstream) -> Stream:
        address = datagram.numeric(upstream.host, upstream.port)
        context: ssl.SSLContext | None = self._tls if upstream.tls else None
        servername = self._settings.tls_servername or upstream.host if context else None
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: Stream(self._settings.expire),
            *_host_and_port(address),
            ssl=context,
            server_hostname=servername,
        )
        return stream


def _host_and_port(address: datagram.Address) -> tuple[str, int]:
    """Return what `create_connection` takes, which wants the scope in the text."""
    if len(address) == 4 and address[3] and "%" not in address[0]:
        return f"{address[0]}%{address[3]}", address[1]
    return address[0], address[1]

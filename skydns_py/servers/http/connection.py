"""One HTTP connection, with a limit on everything a stranger can make it wait for or hold.

aiohttp parses and dispatches; this adds what it has no setting for: a bound on a whole head, a
deadline for a reader that does not read, and an answer without a trace to what is not HTTP.
This module never looks into a request that could be parsed.
"""

import asyncio
from typing import Any, Final, cast

import msgspec
from aiohttp import ClientConnectionResetError, web

from skydns_py.servers.crowd import most_connections

SERVER: Final = "skydns-py"
"""The Server field (RFC 9110 section 10.2.4), without a version: that serves attackers alone."""

NOT_HTTP: Final = "What came could not be read as HTTP/1.1, which is what is spoken here.\n"
HEAD_TOO_LARGE: Final = "The request line and its fields together are longer than is read here.\n"

_END_OF_HEAD: Final = b"\r\n\r\n"


class Limits(msgspec.Struct, frozen=True):
    """What one connection may take: times in seconds, sizes in octets.

    `idle`: until a head is complete, from the start or from the last answer on.
    8 s keep slow heads well within the 10 s promised, and idle connections within their minute.
    `send`: until an answer has been read.
    `linger`: how long a body that was refused is still taken, and thrown away, so that the refusal
    arrives before the connection is reset.
    `head`: a request line with all of its fields; Apache and nginx take 8 kB for each line.
    `line` and `fields`: the parser's own limits within a head.
    `connections`: open at once on all addresses of an application; the next one ends the oldest.
    The limits of DNS over TCP and of three applications together leave descriptors over.
    """

    idle: float = 8.0
    send: float = 30.0
    linger: float = 1.0
    head: int = 16_384
    line: int = 8_190
    fields: int = 100
    connections: int = msgspec.field(default_factory=lambda: min(512, most_connections() // 4))


class Connection(web.RequestHandler):
    """A connection of `server`, held to `limits` from its first octet to its last."""

    __slots__ = ("_cut", "_limits", "_open_head", "_server", "_stream", "_unread", "_was_asked")

    def __init__(self, server: web.Server, limits: Limits) -> None:
        options: dict[str, Any] = {
            "keepalive_timeout": limits.idle,
            "lingering_time": limits.linger,
            "max_line_size": limits.line,
            "max_field_size": limits.line,
            "max_headers": limits.fields,
            "access_log": None,
        }
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._server = server
        self._limits = limits
        self._open_head = OpenHead()
        self._was_asked = False
        self._unread: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; with a limit of nothing, the transport tells when any octet is left unread."""
        self._stream = cast("asyncio.Transport", transport)
        self._stream.set_write_buffer_limits(high=0)
        super().connection_made(transport)
        self._make_room()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, and take the timers back."""
        for timer in (self._unread, self._cut):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the time in which the other side has to read what it asked for."""
        super().pause_writing()
        self._unread = self._abort_after(self._limits.send)

    def resume_writing(self) -> None:
        """Stop that time: everything was read."""
        if self._unread:
            self._unread.cancel()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Pass octets on to the parser until a head is too long; then hear nothing more.

        What comes without an empty line counts as a head, a body too: no resource here takes one.
        """
        if self._cut:
            return
        sizes = self._open_head.feed(data)
        if max(sizes) > self._limits.head:
            self._cut = self._abort_after(self._limits.linger)
        if sizes[0] <= self._limits.head:
            super().data_received(data)
        elif not self._was_asked:
            self._stream.write(_HEAD_TOO_LARGE_REPLY)
        self._was_asked |= len(sizes) > 1

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP with a sentence, without a word of what came, and hang up.

        aiohttp logs a trace for each of these; a port scan would fill a disk with them.
        Bugs of ours go aiohttp's way: a trace in the log and none in the answer.

        Raises:
            ConnectionError: there is nobody left to answer.
        """
        if isinstance(exc, ClientConnectionResetError):
            raise exc
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        response = web.Response(status=status, text=NOT_HTTP, headers=FIELDS)
        response.force_close()
        return response

    def _make_room(self) -> None:
        """End the oldest connections while there are too many; they leave one turn later."""
        others = self._server.connections
        for oldest in others[: max(0, len(others) - self._limits.connections)]:
            if oldest.transport:
                oldest.transport.abort()

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._stream.abort)


class OpenHead:
    """How long the head that is coming in has become, however it is cut into pieces."""

    __slots__ = ("_size", "_tail")

    def __init__(self) -> None:
        self._size = 0
        self._tail = b""

    def feed(self, data: bytes) -> list[int]:
        """Take more octets; return the sizes of the heads in them, of which the last is open."""
        heads = (self._tail + data).split(_END_OF_HEAD)
        sizes = [len(head) for head in heads]
        sizes[0] += self._size - len(self._tail)
        self._size = sizes[-1]
        # Three octets are the most of an empty line that can be here already.
        self._tail = heads[-1][-3:]
        return sizes


FIELDS: Final = {
    "Server": SERVER,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""Fields of every answer: facts that change are not kept, and text is never taken for a page."""

_HEAD_TOO_LARGE_REPLY: Final = (
    "HTTP/1.1 431 Request Header Fields Too Large\r\n"
    + "".join(f"{name}: {value}\r\n" for name, value in FIELDS.items())
    + "Content-Type: text/plain; charset=utf-8\r\n"
    + f"Content-Length: {len(HEAD_TOO_LARGE)}\r\nConnection: close\r\n\r\n{HEAD_TOO_LARGE}"
).encode()

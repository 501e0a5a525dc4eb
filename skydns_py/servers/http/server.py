"""Listening for HTTP: an application on its addresses, until it is closed.

This module never routes, and never outlives a close by more than its grace.
"""

import asyncio
import os
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from skydns_py.errors import SettingsError
from skydns_py.servers.http.connection import Connection, Limits

GRACE: Final = 2.0
"""Seconds that answers being made at a close have to be finished."""

Address = tuple[str, int]

_ACCEPTS: Final = 16
"""Connections accepted in one turn: asyncio opens them some turns before the limit can be kept."""

_BACKLOG: Final = 1024
"""Connections the kernel completes before they are accepted."""


class HttpServer:
    """A running server; `addresses` are what it really listens at, in the order asked for."""

    def __init__(
        self,
        addresses: list[Address],
        runner: web.AppRunner,
        stack: AsyncExitStack,
    ) -> None:
        self.addresses = addresses
        self._runner = runner
        self._stack = stack

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self.addresses[0][1]

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._runner.server.connections) if self._runner.server else 0

    async def close(self) -> None:
        """Stop listening, let answers being made be finished, and hang up on everybody."""
        await self._stack.aclose()


async def serve(
    application: web.Application,
    addresses: Iterable[Address],
    *,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    grace: float = GRACE,
) -> HttpServer:
    """Listen at `addresses` and answer with `application` until the server is closed.

    An address is a host ("" for all of this machine's, IPv4 and IPv6) and a port (0 for any).

    Raises:
        SettingsError: an address cannot be listened at; nothing is left listening then.
    """
    async with AsyncExitStack() as stack:
        # GRACE holds for a handler and then for its cancellation, hence the half.
        runner = web.AppRunner(application, shutdown_timeout=grace / 2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        bound = [await _listen(runner, address, limits, stack) for address in addresses]
        running = stack.pop_all()
    return HttpServer(bound, runner, running)


async def _listen(
    runner: web.AppRunner,
    address: Address,
    limits: Limits,
    stack: AsyncExitStack,
) -> Address:
    server = runner.server
    assert server is not None  # noqa: S101  (the runner is set up)
    listening = await _bind(*address)
    listener = await asyncio.get_running_loop().create_server(
        lambda: Connection(server, limits),
        sock=listening,
        backlog=_ACCEPTS,
    )
    # asyncio takes one number for both; the kernel's queue may be longer.
    listening.listen(_BACKLOG)
    stack.callback(listener.close)
    host, port, *_ = listening.getsockname()
    return host, port


async def _bind(host: str, port: int) -> socket.socket:
    try:
        return await _bound(host, port) if host else _bound_everywhere(port)
    except (OSError, OverflowError, UnicodeError) as error:
        # `socket` adds the address to the system's words; the resolver's numbers are negative.
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise SettingsError(
            f"HTTP cannot be served at {host or '*'} port {port}: {reason}. "
            "Is another server there already, or is the address another machine's?",
        ) from error


async def _bound(host: str, port: int) -> socket.socket:
    # Without a port, for getaddrinfo takes one above 65,535 modulo 65,536.
    found = await asyncio.get_running_loop().getaddrinfo(
        host,
        None,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    # A name such as localhost has several addresses: the first IPv4 one, as Go's net.Listen takes
    # it, for containers list ::1 in /etc/hosts and have no IPv6.
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server((address[0], port, *address[2:]), family=family)


def _bound_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port))

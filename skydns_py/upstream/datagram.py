"""One question over UDP: a fresh socket from a port nobody can guess, and the wait for the reply.

The socket is connected, so that the kernel drops what comes from elsewhere and tells at once when
nobody listens.
Whatever else is wrong with a packet, it is ignored and the wait goes on (RFC 5452 section 9.1).
This module never sets a limit to the wait: who calls does, and closing follows by itself.
"""

import asyncio
import contextlib
import errno
import secrets
import socket
from collections.abc import Callable
from typing import Final

from skydns_py.upstream.reply import Reply

Address = tuple[str, int] | tuple[str, int, int, int]
"""What a socket connects to; the longer form is IPv6 with its scope."""

PORTS: Final = range(1024, 65_536)
"""Ports asked from: all but the privileged ones (RFC 6056 section 3.2), not the kernel's 28,000."""

_TRIES: Final = 8
"""Ports that may be taken before the kernel is left to choose."""

_LARGEST: Final = 65_535


async def ask(address: Address, message: bytes, accept: Callable[[bytes], Reply | None]) -> Reply:
    """Send a message and return the first packet that `accept` takes for its reply.

    Raises:
        OSError: nobody listens there, or there is no way to it.
    """
    loop = asyncio.get_running_loop()
    with contextlib.closing(_open(address)) as sock:
        await loop.sock_sendall(sock, message)
        while True:
            reply = accept(await loop.sock_recv(sock, _LARGEST))
            if reply is not None:
                return reply


def numeric(host: str, port: int) -> Address:
    """Return the socket address for an address in text, a scope in it read (`fe80::1%eth0`).

    Raises:
        OSError: it is no address, or no interface has the name of its scope.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    address = found[0][4]
    return (address[0], port, *address[2:])  # IPv4 has two parts, IPv6 four


def _open(address: Address) -> socket.socket:
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        _bind_anywhere(sock)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_anywhere(sock: socket.socket) -> None:
    """Bind to a random port; the kernel's own choice is the last resort."""
    for _ in range(_TRIES):
        try:
            sock.bind(("", secrets.choice(PORTS)))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
        else:
            return

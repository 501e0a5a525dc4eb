"""Opens the sockets DNS is served on, with every option set, or says why that cannot be.

Sockets come back non-blocking and bound to one family: an IPv6 wildcard leaves IPv4 alone, so that
both can be served side by side.
This module never reads or writes a packet.
"""

import contextlib
import errno
import ipaddress
import socket

from skydns_py.errors import SettingsError

BUFFER = 4 * 2**20
"""Bytes asked for in each direction: some 5,000 small packets wait while Python does other work."""

BACKLOG = 4096
"""Connections the kernel completes before they are accepted; Linux's own default ceiling."""

# Linux constants that Python 3.11 does not name.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_OMIT = 5
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33


def bind_udp(address: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Return a UDP socket bound to `address` (text, IPv4 or IPv6) and `port` (0: any free one).

    On a wildcard address every packet tells which address it was sent to.

    Raises:
        SettingsError: the address is no address or not here, the port is taken or not allowed.
    """
    sock = _open(socket.SOCK_DGRAM, address, port, reuse_port=reuse_port)
    enlarge_buffers(sock, BUFFER)
    _ignore_path_mtu(sock)
    if is_wildcard(sock):
        _ask_for_destination(sock)
    return sock


def bind_tcp(address: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Return a listening TCP socket, bound as `bind_udp` binds.

    Raises:
        SettingsError: the address is no address or not here, the port is taken or not allowed.
    """
    sock = _open(socket.SOCK_STREAM, address, port, reuse_port=reuse_port)
    try:
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise SettingsError(_sentence(error, "TCP", address, port)) from error
    return sock


def is_wildcard(sock: socket.socket) -> bool:
    """Say whether a bound socket takes what is sent to any address of this host."""
    return ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]).is_unspecified


def enlarge_buffers(sock: socket.socket, size: int) -> None:
    """Ask for `size` bytes each way, past `net.core.[rw]mem_max` where CAP_NET_ADMIN allows it."""
    for forced, polite in (
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
    ):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, size)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, polite, size)


def buffer_sizes(sock: socket.socket) -> tuple[int, int]:
    """Return the bytes got for receiving and for sending: the kernel counts each twice."""
    receive = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    send = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    return receive // 2, send // 2


def _open(kind: socket.SocketKind, address: str, port: int, *, reuse_port: bool) -> socket.socket:
    protocol = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    try:
        # Both first: getaddrinfo takes 127.1 for an address, and 65536 for port 0.
        ipaddress.ip_address(address)
        port.to_bytes(2, "big")
        family, *_, target = socket.getaddrinfo(
            address, port, type=kind, flags=socket.AI_NUMERICHOST
        )[0]
    except (ValueError, OverflowError, socket.gaierror) as error:
        raise SettingsError(
            f"cannot listen on {address!r} port {port}: write an IPv4 or IPv6 address of this host,"
            " such as 0.0.0.0 or ::1, and a port up to 65535"
        ) from error
    sock = None
    try:
        sock = socket.socket(family, kind)
        _set_options(sock, reuse_port=reuse_port)
        sock.bind(target)
    except (OSError, OverflowError) as error:
        if sock is not None:
            sock.close()
        raise SettingsError(_sentence(error, protocol, address, port)) from error
    return sock


def _set_options(sock: socket.socket, *, reuse_port: bool) -> None:
    sock.setblocking(False)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if sock.type == socket.SOCK_STREAM:
        # Connections of the process before us may still be in TIME_WAIT. Not for UDP, where it
        # would let a second server take the port over in silence.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _ask_for_destination(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def _ignore_path_mtu(sock: socket.socket) -> None:
    # A forged ICMP "too big" would make us send fragments, and fragments can be poisoned
    # (RFC 9715 section 3.1). Linux alone knows the option.
    level, option = socket.IPPROTO_IP, _IP_MTU_DISCOVER
    if sock.family == socket.AF_INET6:
        level, option = socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER
    with contextlib.suppress(OSError):
        sock.setsockopt(level, option, _PMTUDISC_OMIT)


def _sentence(error: Exception, protocol: str, address: str, port: int) -> str:
    what = f"cannot listen on {protocol} {address} port {port}"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return (
                f"{what}: another program holds it (`ss -lnp 'sport = :{port}'` shows which);"
                " stop that one, or choose another address or port"
            )
        case errno.EACCES | errno.EPERM:
            return (
                f"{what}: a port below 1024 needs NET_BIND_SERVICE or root (in Kubernetes"
                " `securityContext.capabilities.add: [NET_BIND_SERVICE]`); or choose a higher port"
            )
        case errno.EADDRNOTAVAIL:
            return (
                f"{what}: no interface of this host has that address;"
                " write one that `ip address` shows, or 0.0.0.0 or :: for all of them"
            )
        case errno.EAFNOSUPPORT:
            return f"{what}: IPv6 is switched off on this host; write an IPv4 address"
    return f"{what}: {error}"

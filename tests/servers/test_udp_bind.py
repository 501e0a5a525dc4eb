"""Sockets are opened with what serving needs, or an operator is told why they cannot be."""

import os
import socket

import pytest

from skydns_py.errors import SettingsError
from skydns_py.servers.bind import bind_tcp, bind_udp, buffer_sizes, is_wildcard

BINDS = pytest.mark.parametrize("bind", [bind_udp, bind_tcp])


@BINDS
def test_taken_port(bind):
    """A port that is taken is named, with the way to find out who holds it."""
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]

        with pytest.raises(SettingsError, match=f"port {port}: another program holds it") as error:
            bind("127.0.0.1", port)

    assert f"sport = :{port}" in str(error.value)


@BINDS
def test_foreign_address(bind):
    """An address this host does not have is refused with a hint at those it has."""
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1 port 0: no interface of this host has"):
        bind("192.0.2.1", 0)


@BINDS
@pytest.mark.parametrize(
    ("address", "port"),
    [("dns.example.org", 53), ("", 53), ("127.1", 53), ("fe80::1%nowhere", 53), ("::1", 65_536)],
)
def test_no_address(bind, address, port):
    """A name, an abbreviation, an unknown zone or a port out of range is no place to listen."""
    with pytest.raises(SettingsError, match="cannot listen on"):
        bind(address, port)


@pytest.mark.skipif(os.getuid() != 0, reason="gives up root for a moment")
@BINDS
def test_privileged_port(bind):
    """Without the right to a low port, the capability that gives it is named."""
    os.seteuid(65_534)
    try:
        with pytest.raises(SettingsError, match="NET_BIND_SERVICE"):
            bind("127.0.0.1", 53)
    finally:
        os.seteuid(0)


@BINDS
def test_families_side_by_side(bind):
    """An IPv6 wildcard leaves the same port of IPv4 to another socket."""
    with bind("::", 0) as v6, bind("0.0.0.0", v6.getsockname()[1]) as v4:
        assert socket.AF_INET6 == v6.family
        assert socket.AF_INET == v4.family
        assert is_wildcard(v6)
        assert is_wildcard(v4)


@BINDS
def test_shared_port(bind):
    """Workers share a port when they are told to."""
    with bind("127.0.0.1", 0, reuse_port=True) as first:
        port = first.getsockname()[1]
        with bind("127.0.0.1", port, reuse_port=True) as second:
            assert port == second.getsockname()[1]


@BINDS
def test_never_blocks(bind):
    """A socket comes back non-blocking: the loop never waits in it."""
    with bind("127.0.0.1", 0) as sock:
        assert not sock.getblocking()


def test_buffers():
    """A UDP socket gets larger buffers than one that does not ask, and tells their sizes."""
    with bind_udp("127.0.0.1", 0) as sock, socket.socket(type=socket.SOCK_DGRAM) as plain:
        asked, given = buffer_sizes(sock), buffer_sizes(plain)

    assert asked[0] > given[0]
    assert asked[1] > given[1]

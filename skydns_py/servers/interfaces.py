"""The addresses of this machine, and those that a `Listen` means.

This module never opens a socket that stays open.
"""

import ipaddress
import socket
from collections.abc import Iterator

import ifaddr

from skydns_py.errors import SettingsError
from skydns_py.settings import Listen

EVERYWHERE = ("0.0.0.0", "::")


def listen_addresses(listen: Listen) -> list[str]:
    """Return the addresses to bind for a `Listen`, as text.

    Raises:
        SettingsError: there is no such interface, or `except` leaves nothing.
    """
    if listen.interface:
        found = _of_interface(listen.interface)
    elif listen.address:
        found = [listen.address]
    elif listen.but_not:
        found = [text for _, text in _all()]
    else:
        return [address for address in EVERYWHERE if address != "::" or has_ipv6()]
    left_out = {
        address
        for word in listen.but_not
        for address in (word, *_of_interface(word, missing_ok=True))
    }
    addresses = [text for text in found if text not in left_out]
    if not addresses:
        raise SettingsError(f"`except` leaves no address of {listen.interface or 'this machine'}")
    return addresses


def own_addresses() -> tuple[bytes, ...]:
    """Return the packed addresses of this machine, loopback and link-local ones left out.

    What a server tells of itself must be of use to somebody else.
    """
    found = (ipaddress.ip_address(text) for _, text in _all())
    return tuple(
        address.packed for address in found if not (address.is_loopback or address.is_link_local)
    )


def own_hosts() -> tuple[str, ...]:
    """Return every address of this machine as text, loopback and link-local ones included."""
    return tuple(text for _, text in _all())


def has_ipv6() -> bool:
    """Tell whether this machine has IPv6 switched on."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _of_interface(name: str, *, missing_ok: bool = False) -> list[str]:
    found = [text for interface, text in _all() if interface == name]
    if not found and not missing_ok:
        there = ", ".join(sorted({interface for interface, _ in _all()}))
        raise SettingsError(f"no interface {name!r} with an address; there are: {there}")
    return found


def _all() -> Iterator[tuple[str, str]]:
    """Yield the name of each interface with each of its addresses."""
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            yield adapter.name, ip.ip if isinstance(ip.ip, str) else ip.ip[0]

"""Read the upstreams out of a resolv.conf, each with its line.

Only `nameserver` lines count (resolv.conf(5)); what a stub resolver does with the others is its own
business.
This module opens no file and looks nothing up: a host name is no address here.
"""

import ipaddress

from skydns_py.errors import SettingsError
from skydns_py.settings.upstream_shapes import Upstream


def read(text: str, path: str) -> tuple[Upstream, ...]:
    """Return the upstreams of a resolv.conf in their order, none twice; it may name none.

    Raises:
        SettingsError: a `nameserver` line has no address.
    """
    found: dict[str, Upstream] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = _without_comment(line).split()
        if words[:1] == ["nameserver"]:
            host = _address(words, f"{path}:{number}")
            found.setdefault(host, Upstream(host, line=f"{path}:{number}"))
    return tuple(found.values())


def _without_comment(line: str) -> str:
    """Return a line without its comment: what starts with `#` or `;`, wherever that is."""
    for mark in "#;":
        line = line.partition(mark)[0]
    return line


def _address(words: list[str], where: str) -> str:
    if len(words) < 2:
        raise SettingsError("`nameserver` names no address; write `nameserver 192.0.2.1`", where)
    try:
        address = ipaddress.ip_address(words[1])
    except ValueError as error:
        raise SettingsError(
            f"`{words[1][:80]}` is no address; write one such as 192.0.2.1 or 2001:db8::1", where
        ) from error
    # Some write a scope behind any address; only a link-local one means anything with it, and
    # others cannot even be connected to (RFC 4007 section 6).
    return words[1] if address.is_link_local else words[1].partition("%")[0]

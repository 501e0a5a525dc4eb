"""The words that name upstreams, addresses or resolv.conf files, read into `Upstream`s.

This module never looks a host name up: whom to ask for it is what is being read.
Files are known only through the `read` it is given.
"""

import re
from collections.abc import Sequence
from typing import Final

from skydns_py.errors import SettingsError
from skydns_py.settings import resolv
from skydns_py.settings.disk import Read, UnreadableError
from skydns_py.settings.findings import Findings
from skydns_py.settings.upstream_shapes import Upstream
from skydns_py.settings.values import RefusedError, is_address, split_port

MAX_UPSTREAMS: Final = 15
"""Upstreams of one `forward`, those out of files counted, as in CoreDNS."""


def read_upstreams(
    words: Sequence[str], place: str, read: Read, findings: Findings
) -> tuple[Upstream, ...]:
    """Return the upstreams of several words in their order, none twice; `place` is the words'.

    A word is `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`, perhaps with `dns://` (port 53) or
    `tls://` (port 853) before it, or else the path of a resolv.conf.
    Problems go to `findings`.
    """
    found: dict[tuple[str, int, bool], Upstream] = {}
    empty = []
    for word in words:
        with findings.at(place):
            upstreams = _read_word(word, place, read)
            for upstream in upstreams:
                found.setdefault((upstream.host, upstream.port, upstream.tls), upstream)
            if not upstreams:
                empty.append(word)
    for path in empty:
        # One file without upstreams is no reason not to ask the others.
        tell = findings.warn if found else findings.refuse
        tell(place, _EMPTY.format(path[:80]))
    if len(found) > MAX_UPSTREAMS:
        findings.refuse(
            place, f"{len(found)} upstreams are named; {MAX_UPSTREAMS} are allowed at most"
        )
    return tuple(found.values())


def _read_word(word: str, place: str, read: Read) -> tuple[Upstream, ...]:
    scheme, separator, rest = word.rpartition("://")
    if separator and scheme not in _PORTS:
        raise RefusedError(_other_scheme(scheme))
    if scheme == "tls" and "%" in rest and not re.match(r"\[?fe80:", rest, re.IGNORECASE):
        # CoreDNS reads a server's name there; taken for a scope it would be checked by nobody.
        raise RefusedError(
            f"`{word[:80]}`: a server's name behind `%` is known, but not built yet; write it as"
            " `tls_servername`, in a `forward` of its own",
        )
    address = _address(rest)
    if address is None:
        return _read_file(rest, scheme, read)
    host, number = address
    return (Upstream(host, number or _PORTS[scheme], scheme == "tls", place),)


def _other_scheme(scheme: str) -> str:
    if scheme in _UNBUILT:
        return f"upstreams at `{scheme}://` are known, but not built yet; use `dns://` or `tls://`"
    return f"unknown scheme `{scheme[:80]}://` of an upstream; use `dns://` or `tls://`"


def _address(text: str) -> tuple[str, int | None] | None:
    """Return an address and the port behind it, if there is one; None when it is no address."""
    if is_address(text):
        if ":" in text.partition("%")[2]:
            raise RefusedError(f"`{text[:80]}`: an IPv6 address with a port needs brackets")
        return text, None
    host, number = split_port(text)
    in_brackets = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if in_brackets else host
    if not is_address(host) or in_brackets != (":" in host):
        return None
    if number == 0:
        raise RefusedError(f"`{text[:80]}`: nobody can be asked on port 0; DNS is on 53")
    return host, number


def _read_file(path: str, scheme: str, read: Read) -> tuple[Upstream, ...]:
    try:
        text = read(path)
    except UnreadableError as error:
        raise RefusedError(
            f"`{path[:80]}` is neither an address nor a file that can be read ({error}); {_FORMS}",
        ) from error
    if scheme == "tls":
        raise RefusedError(
            f"`{path[:80]}` names upstreams without TLS; write each as `tls://192.0.2.1`"
        )
    try:
        return resolv.read(text, path)
    except SettingsError as error:
        raise RefusedError(str(error)) from error


_EMPTY: Final = (
    "{}: no `nameserver` line names an upstream; write one such as `nameserver 192.0.2.1`"
)
_PORTS: Final = {"": 53, "dns": 53, "tls": 853}
_UNBUILT: Final = frozenset({"grpc", "https", "https3", "quic"})
_FORMS: Final = (
    "host names are not looked up; write `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`,"
    " `tls://192.0.2.1` or `/etc/resolv.conf`"
)

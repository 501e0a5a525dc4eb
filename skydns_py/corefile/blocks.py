"""Server blocks understood: their keys as zones and ports, their directives through a table.

Two blocks must not serve the same zone on the same port of the same address.
This module never reads an option of a directive.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from skydns_py import names
from skydns_py.corefile.directives import DIRECTIVES, ONCE, REPEATED
from skydns_py.corefile.files import Files
from skydns_py.corefile.options import Context
from skydns_py.corefile.plugins import explain_unbuilt
from skydns_py.corefile.syntax import Key, Line, ServerBlock
from skydns_py.settings import Block, Findings, Listen
from skydns_py.settings.values import RefusedError, is_address, split_port, zones


def read_blocks(
    tree: list[ServerBlock],
    dns_port: int,
    findings: Findings,
    files: Files,
) -> tuple[Block, ...]:
    """Return the blocks, one for each port of a server block; problems go to `findings`."""
    blocks: list[Block] = []
    served: _Served = defaultdict(list)
    for server_block in tree:
        keys = list(_read_keys(server_block.keys, dns_port, findings))
        own_zones = tuple(dict.fromkeys(zone for key in keys for zone in key.zones))
        directives = _read_directives(server_block.lines, Context(own_zones, findings, files))
        addresses = tuple(dict.fromkeys(directives.pop("bind", ()))) or (Listen(),)
        for key in keys:
            _claim(key, addresses, served, findings)
        blocks += [
            Block(
                zones=_zones_at(port, keys),
                listen=tuple(msgspec.structs.replace(each, port=port) for each in addresses),
                place=server_block.place,
                **directives,
            )
            for port in dict.fromkeys(key.port for key in keys)
        ]
    _check_health(blocks, findings)
    return tuple(blocks)


class _ReadKey(NamedTuple):
    """What a key means: a network gives several zones."""

    place: str
    port: int
    zones: tuple[bytes, ...]


class _Claim(NamedTuple):
    """Who serves a zone on a port: the addresses `bind` limits it to, and the key's place."""

    addresses: frozenset[Listen]
    place: str


_Served = defaultdict[tuple[bytes, int], list[_Claim]]


def _read_keys(keys: tuple[Key, ...], dns_port: int, findings: Findings) -> Iterator[_ReadKey]:
    for key in keys:
        with findings.at(key.place):
            text, port = split_port(_without_scheme(key.text))
            if is_address(text):
                findings.warn(
                    key.place,
                    f"`{text}` is taken for a zone's name; to listen on one address use `bind`",
                )
            yield _ReadKey(key.place, dns_port if port is None else port, zones(text))


def _without_scheme(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme == "dns":
        return rest if separator else text
    if scheme in _SCHEMES:
        raise RefusedError(f"`{scheme}://` is known, but not built yet; only dns:// is served")
    raise RefusedError(f"unknown scheme `{scheme[:80]}://`; only dns:// is served")


def _read_directives(lines: tuple[Line, ...], context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    first_at: dict[str, str] = {}
    for line in lines:
        with context.findings.at(line.place):
            if line.name not in DIRECTIVES:
                raise RefusedError(explain_unbuilt(line.name, DIRECTIVES))
            if line.name in ONCE and line.name in first_at:
                raise RefusedError(
                    f"`{line.name}` may stand once in a server block; the first is at"
                    f" {first_at[line.name]}",
                )
            first_at.setdefault(line.name, line.place)
            value = DIRECTIVES[line.name](line, context)
            earlier = found.get(line.name, ()) if line.name in REPEATED else None
            found[line.name] = value if earlier is None else earlier + value
    _warn_of_idle(first_at, context.findings)
    return found


def _warn_of_idle(first_at: dict[str, str], findings: Findings) -> None:
    for name in ("cache", "loop"):
        if name in first_at and "forward" not in first_at:
            findings.warn(first_at[name], f"`{name}` changes nothing: there is no `forward` here")


def _zones_at(port: int, keys: list[_ReadKey]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(zone for key in keys if key.port == port for zone in key.zones))


def _claim(
    key: _ReadKey,
    addresses: tuple[Listen, ...],
    served: _Served,
    findings: Findings,
) -> None:
    mine = _Claim(frozenset(addresses), key.place)
    clashes = []
    for zone in key.zones:
        others = served[zone, key.port]
        clashes += [(zone, other.place) for other in others if _overlap(mine, other)]
        others.append(mine)
    for zone, place in clashes[:1]:  # one sentence for a network of a hundred zones
        what = f"dns://{names.to_text(zone)}:{key.port}"
        findings.refuse(key.place, f"cannot serve {what}: it is already defined at {place}")


def _overlap(one: _Claim, other: _Claim) -> bool:
    everywhere = Listen()
    return everywhere in one.addresses | other.addresses or bool(one.addresses & other.addresses)


def _check_health(blocks: list[Block], findings: Findings) -> None:
    places: dict[Listen, str] = {}
    for block in blocks:
        if block.health is None:
            continue
        place = places.setdefault(block.health.listen, block.place)
        if place != block.place:
            findings.refuse(
                block.place,
                f"`health` on {block.health.listen} is already in the server block at {place}; keep"
                " one, or give them different addresses",
            )


_SCHEMES: Final = frozenset({"tls", "https", "https3", "grpc", "quic", "unix"})

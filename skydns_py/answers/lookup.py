"""Look a question up: zones and a table in, an `Answer` out.

An `Answer` is what the server says, not yet a message: a code and three sections.
It names the table's keys it hangs on, so that whoever keeps it knows when to forget it.
This module never sees a packet and never asks anybody else.
"""

import functools
from collections.abc import Mapping
from typing import Final

import msgspec

from skydns_py import names
from skydns_py.answers.query import Rcode
from skydns_py.records import Node, RRset, Type, address_sets, rrset_of, soa
from skydns_py.table import ANY_ADDRESS, SYNCED, Found, Table

NS = names.relative("ns", "dns")
DNS = names.relative("dns")
HOSTMASTER = names.relative("hostmaster")

MAX_CHAIN: Final = 10
"""CNAMEs that are followed; a loop ends there too."""

MAX_SOA_TTL: Final = 300
"""Seconds; a denial is kept by resolvers for the smaller of this and the SOA minimum (RFC 2308)."""

REFRESH, RETRY, EXPIRE = 7200, 1800, 86_400
"""Seconds, for secondaries."""

NOT_READY: Final = 14
"""Extended DNS error "Not Ready" (RFC 8914 section 4.15)."""

_SRV_NUMBERS: Final = 6
"""Octets of priority, weight and port before the target of an SRV record."""

Section = tuple[tuple[bytes, RRset], ...]
"""RRsets with their owners, as absolute folded wire names."""


class Zone(msgspec.Struct, frozen=True):
    """A zone that is answered from a table.

    `apex` is an absolute folded name, `pointer_zone` the forward zone that PTR records of a reverse
    zone point into, `own` the packed addresses this server is reached at.
    """

    apex: bytes
    table: Table
    ttl: int
    pointer_zone: bytes
    own: tuple[bytes, ...] = ()


Zones = Mapping[bytes, Zone]
"""Zones by their apex."""


class Answer(msgspec.Struct, frozen=True):
    """What is said to a question; `ede` is an extended error code or 0 (RFC 8914).

    `is_loop` tells that its aliases lead round in a circle, or on for ever.
    `apex` is the zone that the question lies in: names below it are spelled as it was asked.
    """

    rcode: Rcode
    apex: bytes
    answer: Section = ()
    authority: Section = ()
    additional: Section = ()
    authoritative: bool = True
    ede: int = 0
    keys: tuple[bytes, ...] = ()
    is_loop: bool = False


def lookup(zones: Zones, name: bytes, qtype: int) -> Answer | None:
    """Answer a question for a folded absolute name, None when it lies in none of `zones`.

    A CNAME is followed as long as its target lies in one of them (RFC 1034 4.3.2), and the code is
    that of the last name (RFC 6604).
    """
    asked_in = apex = names.closest(name, zones)
    if asked_in is None:
        return None
    chain: list[tuple[bytes, RRset]] = []
    keys: list[bytes] = []
    seen = set()
    while apex is not None and name not in seen and len(chain) < MAX_CHAIN:
        seen.add(name)
        zone = zones[apex]
        found = _find(zone, name)
        alias = rrset_of(found.node or (), Type.CNAME)
        if alias is None or qtype == Type.CNAME:
            answer = _conclude(zones, zone, (name, qtype), found)
            if not chain:
                return answer
            return msgspec.structs.replace(
                answer,
                apex=asked_in,
                answer=(*chain, *answer.answer),
                keys=tuple(dict.fromkeys((*keys, *answer.keys))),
            )
        keys.extend(found.keys)
        chain.append((name, alias))
        name = names.fold(alias.rdata[0])
        apex = names.closest(name, zones)
    is_loop = apex is not None
    return Answer(Rcode.NOERROR, asked_in, tuple(chain), keys=tuple(keys), is_loop=is_loop)


def soa_of(zone: Zone) -> tuple[bytes, RRset]:
    """Return the zone's SOA; its serial is the time of the last change."""
    return _soa(zone.apex, zone.table.serial, zone.ttl)


@functools.lru_cache(maxsize=64)
def _soa(apex: bytes, serial: int, ttl: int) -> tuple[bytes, RRset]:
    rdata = soa(NS + apex, HOSTMASTER + apex, (serial, REFRESH, RETRY, EXPIRE, ttl))
    return apex, RRset(Type.SOA, min(ttl, MAX_SOA_TTL), (rdata,))


def _conclude(zones: Zones, zone: Zone, question: tuple[bytes, int], found: Found) -> Answer:
    """Answer with the node at the end of a chain of aliases."""
    name, qtype = question
    node, keys = found.node, found.keys
    if node is None and not zone.table.is_synced:
        # Not knowing a name is no reason to deny it.
        denial, keys = (soa_of(zone),), (*keys, SYNCED)
        return Answer(Rcode.SERVFAIL, zone.apex, authority=denial, ede=NOT_READY, keys=keys)
    if node is None:
        return Answer(Rcode.NXDOMAIN, zone.apex, authority=(soa_of(zone),), keys=keys)
    rrset = rrset_of(node, qtype)
    if rrset is None:
        return Answer(Rcode.NOERROR, zone.apex, authority=(soa_of(zone),), keys=keys)
    if qtype == Type.NS:
        hosts = _servers(zone)[0]
        additional = tuple((host, addresses) for host in hosts for addresses in hosts[host])
        return Answer(Rcode.NOERROR, zone.apex, ((name, rrset),), additional=additional, keys=keys)
    additional, more = _additional(zones, rrset) if qtype == Type.SRV else ((), ())
    return Answer(
        Rcode.NOERROR, zone.apex, ((name, rrset),), additional=additional, keys=(*keys, *more)
    )


def _find(zone: Zone, name: bytes) -> Found:
    """Find a node in a zone: what every zone has by itself, then what the table has."""
    relative = name[: len(name) - len(zone.apex)]
    if not relative:
        servers, keys = _servers(zone)
        targets = RRset(Type.NS, zone.ttl, tuple(servers))
        return Found((soa_of(zone)[1], targets), keys)
    if relative == DNS:
        return Found((), ())
    if relative == NS:
        servers, keys = _servers(zone)
        sets = [rrset for node in servers.values() for rrset in node]
        return Found(address_sets((data for rrset in sets for data in rrset.rdata), zone.ttl), keys)
    if names.is_reverse(zone.apex):
        prefix = names.reverse_prefix(name)
        return _find_reverse(zone, *prefix) if prefix else zone.table.at_apex(relative, zone.apex)
    return zone.table.find(relative, zone.apex)


def _find_reverse(zone: Zone, length: int, digits: str) -> Found:
    """Find the PTR set of an address, or tell whether some address lies below."""
    if len(digits) < 2 * length:
        below = zone.table.has_address_below(length, digits)
        return Found(() if below else None, (ANY_ADDRESS,))
    targets, keys = zone.table.pointers(bytes.fromhex(digits))
    absolute = (target + zone.pointer_zone for target in targets)
    rdata = tuple(target for target in absolute if len(target) <= names.MAX_NAME)
    if not rdata:
        return Found(None, keys)
    return Found((RRset(Type.PTR, zone.ttl, rdata),), keys)


def _servers(zone: Zone) -> tuple[dict[bytes, Node], tuple[bytes, ...]]:
    """Return the names and addresses of this server: its Services', else `ns.dns` and its own."""
    found: dict[bytes, Node] = {}
    keys: list[bytes] = []
    for address in zone.own:
        servers, more = zone.table.servers(address, zone.pointer_zone)
        found |= {name + zone.pointer_zone: _addresses_in(node) for name, node in servers.items()}
        keys.extend(more)
    return found or {NS + zone.apex: address_sets(zone.own, zone.ttl)}, tuple(keys)


def _addresses_in(node: Node) -> Node:
    return tuple(rrset for rrset in node if rrset.type in (Type.A, Type.AAAA))


def _additional(zones: Zones, rrset: RRset) -> tuple[Section, tuple[bytes, ...]]:
    """Return the addresses of the hosts that SRV records point to (RFC 2782)."""
    found: dict[tuple[bytes, int], RRset] = {}
    keys: list[bytes] = []
    for rdata in rrset.rdata:
        target = names.fold(rdata[_SRV_NUMBERS:])
        apex = names.closest(target, zones)
        if apex is None:
            continue
        at = _find(zones[apex], target)
        keys.extend(at.keys)
        found |= {(target, rrset.type): rrset for rrset in _addresses_in(at.node or ())}
    sets = tuple((name, addresses) for (name, _), addresses in found.items())
    return sets, tuple(dict.fromkeys(keys))

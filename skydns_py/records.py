"""What stands at a name: RRsets, the nodes that hold them, and makers of rdata.

An `RRset` is a type, one TTL and its rdata in uncompressed wire form (RFC 9499 section 5).
It carries no owner: the same set is answered under the spelling that was asked, and under each name
that means the same.
A `Subtree` is all that one owner has at the name where it stands and below it.
This module never packs a message and knows no source.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum

import msgspec

from skydns_py import names


class Type(IntEnum):
    """Record types that are made or treated here, by their numbers (IANA, RFC 6895)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    DS = 43
    IXFR = 251
    AXFR = 252
    ANY = 255


class RRset(msgspec.Struct, frozen=True, gc=False):
    """The records of one type at one name: `ttl` in seconds, `rdata` in wire form, in order."""

    type: int
    ttl: int
    rdata: tuple[bytes, ...]


Node = tuple[RRset, ...]
"""The RRsets at one name, at most one of a type. Empty: the name exists only for those below it."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as a listing or a transfer names it: `name` absolute, in wire form."""

    name: bytes
    type: int
    ttl: int
    rdata: bytes


def nothing(_below: bytes) -> Node | None:
    """Say that no further name exists: the default of `Subtree.synthesise`."""
    return None


class Subtree(msgspec.Struct, frozen=True):
    """What one owner has at the name it stands at and below.

    `nodes` maps the labels below that name (relative wire form, b"" for itself) to a node, names
    that exist only for those below them included.
    `synthesise` answers for names that are not written down: other spellings of a written one, or
    names without end such as the address names of `pods insecure`.
    """

    nodes: Mapping[bytes, Node]
    synthesise: Callable[[bytes], Node | None] = nothing

    def find(self, below: bytes) -> Node | None:
        """Return the node at the labels `below`, None when there is no such name."""
        node = self.nodes.get(below)
        return self.synthesise(below) if node is None else node


def rrset_of(node: Node, rrtype: int) -> RRset | None:
    """Return the RRset of a type at a node, or None."""
    for rrset in node:
        if rrset.type == rrtype:
            return rrset
    return None


def address_sets(addresses: Iterable[bytes], ttl: int) -> Node:
    """Return the A and AAAA sets of packed addresses, doubles removed, order kept (RFC 3596)."""
    distinct = dict.fromkeys(addresses)
    v4 = tuple(address for address in distinct if len(address) == 4)
    v6 = tuple(address for address in distinct if len(address) == 16)
    return tuple(
        RRset(rrtype, ttl, rdata) for rrtype, rdata in ((Type.A, v4), (Type.AAAA, v6)) if rdata
    )


def with_empty_non_terminals(nodes: Mapping[bytes, Node]) -> dict[bytes, Node]:
    """Return `nodes` with every name between the owner and a node present (RFC 8020, RFC 4592)."""
    complete = dict(nodes)
    for name in nodes:
        for above in names.suffixes(name):
            complete.setdefault(above, ())
    return complete


def srv(priority: int, weight: int, port: int, target: bytes) -> bytes:
    """Return SRV rdata; `target` is an absolute wire name (RFC 2782)."""
    return b"".join(number.to_bytes(2, "big") for number in (priority, weight, port)) + target


def txt(*texts: bytes) -> bytes:
    """Return TXT rdata of character-strings of at most 255 octets each (RFC 1035 3.3.14)."""
    return b"".join(bytes((len(text),)) + text for text in texts)


def soa(mname: bytes, rname: bytes, numbers: tuple[int, int, int, int, int]) -> bytes:
    """Return SOA rdata: `numbers` are serial, refresh, retry, expire, minimum (RFC 1035 3.3.13)."""
    return mname + rname + b"".join((number % 2**32).to_bytes(4, "big") for number in numbers)

"""List what zones can answer: records in order, and their presentation text.

A listing holds what is written down: names without end (`pods insecure`) and other spellings of a
name are not in it.
This module never answers a question.
"""

from collections.abc import Callable, Iterator
from typing import Final

from skydns_py import names
from skydns_py.answers.lookup import NS, Zone, Zones, lookup
from skydns_py.records import Node, Record, Type


def records_of(zones: Zones) -> Iterator[Record]:
    """Yield every record of the zones, zone by zone, each from its apex downwards."""
    for zone in zones.values():
        yield from _apex_records(zones, zone)
        if names.is_reverse(zone.apex):
            yield from _pointer_records(zones, zone)
        for owner, subtree in _subtrees_of(zone):
            for below, node in subtree:
                yield from _node_records(below + owner + zone.apex, node)


def text_of(record: Record) -> str:
    """Return a record as a line of a zone file (RFC 1035 section 5.1)."""
    rrtype = Type(record.type).name
    data = rdata_text(record.type, record.rdata)
    return f"{names.to_text(record.name)} {record.ttl} IN {rrtype} {data}"


def rdata_text(rrtype: int, rdata: bytes) -> str:
    r"""Return rdata in presentation form; a type without one as `\# LENGTH HEX` (RFC 3597 5)."""
    write = _TEXTS.get(rrtype)
    return write(rdata) if write else f"\\# {len(rdata)} {rdata.hex()}"


def _subtrees_of(zone: Zone) -> Iterator[tuple[bytes, list[tuple[bytes, Node]]]]:
    if names.is_reverse(zone.apex):
        return
    for owner, subtree in zone.table.subtrees(zone.apex):
        nodes = sorted(subtree.nodes.items(), key=lambda item: list(names.labels(item[0]))[::-1])
        yield owner, nodes


def _apex_records(zones: Zones, zone: Zone) -> Iterator[Record]:
    for name, rrtype in (
        (zone.apex, Type.SOA),
        (zone.apex, Type.NS),
        (NS + zone.apex, Type.A),
        (NS + zone.apex, Type.AAAA),
    ):
        yield from _answer_records(zones, name, rrtype)


def _pointer_records(zones: Zones, zone: Zone) -> Iterator[Record]:
    for address in sorted(zone.table.addresses()):
        name = names.reverse(address)
        if names.closest(name, zones) == zone.apex:
            yield from _answer_records(zones, name, Type.PTR)


def _answer_records(zones: Zones, name: bytes, rrtype: int) -> Iterator[Record]:
    answer = lookup(zones, name, rrtype)
    for owner, rrset in answer.answer if answer else ():
        yield from _node_records(owner, (rrset,))


def _node_records(name: bytes, node: Node) -> Iterator[Record]:
    for rrset in node:
        for rdata in rrset.rdata:
            yield Record(name, rrset.type, rrset.ttl, rdata)


def _srv_text(rdata: bytes) -> str:
    numbers = " ".join(str(int.from_bytes(rdata[i : i + 2], "big")) for i in (0, 2, 4))
    return f"{numbers} {names.to_text(rdata[6:])}"


def _soa_text(rdata: bytes) -> str:
    end = 1 + rdata.index(b"\x00")
    numbers = (
        int.from_bytes(rdata[i : i + 4], "big") for i in range(len(rdata) - 20, len(rdata), 4)
    )
    return " ".join((names.to_text(rdata[:end]), names.to_text(rdata[end:-20]), *map(str, numbers)))


def _txt_text(rdata: bytes) -> str:
    texts = []
    while rdata:
        length = 1 + rdata[0]
        texts.append("".join(_character_text(octet) for octet in rdata[1:length]))
        rdata = rdata[length:]
    return " ".join(f'"{text}"' for text in texts)


def _character_text(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


_TEXTS: Final[dict[int, Callable[[bytes], str]]] = {
    Type.A: names.address_text,
    Type.AAAA: names.address_text,
    Type.NS: names.to_text,
    Type.CNAME: names.to_text,
    Type.PTR: names.to_text,
    Type.SRV: _srv_text,
    Type.SOA: _soa_text,
    Type.TXT: _txt_text,
}

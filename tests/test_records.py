"""RRsets, nodes and subtrees, and the makers of rdata."""

import dns.rdata
import pytest

from skydns_py import names, records
from skydns_py.records import RRset, Subtree, Type

TARGET = names.from_text("web.example.org")
V4 = bytes((192, 0, 2, 1))
V6 = bytes.fromhex("20010db8") + bytes(11) + b"\x01"


@pytest.mark.parametrize(
    ("rrtype", "rdata", "text"),
    [
        (Type.SRV, records.srv(1, 2, 65_535, TARGET), "1 2 65535 web.example.org."),
        (Type.TXT, records.txt(b"1.1.0"), '"1.1.0"'),
        (Type.TXT, records.txt(b"", b"x" * 255), f'"" "{"x" * 255}"'),
        (
            Type.SOA,
            records.soa(TARGET, names.ROOT, (2**32 + 7, 1, 2, 3, 4)),
            "web.example.org. . 7 1 2 3 4",
        ),
    ],
)
def test_rdata_is_what_dnspython_reads(rrtype, rdata, text):
    """Rdata made here says the same to another library; a serial wraps at 32 bits."""
    read = dns.rdata.from_wire("IN", rrtype.name, rdata, 0, len(rdata))

    assert text == read.to_text()


def test_address_sets():
    """Addresses are parted by family, doubles removed, in their order."""
    other = bytes((192, 0, 2, 0))
    expected = (RRset(Type.A, 5, (V4, other)), RRset(Type.AAAA, 5, (V6,)))

    assert expected == records.address_sets([V4, V6, other, V4, V6], 5)
    assert () == records.address_sets([], 5)
    assert expected[1:] == records.address_sets([V6], 5)


def test_rrset_of():
    """A set is found by its type, ANY and types that are not there find none."""
    node = records.address_sets([V4, V6], 5)

    assert node[1] == records.rrset_of(node, 28)
    assert records.rrset_of(node, 255) is None
    assert records.rrset_of((), 1) is None


def test_names_between_are_there():
    """Names that exist only for those below them are added, others stay (RFC 8020)."""
    node = records.address_sets([V4], 5)
    deep = names.relative("a", "b", "c")
    expected = {b"": (), deep: node, b"\x01b\x01c": (), b"\x01c": node}

    assert expected == records.with_empty_non_terminals({b"": (), deep: node, b"\x01c": node})
    assert {} == records.with_empty_non_terminals({})


def test_subtree_looks_at_what_is_written_first():
    """What is written down is found, else what is made up on the way, else nothing."""
    node = records.address_sets([V4], 5)
    subtree = Subtree({b"": node, b"\x01a": ()}, lambda below: node if below == b"\x01b" else None)

    assert node == subtree.find(b"")
    assert () == subtree.find(b"\x01a")
    assert node == subtree.find(b"\x01b")
    assert subtree.find(b"\x01c") is None
    assert Subtree({}).find(b"") is None

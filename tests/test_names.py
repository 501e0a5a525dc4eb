"""Names: read and written as text, compared at label boundaries, turned round for addresses."""

import ipaddress
import string

import dns.name
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skydns_py import names
from skydns_py.names import InvalidNameError

EXAMPLE = names.from_text("example.org")


def name_of(labels):
    return b"".join(bytes((len(label),)) + label for label in labels) + names.ROOT


label_lists = st.lists(
    st.binary(min_size=1, max_size=63)
    # Octets that look like lengths, dots, escapes and digits are where names go wrong.
    | st.lists(st.sampled_from(b'\x00\x01\x07\\."019aZ \xff'), min_size=1, max_size=9).map(bytes),
    max_size=12,
).filter(lambda labels: len(name_of(labels)) <= names.MAX_NAME)
wire_names = label_lists.map(name_of)
addresses = st.ip_addresses()


@given(wire_names)
@example(name_of([b"\\"]))
@example(name_of([b"a.", b"b\\"]))
def test_any_name_survives_its_text(name):
    """What `to_text` writes of any octets, `from_text` reads back."""
    assert name == names.from_text(names.to_text(name))


@given(wire_names)
def test_text_is_what_dnspython_reads(name):
    """The text of a name means the same name to another library."""
    assert name == dns.name.from_text(names.to_text(name)).to_wire()


@given(wire_names)
def test_text_of_dnspython_is_read(name):
    """The text that another library writes of a name is read as that name."""
    assert name == names.from_text(dns.name.from_wire(name, 0)[0].to_text())


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text(".\\019a", max_size=12))
@example("\\.")
@example("\\\\.")
@example("a..")
@example("\\25")
@example("\\256")
@example("\\²²²")
@example("\\é")
def test_any_text_is_a_name_or_refused(text):
    """Text is read as a name within the limits, or refused; nothing else."""
    try:
        name = names.from_text(text)
    except InvalidNameError:
        return

    assert len(name) <= names.MAX_NAME
    assert name == name_of(names.labels(name))


@pytest.mark.parametrize("make", [names.from_text, names.relative])
def test_half_a_character_is_refused(make):
    """A lone surrogate, which YAML can spell, is refused like any other bad text."""
    with pytest.raises(InvalidNameError):
        make("\ud800")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", []),
        (".", []),
        ("example.org", [b"example", b"org"]),
        ("eXample.org.", [b"eXample", b"org"]),
        (r"a\.b.org", [b"a.b", b"org"]),
        (r"a\.", [b"a."]),
        (r"a\\.", [b"a\\"]),
        (r"a\\.org.", [b"a\\", b"org"]),
        (r"a\\\.", [b"a\\."]),
        (r"\000\255.org", [b"\x00\xff", b"org"]),
        (r"\046.org", [b".", b"org"]),
        ("b\u00fccher.org", ["b\u00fccher".encode(), b"org"]),
    ],
)
def test_text_forms(text, labels):
    """Escapes of both kinds are read, and only a dot that is not escaped divides labels."""
    assert name_of(labels) == names.from_text(text)


@pytest.mark.parametrize(
    "text", ["..", ".org", "a..org", "a..", "\\", "a.\\", "\\2", "\\25", "\\256", "\\1a1", "\\¹¹¹"]
)
def test_text_that_is_no_name(text):
    """Empty labels and broken escapes are refused."""
    with pytest.raises(InvalidNameError):
        names.from_text(text)


def test_label_limit():
    """A label has 63 octets at most, whatever it takes to write them."""
    assert name_of([b"\xff" * 63]) == names.from_text("\\255" * 63)
    with pytest.raises(InvalidNameError, match="64 octets"):
        names.from_text("a" * 64)


def test_name_limit():
    """A name has 255 octets at most, the root counted."""
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])

    assert 255 == len(names.from_text(longest))
    with pytest.raises(InvalidNameError, match="256 octets"):
        names.from_text(longest + "a")


@given(wire_names)
def test_fold_changes_ascii_letters_only(name):
    """Folding touches A to Z and nothing else, length octets included."""
    lower = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())

    assert name.translate(lower) == names.fold(name)
    assert [len(label) for label in names.labels(name)] == [
        len(label) for label in names.labels(names.fold(name))
    ]


@given(wire_names, wire_names, st.integers(0, 12))
def test_closest_agrees_with_labels(name, other, cut):
    """A zone is closest when its labels, not its octets, end those of the name."""
    labels = list(names.labels(name))
    zones = {other, name_of(labels[cut:])} - {names.ROOT}

    def is_above(zone):
        tail = list(names.labels(zone))
        return labels[len(labels) - len(tail) :] == tail if len(tail) <= len(labels) else False

    fitting = [zone for zone in zones if is_above(zone)]
    assert max(fitting, key=len, default=None) == names.closest(name, zones)
    assert [names.is_at_or_below(name, zone) for zone in zones] == [is_above(z) for z in zones]


@pytest.mark.parametrize(
    "labels",
    [
        [b"notexample", b"org"],
        [b"x\x07example\x03org"],
        [b"\x07example\x03org"],
        [b"example.org"],
        [b"example", b"org", b"net"],
        [b"org"],
    ],
)
def test_closest_ends_at_label_boundaries(labels):
    """Octets that look like the zone within a label are not the zone."""
    assert names.closest(name_of(labels), {EXAMPLE}) is None


def test_closest_takes_the_longest():
    """Of a zone and one below it the lower one is found, the root when there is no other."""
    below = names.from_text("sub.example.org")

    assert below == names.closest(names.from_text("a.sub.example.org"), [EXAMPLE, below])
    assert EXAMPLE == names.closest(names.from_text("a.xsub.example.org"), [EXAMPLE, below])
    assert names.ROOT == names.closest(EXAMPLE, {names.ROOT: 1})
    assert names.closest(names.ROOT, {EXAMPLE}) is None


@given(wire_names)
def test_suffixes_are_all_parents(name):
    """Suffixes are the name and its parents, longest first, without the root."""
    labels = list(names.labels(name))

    assert [name_of(labels[i:]) for i in range(len(labels))] == names.suffixes(name)


@given(addresses)
def test_reverse_names_are_read_back(address):
    """The reverse name of an address is the one everybody uses, and tells the address again."""
    name = names.reverse(address.packed)

    assert name == names.from_text(address.reverse_pointer)
    assert (len(address.packed), address.packed.hex()) == names.reverse_prefix(name)


@given(addresses, st.integers(0, 32))
def test_names_above_a_reverse_name_are_its_prefixes(address, steps):
    """Each label taken off a reverse name takes off the last digits that it stands for."""
    tree_labels = 2
    steps = min(steps, len(list(names.labels(names.reverse(address.packed)))) - tree_labels)
    name = names.reverse(address.packed)
    for _ in range(steps):
        name = names.parent(name)
    digits = address.packed.hex()
    left = len(digits) - steps * (2 if address.version == 4 else 1)

    assert (len(address.packed), digits[:left]) == names.reverse_prefix(name)


@pytest.mark.parametrize(
    "labels",
    [
        [b"256", b"in-addr", b"arpa"],
        [b"01", b"in-addr", b"arpa"],
        [b"-1", b"in-addr", b"arpa"],
        [b"+1", b"in-addr", b"arpa"],
        [b" 1", b"in-addr", b"arpa"],
        [b"1_0", b"in-addr", b"arpa"],
        ["\u0661".encode(), b"in-addr", b"arpa"],
        [b"0", b"1", b"2", b"3", b"4", b"in-addr", b"arpa"],
        [b"1.2", b"in-addr", b"arpa"],
        [b"g", b"ip6", b"arpa"],
        [b"10", b"ip6", b"arpa"],
        [b"1"] * 33 + [b"ip6", b"arpa"],
        [b"1", b"example", b"org"],
        [b"1\x07in-addr\x04arpa"],
        [b"1", b"x\x07in-addr\x04arpa"],
        [b"1\x03ip6\x04arpa"],
    ],
)
def test_what_is_no_reverse_name(labels):
    """No address stands at or below names that are merely like reverse names."""
    assert names.reverse_prefix(name_of(labels)) is None


@pytest.mark.parametrize("labels", [[b"x\x07in-addr\x04arpa"], [b"x\x03ip6\x04arpa"]])
def test_reverse_trees_end_at_label_boundaries(labels):
    """Octets that look like a reverse tree within one label are none."""
    assert not names.is_reverse(name_of(labels))


@given(addresses, st.integers(0, 128))
def test_reverse_zones_cover_a_network_exactly(address, length):
    """The zones of a network hold all of its addresses, and none beside it but by rounding up."""
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network((address, length), strict=False)
    step = 8 if network.version == 4 else 4
    zones = set(names.reverse_zones(network))
    edges = (network.network_address, network.broadcast_address)
    depth = -(-length // step)
    beside = [
        type(address)(number)
        for number in (int(edges[0]) - 1, int(edges[1]) + 1)
        if 0 <= number < 2**address.max_prefixlen
    ]

    assert all(names.closest(names.reverse(edge.packed), zones) for edge in edges)
    assert not any(names.closest(names.reverse(other.packed), zones) for other in beside)
    assert 2 ** (depth * step - length) == len(zones)
    assert {depth + 2} == {len(list(names.labels(zone))) for zone in zones}


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("0.0.0.0/0", ["in-addr.arpa."]),
        ("::/0", ["ip6.arpa."]),
        ("10.0.0.0/8", ["10.in-addr.arpa."]),
        ("192.0.2.0/24", ["2.0.192.in-addr.arpa."]),
        ("192.0.2.6/31", ["6.2.0.192.in-addr.arpa.", "7.2.0.192.in-addr.arpa."]),
        ("203.0.112.0/23", ["112.0.203.in-addr.arpa.", "113.0.203.in-addr.arpa."]),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa."]),
        ("2001:db8::/31", ["8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa."]),
    ],
)
def test_reverse_zones_of_networks(network, zones):
    """Zones are cut at octets or at nibbles, in the order of their addresses."""
    found = names.reverse_zones(ipaddress.ip_network(network))

    assert zones == [names.to_text(zone) for zone in found]


address_texts = (
    st.ip_addresses().map(str)
    | st.ip_addresses(v=6).map(lambda address: address.exploded)
    | st.ip_addresses(v=4).map("::ffff:{}".format)
    | st.text("0123456789abcdefABCDEF:./% -_\u0661\u00b2", max_size=20)
    | st.lists(st.integers(0, 300).map(str) | st.sampled_from(["01", "", "+1", " 1"])).map(".".join)
)


@given(address_texts)
@example("192.0.2.01")
@example("192.0.2.1 ")
@example("192.0.2.1\n")
@example("192.0.2")
@example("3221225985")
@example("0xc0.0.2.1")
@example("::ffff:192.0.2.1")
@example("::ffff:192.0.2.01")
@example("fe80::1%eth0")
@example("2001:db8::/32")
@example("192.0.2.\u0661")
def test_addresses_are_those_of_the_standard_library(text):
    """Text is an address exactly when `ipaddress` says so, but never with a scope."""
    try:
        expected = None if "%" in text else ipaddress.ip_address(text).packed
    except ValueError:
        expected = None

    assert expected == names.pack_address(text)


def test_half_a_character_is_no_address():
    """A lone surrogate, which YAML can spell, is no part of an address."""
    assert names.pack_address("\ud800.0.2.1") is None

"""Packets judged: what is a query, what is refused and why, and what is met with silence."""

import struct

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.answers.query import Edns, Query, Rcode, Refusal, judge, payload_of
from skydns_py.names import from_text

NAME = from_text("eXample.org")
QUESTION = NAME + b"\x00\x01\x00\x01"
OPT = b"\x00" + struct.pack("!HHIH", 41, 1232, 0, 0)
TSIG = b"\x03key\x00" + struct.pack("!HHIH", 250, 255, 0, 4) + b"\xde\xad\xbe\xef"


def packet(body=QUESTION, *, bits=0, counts=(1, 0, 0, 0)):
    return struct.pack("!6H", 0x5A17, bits, *counts) + body


def opt(options=b"", *, payload=1232, ttl=0, name=b"\x00"):
    return name + struct.pack("!HHIH", 41, payload, ttl, len(options)) + options


def with_opt(*records):
    return packet(QUESTION + b"".join(records), counts=(1, 0, 0, len(records)))


def query_in(data):
    judged = judge(data)
    assert isinstance(judged, Query)
    return judged


def refusal_of(data):
    judged = judge(data)
    assert isinstance(judged, Refusal)
    return judged


def test_a_query():
    """A query is taken apart into id, spelling, folded name and type."""
    expected = Query(
        b"\x5a\x17", 0, 29, from_text("eXample.org"), from_text("example.org"), 1, None
    )

    assert expected == judge(packet())
    assert expected.question == QUESTION


@pytest.mark.parametrize("size", range(12))
def test_less_than_a_header(size):
    """What is shorter than a header gets no reply."""
    assert judge(packet()[:size]) is None


@given(st.integers(0x8000, 0xFFFF), st.binary(max_size=40))
def test_a_response(bits, rest):
    """A response gets no reply, whatever else it is."""
    assert judge(b"\x5a\x17" + bits.to_bytes(2, "big") + bytes(8) + rest) is None


@pytest.mark.parametrize("opcode", range(1, 16))
@pytest.mark.parametrize("body", [b"", QUESTION, b"\xc0\x0c", b"\x3f"])
def test_other_opcodes(opcode, body):
    """An opcode that is not QUERY gets NOTIMP, its body unread (RFC 8906 3.1.4)."""
    judged = judge(packet(body, bits=opcode << 11 | 0x0110, counts=(9, 9, 9, 9)))

    assert Refusal(b"\x5a\x17", opcode << 11 | 0x0110, Rcode.NOTIMP, "opcode") == judged


@given(st.integers(0, 0x7FFF).filter(lambda bits: not bits & 0x7800))
def test_flags_that_are_repeated(bits):
    """Of the flags only RD and CD come back; the rest and the reserved bits are ours to set."""
    assert bits & 0x0110 == query_in(packet(bits=bits)).flags


@pytest.mark.parametrize(
    "counts",
    [(0, 0, 0, 0), (2, 0, 0, 0), (65_535,) * 4, (1, 1, 0, 0), (1, 0, 0, 3), (1, 0, 0, 65_535)],
)
def test_counts(counts):
    """A query has one question, no answers, and at most two additional records (RFC 9619)."""
    judged = judge(packet(QUESTION + OPT * 3, counts=counts))

    assert Refusal(b"\x5a\x17", 0, Rcode.FORMERR, "counts") == judged


@pytest.mark.parametrize(
    "body",
    [
        b"",
        QUESTION[:-1],
        NAME,
        NAME[:-1],
        b"\xc0\x0c\x00\x01\x00\x01",
        b"\x03www\xc0\x0c\x00\x01\x00\x01",
        b"\x40" + b"a" * 64 + b"\x00\x00\x01\x00\x01",
        b"\x80\x00\x00\x01\x00\x01",
        b"\x01a" * 127 + b"\x01b\x00\x00\x01\x00\x01",
    ],
)
def test_questions_that_are_none(body):
    """A question cut short, compressed or with a name beyond the limits is a format error."""
    assert Refusal(b"\x5a\x17", 0, Rcode.FORMERR, "question") == judge(packet(body))


@pytest.mark.parametrize(
    "name",
    [
        b"\x00",
        b"\x3f" + b"a" * 63 + b"\x00",
        b"\x01a" * 127 + b"\x00",
        b"\x08web.shop\x03org\x00",
        b"\x04\x00\xff\xc0\x2e\x00",
    ],
)
def test_names_at_the_limits(name):
    """Any octets make a name, up to 63 in a label and 255 in all."""
    judged = judge(packet(name + b"\x00\x01\x00\x01"))

    assert isinstance(judged, Query)
    assert (name, name) == (judged.asked, judged.name)


def test_folding_leaves_other_octets_alone():
    """Only A to Z are folded: octets beyond ASCII stand for no letters (RFC 4343)."""
    judged = query_in(packet(b"\x07\xc3\x84\xdc\xdeKx\xb5\x00" + b"\x00\x01\x00\x01"))

    assert b"\x07\xc3\x84\xdc\xdekx\xb5\x00" == judged.name


@pytest.mark.parametrize(
    ("rest", "count"),
    [
        (b"\x00", 0),
        (OPT, 0),
        (b"", 1),
        (OPT[:-1], 1),
        (OPT + b"\x00", 1),
        (OPT, 2),
        (OPT + OPT, 2),
        (opt(name=b"\x01a\x00"), 1),
        (opt(name=b"\xc0\x0c"), 1),
        (opt(b"\x00"), 1),
        (opt(b"\x00\x0a\x00"), 1),
        (opt(b"\x00\x0a\x00\x08short"), 1),
        (opt(b"\x00\x0a\x00\x00\x01"), 1),
        (OPT[:-2] + b"\xff\xff", 1),
        (TSIG[:-1], 1),
    ],
)
def test_additional_sections_that_are_none(rest, count):
    """Records that do not fill the packet, two OPTs and broken options are a format error."""
    judged = judge(packet(QUESTION + rest, counts=(1, 0, 0, count)))

    assert Refusal(b"\x5a\x17", 0, Rcode.FORMERR, "additional", QUESTION) == judged


@pytest.mark.parametrize("records", [(OPT, TSIG), (TSIG, OPT)])
def test_a_signed_query(records):
    """A record beside the OPT is stepped over unread, in either order."""
    assert Edns(1232, dnssec_ok=False) == query_in(with_opt(*records)).edns


@pytest.mark.parametrize(
    ("payload", "size"),
    [(0, 512), (511, 512), (512, 512), (513, 513), (1232, 1232), (1233, 1232), (65_535, 1232)],
)
def test_sizes_that_are_taken(payload, size):
    """A UDP reply has what its asker can take: at least 512 octets, at most 1232 (RFC 6891)."""
    assert size == payload_of(query_in(with_opt(opt(payload=payload))))


def test_size_without_opt():
    """Who sends no OPT takes 512 octets (RFC 1035 2.3.4)."""
    assert 512 == payload_of(query_in(packet()))


def test_flags_and_options_of_an_opt():
    """The DO bit is seen; other flags and any options are ignored (RFC 6891 6.1.2)."""
    options = b"\x00\x0a\x00\x08cookie01\xff\xff\x00\x00"

    assert Edns(1232, dnssec_ok=True) == query_in(with_opt(opt(options, ttl=0xFFFF))).edns
    assert Edns(1232, dnssec_ok=False) == query_in(with_opt(opt(options, ttl=0xFF007FFF))).edns


@pytest.mark.parametrize("version", [1, 100, 255])
def test_other_versions(version):
    """Another version than 0 is BADVERS, before anything else is looked at (RFC 6891 6.1.3)."""
    records = NAME + b"\x00\xfc\x00\x03" + opt(ttl=version << 16)
    judged = refusal_of(packet(records, counts=(1, 0, 0, 1)))

    assert (Rcode.BADVERS, "edns version") == (judged.rcode, judged.reason)
    assert judged.edns is not None


@pytest.mark.parametrize(
    ("rrtype", "rrclass", "rcode", "reason"),
    [
        (1, 3, Rcode.REFUSED, "class"),
        (1, 4, Rcode.REFUSED, "class"),
        (1, 255, Rcode.REFUSED, "class"),
        (1, 0, Rcode.REFUSED, "class"),
        (252, 1, Rcode.REFUSED, "transfer"),
        (251, 1, Rcode.REFUSED, "transfer"),
        (0, 1, Rcode.FORMERR, "type"),
        (41, 1, Rcode.FORMERR, "type"),
    ],
)
def test_questions_that_are_refused(rrtype, rrclass, rcode, reason):
    """Other classes, transfers, and types that are no records are refused, each for its reason."""
    question = NAME + struct.pack("!HH", rrtype, rrclass)

    assert Refusal(b"\x5a\x17", 0, rcode, reason, question) == judge(packet(question))


def test_incremental_transfer():
    """An IXFR has the SOA it knows in its authority section, and is refused for what it is."""
    soa = NAME + struct.pack("!HHIH", 6, 1, 0, 22) + bytes(22)
    ixfr = NAME + b"\x00\xfb\x00\x01"

    assert "transfer" == refusal_of(packet(ixfr + soa, counts=(1, 0, 1, 0))).reason
    assert "counts" == refusal_of(packet(QUESTION + soa, counts=(1, 0, 1, 0))).reason


@given(st.binary(max_size=64) | st.binary(max_size=40).map(lambda body: packet(NAME + body)))
def test_any_bytes_are_judged(data):
    """Any bytes are judged without an error, and what is read is a part of them."""
    judged = judge(data)
    if judged is not None:
        assert data[:2] == judged.id
        assert judged.question in data


@given(
    st.integers(1, 65_535).filter(lambda rrtype: rrtype not in {41, 251, 252}),
    st.integers(0, 65_535) | st.none(),
    st.booleans(),
)
def test_every_ordinary_query_is_taken(rrtype, payload, dnssec_ok):
    """What dnspython makes is a query, of any type and with any OPT (RFC 8906)."""
    made = dns.message.make_query(
        "example.org",
        rrtype,
        use_edns=False if payload is None else 0,
        want_dnssec=dnssec_ok and payload is not None,
        payload=payload,
    )
    judged = judge(made.to_wire())

    assert isinstance(judged, Query)
    assert rrtype == judged.type
    assert (payload is None) == (judged.edns is None)

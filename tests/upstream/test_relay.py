"""What a client gets of an upstream's reply: the same records in its own frame."""

import dns.flags
import dns.message
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.upstream.relay import aged, capped, failure, strip, to_client
from tests.upstream.messages import SOA, extended_errors, made, query, shown

ANSWER = "www.example.org. 300 IN A 192.0.2.1"
LONG = "\n".join(f"www.example.org. 300 IN A 192.0.2.{i}" for i in range(100))


def test_frame_is_the_clients():
    """Id, spelling and RD are the client's, RA is set, and AA is the upstream's."""
    client = query("wWw.Example.oRg")
    reply = dns.message.from_wire(to_client(strip(made(ANSWER, flags=dns.flags.AA)), client, 512))

    assert int.from_bytes(client.id, "big") == reply.id
    assert "wWw.Example.oRg." == reply.question[0].name.to_text()
    assert "QR AA RD RA" == dns.flags.to_text(reply.flags)


def test_flags_of_the_query():
    """RD and CD are those of the query, whatever the upstream says."""
    reply = strip(made(ANSWER, flags=dns.flags.CD | dns.flags.AD))
    plain = dns.message.from_wire(to_client(reply, query(flags=0), 512))

    assert "QR RA AD" == dns.flags.to_text(plain.flags)


def test_records_are_untouched():
    """The records of a reply that fits are the upstream's, octet by octet."""
    reply = made(ANSWER, authority=SOA)
    start = 12 + len(reply.question)

    assert reply.wire[start:] == to_client(strip(reply), query(), 512)[start:]


def test_opt_is_between_neighbours():
    """The upstream's OPT goes to nobody; who sent one gets ours, who did not gets none."""
    reply = strip(made(ANSWER, edns=0))
    without = dns.message.from_wire(to_client(reply, query(), 512))
    ours = dns.message.from_wire(to_client(reply, query(use_edns=0, want_dnssec=True), 512))

    assert (-1, 0) == (without.edns, len(without.additional))
    assert (0, 1232, dns.flags.DO, ()) == (ours.edns, ours.payload, ours.ednsflags, ours.options)


def test_too_large():
    """What does not fit leaves question and OPT, with TC."""
    reply = dns.message.from_wire(to_client(strip(made(LONG)), query(use_edns=0), 512))

    assert reply.flags & dns.flags.TC
    assert ([], 0) == (reply.answer, reply.edns)
    assert 100 == shown(to_client(strip(made(LONG)), query(), 65_535)).count("192.0.2.")


def test_ttls_count_down():
    """Every TTL is less by the age, never below 0, and no longer than the cap."""
    reply = strip(made(f"{ANSWER}\nwww.example.org. 10 IN A 192.0.2.2"))

    assert "A 192.0.2.1" in shown(to_client(aged(reply, 20), query(), 512))
    assert [280, 0] == [ttl for _, ttl in aged(reply, 20).ttls]
    assert [60, 10] == [ttl for _, ttl in capped(reply, 60).ttls]
    assert "www.example.org. 60 IN A 192.0.2.1" in shown(to_client(capped(reply, 60), query(), 512))


def test_failures_tell_why():
    """A failure has the code and, for who can read it, the extended error."""
    wire = failure(query(use_edns=0), 2, 22)

    assert ("SERVFAIL", [22]) == (shown(wire), extended_errors(wire))
    assert [] == extended_errors(failure(query(), 2, 22))


@given(st.integers(12, 700), st.booleans())
def test_never_longer_than_allowed(limit, edns):
    """No reply is longer than the limit, as long as the question itself fits."""
    client = query(use_edns=0) if edns else query()
    smallest = 12 + len(client.question) + 11 * edns

    assert len(to_client(strip(made(LONG)), client, limit)) <= max(limit, smallest)

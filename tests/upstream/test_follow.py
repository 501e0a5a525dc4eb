"""An alias of ours whose target is somebody else's is answered with both halves."""

from collections.abc import Callable
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from skydns_py import names
from skydns_py.answers.lookup import Answer
from skydns_py.answers.query import Query
from skydns_py.answers.responder import Block, Later, Responder, Transport
from skydns_py.sources.kubernetes.schema import Namespace, Service
from skydns_py.upstream.follow import follow
from tests.conftest import World
from tests.upstream.messages import SOA, reply_to

TARGET = "out.example.org"
NAME = "search.shop.svc.cluster.local"


class Away:
    """Somebody else, who says `answer` to what is asked, at once or when told to."""

    def __init__(self, answer: str = "", *, later: bool = False, **more: Any) -> None:
        self.asked: list[str] = []
        self.waiting: list[Callable[[], None]] = []
        self._answer = answer
        self._later = later
        self._more = more

    def ask(
        self, query: Query, _limit: int, later: Callable[[], Later], _transport: Transport
    ) -> bytes | None:
        rrtype = dns.rdatatype.RdataType(query.type)
        packet = dns.message.make_query(names.to_text(query.asked), rrtype).to_wire()
        self.asked.append(names.to_text(query.asked))
        reply = reply_to(packet, self._answer, **self._more)
        if not self._later:
            return reply
        send = later()
        self.waiting.append(lambda: send(reply))
        return None

    def follow(
        self,
        query: Query,
        answer: Answer,
        limit: int,
        later: Callable[[], Later],
        transport: Transport,
    ) -> bytes | None:
        return follow(self.ask, query, answer, limit, later, transport)


class Client:
    """Who asks; keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes | None] = []

    def later(self) -> Later:
        return self.sent.append


def told(away: Away, name: str = NAME, rrtype: str = "A") -> str:
    """Ask for a name of ours and return code and answer as text."""
    client = Client()
    world = World(
        Namespace("shop"),
        Service("shop", "search", "ExternalName", (), TARGET, ()),
        Service("shop", "near", "ExternalName", (), NAME, ()),
        Service("shop", "round", "ExternalName", (), "round.shop.svc.cluster.local", ()),
    )
    block = Block(world.zones, elsewhere=away, fallthrough=frozenset())
    responder = Responder({names.ROOT: block}, shuffle=lambda _: None, report=_raise)
    packet = dns.message.make_query(name, rrtype).to_wire()
    reply = responder.respond(packet, client, "udp")
    for send in away.waiting:
        send()
    message = dns.message.from_wire(reply or client.sent[0] or b"", one_rr_per_rrset=True)
    assert packet[:2] == (reply or client.sent[0] or b"")[:2]
    lines = [dns.rcode.to_text(message.rcode()), *(rrset.to_text() for rrset in message.answer)]
    return "\n".join([*lines, *(f"- {rrset.to_text()}" for rrset in message.authority)])


def _raise(bug: Exception) -> None:
    raise bug


@pytest.mark.parametrize("later", [False, True])
def test_both_halves(later: bool):
    """The alias comes first, then what its target has elsewhere, with the TTLs of each."""
    away = Away(f"{TARGET}. 30 IN A 192.0.2.81\n{TARGET}. 30 IN A 192.0.2.82", later=later)
    expected = f"""NOERROR
{NAME}. 5 IN CNAME {TARGET}.
{TARGET}. 30 IN A 192.0.2.81
{TARGET}. 30 IN A 192.0.2.82"""

    assert expected == told(away)
    assert [f"{TARGET}."] == away.asked


def test_a_chain_of_ours_and_one_of_theirs():
    """Aliases on both sides stand in the order in which they lead."""
    away = Away(f"{TARGET}. 20 IN CNAME deep.example.org.\ndeep.example.org. 30 IN A 192.0.2.81")
    expected = f"""NOERROR
near.shop.svc.cluster.local. 5 IN CNAME {NAME}.
{NAME}. 5 IN CNAME {TARGET}.
{TARGET}. 20 IN CNAME deep.example.org.
deep.example.org. 30 IN A 192.0.2.81"""

    assert expected == told(away, "near.shop.svc.cluster.local")


def test_a_target_that_does_not_exist():
    """The code is that of the last name, and the denial is its zone's (RFC 6604, RFC 2308)."""
    away = Away(authority=SOA, rcode="NXDOMAIN")
    expected = f"NXDOMAIN\n{NAME}. 5 IN CNAME {TARGET}.\n- {SOA}"

    assert expected == told(away)


def test_a_target_without_that_type():
    """No record of the type asked for is the alias alone, with the denial of the target's zone."""
    assert f"NOERROR\n{NAME}. 5 IN CNAME {TARGET}.\n- {SOA}" == told(Away(authority=SOA))


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
def test_a_failure_is_not_hidden(rcode: str):
    """Where nobody knows the target, the whole is SERVFAIL: an alias alone would look like none."""
    assert f"SERVFAIL\n{NAME}. 5 IN CNAME {TARGET}." == told(Away(rcode=rcode))


def test_the_alias_itself_is_ours():
    """A question for the alias, or round in circles, asks nobody else."""
    away = Away()

    assert f"NOERROR\n{NAME}. 5 IN CNAME {TARGET}." == told(away, rrtype="CNAME")
    told(away, "round.shop.svc.cluster.local")
    assert [] == away.asked


def test_names_in_rdata_are_written_out():
    """Compression of the upstream's message does not reach into ours."""
    away = Away(
        f"{TARGET}. 30 IN MX 10 mail.{TARGET}.\n{TARGET}. 30 IN MX 20 mail2.{TARGET}.",
        authority=SOA,
    )
    expected = f"""NOERROR
{NAME}. 5 IN CNAME {TARGET}.
{TARGET}. 30 IN MX 10 mail.{TARGET}.
{TARGET}. 30 IN MX 20 mail2.{TARGET}."""

    assert expected == told(away, rrtype="MX")

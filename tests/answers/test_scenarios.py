"""Every scenario, asked of the responder itself: bytes in, bytes out, no socket."""

from functools import cache

import dns.message
import pytest

from skydns_py.answers.query import Rcode
from skydns_py.answers.responder import Responder, Transport
from tests.scenario import (
    Case,
    Scenario,
    query_packet,
    read_all,
    reply_text,
    without_serials,
)
from tests.scenarios.serving import responder_of

SCENARIOS = {scenario.name: scenario for scenario in read_all()}


EVERY_CASE = [
    pytest.param(scenario, case, id=f"{scenario.name}::{case.sentence}")
    for scenario in SCENARIOS.values()
    for case in scenario.cases
]


@cache
def responder_named(name: str) -> Responder:
    return responder_of(SCENARIOS[name])


def ask(scenario: Scenario, case: Case, transport: Transport) -> bytes:
    packet = query_packet(case.question)
    reply = responder_named(scenario.name).respond(packet, None, transport)
    assert reply is not None, "the server stayed silent"
    return reply


def section_lines(text: str) -> dict[str, set[str]]:
    """Take a reply's text apart: status and records by section."""
    found: dict[str, set[str]] = {}
    title = "status"
    for line in text.splitlines():
        if line in {"ANSWER", "AUTHORITY", "ADDITIONAL"}:
            title = line
        else:
            found.setdefault(title, set()).add(line)
    return found


@pytest.mark.parametrize(("scenario", "case"), EVERY_CASE)
def test_the_reply_is_the_one_written_down(scenario: Scenario, case: Case):
    """The reply says what the scenario says, in every section and flag."""
    actual = reply_text(ask(scenario, case, "tcp" if "tcp" in case.question.options else "udp"))

    assert case.expected == without_serials(actual, case.expected)


@pytest.mark.parametrize(("scenario", "case"), EVERY_CASE)
def test_udp_and_tcp_say_the_same(scenario: Scenario, case: Case):
    """A UDP reply that is not truncated differs from TCP's by additional records left out only."""
    udp = section_lines(reply_text(ask(scenario, case, "udp")))
    tcp = section_lines(reply_text(ask(scenario, case, "tcp")))
    if " tc" in "".join(udp["status"]):
        assert udp.get("ANSWER", set()) < tcp["ANSWER"]
        return

    assert udp.pop("ADDITIONAL", set()) <= tcp.pop("ADDITIONAL", set())
    assert tcp == udp


@pytest.mark.parametrize(("scenario", "case"), EVERY_CASE)
def test_the_reply_repeats_id_and_question(scenario: Scenario, case: Case):
    """A reply has the id of its query and its question, octet for octet where it was read."""
    query = query_packet(case.question)
    reply = ask(scenario, case, "udp")
    question = query[12 : query.index(b"\x00", 12) + 5]
    if int(dns.message.from_wire(reply).rcode()) in (Rcode.FORMERR, Rcode.NOTIMP):
        question = question[: len(question) * reply[5]]

    assert query[:2] == reply[:2]
    assert question == reply[12 : 12 + len(question)]


@pytest.mark.parametrize(("scenario", "case"), EVERY_CASE)
def test_a_udp_reply_is_no_longer_than_the_client_takes(scenario: Scenario, case: Case):
    """A UDP reply fits what the client announced, 512 octets without EDNS, never above 1232."""
    options = case.question.options
    announced = int(options.get("edns") or 1232) if options.keys() & {"edns", "do"} else 512

    assert len(ask(scenario, case, "udp")) <= min(max(512, announced), 1232)


def test_there_are_enough_scenarios():
    """A reader that finds no files, or loses cases, does not pass for success."""
    assert sum(len(scenario.cases) for scenario in SCENARIOS.values()) >= 220

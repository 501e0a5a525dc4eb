"""Replies that come later, out of upstreams, have their lines in the log like all others."""

import re

import dns.message
import pytest

from skydns_py import names
from skydns_py.app.query_log import watched
from skydns_py.servers.respond import Client, Later, Transport
from skydns_py.settings import Block, ErrorsSettings, ForwardSettings, LogRule
from skydns_py.settings.upstream_shapes import Upstream
from tests.upstream.messages import reply_to

NAME = "www.example.org"
ADDRESS = "www.example.org. 60 IN A 192.0.2.7"


class View:
    """A client as a server shows it: nothing of it can be read once it is gone."""

    def __init__(self) -> None:
        self.gone = False
        self.sent: list[bytes | None] = []

    @property
    def host(self) -> str:
        assert not self.gone
        return "192.0.2.53"

    @property
    def port(self) -> int:
        assert not self.gone
        return 40_212

    def later(self) -> Later:
        assert not self.gone
        return self.sent.append


class Upstreams:
    """Who promises an answer, and keeps the promise when told to."""

    def __init__(self, *, errors: bool = False) -> None:
        self.lines: list[tuple[str, str]] = []
        self.view = View()
        self._promises: list[Later] = []
        forward = ForwardSettings(to=(Upstream("192.0.2.1"),))
        block = Block(
            zones=(names.ROOT,),
            listen=(),
            place="Corefile:1",
            errors=ErrorsSettings() if errors else None,
            log=() if errors else (LogRule(names.ROOT),),
            forward=(forward,),
        )
        respond = watched(self._promise, [block], lambda *line: self.lines.append(line))
        self._packet = dns.message.make_query(NAME, "A", id=1234).to_wire()
        assert respond(self._packet, self.view, "udp") is None
        self.view.gone = True

    def _promise(self, _packet: bytes, client: Client, _transport: Transport) -> None:
        self._promises.append(client.later())

    def reply(self, answer: str = "", rcode: str = "NOERROR") -> bytes:
        packet = reply_to(self._packet, answer, rcode=rcode)
        self._promises.pop()(packet)
        return packet

    def give_up(self) -> None:
        self._promises.pop()(None)


def test_a_later_reply_is_told_when_it_is_sent():
    """Nothing is told before the reply is there, and then it is sent and told once."""
    upstreams = Upstreams()
    assert [] == upstreams.lines
    packet = upstreams.reply(ADDRESS)

    assert [packet] == upstreams.view.sent
    ((level, line),) = upstreams.lines
    assert "info" == level
    assert re.fullmatch(
        r'192\.0\.2\.53:40212 - 1234 "A IN www\.example\.org\. udp 33 false 512"'
        r" NOERROR qr,rd,ra \d+ \d+\.\d+s",
        line,
    )


def test_who_is_told_nothing_has_no_line():
    """A question that was given up is no exchange."""
    upstreams = Upstreams()
    upstreams.give_up()

    assert [None] == upstreams.view.sent
    assert [] == upstreams.lines


@pytest.mark.parametrize(
    ("rcode", "told"),
    [("REFUSED", "REFUSED"), ("NOTAUTH", "NOTAUTH"), ("NOTZONE", "NOTZONE"), ("11", "RCODE11")],
)
def test_codes_that_are_only_passed_on(rcode, told):
    """An upstream's code is told by its name, or its number, though it is never given here."""
    upstreams = Upstreams()
    upstreams.reply(rcode=rcode)

    assert f" {told} qr,rd,ra " in upstreams.lines[0][1]


def test_a_failure_of_upstreams_is_an_error_with_its_reason():
    """`errors` says that it was the upstreams who failed."""
    upstreams = Upstreams(errors=True)
    upstreams.reply(rcode="SERVFAIL")

    reason = "plugin/forward: no upstream gave an answer"
    assert [("error", f"plugin/errors: 2 www.example.org. A: {reason}")] == upstreams.lines


def test_what_upstreams_answer_is_no_error():
    """`errors` says nothing of a name that upstreams know."""
    upstreams = Upstreams(errors=True)
    upstreams.reply(ADDRESS)

    assert [] == upstreams.lines

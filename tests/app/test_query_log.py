"""The `log` and `errors` directives write what CoreDNS writes: parsers of its log need no change.

Source: CoreDNS 1.14, plugins log and errors, and `plugin/pkg/replacer`.
"""

import re
from dataclasses import dataclass

import dns.message
import pytest

from skydns_py import names
from skydns_py.app.query_log import watched
from skydns_py.servers.respond import Later, Respond, Transport
from skydns_py.settings import Block, ErrorsSettings, KubernetesSettings, LogRule
from skydns_py.settings.shapes import COMBINED_LOG_FORMAT, LogClass
from skydns_py.sources.kubernetes.schema import Namespace, Service, ServicePort
from tests.conftest import FORWARD, World

ZONE = "cluster.local"
WEB = "web.shop.svc.cluster.local"


@dataclass(frozen=True)
class Client:
    """Who asks."""

    host: str = "192.0.2.53"
    port: int = 40_212

    def later(self) -> Later:
        raise AssertionError("nothing is answered later here")


class Log:
    """Lines by level, of queries put to a world behind the directives of a block."""

    def __init__(self, *rules: LogRule, errors: bool = False, synced: bool = True) -> None:
        self.lines: list[tuple[str, str]] = []
        self._world = World(
            Namespace("shop"),
            Service("shop", "web", "ClusterIP", ("192.0.2.1",), "", (ServicePort("", 80, "TCP"),)),
            Service("shop", "out", "ExternalName", (), "www.example.org", ()),
            synced=synced,
        )
        block = Block(
            zones=(names.ROOT,),
            listen=(),
            place="Corefile:1",
            kubernetes=KubernetesSettings(zones=(FORWARD,)),
            errors=ErrorsSettings() if errors else None,
            log=rules,
        )
        self.respond: Respond = watched(
            self._world.responder.respond, [block], lambda *line: self.lines.append(line)
        )

    def ask(
        self,
        name: str,
        rrtype: str = "A",
        client: Client = Client(),
        transport: Transport = "udp",
        **options: object,
    ) -> str:
        """Return the line about one query, without its duration."""
        query = dns.message.make_query(name, rrtype, id=1234, **options)  # type: ignore[arg-type]
        return self.send(query.to_wire(), client, transport)

    def send(self, packet: bytes, client: Client = Client(), transport: Transport = "udp") -> str:
        self.lines.clear()
        self.respond(packet, client, transport)
        assert len(self.lines) <= 1
        return re.sub(r" \d+\.\d+s$", " DURATION", self.lines[0][1]) if self.lines else ""


def rule(*classes: LogClass, zone: str = ".", form: str | None = None) -> LogRule:
    made = LogRule(names.from_text(zone), classes=frozenset(classes or ("all",)))
    return made if form is None else LogRule(made.zone, form, made.classes)


def test_an_answer_in_the_common_format():
    """A query that is answered gives CoreDNS's common line, at the level of information."""
    log = Log(rule())

    assert log.ask(WEB) == (
        '192.0.2.53:40212 - 1234 "A IN web.shop.svc.cluster.local. udp 44 false 512"'
        " NOERROR qr,aa,rd 60 DURATION"
    )
    assert ["info"] == [level for level, _ in log.lines]


def test_a_denial_with_edns_and_do():
    """A denial tells the size and the DO bit of the client's OPT."""
    line = Log(rule()).ask("nope.shop.svc.cluster.local", "AAAA", want_dnssec=True, payload=1400)

    assert line.startswith(
        '192.0.2.53:40212 - 1234 "AAAA IN nope.shop.svc.cluster.local. udp 56 true 1400" NXDOMAIN '
    )


def test_a_client_of_ipv6_stands_in_brackets():
    """An address with colons is told from the port by brackets (RFC 3986)."""
    line = Log(rule()).ask(WEB, client=Client("2001:db8::1", 53))

    assert line.startswith("[2001:db8::1]:53 - 1234 ")


def test_the_name_is_told_in_small_letters():
    """However it was spelled, a name is counted under one spelling."""
    assert " web.shop.svc.cluster.local. " in Log(rule()).ask("WEB.shop.SVC.cluster.local")


@pytest.mark.parametrize(
    ("transport", "payload", "told"),
    [
        ("udp", None, 512),
        ("udp", 100, 512),
        ("udp", 512, 512),
        ("udp", 4096, 4096),
        ("tcp", None, 65_535),
        ("tcp", 1232, 65_535),
    ],
)
def test_the_size_told_is_the_size_that_counts(transport: Transport, payload, told):
    """`{>bufsize}` is what may be sent: 512 at least, over TCP always 65535."""
    options = {} if payload is None else {"use_edns": 0, "payload": payload}
    line = Log(rule(form="{>bufsize}")).ask(WEB, transport=transport, **options)

    assert str(told) == line


@pytest.mark.parametrize(
    ("number", "told"),
    [(1, "A"), (65, "HTTPS"), (64, "SVCB"), (35, "NAPTR"), (255, "ANY"), (65_280, "TYPE65280")],
)
def test_a_type_is_told_by_its_name(number: int, told: str):
    """Types have their IANA names, also those that no record here has; others a number."""
    packet = dns.message.make_query(WEB, "A").to_wire()

    assert told == Log(rule(form="{type}")).send(packet[:-4] + number.to_bytes(2, "big") + b"\0\1")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_protocol_is_told(transport: Transport):
    """`{proto}` is the transport."""
    assert transport == Log(rule(form="{proto}")).ask(WEB, transport=transport)


def test_the_combined_format_has_the_opcode():
    """The combined format is the common one and the opcode."""
    line = Log(rule(form=COMBINED_LOG_FORMAT)).ask(WEB)

    assert re.search(r' \d+\.\d+s "0"$', line)


def test_a_duration_is_seconds_that_can_be_read():
    """`{duration}` is a decimal number of seconds, never in powers of ten."""
    assert re.fullmatch(r"0\.\d+s", Log(rule(form="x{duration}")).ask(WEB)[1:].strip())


def test_words_nobody_knows_stay_as_they_are():
    """Braces around anything else are text; metadata nobody has set is a dash."""
    form = "{nobody} {} {type} {/kubernetes/namespace} { {name} }"

    assert "{nobody} {} A - { web.shop.svc.cluster.local. }" == Log(rule(form=form)).ask(WEB)


CASES: dict[str, tuple[LogClass, tuple[str, str]]] = {
    "an answer": ("success", (WEB, "A")),
    "an alias out of the zone": ("success", ("out.shop.svc.cluster.local", "A")),
    "a name that is not there": ("denial", ("nope.shop.svc.cluster.local", "A")),
    "a type that is not there": ("denial", (WEB, "AAAA")),
    "a zone nobody serves": ("error", ("example.org", "A")),
}


@pytest.mark.parametrize(("own", "asked"), CASES.values(), ids=CASES.keys())
def test_each_reply_has_one_class(own: LogClass, asked: tuple[str, str]):
    """A rule tells the replies of its classes, and no other."""
    classes: tuple[LogClass, ...] = ("success", "denial", "error")
    told = [each for each in classes if Log(rule(each)).ask(*asked)]

    assert [own] == told
    assert Log(rule("all")).ask(*asked)
    assert Log(rule(*classes)).ask(*asked)


def test_a_truncated_answer_is_told_with_its_flag():
    """What a client got cut is to be seen in the log."""
    log = Log(rule(form="{>rflags} {rcode}"))
    log._world.put(
        *(Service("shop", "many", "ClusterIP", (f"192.0.2.{n}",), "", ()) for n in range(1)),
        Service("shop", "many", "ClusterIP", tuple(f"192.0.2.{n}" for n in range(250)), "", ()),
    )

    assert "qr,aa,tc,rd NOERROR" == log.ask("many.shop.svc.cluster.local")


def test_the_first_rule_of_a_name_decides():
    """Once a rule's zone matches, its classes decide alone: no other rule is looked at."""
    log = Log(rule("denial", zone=ZONE, form="first"), rule("all", form="second"))

    assert "" == log.ask(WEB)
    assert "first" == log.ask("nope.cluster.local")
    assert "second" == log.ask("example.org")


def test_a_rule_tells_of_its_zone_only():
    """Queries outside of a rule's zone are not told."""
    log = Log(rule(zone="svc.cluster.local", form="told"))

    assert "told" == log.ask(WEB)
    assert "" == log.ask("cluster.local", "SOA")
    assert "" == log.ask("xsvc.cluster.local")


@pytest.mark.parametrize(
    "packet", [b"", b"\x00" * 11, b"\x00\x01\x80" + bytes(9), b"\x00\x01" + bytes(10)]
)
def test_what_is_no_query_is_not_told(packet: bytes):
    """Rubbish, responses and what cannot be read have no line, and harm none."""
    assert "" == Log(rule(), errors=True).send(packet)


def test_an_error_before_the_cluster_was_read():
    """`errors` tells code, name in small letters, type and reason."""
    log = Log(errors=True, synced=False)

    assert log.ask("Nope.shop.svc.cluster.LOCAL", "AAAA") == (
        "plugin/errors: 2 nope.shop.svc.cluster.local. AAAA:"
        " plugin/kubernetes: the cluster has not been read yet"
    )
    assert ["error"] == [level for level, _ in log.lines]


@pytest.mark.parametrize("asked", [WEB, "nope.shop.svc.cluster.local"])
def test_what_is_answered_is_no_error(asked: str):
    """`errors` says nothing of answers and denials."""
    assert "" == Log(errors=True).ask(asked)


def test_without_directives_nothing_is_in_between():
    """Where no block asks for lines, the responder itself answers."""
    world = World()
    block = Block(zones=(FORWARD,), listen=(), place="Corefile:1")

    assert world.responder.respond == watched(world.responder.respond, [block], print)


def test_a_reply_is_not_changed_by_being_told():
    """What is sent is what would be sent without a log."""
    log = Log(rule(), errors=True)
    packet = dns.message.make_query(WEB, "A", use_edns=0).to_wire()

    assert log._world.responder.respond(packet, Client(), "udp") == log.respond(
        packet, Client(), "udp"
    )

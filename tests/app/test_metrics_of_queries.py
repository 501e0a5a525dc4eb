"""Every reply is counted once, whichever way it took: kept, made, refused, or given later."""

from collections.abc import Callable
from typing import Any

import dns.message
import pytest

from bench.pumping import BLOCK, Kernelless, Nobody
from skydns_py import names
from skydns_py.answers.responder import Block as Served
from skydns_py.answers.responder import Responder
from skydns_py.app import metering
from skydns_py.app.metering import Meter
from skydns_py.metrics import SHAPES, SUM
from skydns_py.settings import Block, Listen, PrometheusSettings
from skydns_py.sources.kubernetes.schema import Namespace, Service
from tests.conftest import World

WEB = "web.shop.svc.cluster.local"
NOBODY: Any = Nobody()
ROOT = (names.ROOT,)
OTHER = names.from_text("example.org")


class Clock:
    """A clock that goes on only when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Metered:
    """A world whose responder is counted; `zones` are served, all but `silent` with metrics."""

    def __init__(
        self, zones: tuple[bytes, ...] = ROOT, silent: tuple[bytes, ...] = (), *, family: int = 4
    ) -> None:
        self.world = World(Namespace("shop"), web("192.0.2.10"))
        served = dict.fromkeys((*zones, *silent), Served(self.world.zones))
        self.world.responder = Responder(served, shuffle=lambda _: None, report=lambda _: None)
        listen = (Listen(),)
        blocks = [Block((zone,), listen, "", prometheus=PrometheusSettings()) for zone in zones]
        blocks += [Block((zone,), listen, "") for zone in silent]
        self.clock = Clock()
        self.responder = self.world.responder
        self.meter = Meter(self.responder, blocks, Listen(), family, clock=self.clock)

    def ask(self, name: str = WEB, rrtype: str = "A", times: int = 1, **options: Any) -> bytes:
        transport = options.pop("transport", "udp")
        packet = dns.message.make_query(name, rrtype, id=1, **options).to_wire()
        replies = [self.meter.respond(packet, NOBODY, transport) for _ in range(times)]
        return replies[-1] or b""

    def pump(self, packet: bytes, count: int = BLOCK) -> None:
        """Have a block of packets answered out of what is kept."""
        pump = Kernelless(self.responder.datagrams.hits, self.meter.measure)
        pump.count = count
        pump.fill(packet)
        pump.pump()

    def told(self, metric: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the counters of a metric by these labels, or how many a histogram has seen."""
        name = f"coredns_dns_{metric}"
        places = [SHAPES[name].labels.index(label) for label in labels]
        found: dict[tuple[str, ...], float] = {}
        for (cell, values, part), number in self.meter.sums().items():
            if cell == name and part != SUM:
                key = tuple(values[place] for place in places)
                found[key] = found.get(key, 0) + number
        return found


def web(address: str) -> Service:
    return Service("shop", "web", "ClusterIP", (address,), "", ())


def query(name: str = WEB, **options: Any) -> bytes:
    return dns.message.make_query(name, "A", **options).to_wire()


def test_labels_of_a_query():
    """A query has CoreDNS's labels: server and zone as written, protocol, family, type."""
    metered = Metered(family=6)
    metered.ask(rrtype="AAAA", transport="tcp")

    labels = ("server", "zone", "view", "proto", "family", "type")
    assert {("dns://:53", ".", "", "tcp", "2", "AAAA"): 1} == metered.told(
        "requests_total", *labels
    )


def test_labels_of_a_reply():
    """A reply has its code, and the directive that gave it."""
    metered = Metered()
    metered.ask()
    metered.ask("nothing.shop.svc.cluster.local")

    assert {("NOERROR", "kubernetes"): 1, ("NXDOMAIN", "kubernetes"): 1} == metered.told(
        "responses_total", "rcode", "plugin"
    )


def test_kept_replies_are_counted_where_they_are_given():
    """What a pump gives by the block is counted as often as it was given, in the octets it has."""
    metered = Metered()
    reply = metered.ask(times=2)
    metered.pump(query(), BLOCK)
    metered.pump(query(), 5)

    total = 2 + BLOCK + 5
    sums = metered.meter.sums()
    labels = ("dns://:53", ".", "", "udp")
    assert {("udp", "1", "A"): total} == metered.told("requests_total", "proto", "family", "type")
    assert {("NOERROR", "kubernetes"): total} == metered.told("responses_total", "rcode", "plugin")
    assert total * len(query()) == sums["coredns_dns_request_size_bytes", labels, SUM]
    assert total * len(reply) == sums["coredns_dns_response_size_bytes", labels, SUM]
    assert {(): total} == metered.told("request_duration_seconds")


def test_reading_twice_counts_once():
    """Numbers are the same when they are read again, and go on from there."""
    metered = Metered()
    metered.ask(times=2)
    for expected in (BLOCK + 2, BLOCK * 2 + 2):
        metered.pump(query())
        for _ in range(3):
            assert {(): expected} == metered.told("requests_total")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_was_given_is_counted_when_it_is_dropped(transport: str):
    """A change that drops a kept reply loses none of the counts: they keep its code."""
    metered = Metered()
    metered.ask(times=7, transport=transport)
    metered.world.remove(web("192.0.2.10"))
    metered.responder.changed(metered.world.put(Namespace("other")))
    for memo in (metered.responder.datagrams, metered.responder.streams):
        memo.forget(tuple(memo._by_key))
    metered.ask(times=4, transport=transport)

    assert {("NOERROR",): 7, ("NXDOMAIN",): 4} == metered.told("responses_total", "rcode")
    assert {(transport,): 11} == metered.told("response_size_bytes", "proto")


def test_rotations_are_counted():
    """Replies that take turns are counted like the others."""
    metered = Metered()
    two = Service("shop", "two", "ClusterIP", ("192.0.2.1", "192.0.2.2"), "", ())
    metered.responder.changed(metered.world.put(two))
    metered.ask("two.shop.svc.cluster.local", times=9)

    assert {(): 9} == metered.told("requests_total")
    assert {(): 9} == metered.told("request_duration_seconds")


def test_dnssec_wanted():
    """Queries with the DO bit are counted apart, kept replies to them too."""
    metered = Metered()
    metered.ask(times=5, want_dnssec=True)
    metered.ask(times=3)

    assert {(".",): 5} == metered.told("do_requests_total", "zone")


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (query("www.example.net"), ("dropped", "A", "REFUSED", "")),
        (query()[:4] + b"\x00\x02" + query()[6:], ("dropped", "other", "FORMERR", "")),
        (query()[:2] + b"\x20\x00" + query()[4:], ("dropped", "other", "NOTIMP", "")),
        (query(use_edns=1), ("dropped", "A", "BADVERS", "")),
    ],
)
def test_what_reaches_no_block(packet: bytes, expected: tuple[str, ...]):
    """A refusal is counted under `dropped`, with the code that it has."""
    metered = Metered((names.from_text("cluster.local"),))
    metered.meter.respond(packet, NOBODY, "udp")

    ((zone, rrtype),) = metered.told("requests_total", "zone", "type")
    ((rcode, writer),) = metered.told("responses_total", "rcode", "plugin")
    assert expected == (zone, rrtype, rcode, writer)


def test_silence_is_not_counted():
    """What is no query has no labels, and is no request."""
    metered = Metered()

    assert metered.meter.respond(query()[:5], NOBODY, "udp") is None
    assert {} == metered.meter.sums()


def test_types_that_are_rare():
    """Types that nobody watches share a label: a stranger cannot make series."""
    metered = Metered()
    for rrtype in range(1000, 1020):
        metered.ask(rrtype=f"TYPE{rrtype}")

    assert {("other",): 20} == metered.told("requests_total", "type")


def test_many_different_queries_take_no_memory(monkeypatch: pytest.MonkeyPatch):
    """Rows that wait for their labels are few, however different the queries are."""
    monkeypatch.setattr(metering, "MAX_ROWS", 10)
    metered = Metered()
    for number in range(300):
        metered.ask(f"{'x' * (1 + number % 60)}.shop.svc.cluster.local")
        assert len(metered.meter._rows) <= 10

    assert {(): 300} == metered.told("requests_total")


def test_durations():
    """A reply is counted in the bucket of the time it took, a block's replies in the block's."""
    metered = Metered()
    metered.ask(times=2)
    before = metered.meter.sums().copy()
    pump = Kernelless(
        metered.responder.datagrams.hits, lambda times, _: metered.meter.measure(times, 0.003)
    )
    pump.fill(query())
    pump.pump()

    name, labels = "coredns_dns_request_duration_seconds", ("dns://:53", ".", "")
    now = metered.meter.sums()
    changed = {cell: now[cell] - before[cell] for cell in now if cell[0] == name}
    # 4 ms is the fifth bound: 0.25, 0.5, 1, 2, 4.
    assert {
        (name, labels, 0): 0,
        (name, labels, 4): BLOCK,
        (name, labels, SUM): pytest.approx(BLOCK * 0.003),
    } == changed


def test_a_pump_measures_its_block():
    """A pump tells how many replies of a block were kept ones, and how long the block took."""
    told: list[tuple[int, float]] = []
    metered = Metered()
    metered.ask(times=2)
    pump = Kernelless(
        metered.responder.datagrams.hits, lambda times, seconds: told.append((times, seconds))
    )
    pump.fill(query())
    pump.pump()

    ((times, seconds),) = told
    assert times == BLOCK
    assert 0 < seconds < 10


def test_blocks_share_the_time_of_their_batches():
    """Where two blocks are served from one socket, each has as many durations as replies."""
    metered = Metered((names.from_text("cluster.local"), names.from_text("in-addr.arpa")))
    metered.ask(times=4)
    metered.ask("10.2.0.192.in-addr.arpa", "PTR", times=12)
    metered.pump(query())

    for zone, count in ((("cluster.local.",), 4 + BLOCK), (("in-addr.arpa.",), 12)):
        assert count == metered.told("requests_total", "zone")[zone]
        assert count == metered.told("request_duration_seconds", "zone")[zone]


def test_blocks_without_metrics_are_left_out():
    """A block without the directive is not counted, kept replies included."""
    metered = Metered((OTHER,), silent=(names.from_text("cluster.local"),))
    metered.ask(times=5)

    assert {} == metered.told("requests_total")
    assert {} == metered.told("request_duration_seconds")


class Elsewhere:
    """Answers later, when it is told to."""

    def __init__(self) -> None:
        self.send: Callable[[bytes | None], None] | None = None

    def ask(self, _query: Any, _limit: int, later: Callable[[], Any], _transport: str) -> None:
        self.send = later()

    follow: Any = None


class Waiting:
    """A client that takes an answer later."""

    def __init__(self) -> None:
        self.got: list[bytes | None] = []

    def later(self) -> Callable[[bytes | None], None]:
        return self.got.append


@pytest.mark.parametrize(("gives", "expected"), [(True, {("forward", "."): 1}), (False, {})])
def test_an_answer_that_comes_later(gives: bool, expected: dict[Any, float]):
    """An upstream's reply is counted when it is sent, with the time that it took; none is not."""
    metered, elsewhere, client = Metered(), Elsewhere(), Waiting()
    metered.responder._blocks = {names.ROOT: Served({}, elsewhere=elsewhere)}
    asked = query("www.example.org")
    assert metered.meter.respond(asked, client, "udp") is None
    assert {} == metered.meter.sums()

    metered.clock.now = 0.7
    reply = dns.message.make_response(dns.message.from_wire(asked)).to_wire() if gives else None
    assert elsewhere.send is not None
    elsewhere.send(reply)

    assert [reply] == client.got
    assert expected == metered.told("responses_total", "plugin", "zone")
    seconds = metered.meter.sums()[
        "coredns_dns_request_duration_seconds", ("dns://:53", ".", ""), SUM
    ]
    assert (0.7 if gives else 0) == seconds

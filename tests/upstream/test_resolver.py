"""From a query to its reply: out of the cache at once, or later from an upstream."""

import asyncio
from typing import Self

import dns.flags
import dns.message
import pytest

from skydns_py import names
from skydns_py.answers.query import Query
from skydns_py.settings.upstream_shapes import CacheSettings, ForwardSettings, Upstream
from skydns_py.upstream import resolver as resolvers
from skydns_py.upstream.cache import Cache
from skydns_py.upstream.forward import Forward
from skydns_py.upstream.loops import HINFO, Probes, leads_here
from skydns_py.upstream.resolver import Resolver
from tests.upstream.messages import SOA, extended_errors, made, query, shown

pytestmark = pytest.mark.looptime

A = Upstream("192.0.2.1", line="/etc/resolv.conf:2")
ANSWER = "www.example.org. 300 IN A 192.0.2.80"
GOOD = made(ANSWER, flags=dns.flags.AA)


class Upstreams:
    """Replies with `reply` after 0.5 s, or fails with it."""

    def __init__(self, reply=GOOD) -> None:
        self.reply = reply
        self.asked = 0
        self.pause = 0.5

    async def __call__(self, upstream, question, *, by_stream=False):
        self.asked += 1
        await asyncio.sleep(self.pause)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


class Standing:
    """A resolver, the answers it sent later, and what it told."""

    def __init__(self, upstreams: Upstreams, cache: CacheSettings | None, **forward) -> None:
        self.sent: list[bytes | None] = []
        self.told: list[str] = []
        self._cache = None if cache is None else Cache(cache)
        self._upstreams = upstreams
        self._settings = ForwardSettings((A,), health_check=0, **forward)

    async def __aenter__(self) -> Self:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        clock = asyncio.get_running_loop().time
        forward = Forward(
            self._settings,
            self._upstreams,
            self._group.create_task,
            shuffle=lambda _: None,
            tell=self.told.append,
            report=_raise,
        )
        self.resolver = Resolver(forward, self._cache, clock=clock, report=_raise)
        return self

    async def __aexit__(self, *problem) -> None:
        self.resolver.close()
        await self._group.__aexit__(*problem)

    def ask(self, asked: Query | None = None, limit: int = 512) -> bytes | None:
        return self.resolver.ask(asked or query(), limit, lambda: self.sent.append, "udp")


def _raise(bug: Exception) -> None:
    raise bug


async def test_later_then_at_once():
    """The first who asks is answered later, the next at once and without AA."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings()) as standing:
        assert standing.ask() is None
        await asyncio.sleep(10)
        (first,) = standing.sent
        second = standing.ask(query("WWW.example.org"))

        assert f"NOERROR\n{ANSWER}" == shown(first)
        assert "NOERROR\nWWW.example.org. 291 IN A 192.0.2.80" == shown(second)
        assert [True, False] == [bool(wire and wire[2] & 0x04) for wire in (first, second)]
        assert (1, {"miss": 1, "hit": 1}) == (upstreams.asked, standing.resolver.counts)


async def test_identical_questions():
    """100 who ask the same are one upstream question, each answered with its own id."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings()) as standing:
        asked = [query() for _ in range(100)]
        assert [None] * 100 == [standing.ask(each) for each in asked]
        assert 100 == standing.resolver.waiting
        await asyncio.sleep(1)

        assert [each.id for each in asked] == [wire[:2] for wire in standing.sent if wire]
        assert (1, 0) == (upstreams.asked, standing.resolver.waiting)


async def test_without_cache():
    """Without a cache each question goes upstream."""
    upstreams = Upstreams()
    async with Standing(upstreams, None) as standing:
        for _ in range(2):
            standing.ask()
            await asyncio.sleep(1)

        assert [f"NOERROR\n{ANSWER}"] * 2 == [shown(wire) for wire in standing.sent]
        assert 2 == upstreams.asked


async def test_failure_is_told_and_remembered():
    """Where no upstream replies it is SERVFAIL and the reason, and not asked again at once."""
    upstreams = Upstreams(TimeoutError())
    async with Standing(upstreams, CacheSettings()) as standing:
        standing.ask(query(use_edns=0))
        await asyncio.sleep(1.5)
        asked = upstreams.asked
        repeats = [standing.ask(query(use_edns=0)) for _ in range(20)]

        assert ["SERVFAIL"] * 21 == [shown(wire) for wire in (*standing.sent, *repeats)]
        assert [22] == extended_errors(standing.sent[0]) == extended_errors(repeats[0])
        assert asked == upstreams.asked


async def test_servfail_is_remembered():
    """An upstream's SERVFAIL is not asked for again for five seconds."""
    upstreams = Upstreams(made(rcode="SERVFAIL"))
    async with Standing(upstreams, CacheSettings()) as standing:
        standing.ask()
        await asyncio.sleep(0.6)
        assert ["SERVFAIL"] * 20 == [shown(standing.ask()) for _ in range(20)]
        await asyncio.sleep(5)

        assert standing.ask() is None
        await asyncio.sleep(0.1)
        assert 2 == upstreams.asked


@pytest.mark.parametrize("mode", ["immediate", "verify"])
async def test_stale(mode):
    """Where the upstream failed an expired reply is given with TTL 30 and extended error 3."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings(stale=3600, stale_mode=mode)) as standing:
        standing.ask()
        await asyncio.sleep(301)
        upstreams.reply = ConnectionRefusedError(111, "Connection refused")
        now = standing.ask(query(use_edns=0))
        await asyncio.sleep(2)
        wire = now if mode == "immediate" else standing.sent[1]

        assert "NOERROR\nwww.example.org. 30 IN A 192.0.2.80" == shown(wire)
        assert [3] == extended_errors(wire)
        assert (now is None) == (mode == "verify")


async def test_stale_while_waiting():
    """With `verify` who asks gets the expired reply after 1.8 s, if the upstream is as slow."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings(stale=3600, stale_mode="verify")) as standing:
        standing.ask()
        await asyncio.sleep(400)
        upstreams.pause = 3.0
        standing.ask()
        await asyncio.sleep(1.7)
        assert 1 == len(standing.sent)
        await asyncio.sleep(0.2)
        assert "NOERROR\nwww.example.org. 30 IN A 192.0.2.80" == shown(standing.sent[1])
        await asyncio.sleep(2)

        assert (2, 0) == (len(standing.sent), standing.resolver.waiting)
        assert f"NOERROR\n{ANSWER}" == shown(standing.ask()).replace(" 299 ", " 300 ")


async def test_stale_is_refreshed():
    """An expired reply that was given at once is replaced as soon as the upstream replied."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings(stale=3600)) as standing:
        standing.ask()
        await asyncio.sleep(400)
        standing.ask()
        await asyncio.sleep(1)

        assert f"NOERROR\n{ANSWER}" == shown(standing.ask())
        assert 2 == upstreams.asked


async def test_failed_refresh_is_repeated():
    """A refresh that failed is tried again as soon as the failure is forgotten."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings(stale=3600)) as standing:
        standing.ask()
        await asyncio.sleep(400)
        upstreams.reply = ConnectionRefusedError(111, "Connection refused")
        standing.ask()
        await asyncio.sleep(5)
        upstreams.reply = GOOD
        standing.ask()
        await asyncio.sleep(1)

        assert f"NOERROR\n{ANSWER}" == shown(standing.ask())


async def test_prefetched():
    """What is asked often is asked again before it expires, and nobody waits for that."""
    upstreams = Upstreams()
    async with Standing(upstreams, CacheSettings(prefetch=2)) as standing:
        standing.ask()
        for pause in (265, 20, 2, 5):
            await asyncio.sleep(pause)
            reply = standing.ask()

        assert "NOERROR\nwww.example.org. 294 IN A 192.0.2.80" == shown(reply)
        assert (2, 1) == (upstreams.asked, len(standing.sent))


async def test_denial_from_the_cache():
    """A denial comes back with its SOA, whose TTL counts down from MINIMUM."""
    upstreams = Upstreams(made(authority=SOA, rcode="NXDOMAIN"))
    async with Standing(upstreams, CacheSettings()) as standing:
        standing.ask()
        await asyncio.sleep(20.5)
        wire = standing.ask()

        assert wire is not None
        message = dns.message.from_wire(wire)
        assert ("NXDOMAIN", [40]) == (shown(wire), [rrset.ttl for rrset in message.authority])


async def test_too_many():
    """Above `max_concurrent` it is REFUSED at once, and so are more clients than can wait."""
    async with Standing(Upstreams(), None, max_concurrent=1) as standing:
        assert standing.ask() is None
        assert "REFUSED" == shown(standing.ask(query("ftp.example.org")))


async def test_excepted():
    """A name below an exception of `forward` is REFUSED, and no upstream hears of it."""
    upstreams = Upstreams()
    async with Standing(upstreams, None, except_=(names.from_text("example.org"),)) as standing:
        assert "REFUSED" == shown(standing.ask())
        assert standing.ask(query("www.example.net")) is None


async def test_too_many_clients(monkeypatch):
    """Even those who ask the same cannot wait in any number."""
    monkeypatch.setattr(resolvers, "MAX_WAITING", 3)
    async with Standing(Upstreams(), None) as standing:
        replies = [standing.ask() for _ in range(5)]

        assert [None, None, None] == replies[:3]
        assert ["REFUSED"] * 2 == [shown(wire) for wire in replies[3:]]


async def test_too_large_for_the_client():
    """What does not fit a datagram is cut, and whole for who asks over TCP."""
    many = "\n".join(f"www.example.org. 300 IN A 192.0.2.{i}" for i in range(100))
    async with Standing(Upstreams(made(many)), CacheSettings()) as standing:
        standing.ask()
        await asyncio.sleep(1)
        (small,), large = standing.sent, standing.ask(limit=65_535)

        assert small is not None
        assert (0x02, "NOERROR") == (small[2] & 0x02, shown(small))
        assert 100 == shown(large).count(" IN A ")


async def test_closed():
    """Closing gives up every promise, each exactly once."""
    async with Standing(Upstreams(), CacheSettings()) as standing:
        for _ in range(3):
            standing.ask()
        await asyncio.sleep(0.1)
        standing.resolver.close()
        await asyncio.sleep(1)

        assert [None] * 3 == standing.sent


async def test_a_bug_is_answered():
    """A bug of ours is reported, and who waits is told SERVFAIL."""
    bugs: list[Exception] = []
    async with Standing(Upstreams(ValueError("a bug")), None) as standing:
        standing.resolver.forward._report = bugs.append
        standing.ask()
        await asyncio.sleep(1)

        assert ["SERVFAIL"] == [shown(wire) for wire in standing.sent]
        assert ["a bug"] == [str(bug) for bug in bugs]


async def test_loop_is_found():
    """A probe that comes back takes its upstream out, names its line, and all else goes on."""
    upstreams = Upstreams()
    async with Standing(upstreams, None) as standing:
        forward = standing.resolver.forward
        probes = Probes(forward, names.ROOT, secret=bytes, tell=standing.told.append)
        standing.resolver.probes = probes
        asked = []

        async def around(upstream, question, *, by_stream=False):
            asked.append(question)
            return GOOD

        await probes.run(around)
        name = names.to_text(asked[0].name)
        back = [standing.ask(query(name, "HINFO")) for _ in range(2)]

        assert [HINFO] == [question.type for question in asked]
        assert ["REFUSED"] * 2 == [shown(wire) for wire in back]
        sentence = (
            "/etc/resolv.conf:2: the upstream 192.0.2.1:53 sends questions back to this server, so"
            " it is not asked any more; name one that does not forward to here"
        )
        assert [sentence] == standing.told
        standing.ask()
        await asyncio.sleep(0.1)
        assert (["SERVFAIL"], 0) == ([shown(wire) for wire in standing.sent], upstreams.asked)


async def test_probes_are_repeated(looptime):
    """An upstream that cannot be reached yet is asked for its probe until it can, up to a limit."""
    async with Standing(Upstreams(), None) as standing:
        probes = Probes(standing.resolver.forward, names.ROOT, secret=bytes, tell=print)
        tries = []

        async def unreachable(upstream, question, *, by_stream=False):
            tries.append(question)
            raise ConnectionRefusedError

        await probes.run(unreachable)

        assert (30, 30) == (len(tries), looptime)


@pytest.mark.parametrize(
    ("host", "port", "leads"),
    [
        ("192.0.2.53", 53, True),
        ("192.0.2.53", 5353, False),
        ("192.0.2.54", 53, False),
        ("::ffff:192.0.2.53", 53, True),
        ("127.0.0.53", 53, False),
        ("127.0.0.53", 1053, True),
        ("::1", 1053, True),
        ("2001:db8::7", 1053, True),
        ("2001:db8::8", 1053, False),
        ("fe80::1%eth0", 53, True),
    ],
)
def test_own_address(host, port, leads):
    """An upstream that we listen on ourselves is refused, with the line where it stands."""
    listening = {("192.0.2.53", 53), ("fe80::1", 53), ("", 1053)}
    sentence = leads_here(Upstream(host, port, line="resolv.conf:4"), listening, ["2001:db8::7"])

    assert leads == (sentence is not None)
    if sentence:
        assert sentence.startswith("resolv.conf:4: the upstream ")

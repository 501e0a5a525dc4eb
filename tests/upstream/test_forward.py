"""Several upstreams as one, in simulated time: no socket is opened here."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from skydns_py import names
from skydns_py.answers.query import Rcode
from skydns_py.settings.upstream_shapes import ForwardSettings, Upstream
from skydns_py.upstream.forward import Forward, UpstreamError
from skydns_py.upstream.question import Question
from skydns_py.upstream.reply import Reply
from tests.upstream.messages import ask, made

pytestmark = pytest.mark.looptime

A, B, C = (Upstream(f"192.0.2.{i}", line=f"resolv.conf:{i}") for i in (1, 2, 3))
GOOD = made("www.example.org. 300 IN A 192.0.2.80")
SERVFAIL = made(rcode="SERVFAIL")

Behaviour = Callable[[Question], Awaitable[Reply]]


def after(seconds: float, reply: Reply | Exception = GOOD) -> Behaviour:
    async def behave(question: Question) -> Reply:
        await asyncio.sleep(seconds)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return behave


async def dead(question: Question) -> Reply:
    async with asyncio.timeout(2.0):
        await asyncio.sleep(3600)
    raise AssertionError


refused = after(0, ConnectionRefusedError(111, "Connection refused"))


class Net:
    """Upstreams that behave as told, and what each was asked at which time."""

    def __init__(self, **behaviours: Behaviour) -> None:
        self.behaviours = behaviours
        self.asked: list[tuple[str, float]] = []
        self.streams: list[bool] = []
        self.questions: list[Question] = []

    async def __call__(self, upstream, question, *, by_stream=False):
        name = {A: "a", B: "b", C: "c"}[upstream]
        self.asked.append((name, asyncio.get_running_loop().time()))
        self.streams.append(by_stream)
        self.questions.append(question)
        return await self.behaviours[name](question)

    def count(self, name: str) -> int:
        return sum(who == name for who, _ in self.asked)


class Asking:
    """A forward over a net, its tasks in a group that is cancelled in the end."""

    def __init__(self, net: Net, *to: Upstream, **settings) -> None:
        settings.setdefault("policy", "sequential")
        self.told: list[str] = []
        self._settings = ForwardSettings(to, **settings)
        self._net = net

    async def __aenter__(self) -> Forward:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        return Forward(
            self._settings,
            self._net,
            self._group.create_task,
            shuffle=lambda items: items.reverse(),
            tell=self.told.append,
            report=_raise,
        )

    async def __aexit__(self, *problem) -> None:
        for task in tuple(self._group._tasks):
            task.cancel()
        await self._group.__aexit__(*problem)


def _raise(bug: Exception) -> None:
    raise bug


async def test_first_upstream(looptime):
    """An upstream that replies is the only one asked."""
    net = Net(a=after(0.2), b=after(0.1))
    async with Asking(net, A, B) as forward:
        assert GOOD is await forward.ask(ask())
        assert ([("a", 0)], 0.2) == (net.asked, looptime)


async def test_dead_first(looptime):
    """No client waits over 2.5 s while one upstream lives, whoever is dead before it."""
    net = Net(a=dead, b=dead, c=after(0.3))
    async with Asking(net, A, B, C) as forward:
        assert GOOD is await forward.ask(ask())
        assert looptime < 2.5


async def test_refused_first(looptime):
    """After a network error the next upstream is asked at once."""
    net = Net(a=refused, b=after(0.1))
    async with Asking(net, A, B, health_check=0) as forward:
        assert GOOD is await forward.ask(ask())
        assert 0.1 == looptime


async def test_slow_is_waited_for(looptime):
    """A slow upstream may still win while the next is asked besides."""
    net = Net(a=after(1.4), b=dead)
    async with Asking(net, A, B) as forward:
        assert GOOD is await forward.ask(ask())
        assert 1.4 == looptime


@pytest.mark.parametrize("to", [(A,), (A, B), (A, B, C)])
async def test_all_dead(looptime, to):
    """Where no upstream replies the client is told well before it gives up."""
    async with Asking(Net(a=dead, b=dead, c=dead), *to) as forward:
        with pytest.raises(UpstreamError, match=r"^www\.example\.org\. was answered by none") as e:
            await forward.ask(ask())

        assert (22, Rcode.SERVFAIL) == (e.value.ede, e.value.rcode)
        assert looptime <= 4.5


async def test_all_refuse(looptime):
    """Where nobody listens anywhere that is told at once, as a network error."""
    async with Asking(Net(a=refused, b=refused), A, B, health_check=0) as forward:
        with pytest.raises(UpstreamError, match="Connection refused") as e:
            await forward.ask(ask())

        assert (23, 0) == (e.value.ede, looptime)
        assert isinstance(e.value.__cause__, ConnectionRefusedError)


async def test_lost_datagram(looptime):
    """A single upstream is asked again when a packet must have been lost."""
    lost = iter([dead, after(0.1)])

    async def behave(question: Question) -> Reply:
        return await next(lost)(question)

    net = Net(a=behave)
    async with Asking(net, A) as forward:
        assert GOOD is await forward.ask(ask())
        assert (2, 1.1) == (net.count("a"), looptime)


async def test_codes_are_answers():
    """A response code is an answer, but for those named by `failover`."""
    net = Net(a=after(0.1, SERVFAIL), b=after(0.1))
    async with Asking(net, A, B) as forward:
        assert SERVFAIL is await forward.ask(ask())
    async with Asking(net, A, B, failover=frozenset({2})) as forward:
        assert GOOD is await forward.ask(ask())


async def test_all_fail_over():
    """Where every upstream gives such a code, that is the answer."""
    net = Net(a=after(0.1, SERVFAIL), b=dead)
    async with Asking(net, A, B, failover=frozenset({2})) as forward:
        assert SERVFAIL is await forward.ask(ask())


async def test_badvers():
    """A code that is about EDNS alone reaches no client."""
    net = Net(a=after(0, made(rcode="BADVERS", edns=0)))
    async with Asking(net, A) as forward:
        with pytest.raises(UpstreamError, match="the code 16"):
            await forward.ask(ask())


async def test_identical_questions():
    """100 identical questions are one upstream question, and all are answered."""
    net = Net(a=after(0.5))
    async with Asking(net, A) as forward:
        replies = await asyncio.gather(*(forward.ask(ask()) for _ in range(100)))

        assert [GOOD] * 100 == replies
        assert (1, 99) == (net.count("a"), forward.counts["joined"])


async def test_first_asker_leaves():
    """Who joined a question is answered when the one who asked first has left."""
    net = Net(a=after(0.5))
    async with Asking(net, A) as forward, asyncio.TaskGroup() as group:
        first = group.create_task(forward.ask(ask()))
        second = group.create_task(forward.ask(ask()))
        await asyncio.sleep(0.1)
        first.cancel()

        assert GOOD is await second
        assert (1, True) == (net.count("a"), first.cancelled())


async def test_too_many():
    """Above `max_concurrent` a question is refused, and no upstream is blamed."""
    net = Net(a=after(0.5))
    async with Asking(net, A, max_concurrent=2) as forward:
        for number in range(2):
            forward.start(ask(f"n{number}.example.org"))
        with pytest.raises(UpstreamError, match="raise `max_concurrent`") as e:
            await forward.ask(ask())
        await asyncio.sleep(1)

        assert (Rcode.REFUSED, 0) == (e.value.rcode, forward.peers[0].fails)
        assert GOOD is await forward.ask(ask())


async def test_checked_until_it_replies():
    """After a failure, and only then, an upstream is checked every 0.5 s until it replies."""
    net = Net(a=refused, b=after(0.1))
    asking = Asking(net, A, B)
    async with asking as forward:
        await forward.ask(ask())
        await asyncio.sleep(2.2)
        assert (5, 1) == (net.count("a"), net.count("b"))
        assert ["upstream 192.0.2.1:53 (resolv.conf:1) does not answer"] == [
            told.partition(" ([Errno")[0] for told in asking.told
        ]
        assert (b"\x00", 2, 0x0100) == (
            net.questions[-1].name,
            net.questions[-1].type,
            net.questions[-1].flags,
        )

        net.behaviours["a"] = after(0.1, made(rcode="REFUSED"))
        await asyncio.sleep(1)
        assert not forward.peers[0].is_down
        assert "upstream 192.0.2.1:53 (resolv.conf:1) answers again" == asking.told[-1]
        checks = net.count("a")
        await asyncio.sleep(10)
        assert checks == net.count("a")


async def test_down_is_left_alone():
    """An upstream that is down costs no client any time."""
    net = Net(a=dead, b=after(0.1))
    async with Asking(net, A, B) as forward:
        for number in range(4):
            await forward.ask(ask(f"n{number}.example.org"))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await forward.ask(ask())

        assert 0.1 == pytest.approx(loop.time() - begun)


async def test_back_at_once():
    """An upstream that is back answers at once, even before a check saw it."""
    net = Net(a=dead)
    async with Asking(net, A) as forward:
        for number in range(2):
            with pytest.raises(UpstreamError):
                await forward.ask(ask(f"n{number}.example.org"))
        assert forward.peers[0].is_down
        net.behaviours["a"] = after(0.01)
        async with asyncio.timeout(0.1):
            assert GOOD is await forward.ask(ask())


async def test_failfast():
    """With `failfast_all_unhealthy` nobody waits for upstreams that are all down."""
    net = Net(a=dead)
    async with Asking(net, A, failfast_all_unhealthy=True) as forward:
        for number in range(2):
            with pytest.raises(UpstreamError, match="was answered by none"):
                await forward.ask(ask(f"n{number}.example.org"))
        with pytest.raises(UpstreamError, match="all are down"):
            await forward.ask(ask())


async def test_transport():
    """The client's transport is used, unless another is asked for."""
    expected = {
        "": [False, True, True],
        "force_tcp": [True, True, True],
        "prefer_udp": [False, False, False],
    }
    for option, streams in expected.items():
        net = Net(a=after(0))
        async with Asking(net, A, **({option: True} if option else {})) as forward:
            for transport in ("udp", "tcp", "tls"):
                await forward.ask(ask(f"{transport}.example.org"), transport)
        assert streams == net.streams


async def test_exceptions():
    """Names outside the zone, and at or below an exception, are not asked here."""
    zone, but_not = names.from_text("example.org"), names.from_text("in.example.org")
    async with Asking(Net(), A, zone=zone, except_=(but_not,)) as forward:
        served = [
            forward.serves(names.from_text(name))
            for name in ("example.org", "www.example.org", "x.in.example.org", "example.net")
        ]

        assert [True, True, False, False] == served


async def test_renewed():
    """Who stays when the upstreams change keeps what is known; who goes is not checked any more."""
    net = Net(a=refused, b=refused, c=after(0))
    async with Asking(net, A, B, C) as forward:
        await forward.ask(ask())
        forward.renew((B, C))
        await asyncio.sleep(3)

        assert [B, C] == [peer.upstream for peer in forward.peers]
        assert forward.peers[0].is_down
        assert 1 == net.count("a")


async def test_closed():
    """Closing ends what is under way."""
    net = Net(a=dead)
    async with Asking(net, A) as forward:
        task = forward.start(ask())
        await asyncio.sleep(3)
        forward.close()
        await asyncio.wait([task])

        assert task.cancelled()
        assert ({}, {}) == (forward._under_way, forward._health._checks)


async def test_shutting_down():
    """While the group of its tasks ends, nothing is begun, and nothing is left unfinished."""
    net = Net(a=dead, b=dead)
    async with Asking(net, A, B) as forward:
        task = forward.start(ask())
        await asyncio.sleep(1.5)
        forward.close()
        forward._spawn = forward._health._spawn = _over
        await asyncio.wait([task])

        with pytest.raises(UpstreamError, match="shutting down"):
            forward.start(ask())
        assert {} == forward._health._checks


def _over(work):
    raise RuntimeError("TaskGroup is shutting down")


async def test_out_of_sockets():
    """That we ran out of sockets is no failure of an upstream's."""
    net = Net(a=after(0, OSError(24, "Too many open files")))
    async with Asking(net, A) as forward:
        with pytest.raises(UpstreamError, match="Too many open files"):
            await forward.ask(ask())

        assert 0 == forward.peers[0].fails

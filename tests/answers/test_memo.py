"""However many replies are asked for, few are kept, and nothing of a reply outlives it.

Floods here are what strangers send who want the memory, or want real names out of it.
"""

import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skydns_py import names
from skydns_py.answers import memo as memo_module
from skydns_py.answers.memo import Memo
from skydns_py.answers.query import Query, judge, payload_of
from skydns_py.sources.kubernetes.records import Exposure
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
)
from tests.conftest import World

ENTRIES, OCTETS = 200, 250_000
"""Limits small enough for a flood of thousands to reach them."""

FLOOD = 4_000
"""Questions of a flood, each put twice."""

A, AAAA, SRV, TXT = 1, 28, 33, 16

SIZES = (0, 300, 512, 600, 1100, 1232, 4096, 65_535)


NOBODY: Any = None
"""Who asks: nothing here has to wait for its answer."""


def packet(
    name: str, rrtype: int = A, *, flags: int = 0x0100, opt: tuple[int, int] | None = None
) -> bytes:
    """Return a question; `opt` are the size and the TTL of an OPT."""
    head = b"\x00\x01" + flags.to_bytes(2, "big") + b"\x00\x01\x00\x00\x00\x00\x00"
    question = names.from_text(name) + rrtype.to_bytes(2, "big") + b"\x00\x01"
    if opt is None:
        return head + b"\x00" + question
    size, ttl = opt
    end = b"\x00\x00\x29" + size.to_bytes(2, "big") + ttl.to_bytes(4, "big") + b"\x00\x00"
    return head + b"\x01" + question + end


def shop(*, endpoints: int = 3, small: bool = True, shuffles: bool = True) -> World:
    """Return a world with a few Services; `small` limits what is kept."""
    parts = tuple(
        Endpoint((f"198.51.{100 + n // 256}.{n % 256}",), True, f"pod-{n}", "")
        for n in range(endpoints)
    )
    world = World(
        Namespace("shop"),
        *(Service("shop", f"web-{n}", "ClusterIP", (f"192.0.2.{n}",), "", ()) for n in range(50)),
        Service("shop", "db", "ClusterIP", ("None",), "", ()),
        EndpointSlice("shop", "db-1", "db", "IPv4", parts, (ServicePort("sql", 5432, "TCP"),)),
        exposure=Exposure(pods="insecure"),
        shuffles=shuffles,
    )
    if small:
        limits = {"max_entries": ENTRIES, "max_octets": OCTETS}
        world.responder.datagrams = Memo(random.Random(1).shuffle, **limits)
        world.responder.streams = Memo(random.Random(2).shuffle, **limits)
    return world


def ask(world: World, question: bytes, times: int = 1) -> bytes:
    replies = [world.responder.respond(question, NOBODY, "udp") for _ in range(times)]
    return replies[-1] or b""


def random_names(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield packet(f"{chance.randbytes(6).hex()}.shop.svc.cluster.local")


def random_types(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield packet(f"web-{chance.randrange(50)}.shop.svc.cluster.local", chance.randrange(65_536))


def random_opts(chance: random.Random) -> Iterator[bytes]:
    while True:
        opt = (chance.randrange(65_536), chance.randrange(65_536) | chance.randrange(256) << 24)
        yield packet(f"web-{chance.randrange(50)}.shop.svc.cluster.local", opt=opt)


def random_flags(chance: random.Random) -> Iterator[bytes]:
    while True:
        flags = chance.randrange(65_536) & 0x07FF
        yield packet(f"web-{chance.randrange(50)}.shop.svc.cluster.local", flags=flags)


def random_options(chance: random.Random) -> Iterator[bytes]:
    while True:
        question = packet("web-1.shop.svc.cluster.local", opt=(1232, 0))
        yield question[:-2] + b"\x00\x0c\x00\x0a\x00\x08" + chance.randbytes(8)


def random_spellings(chance: random.Random) -> Iterator[bytes]:
    while True:
        name = "web-1.shop.svc.cluster.local"
        spelled = "".join(chance.choice((each, each.upper())) for each in name)
        yield packet(spelled, chance.choice((A, AAAA, SRV)))


def random_addresses(chance: random.Random) -> Iterator[bytes]:
    while True:
        address = "-".join(str(octet) for octet in chance.randbytes(4))
        yield packet(f"{address}.shop.pod.cluster.local")


def random_reverse(chance: random.Random) -> Iterator[bytes]:
    while True:
        address = ".".join(str(octet) for octet in chance.randbytes(4))
        yield packet(f"{address}.in-addr.arpa", 12)


def random_cut(chance: random.Random) -> Iterator[bytes]:
    """Yield questions whose replies do not fit: they are kept for their very packet."""
    while True:
        opt = (chance.choice(SIZES), chance.randrange(65_536))
        yield packet("db.shop.svc.cluster.local", chance.choice((A, SRV)), opt=opt)


FLOODS = (
    random_names,
    random_types,
    random_opts,
    random_flags,
    random_options,
    random_spellings,
    random_addresses,
    random_reverse,
    random_cut,
)

Flood = Callable[[random.Random], Iterator[bytes]]


def check(memo: Memo) -> None:
    """Check that everything that is kept is counted once, indexed, and within the limits."""
    found = {key: entry for shelf in memo._shelves.values() for key, entry in shelf.items()}
    indexed = {key: set(entry.keys) for key, entry in found.items() if entry.keys}
    by_key: dict[object, set[bytes]] = {}
    for key, kept in memo._by_key.items():
        for each in kept:
            by_key.setdefault(each, set()).add(key)

    assert len(found) == sum(map(len, memo._shelves.values()))
    assert found.keys() == memo.hits.keys() | memo._meanings.keys()
    assert indexed == by_key
    assert all(memo._by_key.values())
    for denies, shelf in memo._shelves.items():
        assert memo._octets[denies] == sum(entry.octets for entry in shelf.values())
        assert len(shelf) <= ENTRIES
        assert memo._octets[denies] <= OCTETS or len(shelf) == 1
        assert all(entry.denies is denies for entry in shelf.values())


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("endpoints", [3, 300])
def test_a_flood_stays_within_the_limits(flood: Flood, endpoints: int):
    """Whatever is asked, twice each, entries and octets stay within their limits."""
    world = shop(endpoints=endpoints)
    questions = flood(random.Random(5))
    for number in range(FLOOD // (1 if endpoints == 3 else 20)):
        ask(world, next(questions), 2)
        if number % 500 == 0:
            check(world.responder.datagrams)

    check(world.responder.datagrams)


@pytest.mark.parametrize("flood", [random_names, random_types, random_addresses])
def test_what_is_asked_once_is_not_kept(flood: Flood, monkeypatch: pytest.MonkeyPatch):
    """A flood of questions that never come twice leaves no reply, and few traces."""
    monkeypatch.setattr(memo_module, "MAX_ASKED_ONCE", 1000)
    world = shop()
    memo = world.responder.datagrams
    seen: set[bytes] = set()
    questions = flood(random.Random(6))
    while len(seen) < FLOOD:
        question = next(questions)
        if question not in seen:
            seen.add(question)
            ask(world, question)
            assert len(memo._asked_once) <= 1000

    assert {} == memo.hits
    assert {} == memo._meanings


@pytest.mark.parametrize("flood", [random_names, random_reverse])
def test_denials_do_not_push_out_real_names(flood: Flood):
    """A flood of names that are not there leaves each reply about a real one where it is."""
    world = shop()
    real = [packet(f"web-{n}.shop.svc.cluster.local") for n in range(50)]
    for question in real:
        ask(world, question, 2)
    questions = flood(random.Random(7))
    for _ in range(FLOOD):
        ask(world, next(questions), 2)

    assert ENTRIES // 3 < len(world.responder.datagrams._shelves[True])
    assert all(question[2:] in world.responder.datagrams.hits for question in real)


def test_spellings_do_not_push_out_real_names():
    """Capitals that never come twice, and cookies, take one place for all of them."""
    world = shop()
    real = [packet(f"web-{n}.shop.svc.cluster.local") for n in range(50)]
    for question in real:
        ask(world, question, 2)
    before = len(world.responder.datagrams._shelves[False])
    for flood in (random_spellings, random_options):
        questions = flood(random.Random(8))
        for _ in range(FLOOD):
            ask(world, next(questions), 2)

    assert all(question[2:] in world.responder.datagrams.hits for question in real)
    assert len(world.responder.datagrams._shelves[False]) < before + 30


@pytest.mark.parametrize("seed", range(4))
def test_nothing_outlives_what_it_hangs_on(seed: int):
    """After any floods and changes the indexes agree, and forgetting leaves none."""
    world = shop(endpoints=80)
    chance = random.Random(seed)
    floods = [flood(chance) for flood in FLOODS]
    for _ in range(60):
        for _ in range(20):
            ask(world, next(chance.choice(floods)), 2)
        slim = chance.choice(tuple(world.table.objects()))
        if isinstance(slim, Service) and slim.name != "db":
            world.remove(slim)
            world.put(slim)
        check(world.responder.datagrams)
    memo = world.responder.datagrams
    memo.forget(tuple(memo._by_key))

    assert {} == memo._by_key
    assert all(not entry.keys for shelf in memo._shelves.values() for entry in shelf.values())
    check(memo)
    for shelf in memo._shelves.values():
        for key in tuple(shelf):
            memo._drop(key)
    assert {False: 0, True: 0} == memo._octets


def test_a_reply_that_is_put_again_is_counted_once():
    """A reply that comes again under its packet, or from the other shelf, replaces what was."""
    world = shop()
    question = packet("late.shop.svc.cluster.local")
    late = Service("shop", "late", "ClusterIP", ("192.0.2.99",), "", ())
    for _ in range(10):
        ask(world, question, 3)
        check(world.responder.datagrams)
        world.put(late)
        ask(world, question, 3)
        check(world.responder.datagrams)
        world.remove(late)


@pytest.mark.parametrize("rrtype", [A, SRV])
@pytest.mark.parametrize("shuffles", [True, False])
def test_what_is_kept_weighs_what_is_counted(rrtype: int, shuffles: bool):
    """The octets counted are those that are held, about: also for replies that are cut.

    A question about 300 endpoints hangs on hundreds of names; with another OPT each time it is
    kept again and again.
    """
    world = shop(endpoints=300, small=False, shuffles=shuffles)
    memo = world.responder.datagrams
    ask(world, packet("db.shop.svc.cluster.local", rrtype, opt=(1232, 0)), 3)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for ttl in range(100):
            ask(world, packet("db.shop.svc.cluster.local", rrtype, opt=(1232, ttl)), 3)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    per_entry = 4_000  # The packet, its place in the tables, and a generator where it rotates.
    assert held <= 2 * sum(memo._octets.values()) + per_entry * len(memo.hits)


def test_a_change_does_not_wait_for_what_is_kept():
    """What one change costs does not grow with the denials that are kept: it is no flood's gain."""
    world = shop(small=False)
    questions = random_names(random.Random(9))
    memo = world.responder.datagrams
    writes: list[object] = []
    for _ in range(3000):
        ask(world, next(questions), 2)

    class Watched(dict[bytes, object]):
        def __setitem__(self, key: bytes, value: object) -> None:
            writes.append(key)
            super().__setitem__(key, value)

    memo.hits = Watched(memo.hits)  # type: ignore[assignment]
    world.apply({}, "kubernetes")

    assert [] == writes


def test_the_meaning_of_a_question_leaves_out_what_does_not_matter():
    """Spelling, options and flags are no part of it; the size that may be sent and DO are."""
    plain = packet("web-1.shop.svc.cluster.local", opt=(1232, 0))
    alike = [
        packet("WEB-1.shop.SVC.cluster.local", opt=(1232, 0)),
        packet("web-1.shop.svc.cluster.local", opt=(4096, 0x4000), flags=0x0030),
        plain[:-2] + b"\x00\x04\x00\x03\x00\x00",
    ]
    other = [
        packet("web-1.shop.svc.cluster.local"),
        packet("web-1.shop.svc.cluster.local", opt=(1231, 0)),
        packet("web-1.shop.svc.cluster.local", opt=(1232, 0x8000)),
        packet("web-1.shop.svc.cluster.local", AAAA, opt=(1232, 0)),
    ]

    assert 1 == len({meaning(each) for each in [plain, *alike]})
    assert 5 == len({meaning(each) for each in [plain, *other]})


def meaning(question: bytes) -> memo_module.Meaning:
    query = judge(question)
    assert isinstance(query, Query)
    return memo_module._meaning(query, payload_of(query))

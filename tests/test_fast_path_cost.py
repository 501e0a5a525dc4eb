"""What a kept reply costs is counted, so that it cannot creep up: calls, steps, memory.

Counts do not depend on the machine nor on what else runs there; seconds are for `make bench`.
A count that has to rise is a decision: change it here, with the benchmark's word for it.
"""

import asyncio
import gc
import os
import re
import sys
from collections import Counter
from itertools import cycle, repeat
from math import ceil

import dns.message
import pytest

from bench.pumping import BLOCK, QUESTION, Kernelless, Nobody
from skydns_py.sources.kubernetes.schema import Namespace
from tests.conftest import World
from tests.e2e.tools import needs
from tests.processes import run

STEPS = 60
"""Bytecode instructions a hit; 53 with Python 3.11."""

RECALL_CALLS = 24
"""Calls of Python functions for a question whose meaning is known but whose octets are new."""

TIMES_THE_LEAST = 1.7
"""Machine instructions of a hit, as a multiple of slicing, looking up and writing back alone."""

KEPT = 32
"""Blocks of memory that may stay behind after 12,800 hits: the ends of a counter and a queue."""


@pytest.fixture
def pump():
    """A pump whose packets are all hits."""
    pump = Kernelless({QUESTION[2:]: repeat(QUESTION[2:], sys.maxsize)}, lambda *_: None)
    pump.fill(QUESTION)
    pump.pump()
    return pump


def test_hit_is_answered():
    """The pump that is counted answers as the real one: from what the responder has kept."""
    world = World(Namespace(name="shop"))
    asked = dns.message.make_query("web.shop.svc.cluster.local", "A").to_wire()
    for _ in range(2):
        expected = world.responder.respond(asked, Nobody(), "udp")
    pump = Kernelless(world.responder.datagrams.hits)
    pump.fill(asked)
    pump.pump()

    assert [expected] * BLOCK == pump.replies()


def test_hit_calls_no_python(pump):
    """A hit runs in the pump's own loop: three calls into C, none of a Python function."""
    assert {"get": 1, "next": 1, "len": 1} == per_hit(pump, calls_of)


def test_turn_calls_no_python():
    """A reply that takes turns is had by the same calls: every reply comes out of an iterator."""
    pump = Kernelless({QUESTION[2:]: map(next, repeat(cycle([QUESTION[2:]]), sys.maxsize))})
    pump.fill(QUESTION)

    assert {"get": 1, "next": 1, "len": 1} == per_hit(pump, calls_of)


def test_hit_takes_few_steps(pump):
    """A hit is some fifty bytecode instructions."""
    steps = per_hit(pump, steps_of)["step"]

    assert 0 < steps <= STEPS


def test_hit_keeps_no_memory(pump):
    """Hits leave nothing behind, however many there are."""
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        pump.pump()
    kept = sys.getallocatedblocks() - before

    assert kept <= KEPT


def test_recall_calls_few_functions():
    """A question that is spelled in a new way is answered from what is known of its meaning."""
    world = World(Namespace(name="shop"))
    ask = world.responder.respond
    for name in ("web.shop.svc.cluster.local", "wEb.shop.svc.cluster.local"):
        for _ in range(2):
            ask(dns.message.make_query(name, "A").to_wire(), Nobody(), "udp")
    asked = dns.message.make_query("WEB.shop.svc.cluster.local", "A").to_wire()
    client = Nobody()

    calls = calls_of(lambda: ask(asked, client, "udp"), {"call"})

    assert {"respond"} == {"respond", "lookup", "pack"} & calls.keys()
    assert sum(calls.values()) <= RECALL_CALLS, calls


@needs("valgrind", "valgrind")
async def test_hit_takes_few_machine_instructions():
    """A hit takes a few times the machine instructions of the least that Python can do."""
    # Modules are compiled by whoever comes first, which must be none of those that are counted.
    await run(sys.executable, "-m", "bench.pumping", "hits", "0")
    nothing, hits, least = await asyncio.gather(
        instructions("hits", 0), instructions("hits", 1000), instructions("least", 1000)
    )

    assert 0 < least - nothing
    assert (hits - nothing) / (least - nothing) <= TIMES_THE_LEAST


def per_hit(pump, count_of):
    """Return what one packet more costs, rounded up, from a turn of one and one of a block."""
    counted = []
    for pump.count in (1, BLOCK):
        counted.append(count_of(pump.pump))
    one, block = counted
    more = {name: block[name] - one[name] for name in block if block[name] != one[name]}
    return {name: ceil(count / (BLOCK - 1)) for name, count in more.items()}


def calls_of(turn, events=frozenset({"call", "c_call"})):
    """Count the calls a turn makes by the name of what is called."""
    calls: Counter[str] = Counter()

    def note(frame, event, called):
        if event in events:
            calls[frame.f_code.co_name if event == "call" else called.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        turn()
    finally:
        sys.setprofile(before)
    return calls


def steps_of(turn):
    """Count the bytecode instructions a turn takes, those of all it calls included."""
    steps: Counter[str] = Counter()

    def trace(frame, event, _arg):
        frame.f_trace_opcodes = True
        steps["step"] += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        turn()
    finally:
        sys.settrace(before)
    return steps


async def instructions(what, blocks):
    """Return the machine instructions of a whole process, as valgrind counts them."""
    valgrind = (
        "valgrind",
        "--tool=cachegrind",
        "--cache-sim=no",
        f"--cachegrind-out-file={os.devnull}",
    )
    program = (sys.executable, "-m", "bench.pumping", what, str(blocks))
    ended = await run("env", "PYTHONHASHSEED=0", *valgrind, *program)
    found = re.search(r"I\s+refs:\s+([\d,]+)", ended.err)
    assert found, ended.err
    return int(found[1].replace(",", ""))

"""Names as programs in a pod ask for them: short, through the search list, by the C library."""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.pod import Pod, pod
from tests.e2e.tools import needs, needs_root
from tests.processes import EXAMPLES, OURS, run, started

pytestmark = [needs_root, needs("ip", "iproute2")]

ADDRESSES = {
    "web": {"10.109.172.153"},
    "web-dual": {"10.98.238.0", "fd00:10:96::2:ee00"},
    "ledger.billing": {"10.96.0.80"},
    "ledger.billing.svc": {"10.96.0.80"},
    "db-0.db": {"10.244.101.92"},
    "web.shop.svc.cluster.local": {"10.109.172.153"},
    "web.shop.svc.cluster.local.": {"10.109.172.153"},
}
"""What each name means to a pod of namespace `shop`."""

WRONG_IN_THE_CLUSTER = ("wbe.shop.svc.cluster.local.", "no-such.billing.svc.cluster.local.")

WRONG = ("wbe", "ledger", "no-such.billing.svc")
"""Names in no zone of the search list, so that at last they are asked for as they stand."""

AT_ONCE = 1000
"""Milliseconds: far below the five seconds after which a resolver asks again."""

PYTHON = """\
import socket, sys, time
for name in sys.argv[1:]:
    start = time.monotonic()
    try:
        found = [each[4][0] for each in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    except socket.gaierror as error:
        found = [next(key for key in dir(socket) if getattr(socket, key) == error.errno)]
    print(name, int(1000 * (time.monotonic() - start)), *found)
"""


@contextlib.asynccontextmanager
async def shop_pod(*more: str) -> AsyncIterator[Pod]:
    """Make a pod of namespace `shop`, and run the server it is told of, at its port 53."""
    async with pod() as made:
        origin, listen = ("--manifests", str(EXAMPLES)), ("--listen", f"{made.server}:53")
        async with started(*OURS, "serve", *origin, *listen, *more) as program:
            await program.line("[INFO] dns/tcp")
            yield made


@pytest.fixture
async def ordinary_pod() -> AsyncIterator[Pod]:
    """A pod whose server knows the cluster, and refuses what is outside of it."""
    async with shop_pod() as made:
        yield made


@pytest.fixture
async def closed_pod() -> AsyncIterator[Pod]:
    """A pod whose server owns every name there is: nothing is outside."""
    async with shop_pod("--zone", "cluster.local", "--zone", ".") as made:
        yield made


async def look_up(pod: Pod, *program: str | Path, wrong: str) -> None:
    """Let a program look names up: right ones are found, and no wrong one makes anybody wait.

    `wrong` is the error of names that are wrong and outside of the cluster, "" to leave them out.
    """
    expected = {**ADDRESSES, **{name: {"EAI_NONAME"} for name in WRONG_IN_THE_CLUSTER}}
    if wrong:
        expected |= {name: {wrong} for name in WRONG}

    done = await pod.run(*program, *expected)
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]

    assert expected == {name: set(found) for name, _, *found in lines}
    assert [] == [name for name, took, *_ in lines if int(took) >= AT_ONCE]


async def compiled(compiler: str, folder: Path) -> Path:
    program = folder / "lookup"
    made = await run(compiler, "-Wall", "-o", program, Path(__file__).parent / "lookup.c")
    assert made.code == 0, made.err
    return program


async def test_getent_finds_short_names(ordinary_pod: Pod):
    """`getent ahosts` finds the name of a Service next door."""
    done = await ordinary_pod.run("getent", "ahosts", "web")

    assert "10.109.172.153" in done.out.split()


async def test_python_finds_short_names(ordinary_pod: Pod):
    """Python finds every spelling; a name that is refused fails at once, as one to try later."""
    await look_up(ordinary_pod, sys.executable, "-c", PYTHON, wrong="EAI_AGAIN")


async def test_python_is_denied_wrong_names(closed_pod: Pod):
    """Python is told at once that a wrong name does not exist, where nothing is outside."""
    await look_up(closed_pod, sys.executable, "-c", PYTHON, wrong="EAI_NONAME")


@needs("gcc", "gcc")
async def test_glibc_finds_short_names(ordinary_pod: Pod, tmp_path: Path):
    """A C program on glibc finds every spelling; a name that is refused fails at once."""
    await look_up(ordinary_pod, await compiled("gcc", tmp_path), wrong="EAI_AGAIN")


@needs("gcc", "gcc")
async def test_glibc_is_denied_wrong_names(closed_pod: Pod, tmp_path: Path):
    """A C program on glibc is told at once that a wrong name does not exist."""
    await look_up(closed_pod, await compiled("gcc", tmp_path), wrong="EAI_NONAME")


@needs("musl-gcc", "musl-tools")
async def test_musl_finds_short_names(ordinary_pod: Pod, tmp_path: Path):
    """A C program on musl, as in Alpine, finds every spelling of the cluster's names.

    It takes REFUSED for no answer at all and waits for a better one, so names outside are left out.
    """
    await look_up(ordinary_pod, await compiled("musl-gcc", tmp_path), wrong="")


@needs("musl-gcc", "musl-tools")
async def test_musl_is_denied_wrong_names(closed_pod: Pod, tmp_path: Path):
    """A C program on musl is told at once that a wrong name does not exist."""
    await look_up(closed_pod, await compiled("musl-gcc", tmp_path), wrong="EAI_NONAME")

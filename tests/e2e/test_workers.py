"""`--workers N` as real processes: they share a port, die, are replaced, and are let go in the end.

Every process started here is ended here, by its own id.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import dns.exception
import dns.message
import msgspec
import pytest

from tests.fakes.eventually import eventually
from tests.processes import EXAMPLES, LIMIT, Program, has_trace, serving, skydns
from tests.scenario import Scenario, read_all, without_serials
from tests.scenarios.clients import ask_with_dnspython

LEDGER = "ledger.billing.svc.cluster.local"
BEFORE, AFTER = "10.96.0.80", "10.96.0.81"

PORTS = 48
"""Source ports: the kernel chooses a worker by them, so that each worker hears of some."""

LOST = 0.02
"""The share of the queries of a run that the death of one worker may cost."""

PLAIN = ("externalname", "headless", "negative-and-ent")
"""Scenarios without options, whose objects a file of manifests can hold as they are."""


class Load:
    """Queries from many ports at an even pace, and what became of each.

    `sent` has the time and port of each, `answered` what was answered.
    """

    def __init__(self, address: tuple[str, int], name: str = LEDGER) -> None:
        self.sent: dict[tuple[int, int], float] = {}
        self.answered: dict[tuple[int, int], bytes] = {}
        self._loop = asyncio.get_running_loop()
        self._packet = dns.message.make_query(name, "A", id=0).to_wire()
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(PORTS)]
        for number, each in enumerate(self._sockets):
            each.setblocking(False)
            each.connect(address)
            self._loop.add_reader(each, self._hear, number)

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            number = len(self.sent)
            key = number % PORTS, number // PORTS % 65_536
            # A port nobody listens at is told with the next call; the query is lost then.
            with contextlib.suppress(ConnectionError):
                self._sockets[key[0]].send(key[1].to_bytes(2, "big") + self._packet[2:])
            self.sent[key] = self._loop.time()

    async def run(self, seconds: float, rate: int = 2000) -> None:
        """Send at a pace, whatever is answered."""
        start, first = self._loop.time(), len(self.sent)
        while (elapsed := self._loop.time() - start) < seconds:
            self.send(int(elapsed * rate) - (len(self.sent) - first))
            await asyncio.sleep(0.005)

    async def rest(self, seconds: float = 3.0) -> None:
        """Wait for the answers that are still to come."""
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: len(self.answered) == len(self.sent), within=seconds)

    def lost(self, since: float = 0.0) -> list[float]:
        """Return when the queries were sent that have no answer."""
        return [at for key, at in self.sent.items() if key not in self.answered and at >= since]

    def addresses(self) -> set[str]:
        return {socket.inet_ntoa(reply[-4:]) for reply in self.answered.values()}

    def close(self) -> None:
        for each in self._sockets:
            self._loop.remove_reader(each)
            each.close()

    def _hear(self, number: int) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                reply = self._sockets[number].recv(4096)
                key = number, int.from_bytes(reply[:2], "big")
                assert key in self.sent
                assert key not in self.answered, "one query, two answers"
                self.answered[key] = reply


@contextlib.asynccontextmanager
async def served(folder: Path, count: int) -> AsyncIterator[Program]:
    """Serve manifests with so many workers, all of which are gone with the context."""
    seen: set[int] = set()
    async with serving("--manifests", folder, "--workers", str(count)) as program:
        try:
            await program.line("[INFO] dns/udp")
            yield program
        finally:
            seen.update(workers_of(program))
            if program.process.returncode is None:
                program.process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(10):
                        await program.process.wait()
            for pid in seen:
                kill(pid)


@contextlib.asynccontextmanager
async def loaded(program: Program) -> AsyncIterator[Load]:
    load = Load(await program.address("dns/udp"))
    try:
        yield load
    finally:
        load.close()


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))


def edit(folder: Path) -> None:
    ledger = folder / "billing.yaml"
    ledger.write_text(ledger.read_text().replace(BEFORE, AFTER))


def workers_of(program: Program) -> list[int]:
    """Return the process ids of a program's workers that live."""
    pid = program.process.pid
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split() if lives(int(word))]


def lives(pid: int) -> bool:
    """Tell whether a process is there, and more than an exit code to be fetched."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int) -> None:
    """End a worker that was started here, if it still is one."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if b"skydns_py.app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


async def every_answer(program: Program) -> set[str]:
    """Return the addresses that are answered when every worker is asked."""
    async with loaded(program) as load:
        load.send(2 * PORTS)
        await load.rest()
        assert [] == load.lost()
        return load.addresses()


@pytest.mark.parametrize("count", [1, 2])
async def test_a_change_reaches_every_worker(examples: Path, count: int):
    """What is saved is soon the one answer from every source port."""
    async with served(examples, count) as program:
        assert count == len(workers_of(program))
        assert {BEFORE} == await every_answer(program)

        edit(examples)
        async with asyncio.timeout(LIMIT):
            while await every_answer(program) != {AFTER}:
                await asyncio.sleep(0.02)
        for _ in range(5):
            assert {AFTER} == await every_answer(program)


async def test_a_worker_that_is_killed_costs_little(examples: Path):
    """Under load, only what one worker held is lost, no answer is wrong, and another comes.

    It knows what changed while it was not there.
    """
    async with served(examples, 2) as program, loaded(program) as load:
        await load.run(2)
        old = workers_of(program)
        killed = asyncio.get_running_loop().time()
        os.kill(old[0], signal.SIGKILL)
        edit(examples)
        await load.run(4)
        await load.rest()

        assert [] == load.lost(since=killed + 1.0)
        assert len(load.lost()) <= LOST * len(load.sent)
        assert load.addresses() <= {BEFORE, AFTER}
        await eventually(lambda: len(workers_of(program)) == 2)
        assert old[0] not in workers_of(program)
        assert old[1] in workers_of(program)
        assert {AFTER} == await every_answer(program)
        assert 1 == sum(f"worker {old[0]} died" in line for line in program.out)
        assert 0 == await program.end()
        assert not has_trace(program.err)


async def test_all_workers_killed_at_once_come_again(examples: Path):
    """Without a single worker the program goes on, and so do its answers, on the same port."""
    async with served(examples, 2) as program:
        old = workers_of(program)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: len(set(workers_of(program)) - set(old)) == 2, within=LIMIT)

        async with asyncio.timeout(LIMIT):
            while True:
                async with loaded(program) as load:
                    load.send(PORTS)
                    await load.rest(1.0)
                    if not load.lost():
                        break
        assert {BEFORE} == load.addresses()


async def test_workers_that_are_killed_again_and_again_do_not_spin(examples: Path):
    """However often a worker dies young, another is started about once a second."""
    async with served(examples, 1) as program:
        starts: set[int] = set()
        async with asyncio.timeout(LIMIT):
            loop = asyncio.get_running_loop()
            began = loop.time()
            while loop.time() - began < 4.0:
                for pid in workers_of(program):
                    starts.add(pid)
                    os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.01)

        assert 2 <= len(starts) <= 7
        await eventually(lambda: workers_of(program), within=LIMIT)
        async with asyncio.timeout(LIMIT):
            while True:
                with contextlib.suppress(dns.exception.Timeout, OSError):
                    await program.ask(LEDGER)
                    break


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_nothing_that_was_received_is_lost_at_the_end(examples: Path, count: int):
    """Every query sent before SIGTERM is answered, however many wait; then the program ends."""
    async with served(examples, count) as program, loaded(program) as load:
        await load.run(1)
        workers = workers_of(program)
        load.send(200)
        program.process.terminate()
        ending = asyncio.get_running_loop().time()
        await load.rest(10)

        assert [] == [at for at in load.lost() if at < ending]
        assert {BEFORE} == load.addresses()
        assert 0 == await program.wait()
        assert [] == [pid for pid in workers if lives(pid)]
        assert not has_trace(program.err)


async def test_load_goes_on_while_the_program_ends(examples: Path):
    """Who asks on while it ends gets answers until it is gone, and never a wrong one."""
    async with served(examples, 2) as program, loaded(program) as load:
        running = asyncio.create_task(load.run(3))
        await asyncio.sleep(1)
        stopping = asyncio.get_running_loop().time()
        assert 0 == await program.end()
        await running
        await load.rest(0.5)

        assert {BEFORE} == load.addresses()
        assert [] == [at for at in load.lost() if at < stopping - 0.005]
        assert not has_trace(program.err)


async def test_workers_outlive_their_parent(examples: Path):
    """When the parent is killed, the last state is answered on for some time."""
    async with served(examples, 2) as program:
        workers = workers_of(program)
        try:
            os.kill(program.process.pid, signal.SIGKILL)
            # Not `wait`: that also waits for the pipes, which the workers hold too.
            await eventually(lambda: not lives(program.process.pid))
            async with loaded(program) as load:
                await load.run(3)
                await load.rest()

                assert [] == load.lost()
                assert {BEFORE} == load.addresses()
            assert workers == [pid for pid in workers if lives(pid)]
            assert not has_trace(program.err)
        finally:
            for pid in workers:
                kill(pid)


async def test_a_worker_is_replaced_though_its_port_was_taken(examples: Path):
    """Who takes the port of the only worker while it is gone is told of, and waited for."""
    async with served(examples, 1) as program:
        address = await program.address("dns/udp")
        [worker] = workers_of(program)
        # Listening without SO_REUSEPORT, as any other program would.
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            os.kill(worker, signal.SIGKILL)
            await eventually(lambda: bound(other, address))
            await eventually(lambda: any("port" in line for line in errors_of(program)), LIMIT)
        finally:
            other.close()
        async with asyncio.timeout(LIMIT):
            while True:
                with contextlib.suppress(dns.exception.Timeout, OSError):
                    await program.ask(LEDGER)
                    break


def bound(sock: socket.socket, address: tuple[str, int]) -> bool:
    try:
        sock.bind(address)
    except OSError:
        return False
    return True


def errors_of(program: Program) -> deque[str]:
    return deque(line for line in program.out if "[ERROR]" in line and "died" not in line)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
@pytest.mark.parametrize("shares", [False, True], ids=["alone", "with SO_REUSEPORT"])
async def test_a_port_that_is_taken(kind: socket.SocketKind, shares: bool):
    """A port that another program holds is told in one sentence, also when that would share it."""
    with socket.socket(type=kind) as other:
        if shares:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        done = await skydns(
            *("serve", "--manifests", EXAMPLES, "--listen", f"127.0.0.1:{port}", "--workers", "2")
        )

    assert 2 == done.code
    assert done.err.startswith("skydns-py: ")
    assert f"127.0.0.1 port {port}" in done.err
    assert 1 == len(done.err.strip().splitlines()) or "ss -lnp" in done.err
    assert not has_trace([done.out, done.err])


def plain_scenarios() -> list[Scenario]:
    found = [scenario for scenario in read_all() if scenario.name in PLAIN]
    return [scenario for scenario in found if not scenario.options]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name) for s in plain_scenarios()])
async def test_scenarios_are_answered_by_any_number_of_workers(
    tmp_path: Path, scenario: Scenario, count: int
):
    """Every question, asked until its reply is kept, has the reply of the scenario."""
    path = tmp_path / "cluster.yaml"
    path.write_bytes(b"\n---\n".join(msgspec.json.encode(each) for each in scenario.objects))
    cases = [case for case in scenario.cases if case.question.is_for_any_client]
    async with served(path, count) as program:
        _, port = await program.address("dns/udp")
        for _ in range(4):
            actual = await ask_with_dnspython(port, [case.question for case in cases])
            for case, reply in zip(cases, actual, strict=True):
                assert case.expected == without_serials(reply, case.expected)

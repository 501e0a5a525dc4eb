"""The real program as a process of its own: started, waited for, asked, stopped by its own id.

Ports are chosen by the system (`127.0.0.1:0`) and read from the log, so that tests run side by
side.
Nothing here ends a process that was not started here, and nothing waits without a limit.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.rcode

ROOT = Path(__file__).parent.parent
"""The checkout that is tested."""

EXAMPLES = ROOT / "deploy" / "examples"

OURS = (sys.executable, "-m", "skydns_py")
"""The program, as this interpreter runs it."""

LIMIT = 30.0
"""Seconds after which a start, an answer or an end that is waited for has failed."""

GRACE = 5.0
"""Seconds that a program has to end by itself when its test is over."""


@dataclass(frozen=True)
class Ended:
    """A process that is over: its exit code and what it wrote."""

    code: int
    out: str
    err: str


class Program:
    """A process that runs: what it has written so far, by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = asyncio.Event()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.out)),
            asyncio.create_task(self._read(process.stderr, self.err)),
        ]
        for reader in self._readers:
            reader.add_done_callback(lambda _: self._news.set())

    async def line(self, part: str) -> str:
        """Return the first line of standard output that has `part`, once it is there."""
        async with asyncio.timeout(LIMIT):
            while not (found := [line for line in self.out if part in line]):
                assert not all(reader.done() for reader in self._readers), self.err
                self._news.clear()
                await self._news.wait()
        return found[0]

    async def address(self, protocol: str) -> tuple[str, int]:
        """Return where it listens with `dns/udp`, `dns/tcp`, `http`, `health` or `ready`."""
        host, _, port = (await self.line(f"[INFO] {protocol} ")).split()[-1].rpartition(":")
        return host.strip("[]"), int(port)

    async def url(self) -> str:
        """Return the address of its HTTP API."""
        host, port = await self.address("http")
        return f"http://{host}:{port}"

    async def ask(self, name: str, rrtype: str = "A") -> dns.message.Message:
        """Ask it by UDP, once it answers there at all."""
        host, port = await self.address("dns/udp")
        return await ask(host, port, name, rrtype)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and return its exit code."""
        self.process.send_signal(number)
        return await self.wait()

    async def interrupt(self) -> int:
        """Press Ctrl-C, which reaches its children as well, and return its exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return await self.wait()

    async def wait(self) -> int:
        """Wait until it has ended by itself, and all it wrote is here; return its exit code."""
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*self._readers)
            return await self.process.wait()

    async def finish(self) -> None:
        """End it and its children, in good order if it can: workers are told by their parent."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(TimeoutError, ProcessLookupError):
                if self.process.returncode is None:
                    os.killpg(self.process.pid, number)
                async with asyncio.timeout(GRACE):
                    await asyncio.shield(asyncio.gather(*self._readers))
                    await self.process.wait()
                    return
        for reader in self._readers:
            reader.cancel()

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode().rstrip("\n"))
            self._news.set()


@contextlib.asynccontextmanager
async def started(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Start a command, and end it with the context if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environment(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    program = Program(process)
    try:
        yield program
    finally:
        await program.finish()


@contextlib.asynccontextmanager
async def serving(
    *arguments: str | Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run `skydns-py serve` on free ports of 127.0.0.1 while the context lasts."""
    ports = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
    async with started(*OURS, "serve", *ports, *arguments, env=env) as program:
        yield program


async def run(
    *command: str | Path,
    stdin: str = "",
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    within: float = LIMIT,
) -> Ended:
    """Run a command to its end and return what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environment(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate(stdin.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def skydns(*arguments: str | Path, stdin: str = "", **variables: str) -> Ended:
    """Run `skydns-py` with these arguments to its end."""
    return await run(*OURS, *arguments, stdin=stdin, env=variables)


async def ask(host: str, port: int, name: str, rrtype: str = "A") -> dns.message.Message:
    """Ask a server by UDP; fail when there is no answer in two seconds."""
    query = dns.message.make_query(name, rrtype, use_edns=0)
    return await dns.asyncquery.udp(query, host, timeout=2.0, port=port)


async def listening(port: int) -> None:
    """Wait until something listens at a TCP port of 127.0.0.1: DNS over UDP is open before."""
    async with asyncio.timeout(LIMIT):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


def answers(reply: dns.message.Message) -> list[str]:
    """Return the rdata of a reply's answers in order, or its code when there are none."""
    found = sorted(str(rdata) for rrset in reply.answer for rdata in rrset)
    return found or [dns.rcode.to_text(reply.rcode())]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which no cluster and no configuration of this machine shows."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    ours = {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    return kept | ours | dict(more or {})


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free for UDP and TCP a moment ago."""
    for _ in range(64):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                port: int = tcp.getsockname()[1]
                return port
    raise AssertionError("no port is free for both UDP and TCP")


def has_trace(lines: Sequence[str]) -> bool:
    """Tell whether a program showed its insides instead of a sentence."""
    return any("Traceback" in line for line in lines)

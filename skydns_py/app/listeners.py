"""DNS listeners: a responder for each `Listen` of the settings, behind UDP and TCP sockets.

This module never decides when to open or to close.
"""

import asyncio
import socket
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

import msgspec

from skydns_py import names
from skydns_py.answers.responder import Elsewhere, Responder
from skydns_py.app.consolidation import Consolidator
from skydns_py.app.logs import Log
from skydns_py.app.metering import Meter
from skydns_py.app.query_log import watched
from skydns_py.app.upstreams import Upstreams
from skydns_py.app.zones import Worlds, by_listen, responder_of
from skydns_py.errors import SettingsError
from skydns_py.metrics import Cells, added
from skydns_py.servers.bind import bind_tcp, bind_udp
from skydns_py.servers.interfaces import EVERYWHERE, listen_addresses, own_addresses
from skydns_py.servers.respond import Hits, Measure, Respond
from skydns_py.servers.tcp import TcpServer
from skydns_py.servers.udp import UdpServer
from skydns_py.settings import Block, Listen, Settings

TCP_GRACE: Final = 1.0
"""Seconds that open TCP connections have to send what they owe."""

Address = tuple[str, str, int]
"""Protocol (`dns/udp`, `dns/tcp`), host and port."""


class Listeners:
    """What is open: `addresses` in the order of the settings."""

    def __init__(self) -> None:
        self.addresses: list[Address] = []
        self._responders: list[Responder] = []
        self._servers: list[UdpServer] = []
        self._upstreams: list[Upstreams] = []
        self._meters: list[Meter] = []
        self._measured: list[tuple[str, Upstreams]] = []

    def counts(self) -> Counter[str]:
        """Return what has been counted since the start, by name."""
        counts: Counter[str] = Counter()
        for responder in self._responders:
            counts.update(responder.counts)
        for upstreams in self._upstreams:
            counts.update(upstreams.counts())
        for server in self._servers:
            counts.update(
                {f"udp {name}": n for name, n in msgspec.to_builtins(server.counts).items()}
            )
        return counts

    def cells(self) -> Cells:
        """Return what `prometheus` directives want counted, since the start."""
        if not self._meters:
            return {}
        panics = sum(responder.counts["panic"] for responder in self._responders)
        return added(
            (
                {("coredns_panics_total", (), 0): panics},
                *(meter.sums() for meter in self._meters),
                *(upstreams.cells(server) for server, upstreams in self._measured),
            )
        )

    async def open(
        self,
        settings: Settings,
        worlds: Worlds,
        log: Log,
        stack: AsyncExitStack,
        *,
        reuse_port: bool = False,
    ) -> None:
        """Open UDP and TCP at every address, to be closed by `stack`, drained.

        Raises:
            SettingsError: an address cannot be listened at.
        """
        stack.push_async_callback(self._close_upstreams)
        loop = asyncio.get_running_loop()
        for listen, blocks in by_listen(settings.blocks).items():
            hosts = listen_addresses(listen)
            traced = any(block.errors and block.errors.stacktrace for block in blocks)
            report = _reporting(log, traced=traced)
            pairs = [(block, self._elsewhere(listen, block, log, report)) for block in blocks]
            # What is counted tells the families apart, so each has its responder.
            doors: dict[int, _Door] = {}
            for host in hosts:
                family = 6 if ":" in host else 4
                if family not in doors:
                    responder = responder_of(pairs, worlds, _own(listen, hosts), report)
                    doors[family] = self._door(responder, listen, family, blocks, log)
                door = doors[family]
                udp, tcp = bind_pair(host, listen.port, reuse_port=reuse_port)
                udp_server = UdpServer(udp, door.respond, hits=door.hits, measure=door.measure)
                udp_server.start(loop)
                stack.callback(udp_server.close)
                tcp_server = TcpServer(tcp, door.respond)
                await tcp_server.start()
                stack.push_async_callback(tcp_server.close, TCP_GRACE)
                self._servers.append(udp_server)
                at = udp_server.address
                self.addresses += [("dns/udp", *at), ("dns/tcp", *at)]
        listening = {_listening(host, port) for _, host, port in self.addresses}
        for upstreams in self._upstreams:
            upstreams.find_loops(listening)

    def _door(
        self, responder: Responder, listen: Listen, family: int, blocks: Sequence[Block], log: Log
    ) -> "_Door":
        """Return how a responder is asked: counted and logged as far as directives want it."""
        self._responders.append(responder)
        # A log wants every query; errors are never among the kept replies.
        hits: Hits = {} if any(block.log for block in blocks) else responder.datagrams.hits
        if not any(block.prometheus for block in blocks):
            return _Door(_told(responder.respond, blocks, log), hits, None)
        meter = Meter(responder, blocks, listen, family)
        self._meters.append(meter)
        return _Door(_told(meter.respond, blocks, log), hits, meter.measure)

    def _elsewhere(
        self, listen: Listen, block: Block, log: Log, report: Callable[[Exception], None]
    ) -> Elsewhere | None:
        if not block.forward:
            return None
        upstreams = Upstreams(block, log, report)
        self._upstreams.append(upstreams)
        if block.prometheus:
            self._measured.append((f"dns://{listen}", upstreams))
        return upstreams

    async def _close_upstreams(self) -> None:
        for upstreams in self._upstreams:
            await upstreams.close()


class _Door(NamedTuple):
    """What servers of one family are given."""

    respond: Respond
    hits: Hits
    measure: Measure | None


def bind_pair(
    host: str, port: int, *, reuse_port: bool = False
) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to the same port, also when the system is to choose it.

    Raises:
        SettingsError: the address cannot be listened at.
    """
    for _ in range(16):
        udp = bind_udp(host, port, reuse_port=reuse_port)
        try:
            return udp, bind_tcp(host, udp.getsockname()[1], reuse_port=reuse_port)
        except SettingsError:
            udp.close()
            if port:
                raise
    raise SettingsError(f"no port of {host} is free for both UDP and TCP")


def _listening(host: str, port: int) -> tuple[str, int]:
    """Return an address we listen at, "" for every address of this machine."""
    return ("" if host in EVERYWHERE else host), port


def _told(respond: Respond, blocks: Sequence[Block], log: Log) -> Respond:
    """Return `respond`, with the lines that `log` and `errors` directives ask for."""

    def tell(level: str, line: str) -> None:
        getattr(log, level)(line)

    rules = [rule for block in blocks if block.errors for rule in block.errors.consolidate]
    return watched(respond, blocks, Consolidator(rules, tell))


def _reporting(log: Log, *, traced: bool) -> Callable[[Exception], None]:
    def report(bug: Exception) -> None:
        trace = "".join(traceback.format_exception(bug)) if traced else repr(bug)
        log.error(f"a query could not be answered, which is a bug: {trace}")

    return report


def _own(listen: Listen, hosts: Sequence[str]) -> tuple[bytes, ...]:
    """Return the packed addresses this server is reached at: those it was bound to, if it was."""
    if listen == Listen(port=listen.port):
        return own_addresses()
    return tuple(filter(None, map(names.pack_address, hosts)))

"""Every scenario, asked over real sockets: dig, kdig and dnspython agree on every answer.

Each scenario has servers of its own, on ports that the kernel chose.
All questions are put once, before the first test; the tests then compare.
"""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from skydns_py.answers.responder import Responder
from skydns_py.errors import SettingsError
from skydns_py.servers.bind import bind_tcp, bind_udp
from skydns_py.servers.tcp import TcpServer
from skydns_py.servers.udp import UdpServer
from tests.scenario import Case, Question, Scenario, read_all, without_serials
from tests.scenarios.clients import (
    HOST,
    PACKAGES,
    ask_with_dig,
    ask_with_dnspython,
    ask_with_kdig,
)
from tests.scenarios.serving import responder_of

SCENARIOS = read_all()

Ask = Callable[[int, Sequence[Question]], Awaitable[list[str]]]
Replies = dict[tuple[str, str], dict[str, str]]
"""Replies by client, of each scenario and sentence."""

CLIENTS: dict[str, Ask] = {
    "dig": ask_with_dig,
    "kdig": ask_with_kdig,
    "dnspython": ask_with_dnspython,
}

EVERY_CASE = [
    pytest.param(scenario, case, id=f"{scenario.name}::{case.sentence}")
    for scenario in SCENARIOS
    for case in scenario.cases
]


@pytest.fixture(scope="module")
def replies() -> Replies:
    for program, package in PACKAGES.items():
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here: Debian has it in the package {package}")
    return asyncio.run(gather_replies())


async def gather_replies() -> Replies:
    """Put every question of every scenario with every client that can put it."""
    found: Replies = {}
    async with AsyncExitStack() as servers:
        ports = [
            await servers.enter_async_context(served(responder_of(scenario)))
            for scenario in SCENARIOS
        ]
        async with asyncio.TaskGroup() as tasks:
            for scenario, port in zip(SCENARIOS, ports, strict=True):
                for client in CLIENTS:
                    tasks.create_task(gather(found, scenario, client, port))
    return found


async def gather(found: Replies, scenario: Scenario, client: str, port: int) -> None:
    cases = [case for case in scenario.cases if can_put(client, case)]
    replies = await CLIENTS[client](port, [case.question for case in cases])
    for case, reply in zip(cases, replies, strict=True):
        found.setdefault((scenario.name, case.sentence), {})[client] = reply


def can_put(client: str, case: Case) -> bool:
    return client == "dnspython" or case.question.is_for_any_client


@asynccontextmanager
async def served(responder: Responder) -> AsyncIterator[int]:
    """Serve a responder over UDP and TCP on one port, which is given."""
    tcp_socket, udp_socket = bind_both()
    udp = UdpServer(udp_socket, responder.respond)
    tcp = TcpServer(tcp_socket, responder.respond)
    udp.start(asyncio.get_running_loop())
    await tcp.start()
    try:
        yield udp.address[1]
    finally:
        udp.close()
        await tcp.close()


def bind_both() -> tuple[socket.socket, socket.socket]:
    """Bind TCP and UDP to one free port; a port free for one may be taken for the other."""
    for _ in range(20):
        tcp_socket = bind_tcp(HOST, 0)
        try:
            return tcp_socket, bind_udp(HOST, tcp_socket.getsockname()[1])
        except SettingsError:
            tcp_socket.close()
    raise AssertionError("no port is free for both TCP and UDP in twenty attempts")


@pytest.mark.parametrize(("scenario", "case"), EVERY_CASE)
def test_every_client_reads_the_reply_written_down(
    replies: Replies, scenario: Scenario, case: Case
):
    """dig, kdig and dnspython agree on the answer, and it is the scenario's."""
    actual = {
        client: without_serials(text, case.expected)
        for client, text in replies[scenario.name, case.sentence].items()
    }
    clients = [client for client in CLIENTS if can_put(client, case)]

    assert dict.fromkeys(clients, case.expected) == actual

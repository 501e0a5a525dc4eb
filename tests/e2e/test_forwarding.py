"""Names that are not ours, through the real program: asked elsewhere, and never at our own cost."""

import asyncio
import time

import dns.flags
import dns.rcode
import pytest

from tests.processes import EXAMPLES, answers, free_port, serving
from tests.upstream import liars
from tests.upstream.messages import reply_to

OURS = "web.shop.svc.cluster.local"
WITHIN = 4.5
"""Seconds in which a client must hear that nobody answers: the next try of a resolver is at 5."""


async def _upstream(packet: bytes) -> list[bytes]:
    """Know two names, deny all others."""
    for name, address in (("www.example.org", "192.0.2.80"), ("search.example.org", "192.0.2.81")):
        if b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) in packet:
            return [reply_to(packet, f"{name}. 60 IN A {address}")]
    return [reply_to(packet, rcode="NXDOMAIN")]


@pytest.mark.parametrize("workers", ["0", "2"])
async def test_other_names_are_asked_elsewhere(workers: str):
    """A name outside, the target of an ExternalName and a foreign address come from upstream."""
    async with (
        liars.serve(_upstream) as there,
        serving(
            "--manifests", EXAMPLES, "--forward", str(there.upstream), "--workers", workers
        ) as program,
    ):
        outside = await program.ask("www.example.org")
        alias = await program.ask("search.shop.svc.cluster.local")
        foreign = await program.ask("9.2.0.192.in-addr.arpa", "PTR")
        local = await program.ask(OURS)

        assert ["192.0.2.80"] == answers(outside)
        assert outside.flags & dns.flags.RA
        assert ["192.0.2.81", "search.example.org."] == sorted(answers(alias))
        assert dns.rcode.NXDOMAIN == foreign.rcode()
        assert dns.rcode.NOERROR == local.rcode()


async def test_a_dead_upstream_costs_our_names_nothing():
    """Nobody there is SERVFAIL before a client gives up, and our own names go on meanwhile."""
    nobody = f"127.0.0.1:{free_port()}"
    async with serving("--manifests", EXAMPLES, "--forward", nobody) as program:
        started = time.monotonic()
        waiting = asyncio.create_task(program.ask("www.example.org"))
        local = await program.ask(OURS)

        assert dns.rcode.NOERROR == local.rcode()
        assert dns.rcode.SERVFAIL == (await waiting).rcode()
        assert time.monotonic() - started < WITHIN


async def test_an_upstream_that_is_ourselves_is_left_out():
    """Who names this server as its own upstream is told so, and the cluster goes on."""
    port = free_port()
    ourselves = f"127.0.0.1:{port}"
    listen = ("--listen", ourselves, "--forward", ourselves)
    async with serving("--manifests", EXAMPLES, *listen) as program:
        told = await program.line("is this server itself")

        assert ourselves in told
        assert dns.rcode.SERVFAIL == (await program.ask("www.example.org")).rcode()
        assert dns.rcode.NOERROR == (await program.ask(OURS)).rcode()

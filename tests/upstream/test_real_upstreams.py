"""Real name servers behind the resolver: what comes out is what they said."""

import asyncio
import contextlib
import random
import time

import dns.asyncquery
import dns.edns
import dns.flags
import dns.message
import pytest

from skydns_py.settings.upstream_shapes import CacheSettings, ForwardSettings
from skydns_py.upstream.cache import Cache
from skydns_py.upstream.exchange import Exchange
from skydns_py.upstream.forward import Forward
from skydns_py.upstream.resolver import Resolver
from tests.upstream.daemons import running
from tests.upstream.liars import dead, serve
from tests.upstream.messages import query, reply_to, shown

QUESTIONS = [
    ("www.example.org", "A"),
    ("WwW.eXample.org", "A"),
    ("c1.example.org", "A"),
    ("lost.example.org", "A"),
    ("text.example.org", "TXT"),
    ("mail.example.org", "MX"),
    ("_http._tcp.example.org", "SRV"),
    ("x.y.wild.example.org", "A"),
    ("empty.example.org", "A"),
    ("nowhere.example.org", "A"),
    ("www.example.org", "AAAA"),
    ("example.org", "SOA"),
    ("many.example.org", "TXT"),
    ("zero.example.org", "A"),
    (r"escaped\.dot.example.org", "A"),
    ("www.example.org", "TYPE65280"),
]


@contextlib.asynccontextmanager
async def resolving(*to):
    """Stand up all of it before some upstreams, and give the way to ask."""
    settings = ForwardSettings(to, policy="sequential")
    exchange = Exchange(settings)

    def no_bug(bug: Exception) -> None:
        raise bug

    async with asyncio.TaskGroup() as group:
        forward = Forward(
            settings,
            exchange,
            group.create_task,
            shuffle=random.shuffle,
            tell=lambda _: None,
            report=no_bug,
        )
        cache = Cache(CacheSettings())
        resolver = Resolver(forward, cache, clock=time.monotonic, report=no_bug)

        async def ask(asked, limit=65_535):
            answered = asyncio.get_running_loop().create_future()
            reply = resolver.ask(asked, limit, lambda: answered.set_result, "udp")
            async with asyncio.timeout(5):
                return reply or await answered

        try:
            yield ask, resolver
        finally:
            resolver.close()
            exchange.close()


def _sections(message: dns.message.Message) -> list[set[str]]:
    """Return each section as a set of lines, names in small letters, times left out."""
    sections = (message.answer, message.authority, message.additional)
    return [
        {
            f"{rrset.name.to_text().lower()} {rrset.rdtype} {rdata.to_text()}"
            for rrset in section
            for rdata in rrset
        }
        for section in sections
    ]


@pytest.mark.parametrize("program", ["nsd", "unbound"])
@pytest.mark.parametrize("edns", [-1, 0])
async def test_says_what_it_said(program, edns, tmp_path):
    """Every reply, at once or from the cache, holds the records of the upstream's own."""
    async with running(program, tmp_path) as upstream, resolving(upstream) as (ask, _):
        for name, rrtype in QUESTIONS:
            sent = dns.message.make_query(name, rrtype, use_edns=edns)
            own = await dns.asyncquery.tcp(sent, upstream.host, port=upstream.port, timeout=5)
            for _ in range(2):
                asked = query(name, rrtype, use_edns=edns)
                reply = dns.message.from_wire(await ask(asked))
                assert (own.rcode(), _sections(own)) == (reply.rcode(), _sections(reply))
                assert asked.asked == reply.question[0].name.to_wire()


@pytest.mark.parametrize("program", ["nsd", "unbound"])
async def test_large(program, tmp_path):
    """What a datagram cannot hold is fetched over TCP once, cut for who came by UDP."""
    async with running(program, tmp_path) as upstream, resolving(upstream) as (ask, resolver):
        small = dns.message.from_wire(await ask(query("many.example.org", "TXT"), 512))
        whole = dns.message.from_wire(await ask(query("many.example.org", "TXT")))

        assert small.flags & dns.flags.TC
        assert ([], 60) == (small.answer, len(whole.answer[0]))
        assert 1 == resolver.counts["miss"]


async def test_dnsmasq(tmp_path):
    """A forwarder's own CNAME chains and denials without SOA come through."""
    async with running("dnsmasq", tmp_path) as upstream, resolving(upstream) as (ask, _):
        chain = shown(await ask(query("c1.example.org")))
        denial = shown(await ask(query("nowhere.example.org")))

        assert ("NOERROR", "NXDOMAIN") == (chain.splitlines()[0], denial)
        assert chain.endswith("IN A 192.0.2.80")
        assert 3 == len(chain.splitlines()) - 1


async def test_one_dead_one_alive(tmp_path):
    """Before an upstream that lives, one where nobody listens costs nothing."""
    async with running("nsd", tmp_path) as upstream, resolving(dead(), upstream) as (ask, _):
        assert shown(await ask(query())).endswith("www.example.org. 30 IN A 192.0.2.80")


async def test_hundred_at_once():
    """100 identical questions at once are one packet upstream and 100 replies."""

    async def slow(packet: bytes) -> list[bytes]:
        await asyncio.sleep(0.05)
        return [reply_to(packet, "www.example.org. 300 IN A 192.0.2.80")]

    async with serve(slow) as liar, resolving(liar.upstream) as (ask, _):
        asked = [query() for _ in range(100)]
        replies = await asyncio.gather(*map(ask, asked))

        assert [each.id for each in asked] == [reply[:2] for reply in replies]
        assert 1 == len(liar.datagrams)


async def test_client_options_stay_here():
    """No option of a client's goes upstream."""

    async def echo(packet: bytes) -> list[bytes]:
        return [reply_to(packet)]

    options = [
        dns.edns.GenericOption("COOKIE", b"cookie01"),
        dns.edns.GenericOption("ECS", b"\0\1\x18\0\xc0\0\2"),
    ]
    async with serve(echo) as liar, resolving(liar.upstream) as (ask, _):
        await ask(query(use_edns=0, options=options))

        assert [()] == [dns.message.from_wire(sent).options for sent in liar.datagrams]

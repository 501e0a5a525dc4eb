"""Asking one upstream on real sockets, among lies, cuts and broken connections."""

import asyncio
import resource

import dns.flags
import pytest
import trustme

from skydns_py.errors import SettingsError
from skydns_py.settings.upstream_shapes import ForwardSettings, Upstream
from skydns_py.upstream import exchange
from skydns_py.upstream.exchange import Exchange
from skydns_py.upstream.relay import strip, to_client
from tests.fakes.loopback import pem, server_context
from tests.upstream.liars import dead, serve
from tests.upstream.messages import ask, query, reply_to, shown

ANSWER = "www.example.org. 300 IN A 192.0.2.1"
LIE = "www.example.org. 300 IN A 203.0.113.66"


async def honest(packet: bytes) -> list[bytes]:
    return [reply_to(packet, ANSWER)]


async def cut(packet: bytes) -> list[bytes]:
    return [reply_to(packet, flags=dns.flags.TC)]


def told(reply) -> str:
    return shown(to_client(strip(reply), query(), 65_535))


def exchange_with(*to: Upstream, **settings) -> Exchange:
    return Exchange(ForwardSettings(to, **settings))


async def test_datagram():
    """A question gets its reply, by UDP where nothing else is asked for."""
    async with serve(honest) as liar:
        reply = await exchange_with(liar.upstream)(liar.upstream, ask())

        assert f"NOERROR\n{ANSWER}" == told(reply)
        assert (1, 0) == (len(liar.datagrams), liar.connections)


def _lies(packet: bytes) -> list[bytes]:
    lie = reply_to(packet, LIE)
    return [
        bytes((packet[0] ^ 1,)) + lie[1:],
        lie[:2] + bytes((lie[2] & 0x7F,)) + lie[3:],
        lie[:2] + bytes((lie[2] | 0x28,)) + lie[3:],
        lie[:13] + b"ftp" + lie[16:],
        lie[:30] + b"\x1c" + lie[31:],
        lie[:32] + b"\x03" + lie[33:],
        lie[:-1],
        lie + b"\x00",
        packet,
        packet[:2],
        b"\xff" * 600,
        b"",
    ]


@pytest.mark.parametrize("mixed_case", [False, True])
async def test_lies_are_ignored(mixed_case):
    """Packets that are not the reply are ignored, and the wait for it goes on."""

    async def answer(packet: bytes) -> list[bytes]:
        return [*_lies(packet), reply_to(packet, ANSWER)]

    async with serve(answer) as liar:
        reply = await exchange_with(liar.upstream, mixed_case=mixed_case)(liar.upstream, ask())

        assert f"NOERROR\n{ANSWER}" == told(reply)


async def test_another_source():
    """A reply from another address or port never arrives."""
    async with serve(honest) as other:

        async def elsewhere(packet: bytes) -> list[bytes]:
            port = liar.ports[-1]
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.2", 0)
            )
            transport.sendto(reply_to(packet, LIE), ("127.0.0.1", port))
            transport.close()
            await asyncio.sleep(0)
            return [reply_to(packet, ANSWER)]

        async with serve(elsewhere) as liar:
            reply = await exchange_with(other.upstream)(liar.upstream, ask())

            assert f"NOERROR\n{ANSWER}" == told(reply)


async def test_ports_and_ids_are_spread():
    """600 questions come from at least 590 ports and with at least 590 ids, spread out widely."""
    async with serve(honest) as liar:
        asked = exchange_with(liar.upstream)
        for number in range(600):
            await asked(liar.upstream, ask(f"n{number}.example.org"))

        assert len(set(liar.ports)) >= 590
        assert len({packet[:2] for packet in liar.datagrams}) >= 590
        assert max(liar.ports) - min(liar.ports) > 40_000


async def test_cut_reply_is_asked_for_again():
    """A reply with TC is asked for again over TCP, and only the whole one counts."""
    async with serve(cut, stream=honest) as liar:
        reply = await exchange_with(liar.upstream)(liar.upstream, ask())

        assert f"NOERROR\n{ANSWER}" == told(reply)
        assert (1, 1) == (len(liar.datagrams), len(liar.messages))


async def test_connection_is_shared():
    """Questions asked at once share one connection, and are told apart in any order."""

    async def backwards(packet: bytes) -> list[bytes]:
        held.append(packet)
        if len(held) < 20:
            return []
        return [_named(each) for each in reversed(held)]

    held: list[bytes] = []
    async with serve(stream=backwards) as liar:
        asked = exchange_with(liar.upstream)
        numbers = range(20)
        replies = await asyncio.gather(
            *(asked(liar.upstream, ask(f"n{n}.example.org"), by_stream=True) for n in numbers)
        )

        assert 1 == liar.connections
        assert [f"n{n}".encode() for n in numbers] == [
            reply.question[1 : 1 + reply.question[0]] for reply in replies
        ]
        asked.close()


def _named(packet: bytes) -> bytes:
    return reply_to(packet)


async def test_stream_lies_are_ignored():
    """Messages on a connection that are not the reply are ignored too."""

    async def answer(packet: bytes) -> list[bytes]:
        return [*(lie for lie in _lies(packet) if len(lie) >= 12), reply_to(packet, ANSWER)]

    async with serve(stream=answer) as liar:
        asked = exchange_with(liar.upstream)
        reply = await asked(liar.upstream, ask(), by_stream=True)

        assert f"NOERROR\n{ANSWER}" == told(reply)
        asked.close()


@pytest.mark.parametrize("start", [b"", b"\x00", b"\x00\x05abcde", b"\x01\x00half"])
async def test_half_a_reply(start):
    """A connection that ends within a reply, or loses the frame, is a failure at once."""

    async def half(packet: bytes) -> list[bytes]:
        return [start]

    async with serve(stream=half, raw=True) as liar:
        with pytest.raises(ConnectionError):
            await exchange_with(liar.upstream)(liar.upstream, ask(), by_stream=True)

        assert 1 == liar.connections


async def test_lost_frame():
    """A length below that of a header ends the connection: nothing behind it can be trusted."""

    async def short(packet: bytes) -> list[bytes]:
        return [b"short", reply_to(packet, LIE)]

    async with serve(stream=short) as liar:
        with pytest.raises(ConnectionError):
            await exchange_with(liar.upstream)(liar.upstream, ask(), by_stream=True)


async def test_closed_meanwhile():
    """Where a kept connection turns out to be closed, the question is asked on a new one."""

    async def once(packet: bytes) -> list[bytes]:
        reply = reply_to(packet, ANSWER)
        return [len(reply).to_bytes(2, "big") + reply]

    async with serve(stream=once, raw=True) as liar:
        asked = exchange_with(liar.upstream)
        for _ in range(3):
            reply = await asked(liar.upstream, ask(), by_stream=True)
            assert f"NOERROR\n{ANSWER}" == told(reply)

        assert 3 == liar.connections


async def test_idle_connection_is_closed():
    """A connection on which nothing is asked for `expire` seconds is closed."""
    async with serve(stream=honest) as liar:
        asked = exchange_with(liar.upstream, expire=0.01)
        await asked(liar.upstream, ask(), by_stream=True)
        stream = asked._streams[liar.upstream]
        async with asyncio.timeout(5):
            while stream.is_open:
                await asyncio.sleep(0.005)
        await asked(liar.upstream, ask(), by_stream=True)

        assert 2 == liar.connections
        asked.close()


@pytest.mark.parametrize("by_stream", [False, True])
async def test_nobody_listens(by_stream):
    """Where nobody listens the kernel's word is taken at once."""
    upstream = dead()

    with pytest.raises(ConnectionRefusedError):
        await exchange_with(upstream)(upstream, ask(), by_stream=by_stream)


@pytest.mark.parametrize("by_stream", [False, True])
async def test_silence_has_a_limit(monkeypatch, by_stream):
    """Who says nothing is given up, and nothing is left behind."""
    monkeypatch.setattr(exchange, "READ_TIMEOUT", 0.05)
    async with serve() as liar:
        asked = exchange_with(liar.upstream)
        with pytest.raises(TimeoutError):
            await asked(liar.upstream, ask(), by_stream=by_stream)

        assert not any(stream._pending for stream in asked._streams.values())
        asked.close()


async def test_sockets_are_left_for_others(monkeypatch):
    """Questions take half of the open files that are allowed, and are refused beyond."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (6, 6))
    monkeypatch.setattr(exchange, "READ_TIMEOUT", 0.2)
    async with serve() as liar:
        asked = exchange_with(liar.upstream)
        names = (ask(f"n{number}.example.org") for number in range(5))
        errors = await asyncio.gather(
            *(asked(liar.upstream, each) for each in names), return_exceptions=True
        )
        again = await asyncio.gather(asked(liar.upstream, ask()), return_exceptions=True)

        assert [None] * 3 + [24, 24, None] == [
            getattr(error, "errno", 0) for error in (*errors, *again)
        ]


async def test_old_server():
    """Who refuses an OPT is asked without one."""

    async def old(packet: bytes) -> list[bytes]:
        if packet[11]:
            return [packet[:2] + b"\x81\x81" + packet[4:11] + b"\x00" + packet[12:-11]]
        return [reply_to(packet, ANSWER)]

    async with serve(old) as liar:
        reply = await exchange_with(liar.upstream)(liar.upstream, ask())

        assert f"NOERROR\n{ANSWER}" == told(reply)


async def test_tls(tmp_path):
    """Over TLS the certificate must be for the name that was written, and from the authority."""
    authority, stranger = trustme.CA(), trustme.CA()
    context = server_context(authority, "dns.example.org")
    files = {"good": authority, "bad": stranger}
    for name, ca in files.items():
        (tmp_path / name).write_bytes(pem(ca))
    async with serve(stream=honest, context=context) as liar:

        async def asked(ca: str, servername: str) -> str:
            settings = {"tls_ca": str(tmp_path / ca), "tls_servername": servername}
            asking = exchange_with(liar.upstream, **settings)
            try:
                return told(await asking(liar.upstream, ask()))
            finally:
                asking.close()

        assert f"NOERROR\n{ANSWER}" == await asked("good", "dns.example.org")
        with pytest.raises(OSError, match="certificate verify failed"):
            await asked("good", "other.example.org")
        with pytest.raises(OSError, match="certificate verify failed"):
            await asked("bad", "dns.example.org")
        assert [] == liar.datagrams


def test_tls_files(tmp_path):
    """A TLS file that cannot be used is told with its place."""
    upstream = Upstream("192.0.2.1", 853, tls=True, line="Corefile:3")

    with pytest.raises(SettingsError, match=r"^Corefile:3: the authorities in .*none.pem"):
        exchange_with(upstream, tls_ca=str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"^Corefile:3: the certificate .*none.pem"):
        exchange_with(upstream, tls_cert=str(tmp_path / "none.pem"))

"""Every packet of a UDP socket is answered, by the batch and one by one alike."""

import asyncio
import shutil
import socket
import threading
from contextlib import asynccontextmanager

import pytest

from skydns_py.servers.bind import bind_udp
from skydns_py.servers.mmsg import SLOT
from skydns_py.servers.udp import CALLS, UdpServer
from tests.fakes.echo import Echo, answer, question

pytestmark = pytest.mark.parametrize("calls", [CALLS, None], ids=["batches", "single"])

LIMIT = 5.0


@asynccontextmanager
async def serving(address, calls, respond=None, **options):
    server = UdpServer(bind_udp(address, 0), respond or Echo(), calls=calls, **options)
    server.start(asyncio.get_running_loop())
    try:
        yield server
    finally:
        server.close()


def client(family=socket.AF_INET):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
    return sock


async def receive(sock):
    async with asyncio.timeout(LIMIT):
        return await asyncio.get_running_loop().sock_recvfrom(sock, 65_535)


async def ask(sock, target, *questions):
    for asked in questions:
        sock.sendto(asked, target)
    return [(await receive(sock))[0] for _ in questions]


def test_calls_are_there(calls):
    """Linux has the calls for batches: the tests of both paths are two, not one twice."""
    assert CALLS is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_answers(calls, address):
    """A question gets its answer, and the responder can see who asked."""
    echo = Echo()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    async with serving(address, calls, echo) as server:
        with client(family) as sock:
            sock.bind((address, 0))
            assert [answer(question(7))] == await ask(sock, server.address, question(7))
            assert [(address, sock.getsockname()[1], "udp")] == echo.asked


@pytest.mark.parametrize("count", [63, 64, 65, 400])
async def test_batches(calls, count):
    """As many questions as come are answered, each with its own answer, in order."""
    questions = [question(number, extra=number % 50) for number in range(count)]
    async with serving("127.0.0.1", calls) as server:
        with client() as sock:
            answers = await ask(sock, server.address, *questions)

    assert [answer(asked) for asked in questions] == answers
    assert (count, count, 0) == (
        server.counts.received,
        server.counts.answered,
        server.counts.dropped,
    )


async def test_many_clients(calls):
    """Questions of different clients in one batch each get back to the one who asked."""
    async with serving("127.0.0.1", calls) as server:
        clients = [client() for _ in range(40)]
        for number, sock in enumerate(clients):
            sock.sendto(question(number), server.address)
        answers = [(await receive(sock))[0] for sock in clients]
        for sock in clients:
            sock.close()

    assert [answer(question(number)) for number in range(40)] == answers


async def test_silence(calls):
    """Questions that stay unanswered leave those around them alone, wherever they stand."""
    silent = {0, 1, 5, 9, 10, 19}
    questions = [
        question(number, "silent.example.org" if number in silent else "www.example.org")
        for number in range(20)
    ]
    async with serving("127.0.0.1", calls) as server:
        with client() as sock:
            for asked in questions:
                sock.sendto(asked, server.address)
            answers = [(await receive(sock))[0] for _ in range(20 - len(silent))]

    assert [
        answer(asked) for number, asked in enumerate(questions) if number not in silent
    ] == answers
    assert (20, 14, 6) == (
        server.counts.received,
        server.counts.answered,
        server.counts.dropped,
    )


async def test_longest(calls):
    """A packet that fills its slot is dropped, the next shorter one answered whole."""
    fits = question(2).ljust(SLOT - 1, b"\x00")
    async with serving("127.0.0.1", calls) as server:
        with client() as sock:
            sock.sendto(question(1).ljust(SLOT, b"\x00"), server.address)
            sock.sendto(question(1).ljust(60_000, b"\x00"), server.address)
            assert [answer(fits)] == await ask(sock, server.address, fits)

    assert 2 == server.counts.dropped


async def test_short_packets(calls):
    """Packets of any length, nothing at all among them, reach the responder as they are."""
    seen = []

    def note(packet, _client, _transport):
        seen.append(packet)
        return packet or b"empty"

    async with serving("127.0.0.1", calls, note) as server:
        with client() as sock:
            assert [b"empty", b"x", b"yy"] == await ask(sock, server.address, b"", b"x", b"yy")

    assert [b"", b"x", b"yy"] == seen


async def test_answer_longer_than_its_question(calls):
    """An answer may fill its slot without touching the question behind it."""
    large = "large.example.org"
    async with serving("127.0.0.1", calls, Echo(large=SLOT)) as server:
        with client() as sock:
            answers = await ask(
                sock, server.address, question(1, large), question(2), question(3, large)
            )

    assert [SLOT, len(question(2)), SLOT] == [len(reply) for reply in answers]
    assert answer(question(2)) == answers[1]


async def test_answer_longer_than_its_slot(calls):
    """An answer that nobody may send over UDP is dropped, and spoils no other."""
    large = "large.example.org"
    async with serving("127.0.0.1", calls, Echo(large=SLOT + 1)) as server:
        with client() as sock:
            for asked in (question(1, large), question(2), question(3, large), question(4)):
                sock.sendto(asked, server.address)
            answers = [(await receive(sock))[0] for _ in range(2)]

    assert [answer(question(2)), answer(question(4))] == answers
    assert 2 == server.counts.dropped


@pytest.mark.parametrize(
    ("wildcard", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("0.0.0.0", "127.9.9.9"), ("::", "::1")],
)
async def test_answers_from_the_address_asked(calls, wildcard, asked):
    """On every address of the host, the answer comes from the one that was asked."""
    async with serving(wildcard, calls) as server:
        port = server.address[1]
        with client(socket.AF_INET6 if ":" in asked else socket.AF_INET) as sock:
            sock.sendto(question(3), (asked, port))
            reply, sender = await receive(sock)

    assert (answer(question(3)), (asked, port)) == (reply, sender[:2])


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
async def test_answers_later(calls, wildcard):
    """An answer that had to wait finds its client, from the address asked, after other packets."""
    echo = Echo()
    asked = "127.0.0.2" if wildcard == "0.0.0.0" else "::1"
    async with serving(wildcard, calls, echo) as server:
        target = (asked, server.address[1])
        family = socket.AF_INET6 if ":" in asked else socket.AF_INET
        with client(family) as first, client(family) as second:
            first.sendto(question(1, "later.example.org"), target)
            await ask(second, target, question(2))
            packet, later = echo.waiting[0]
            later(answer(packet))
            reply, sender = await receive(first)

    assert answer(question(1, "later.example.org")) == reply
    assert target == sender[:2]


async def test_answer_given_up(calls):
    """A question that is given up in the end stays without an answer."""
    echo = Echo()
    async with serving("127.0.0.1", calls, echo) as server:
        with client() as sock:
            sock.sendto(question(1, "later.example.org"), server.address)
            await ask(sock, server.address, question(2))
            echo.waiting[0][1](None)

    assert (2, 1, 1) == (server.counts.received, server.counts.answered, server.counts.dropped)


async def test_others_have_their_turn(calls):
    """However many packets wait, the loop gets to its other work after a bounded number."""
    seen: list[str] = []

    def note(packet, _client, _transport):
        if not seen:
            asyncio.get_running_loop().call_soon(seen.append, "other")
        seen.append("packet")
        return packet

    async with serving("127.0.0.1", calls, note, batch=8, turns=2) as server:
        with client() as sock:
            await ask(sock, server.address, *[question(number) for number in range(100)])

    assert 16 == seen.index("other")


async def test_close_answers_what_came(calls):
    """What is in the socket when the server closes is answered first."""
    async with serving("127.0.0.1", calls) as server:
        with client() as sock:
            for number in range(200):
                sock.sendto(question(number), server.address)
            server.close()
            answers = [(await receive(sock))[0] for _ in range(200)]

    assert [answer(question(number)) for number in range(200)] == answers


async def test_close_twice(calls):
    """Closing again, or before the start, does nothing."""
    server = UdpServer(bind_udp("127.0.0.1", 0), Echo(), calls=calls)

    server.close()
    server.close()


async def test_a_bug_costs_its_batch_only(calls):
    """A responder that raises against its word does not stop the server."""
    raised = []

    def broken(packet, _client, _transport):
        if b"broken" in packet:
            raise ValueError
        return answer(packet)

    async with serving("127.0.0.1", calls, broken) as server:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        with client() as sock:
            sock.sendto(question(1, "broken.example.org"), server.address)
            while not raised:
                await asyncio.sleep(0)
            assert [answer(question(2))] == await ask(sock, server.address, question(2))


async def test_kernel_losses_are_told(calls):
    """Packets the kernel dropped for want of room are counted by it and told by the server."""
    sock = bind_udp("127.0.0.1", 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server = UdpServer(sock, Echo(), calls=calls)
    with client() as sender:
        for number in range(100):
            sender.sendto(question(number), server.address)
    server.drain()

    assert 100 == server.counts.received + server.lost()
    assert server.lost() > 0
    server.close()


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not here")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_dig(calls, address):
    """The program dig accepts what comes back."""
    async with serving(address, calls) as server:
        process = await asyncio.create_subprocess_exec(
            *("dig", f"@{address}", "-p", str(server.address[1]), "+tries=1", "+time=3"),
            *("+noedns", "+noad", "www.example.org"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    assert 0 == process.returncode
    assert b"status: NOERROR" in output


async def test_with_a_busy_thread(calls):
    """A thread that computes without end does not keep questions from being answered."""
    busy = threading.Event()

    def compute():
        while not busy.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        async with serving("127.0.0.1", calls) as server:
            with client() as sock:
                answers = await ask(sock, server.address, *map(question, range(100)))
    finally:
        busy.set()
        thread.join(LIMIT)

    assert 100 == len(answers)

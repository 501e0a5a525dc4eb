"""What a connection does in a turn, and when it is overdue: with a clock and no socket."""

import asyncio
from types import SimpleNamespace

import pytest

from skydns_py.servers.connection import Room, TcpConnection
from skydns_py.servers.crowd import Crowd, Ending, TcpCounts, TcpLimits
from skydns_py.servers.framing import frame
from skydns_py.servers.turns import Turns
from tests.fakes.echo import Echo, answer, question

LIMITS = TcpLimits(connections=4, backlog=1000, turn=3)


class Loop:
    """A clock that stands still, and the calls put off to the next turn."""

    def __init__(self):
        self.now = 100.0
        self.soon = []

    def time(self):
        return self.now

    def call_soon(self, call):
        self.soon.append(call)
        return call

    def turn(self):
        calls, self.soon = self.soon, []
        for call in calls:
            call()


class Transport:
    """Takes what is written; once it is told to be full, the kernel takes nothing more."""

    def __init__(self):
        self.written = b""
        self.unsent = 0
        self.is_full = False
        self.is_reading = True
        self.state = "open"

    def bind(self, connection):
        self.connection = connection
        connection.connection_made(self)

    def set_write_buffer_limits(self, high, low):
        self.high = high

    def write(self, data):
        self.written += data
        if self.is_full:
            self.unsent += len(data)
            if self.unsent > self.high:
                self.connection.pause_writing()

    def get_write_buffer_size(self):
        return self.unsent

    def get_extra_info(self, _name):
        return ("192.0.2.1", 5353)

    def is_closing(self):
        return self.state != "open"

    def pause_reading(self):
        self.is_reading = False

    def resume_reading(self):
        self.is_reading = True

    def close(self):
        self.state = "closed"

    def abort(self):
        self.state = "aborted"


@pytest.fixture
def it():
    """A connection, just open, with everything around it."""
    loop, crowd, counts, echo = Loop(), Crowd(LIMITS), TcpCounts(), Echo(large=900)
    turns = Turns(loop.call_soon, LIMITS.turn)
    room = Room(loop, echo, "tcp", LIMITS, counts, crowd, turns)  # type: ignore[arg-type]
    connection, transport = TcpConnection(room), Transport()
    transport.bind(connection)

    def feed(data):
        buffer = connection.get_buffer(-1)
        buffer[: len(data)] = data
        connection.buffer_updated(len(data))

    def overdue(seconds, *, crowded=False):
        return connection.overdue(loop.now + seconds, crowded=crowded)

    return SimpleNamespace(
        loop=loop,
        crowd=crowd,
        counts=counts,
        echo=echo,
        connection=connection,
        transport=transport,
        feed=feed,
        overdue=overdue,
    )


def test_a_turn_has_so_many_messages(it):
    """After a turn's messages nothing is read until the rest has had its turns."""
    it.feed(frame(question(1)) * 7)

    assert 3 == it.counts.answered
    assert not it.transport.is_reading
    it.loop.turn()
    it.loop.turn()
    assert 7 == it.counts.answered
    assert it.transport.is_reading


def test_a_turn_has_so_many_octets(it):
    """Large answers make a turn shorter: what is built at once is bounded."""
    it.feed(frame(question(1, "large.example.org")) * 3)

    assert 2 == it.counts.answered


def test_who_does_not_read_is_not_read(it):
    """From the answer that fills the backlog on, nothing is read or answered."""
    it.transport.is_full = True

    it.feed(frame(question(1, "large.example.org")) * 2)

    assert not it.transport.is_reading
    it.loop.turn()
    assert it.overdue(2.9) is None
    assert Ending.UNREAD == it.overdue(3.1)
    it.connection.resume_writing()
    it.loop.turn()
    assert it.transport.is_reading
    assert it.overdue(3.1) is None


def test_a_message_is_timed_from_its_first_octet(it):
    """More octets of a message do not give it more time, the next message has its own."""
    it.feed(frame(question(1))[:5])
    it.loop.now += 2
    it.feed(frame(question(1))[5:9])
    assert Ending.MESSAGE == it.overdue(1.1)

    it.feed(frame(question(1))[9:] + frame(question(2))[:1])

    assert it.overdue(2.9) is None
    assert Ending.MESSAGE == it.overdue(3.1)


def test_time_in_turns_is_not_the_clients(it):
    """A message that waits for our turns is not late."""
    it.feed(frame(question(1)) * 7 + b"\x00")

    assert it.overdue(600) is None


@pytest.mark.parametrize(
    ("asked", "crowded", "limit"),
    [
        (None, False, 3.0),
        ("silent.example.org", False, 3.0),
        ("www.example.org", False, 10.0),
        (None, True, 1.0),
        ("www.example.org", True, 1.0),
        ("later.example.org", True, 10.0),
    ],
)
def test_idle(it, asked, crowded, limit):
    """How long it may be quiet: RFC 7766 6.2.3's few seconds, less when nobody was answered."""
    if asked:
        it.feed(frame(question(1, asked)))

    assert it.overdue(limit - 0.1, crowded=crowded) is None
    assert Ending.IDLE == it.overdue(limit + 0.1, crowded=crowded)


def test_answers_that_never_come(it):
    """Promised answers hold reading up, but not the connection open for ever."""
    it.feed((frame(question(1, "later.example.org")) * 3) * 34 + b"\x00")
    for _ in range(40):
        it.loop.turn()

    assert 100 == len(it.echo.waiting)
    assert not it.transport.is_reading
    assert Ending.IDLE == it.overdue(10.1)


def test_the_end_is_read_once(it):
    """While answers are waited for, a client's end, which stays readable, is not read again."""
    it.feed(frame(question(1, "later.example.org")))
    assert it.connection.eof_received()
    it.loop.turn()
    assert not it.transport.is_reading
    assert "open" == it.transport.state

    packet, later = it.echo.waiting[0]
    later(answer(packet))
    it.loop.turn()

    assert frame(answer(packet)) == it.transport.written
    assert "closed" == it.transport.state


def test_last_answers_have_a_limit(it):
    """A connection that closes gives its client so long to read, then is dropped."""
    it.feed(frame(question(1)))
    it.transport.unsent = 10
    it.connection.end(Ending.IDLE)
    assert "closed" == it.transport.state
    assert it.overdue(2.9) is None

    it.connection.end(it.overdue(3.1))

    assert "aborted" == it.transport.state
    assert {Ending.IDLE: 1} == it.counts.ended


def test_closed_between_turns(it):
    """What a turn was left for is not answered any more when the connection has ended."""
    it.feed(frame(question(1)) * 7)
    it.connection.end(Ending.CROWDED)
    it.connection.connection_lost(None)

    it.loop.turn()

    assert 3 == it.counts.answered
    assert 0 == len(it.crowd)


def test_answers_are_framed(it):
    """Each answer stands behind its length."""
    it.feed(frame(question(1)) + frame(question(2)))

    assert frame(answer(question(1))) + frame(answer(question(2))) == it.transport.written


async def test_the_fake_is_like_asyncio(it):
    """The fake transport has nothing that a real one has not."""
    names = [name for name in vars(Transport) if not name.startswith("_") and name != "bind"]

    assert [] == [name for name in names if not hasattr(asyncio.Transport, name)]

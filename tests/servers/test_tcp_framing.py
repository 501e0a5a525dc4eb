"""DNS messages are found in a stream, however it was cut."""

import pytest

from skydns_py.servers.framing import Framer, FramingError, frame
from tests.fakes.echo import question

MESSAGES = [question(1), question(2, extra=300), question(3), question(4, extra=65_000)]
STREAM = b"".join(frame(message) for message in MESSAGES)


def read(framer: Framer) -> list[bytes]:
    messages = []
    while (message := framer.next_message()) is not None:
        messages.append(message)
    return messages


def test_whole():
    """A stream that comes at once gives every message, and nothing is held."""
    framer = Framer()

    framer.feed(STREAM)

    assert MESSAGES == read(framer)
    assert 0 == framer.held


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_cut_anywhere(size):
    """A stream that comes in pieces of any size gives the same messages."""
    framer, messages = Framer(), []

    for at in range(0, len(STREAM), size):
        framer.feed(STREAM[at : at + size])
        messages += read(framer)

    assert MESSAGES == messages
    assert 0 == framer.held


def test_tail():
    """What has come of a message that is not whole is held, and nothing is given out."""
    framer = Framer()

    framer.feed(STREAM + frame(question(5))[:-1])

    assert MESSAGES == read(framer)
    assert len(frame(question(5))) - 1 == framer.held
    framer.feed(frame(question(5))[-1:])
    assert [question(5)] == read(framer)


@pytest.mark.parametrize("length", [0, 1, 11])
def test_no_message(length):
    """A length below that of a header breaks the stream, once those before it are given out."""
    framer = Framer()

    framer.feed(frame(question(1)) + length.to_bytes(2, "big"))

    assert question(1) == framer.next_message()
    with pytest.raises(FramingError, match=f"a message of {length} octets is announced"):
        framer.next_message()


def test_bounds():
    """The shortest and the longest message there can be are whole messages."""
    framer, shortest, longest = Framer(), bytes(12), bytes(65_535)

    framer.feed(frame(shortest) + frame(longest))

    assert [shortest, longest] == read(framer)

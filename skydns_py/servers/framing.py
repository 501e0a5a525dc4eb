"""DNS messages in a stream: two octets of length, then the message (RFC 1035 4.2.2, RFC 7766 8).

Bytes in, messages out, however the stream was cut.
This module does no IO, reads no clock, and never looks into a message.
"""

MIN_MESSAGE = 12
"""Octets of a header: less is no DNS message, and whoever sends it has lost the frame."""

MAX_MESSAGE = 65_535
"""Octets that a length can tell."""


class FramingError(Exception):
    """The stream is no sequence of DNS messages; nothing behind this point can be trusted."""


def frame(message: bytes) -> bytes:
    """Return a message of at most 65,535 octets behind its length, to be sent in one write.

    A client may take a lone length for a broken message (RFC 7766 section 8).
    """
    return len(message).to_bytes(2, "big") + message


class Framer:
    """Takes a stream apart. It holds what has come of the messages that were not asked for yet."""

    __slots__ = ("_at", "_buffer")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    @property
    def held(self) -> int:
        """Octets that came and were not given out."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next octets of the stream."""
        self._buffer += data

    def next_message(self) -> bytes | None:
        """Return the next message without its length; None needs more octets.

        Raises:
            FramingError: the next length is below that of a header.
        """
        buffer, start = self._buffer, self._at + 2
        if len(buffer) < start:
            self._drop()
            return None
        end = start + (buffer[start - 2] << 8 | buffer[start - 1])
        if end - start < MIN_MESSAGE:
            raise FramingError(f"a message of {end - start} octets is announced, 12 are the least")
        if len(buffer) < end:
            self._drop()
            return None
        self._at = end
        return bytes(buffer[start:end])

    def _drop(self) -> None:
        """Let go of what was given out: once a read, not once a message, so in linear time."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0

"""What every DNS server here serves: one synchronous function from a packet to its answer.

The servers know sockets and this file; what a packet means is decided behind `Respond`.
This module never does IO and never looks into a packet.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol

Transport = Literal["udp", "tcp", "tls"]
"""How a packet came in. Limits of size differ, and some questions are for streams only."""

Later = Callable[[bytes | None], None]
"""Sends an answer that had to wait; None gives the question up. To be called exactly once."""


class Client(Protocol):
    """Who asks. A view into the server's buffers: it holds until `respond` returns, no longer.

    Nothing is read from the wire until it is asked for, so that an answer which does not depend on
    who asks does not pay for knowing.
    """

    @property
    def host(self) -> str:
        """The address in text, IPv6 without brackets and without a zone."""

    @property
    def port(self) -> int:
        """The port asked from."""

    def later(self) -> Later:
        """Promise an answer after `respond` has returned None, and get the way to send it."""


Hits = Mapping[bytes, Iterator[bytes]]
"""Finished replies by the packets they answer, both without the two octets of the id.

A server may look here before it calls `respond`: what the iterator yields is the reply, and nothing
else has to be done. By what it has yielded its owner knows how often the reply was given.
"""

Measure = Callable[[int, float], None]
"""Told of replies out of `Hits`: how many, and the seconds that all of them took."""

Respond = Callable[[bytes, Client, Transport], bytes | None]
"""Answers one DNS message without its TCP length; None stays silent.

It never raises, never waits, and takes microseconds: the whole server stands still meanwhile.
"""

"""Follow an alias that leads out of our zones, and answer with both halves as one.

The code is that of the last name (RFC 6604), so that a target that fails or does not exist is not
hidden behind an alias that does.
This module asks nobody itself and keeps nothing.
"""

from collections.abc import Callable

import msgspec

from skydns_py.answers.lookup import Answer
from skydns_py.answers.query import MAX_TCP, Query, Rcode
from skydns_py.answers.responder import Later, Transport
from skydns_py.answers.wire import pack
from skydns_py.names import fold
from skydns_py.upstream.records import sections
from skydns_py.upstream.reply import read

Ask = Callable[[Query, int, Callable[[], Later], Transport], bytes | None]
"""Asks somebody else, as `answers.responder.Elsewhere` does."""


def follow(
    ask: Ask,
    query: Query,
    answer: Answer,
    limit: int,
    later: Callable[[], Later],
    transport: Transport,
) -> bytes | None:
    """Return the reply to a query whose `answer` ends with an alias; None when it comes later."""
    target = answer.answer[-1][1].rdata[0]
    away = msgspec.structs.replace(query, asked=target, name=fold(target), size=MAX_TCP)

    def join(reply: bytes) -> bytes:
        return pack(joined(answer, reply), query, limit, datagram=transport == "udp")

    def promise() -> Later:
        send = later()
        return lambda reply: send(None if reply is None else join(reply))

    reply = ask(away, MAX_TCP, promise, transport)
    return None if reply is None else join(reply)


def joined(answer: Answer, reply: bytes) -> Answer:
    """Return an answer with what a reply says about its last target."""
    there = read(reply)
    if there is None or there.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return msgspec.structs.replace(answer, rcode=Rcode.SERVFAIL)
    records, authority = sections(there)
    return msgspec.structs.replace(
        answer,
        rcode=Rcode(there.rcode),
        answer=(*answer.answer, *records),
        authority=authority if there.denies else (),
    )

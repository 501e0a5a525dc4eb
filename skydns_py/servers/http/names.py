"""The listing of every name that is answered, sent piece by piece.

A large cluster has hundreds of thousands of records: they are never all in memory as text, and DNS
is answered between two pieces.
This module never knows where records come from.
"""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from aiohttp import web

from skydns_py.servers.http.query import options

PIECE: Final = 50
"""Records written between two turns of the event loop: a millisecond, as most are built first."""

AT_ONCE: Final = 2
"""Listings written at the same time: each takes its millisecond of every turn, from DNS too."""


class Line(NamedTuple):
    """One record in presentation form (RFC 1035 section 5.1); `ttl` in seconds."""

    name: str
    ttl: int
    type: str
    rdata: str


Listing = Callable[[], Iterable[Line]]
"""Makes the listing anew; what it returns is read over many turns of the event loop."""


def names_routes(listing: Listing) -> list[web.RouteDef]:
    """Return the route of the listing: `/v1/names?format=text|json`.

    Text is a zone file without directives, JSON an array of objects.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def names(request: web.Request) -> web.StreamResponse:
        write, content_type = _FORMS[options(request, {"format": _FORMS}).get("format", "text")]
        response = web.StreamResponse()
        response.content_type, response.charset = content_type, "utf-8"
        if places.locked():
            raise web.HTTPTooManyRequests(
                text=f"{AT_ONCE} listings are being written already: ask again shortly.\n",
                headers={"Retry-After": "1"},
            )
        async with places:
            await response.prepare(request)
            if request.method == "GET":
                await _send(response, write(listing()))
            await response.write_eof()
        return response

    return [web.get("/v1/names", names)]


async def _send(response: web.StreamResponse, lines: Iterator[str]) -> None:
    while piece := "".join(itertools.islice(lines, PIECE)):
        await response.write(piece.encode())
        # A write returns at once as long as the other side reads; others have their turn here.
        await asyncio.sleep(0)


def _text(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        yield f"{line.name} {line.ttl} IN {line.type} {line.rdata}\n"


def _json(lines: Iterable[Line]) -> Iterator[str]:
    separator = "["
    for line in lines:
        yield f"{separator}\n{json.dumps(line._asdict())}"
        separator = ","
    yield "\n]\n" if separator == "," else "[]\n"


_FORMS: Final = {"text": (_text, "text/plain"), "json": (_json, "application/json")}

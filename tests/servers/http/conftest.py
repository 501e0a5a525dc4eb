"""A started server and a client of it, both gone when the test is over."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDictProxy

from skydns_py.servers.http.server import HttpServer, serve


class Reply(NamedTuple):
    status: int
    text: str
    headers: CIMultiDictProxy[str]


Start = Callable[..., Awaitable[HttpServer]]
Ask = Callable[..., Awaitable[Reply]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Serve an application on a port of the loopback; options go to `serve`."""
    async with AsyncExitStack() as stack:

        async def start_one(application: web.Application, **options: Any) -> HttpServer:
            server = await serve(application, [("127.0.0.1", 0)], **options)
            stack.push_async_callback(server.close)
            return server

        yield start_one


@pytest.fixture
async def ask(start: Start) -> AsyncIterator[Ask]:
    """Serve an application, ask it once, and return the reply."""
    async with aiohttp.ClientSession() as client:

        async def ask_once(
            application: web.Application, path: str, method: str = "GET", **options: Any
        ) -> Reply:
            server = await start(application)
            url = f"http://127.0.0.1:{server.port}{path}"
            async with client.request(method, url, allow_redirects=False, **options) as response:
                return Reply(response.status, await response.text(), response.headers)

        yield ask_once

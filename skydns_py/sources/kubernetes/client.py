"""One API server over HTTP: asked with today's credentials, answers handed on as they come.

A status is never an error here, except that the first 401 makes us look for newer credentials and
ask once more.
This module never retries for any other reason, follows no redirect, and decodes nothing.
"""

import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import aiohttp
import yarl

from skydns_py import __version__
from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.access import Access
from skydns_py.sources.kubernetes.credentials import Identity
from skydns_py.sources.kubernetes.failures import failure
from skydns_py.sources.kubernetes.tls import Contexts

USER_AGENT: Final = f"skydns-py/{__version__}"

Observe = Callable[[str, str, float], None]
"""Told of each request: method, status ("<error>" when none came), seconds until the headers."""

_FAILURES: Final = (aiohttp.ClientError, TimeoutError, OSError)


class Client:
    """Asks one API server; an async context manager that owns its connections.

    `connect_timeout` is in seconds and covers name, TCP, proxy and TLS.
    """

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str = USER_AGENT,
        connect_timeout: float = 10.0,
        observe: Observe | None = None,
    ) -> None:
        self._access = access
        self._server = yarl.URL(access.server)
        self._headers = (
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip"),
            ("User-Agent", user_agent),
            *access.headers,
        )
        self._connect_timeout = connect_timeout
        self._observe = observe or (lambda _method, _code, _seconds: None)
        self._contexts = Contexts(access.trust)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the pool of connections; none is made yet."""
        self._session = aiohttp.ClientSession(
            # Watches stay open for minutes: a limit of the pool would make the last kind wait.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @property
    def host(self) -> str:
        """Host and port of the API server, for messages and metrics."""
        return self._server.authority

    def get(
        self, path: str, params: Mapping[str, str], *, read_timeout: float
    ) -> AbstractAsyncContextManager["Response"]:
        """Ask for `path` below the server's address, for as long as the context lasts.

        `read_timeout` is the longest silence in seconds, before the headers and between chunks.

        Raises:
            SourceError: the server could not be reached or did not answer, or there are no
                credentials to ask with.
        """
        return self._get(path, params, read_timeout)

    @contextlib.asynccontextmanager
    async def _get(
        self, path: str, params: Mapping[str, str], read_timeout: float
    ) -> AsyncIterator["Response"]:
        identity = await self._access.credentials.current()
        answer = await self._ask(identity, path, params, read_timeout)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer.close()
            self._access.credentials.forget(identity)
            identity = await self._access.credentials.current()
            answer = await self._ask(identity, path, params, read_timeout)
        try:
            yield Response(answer, lambda error: self._failure(error, read_timeout))
        finally:
            answer.release()  # back to the pool when it was read to its end, closed otherwise

    async def _ask(
        self, identity: Identity, path: str, params: Mapping[str, str], read_timeout: float
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("a Client is used within `async with`")
        started, code = time.monotonic(), "<error>"
        try:
            answer = await self._session.get(
                self._url(path),
                params=params,
                headers=self._headers_of(identity),
                ssl=self._context(identity),
                server_hostname=self._access.trust.server_name or None,
                proxy=self._access.proxy or None,
                allow_redirects=False,
                timeout=self._timeout(read_timeout),
            )
            code = str(answer.status)
        except _FAILURES as error:
            raise self._failure(error, read_timeout) from error
        finally:
            self._observe("GET", code, time.monotonic() - started)
        return answer

    def _url(self, path: str) -> yarl.URL:
        return yarl.URL(f"{self._access.server}{path}")

    def _headers_of(self, identity: Identity) -> list[tuple[str, str]]:
        authorization = identity.authorization
        return [*self._headers, *([("Authorization", authorization)] if authorization else [])]

    def _context(self, identity: Identity) -> ssl.SSLContext | bool:
        if self._server.scheme == "http":
            return True
        try:
            return self._contexts.current(identity.certificate)
        except (ValueError, OSError) as error:
            raise SourceError(f"{self._access.where}: {error}") from error

    def _timeout(self, read_timeout: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=None,
            connect=self._connect_timeout,
            sock_connect=self._connect_timeout,
            sock_read=read_timeout,
        )

    def _failure(self, error: Exception, read_timeout: float) -> SourceError:
        return failure(error, self._access, self.host, read_timeout)


class Response:
    """An answer whose headers have come; its body comes while the context of `get` lasts."""

    def __init__(
        self, answer: aiohttp.ClientResponse, explain: Callable[[Exception], SourceError]
    ) -> None:
        self._answer = answer
        self._explain = explain
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers

    async def body(self, limit: int) -> bytes:
        """Return the whole body, of at most `limit` octets once decompressed.

        Raises:
            SourceError: it is longer, broke off, or nothing came for the read limit.
        """
        whole = bytearray()
        async for chunk in self.chunks():
            whole += chunk
            if len(whole) > limit:
                raise SourceError(
                    f"API server {self._answer.url.authority}: an answer to "
                    f"{self._answer.url.path} has more than {limit} octets"
                )
        return bytes(whole)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, in pieces of any size, decompressed.

        Raises:
            SourceError: it broke off, or nothing came for the read limit.
        """
        pieces = self._answer.content.iter_any()
        while True:
            try:
                piece = await anext(pieces, b"")
            except _FAILURES as error:
                raise self._explain(error) from error
            if not piece:
                return
            yield piece

"""A real HTTP or HTTPS server on the loopback that writes down what it was asked.

It never knows Kubernetes: a test hands it one function from request to response.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import trustme
from aiohttp import web

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Loopback:
    """Where the server is, and each request as it came."""

    url: str
    port: int
    asked: list[web.BaseRequest] = field(default_factory=list)


@contextlib.asynccontextmanager
async def serve(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """Serve on a free port while the context lasts."""

    async def remember(request: web.BaseRequest) -> web.StreamResponse:
        loopback.asked.append(request)
        return await answer(request)

    runner = web.ServerRunner(web.Server(remember), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    loopback = Loopback(f"{'https' if context else 'http'}://127.0.0.1:{port}", port)
    try:
        yield loopback
    finally:
        await runner.cleanup()


def server_context(
    authority: trustme.CA, *names: str, clients: trustme.CA | None = None
) -> ssl.SSLContext:
    """Make the TLS side of a server with a certificate for `names`, asking clients for theirs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pem(authority: trustme.CA) -> bytes:
    """Return an authority's own certificate."""
    return authority.cert_pem.bytes()


def chain_and_key(leaf: trustme.LeafCert) -> tuple[bytes, bytes]:
    """Return a certificate's chain and its key."""
    return b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes()

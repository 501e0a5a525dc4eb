"""The door of every HTTP application: who is let in, and what each answer carries.

This module never knows what stands behind it.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web

from skydns_py.servers.http import hosts
from skydns_py.servers.http.connection import FIELDS

METHODS: Final = ("GET", "HEAD")
"""Everything is read, nothing is changed over HTTP."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(
    routes: Iterable[web.AbstractRouteDef],
    *,
    trusted: Iterable[str] | None,
) -> web.Application:
    """Return an application of `routes` that refuses all other paths and methods with a sentence.

    `trusted` are the names it may be called by, next to those of `hosts.is_trusted`; None lets
    everybody call it as they like, which is for answers that a stranger's page may read.
    """
    middlewares = [_admitting(None if trusted is None else tuple(trusted))]
    app = web.Application(middlewares=middlewares)
    app.add_routes(routes)
    app.router.add_get("/{path:.*}", _nothing_here)
    app.on_response_prepare.append(_mark)
    return app


def _admitting(trusted: tuple[str, ...] | None) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in METHODS:
            raise web.HTTPMethodNotAllowed(
                request.method,
                METHODS,
                text="Only GET and HEAD are answered here: nothing can be changed over HTTP.\n",
            )
        _check_host(request, trusted)
        if request.body_exists:
            raise web.HTTPBadRequest(text="A request has no body here, and this one has.\n")
        return await handler(request)

    return admit


def _check_host(request: web.Request, trusted: tuple[str, ...] | None) -> None:
    fields = request.headers.getall("Host", [])
    # RFC 9112 section 3.2: exactly one Host field, which HTTP/1.0 may leave out.
    if len(fields) > 1 or (not fields and request.version >= (1, 1)):
        raise web.HTTPBadRequest(text="A request has exactly one Host field (RFC 9112, 3.2).\n")
    if trusted is None:
        return
    # The host of an absolute target is the one that counts (RFC 9112 section 3.2.2), and is what
    # `request.host` then has.
    for written in (*fields, request.host):
        host = hosts.host_of(written)
        if not host:
            raise web.HTTPBadRequest(text="The Host field of this request is no host and port.\n")
        if not hosts.is_trusted(host, trusted):
            raise web.HTTPMisdirectedRequest(
                text=f"This server is not known as {host[:253]!a}: ask it by its address, "
                "or have its operator allow that name.\n",
            )


async def _nothing_here(request: web.Request) -> web.StreamResponse:
    paths = [resource.canonical for resource in request.app.router.resources()]
    raise web.HTTPNotFound(
        text=f"There is nothing at {request.path[:200]!a}. There is: {', '.join(paths[:-1])}\n"
    )


async def _mark(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(FIELDS)

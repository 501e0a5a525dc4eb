"""Liveness and readiness, as the CoreDNS plugins `health` and `ready` answer them.

This module never decides who is ready: it is told.
"""

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from skydns_py.servers.http import door


class Status(msgspec.Struct, frozen=True):
    """How the process is, asked anew at each probe.

    `not_ready` names what is still waited for, in the operator's words (`kubernetes`).
    `is_stopping` is true from the moment a shutdown begins, the time of grace included.
    """

    not_ready: Callable[[], Sequence[str]]
    is_stopping: Callable[[], bool]


def health_application() -> web.Application:
    """Return the application of :8080: /health is 200 as long as the process lives.

    It stays so while shutting down, or the kubelet would kill what is still answering.
    Any Host is taken: probes carry what their operators wrote, and the answer tells nothing.
    """
    return door.application(health_routes(), trusted=None)


def ready_application(status: Status) -> web.Application:
    """Return the application of :8181: /ready is 200, or 503 with the names of what is not ready.

    Any Host is taken, as in `health_application`.
    """
    return door.application(ready_routes(status), trusted=None)


def health_routes() -> list[web.RouteDef]:
    """Return the route of liveness."""

    async def health(_request: web.Request) -> web.Response:
        return web.Response(text="OK")

    return [web.get("/health", health)]


def ready_routes(status: Status) -> list[web.RouteDef]:
    """Return the route of readiness."""

    async def ready(_request: web.Request) -> web.Response:
        if status.is_stopping():
            return web.Response(status=503, text="shutting down")
        if waiting := sorted(status.not_ready()):
            return web.Response(status=503, text=",".join(waiting))
        return web.Response(text="OK")

    return [web.get("/ready", ready)]

"""The application of the metrics' address: what Prometheus scrapes.

This module never counts, and knows no metric by its name.
"""

from collections.abc import Callable

from aiohttp import web

from skydns_py.servers.http import door

Expose = Callable[[], bytes]
"""Gives the text of all metrics as they are now."""


def metrics_application(expose: Expose, content_type: str) -> web.Application:
    """Return the application of :9153: /metrics is what `expose` gives, of that type.

    Any Host is taken: scrapers are told names by their operators, and figures are all there is.
    """
    return door.application(metrics_routes(expose, content_type), trusted=None)


def metrics_routes(expose: Expose, content_type: str) -> list[web.RouteDef]:
    """Return the route of the metrics."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=expose(), headers={"Content-Type": content_type})

    return [web.get("/metrics", metrics)]

"""Environment maps over HTTP: what a pod of a namespace would be given, in a format of choice.

This module never makes a variable itself, and never takes an unsynced cluster for an empty one.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec
from aiohttp import web

from skydns_py.env.env_map import EnvMap
from skydns_py.env.formats import FORMATS, FormatError, render, size_warnings
from skydns_py.servers.http.query import options

RETRY_AFTER: Final = "1"
"""Seconds: a first list takes about that long in all but the largest clusters."""

_LINKS: Final = {"true": True, "false": False}


class Environment(Protocol):
    """Makes the map of a namespace, as `env.kubernetes.service_environment` does."""

    def __call__(self, namespace: str, *, service_links: bool) -> EnvMap:
        """Return the map of a pod of `namespace`."""


class Cluster(msgspec.Struct, frozen=True):
    """What is known of the cluster, asked anew at each request.

    `is_synced` is true once `environment` and `has_namespace` have the whole picture.
    """

    environment: Environment
    has_namespace: Callable[[str], bool]
    is_synced: Callable[[], bool]


def env_routes(cluster: Cluster) -> list[web.RouteDef]:
    """Return the routes of a namespace's variables and of what there is to say about them.

    `/v1/env/{namespace}?format=docker|sh|json&service_links=true|false` has the variables, and the
    number of warnings in the field X-Skydns-Warnings.
    `/v1/env/{namespace}/warnings?service_links=…` is `{"collisions": […], "sizes": […]}`.
    """
    one_a_turn = asyncio.Lock()

    async def made(request: web.Request, chosen: Mapping[str, str]) -> EnvMap:
        # Each walks all Services, and whoever asks DNS waits meanwhile: once a turn, not for all.
        async with one_a_turn:
            await asyncio.sleep(0)
            return _env_map(cluster, request, chosen)

    async def variables(request: web.Request) -> web.Response:
        chosen = options(request, {"format": FORMATS, "service_links": _LINKS})
        env_map = await made(request, chosen)
        form = chosen.get("format", "docker")
        try:
            text = render(form, env_map.variables)
        except FormatError as error:
            raise web.HTTPUnprocessableEntity(text=f"{error}.\n") from error
        warnings = len(env_map.collisions) + len(size_warnings(env_map.variables))
        return web.Response(
            text=text,
            content_type="application/json" if form == "json" else "text/plain",
            headers={"X-Skydns-Warnings": str(warnings)},
        )

    async def warnings(request: web.Request) -> web.Response:
        env_map = await made(request, options(request, {"service_links": _LINKS}))
        found = {"collisions": env_map.collisions, "sizes": size_warnings(env_map.variables)}
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    return [
        web.get("/v1/env/{namespace}", variables),
        web.get("/v1/env/{namespace}/warnings", warnings),
    ]


def _env_map(cluster: Cluster, request: web.Request, chosen: Mapping[str, str]) -> EnvMap:
    namespace = request.match_info["namespace"]
    if not cluster.is_synced():
        raise web.HTTPServiceUnavailable(
            text="The Services of the cluster have not all been read yet: ask again shortly.\n",
            headers={"Retry-After": RETRY_AFTER},
        )
    if not cluster.has_namespace(namespace):
        raise web.HTTPNotFound(text=f"There is no namespace {namespace[:200]!a}.\n")
    links = _LINKS[chosen.get("service_links", "true")]
    return cluster.environment(namespace, service_links=links)

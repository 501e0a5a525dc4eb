"""The HTTP side of a running server: probes where the directives want them, the API at --http.

This module never knows DNS listeners.
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Protocol

from aiohttp import web

from skydns_py import names
from skydns_py.answers.listing import rdata_text, records_of
from skydns_py.app.measures import of_settings
from skydns_py.app.world import World
from skydns_py.app.zones import Worlds, zones_of
from skydns_py.env.env_map import EnvMap
from skydns_py.env.kubernetes import service_environment
from skydns_py.metrics import CONTENT_TYPE, Cells, added, expose, registry_of
from skydns_py.records import Type
from skydns_py.servers.http import server
from skydns_py.servers.http.admin import admin_application
from skydns_py.servers.http.env import Cluster
from skydns_py.servers.http.metrics import metrics_application
from skydns_py.servers.http.names import Line
from skydns_py.servers.http.probes import Status, health_application, ready_application
from skydns_py.settings import Listen, Settings


class Serving(Protocol):
    """What the probes and the API ask about."""

    worlds: Worlds
    is_stopping: bool
    cells: Callable[[], Cells]
    processes: Callable[[], Iterable[int]]

    def not_ready(self) -> list[str]:
        """Name what is still waited for."""


@contextlib.asynccontextmanager
async def open_http(
    settings: Settings, serving: Serving
) -> AsyncIterator[list[tuple[str, str, int]]]:
    """Serve HTTP for as long as the context lasts; yield protocol, host and port of each.

    Raises:
        SettingsError: an address cannot be listened at.
    """
    async with contextlib.AsyncExitStack() as stack:
        opened = []
        for protocol, application, listens in _applications(settings, serving):
            addresses = [(listen.address, listen.port) for listen in listens]
            if addresses:
                running = await server.serve(application, addresses)
                stack.push_async_callback(running.close)
                opened += [(protocol, *address) for address in running.addresses]
        yield opened


def lines_of(world: World) -> Iterator[Line]:
    """Yield the listing of a world as the API and `names` show it."""
    for record in records_of(zones_of(world, ())):
        rrtype = Type(record.type)
        rdata = rdata_text(rrtype, record.rdata)
        yield Line(names.to_text(record.name), record.ttl, rrtype.name, rdata)


def _applications(
    settings: Settings, serving: Serving
) -> Iterator[tuple[str, web.Application, Iterable[Listen]]]:
    status = Status(not_ready=serving.not_ready, is_stopping=lambda: serving.is_stopping)
    health = dict.fromkeys(block.health.listen for block in settings.blocks if block.health)
    ready = dict.fromkeys(block.ready.listen for block in settings.blocks if block.ready)
    yield "health", health_application(), health
    yield "ready", ready_application(status), ready
    yield "metrics", _metrics(settings, serving), _listens(settings)
    yield "http", _admin(serving, status), settings.http


def _listens(settings: Settings) -> Iterable[Listen]:
    return dict.fromkeys(block.prometheus.listen for block in settings.blocks if block.prometheus)


def _metrics(settings: Settings, serving: Serving) -> web.Application:
    fixed = of_settings(settings.blocks)

    def read() -> Cells:
        asked = (world.requests for world in serving.worlds.values())
        return added((fixed, serving.cells(), *asked))

    # Read when it is asked for: it is not known yet who will answer.
    registry = registry_of(read, lambda: [*serving.processes()])
    return metrics_application(lambda: expose(registry), CONTENT_TYPE)


def _admin(serving: Serving, status: Status) -> web.Application:
    worlds = serving.worlds.values()

    def environment(namespace: str, *, service_links: bool) -> EnvMap:
        services = (service for world in worlds for service in world.services())
        return service_environment(services, namespace, service_links=service_links)

    cluster = Cluster(
        environment=environment,
        has_namespace=lambda name: any(name in world.namespaces() for world in worlds),
        is_synced=lambda: all(world.table.is_synced for world in worlds),
    )
    zones = {names.to_text(zone).rstrip(".") for each in serving.worlds for zone in each.zones}
    return admin_application(
        status,
        cluster=cluster,
        listing=lambda: (line for world in worlds for line in lines_of(world)),
        trusted=(socket.gethostname(), *(f"*.{zone}" for zone in zones)),
    )

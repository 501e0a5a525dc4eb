"""The application of the administration address: probes, environment maps, the listing of names.

This module never listens; `server.serve` does.
"""

from collections.abc import Iterable

from aiohttp import web

from skydns_py.servers.http import door
from skydns_py.servers.http.env import Cluster, env_routes
from skydns_py.servers.http.names import Listing, names_routes
from skydns_py.servers.http.probes import Status, health_routes, ready_routes


def admin_application(
    status: Status,
    *,
    cluster: Cluster | None = None,
    listing: Listing | None = None,
    trusted: Iterable[str] = (),
) -> web.Application:
    """Return the application that answers what an operator or a script asks.

    Without a `cluster` there are no environment maps, without a `listing` no names.
    `trusted` are host names it may be called by, next to addresses, localhost and `*.svc`: the
    machine's own name, the cluster's zone as `*.cluster.local`, what the operator allows.
    """
    routes: list[web.AbstractRouteDef] = [*health_routes(), *ready_routes(status)]
    if cluster:
        routes += env_routes(cluster)
    if listing:
        routes += names_routes(listing)
    return door.application(routes, trusted=trusted)

"""One story as a real API server told it in four watches, and what is answered at each step.

A namespace, a ClusterIP Service and a headless one, and their pods: not ready, ready, a port
changed, unready, terminating, deleted.
"""

import json
from pathlib import Path

import pytest

from skydns_py.sources.kubernetes.records import Exposure
from skydns_py.sources.kubernetes.schema import decode
from tests.conftest import World

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "kubernetes"
KINDS = {
    "namespaces": "Namespace",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "pods": "Pod",
}


def events():
    """Return all events of the four watches but their bookmarks, in the order of the server."""
    found = []
    for resource, kind in KINDS.items():
        path = RECORDINGS / f"{resource}.lifecycle.watch.jsonl"
        for line in path.read_bytes().splitlines():
            event = json.loads(line)
            if event["type"] != "BOOKMARK":
                one = decode(kind, json.dumps(event["object"]).encode())
                found.append((int(one.resource_version), event["type"], one))
    return sorted(found, key=lambda event: event[0])


def world_at(version, exposure):
    """Return a world that has seen each event up to a resource version."""
    world = World(exposure=exposure)
    for number, kind, one in events():
        if number <= version:
            world.apply({one.key: None if kind == "DELETED" else one.slim}, "kubernetes")
    return world


EMPTY = """
    ? shop.svc.cluster.local A
    NODATA
    ? web.shop.svc.cluster.local A
    NXDOMAIN
    ? db.shop.svc.cluster.local A
    NXDOMAIN
    ? 10.in-addr.arpa PTR
    NXDOMAIN
    """

NOT_READY = """
    ? web.shop.svc.cluster.local A
    web.shop.svc.cluster.local. 5 IN A 10.100.64.8
    ? web.shop.svc.cluster.local SRV
    web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.
    + web.shop.svc.cluster.local. 5 IN A 10.100.64.8
    ? 10-200-0-1.web.shop.svc.cluster.local A
    NXDOMAIN
    ? db.shop.svc.cluster.local A
    NXDOMAIN
    ? db-0.db.shop.svc.cluster.local A
    NXDOMAIN
    ? 8.64.100.10.in-addr.arpa PTR
    8.64.100.10.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local.
    ? 100.10.in-addr.arpa PTR
    NODATA
    ? 2.0.200.10.in-addr.arpa PTR
    NXDOMAIN
    ? 200.10.in-addr.arpa PTR
    NXDOMAIN
    """

READY = """
    ? web.shop.svc.cluster.local A
    web.shop.svc.cluster.local. 5 IN A 10.100.64.8
    ? 10-200-0-1.web.shop.svc.cluster.local A
    10-200-0-1.web.shop.svc.cluster.local. 5 IN A 10.200.0.1
    ? 10-200-0-1.web.shop.svc.cluster.local SRV
    10-200-0-1.web.shop.svc.cluster.local. 5 IN SRV 0 100 8080 \
10-200-0-1.web.shop.svc.cluster.local.
    + 10-200-0-1.web.shop.svc.cluster.local. 5 IN A 10.200.0.1
    ? db.shop.svc.cluster.local A
    db.shop.svc.cluster.local. 5 IN A 10.200.0.2
    ? _pg._tcp.db.shop.svc.cluster.local SRV
    _pg._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.shop.svc.cluster.local.
    + db-0.db.shop.svc.cluster.local. 5 IN A 10.200.0.2
    ? db-0.db.shop.svc.cluster.local A
    db-0.db.shop.svc.cluster.local. 5 IN A 10.200.0.2
    ? 1.0.200.10.in-addr.arpa PTR
    1.0.200.10.in-addr.arpa. 5 IN PTR 10-200-0-1.web.shop.svc.cluster.local.
    ? 2.0.200.10.in-addr.arpa PTR
    2.0.200.10.in-addr.arpa. 5 IN PTR db-0.db.shop.svc.cluster.local.
    """

PORT_CHANGED = """
    ? _http._tcp.web.shop.svc.cluster.local SRV
    _http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 81 web.shop.svc.cluster.local.
    + web.shop.svc.cluster.local. 5 IN A 10.100.64.8
    ? 10-200-0-1.web.shop.svc.cluster.local A
    10-200-0-1.web.shop.svc.cluster.local. 5 IN A 10.200.0.1
    """

UNREADY = """
    ? web.shop.svc.cluster.local A
    web.shop.svc.cluster.local. 5 IN A 10.100.64.8
    ? 10-200-0-1.web.shop.svc.cluster.local A
    NXDOMAIN
    ? 1.0.200.10.in-addr.arpa PTR
    NXDOMAIN
    ? db-0.db.shop.svc.cluster.local A
    db-0.db.shop.svc.cluster.local. 5 IN A 10.200.0.2
    """

WEB_DELETED = """
    ? web.shop.svc.cluster.local A
    NXDOMAIN
    ? _http._tcp.web.shop.svc.cluster.local SRV
    NXDOMAIN
    ? 8.64.100.10.in-addr.arpa PTR
    NXDOMAIN
    ? 100.10.in-addr.arpa PTR
    NXDOMAIN
    ? db.shop.svc.cluster.local A
    db.shop.svc.cluster.local. 5 IN A 10.200.0.2
    """

DB_DELETED = """
    ? shop.svc.cluster.local A
    NODATA
    ? db.shop.svc.cluster.local A
    NXDOMAIN
    ? db-0.db.shop.svc.cluster.local A
    NXDOMAIN
    """

STEPS = {
    "nothing yet": (1751, "\n    ? shop.svc.cluster.local A\n    NXDOMAIN\n    "),
    "the namespace": (1752, EMPTY),
    "empty slices": (1758, NOT_READY),
    "addresses that are not ready": (1769, NOT_READY),
    "ready": (1775, READY),
    "a port changed": (1777, PORT_CHANGED),
    "unready": (1780, UNREADY),
    "terminating": (1784, UNREADY),
    "the pod is gone": (1785, UNREADY),
    "the service is gone, its slice is not": (1786, WEB_DELETED),
    "the other service is gone": (1789, DB_DELETED),
    "the namespace is terminating": (1809, DB_DELETED),
}


@pytest.mark.parametrize(("version", "told"), STEPS.values(), ids=STEPS)
def test_each_step(version, told):
    """After each event the answers are those of what is there, and ready, at that moment."""
    assert told == world_at(version, Exposure()).replay(told)


@pytest.mark.parametrize("order", ["backwards", "slices first"])
def test_the_order_of_objects_does_not_matter(order):
    """Objects may come before the namespace they are in, and slices before their Service."""
    latest = {one.key: one.slim for number, _, one in events() if number <= 1775}
    keys = sorted(latest, reverse=order == "backwards")
    world = World()
    for key in keys:
        world.apply({key: latest[key]}, "kubernetes")

    assert READY == world.replay(READY)


VERIFIED = {
    1760: """
    ? 10-200-0-1.shop.pod.cluster.local A
    NXDOMAIN
    """,
    1765: """
    ? 10-200-0-1.shop.pod.cluster.local A
    10-200-0-1.shop.pod.cluster.local. 5 IN A 10.200.0.1
    ? 10-200-0-2.shop.pod.cluster.local A
    NXDOMAIN
    ? shop.pod.cluster.local A
    NODATA
    """,
    1781: """
    ? 10-200-0-1.shop.pod.cluster.local A
    10-200-0-1.shop.pod.cluster.local. 5 IN A 10.200.0.1
    ? 10-200-0-2.shop.pod.cluster.local A
    10-200-0-2.shop.pod.cluster.local. 5 IN A 10.200.0.2
    """,
    1782: """
    ? 10-200-0-1.shop.pod.cluster.local A
    NXDOMAIN
    ? 10-200-0-2.shop.pod.cluster.local A
    10-200-0-2.shop.pod.cluster.local. 5 IN A 10.200.0.2
    """,
}


@pytest.mark.parametrize(("version", "told"), VERIFIED.items())
def test_pods_of_the_story(version, told):
    """A verified pod is there from its address until it is deleted, ready or not."""
    assert told == world_at(version, Exposure(pods="verified")).replay(told)


def test_endpoints_named_after_pods():
    """With `endpoint_pod_names` an endpoint without hostname is named after its pod."""
    told = """
    ? web-1.web.shop.svc.cluster.local A
    web-1.web.shop.svc.cluster.local. 5 IN A 10.200.0.1
    ? 10-200-0-1.web.shop.svc.cluster.local A
    NXDOMAIN
    ? db-0.db.shop.svc.cluster.local A
    db-0.db.shop.svc.cluster.local. 5 IN A 10.200.0.2
    """

    assert told == world_at(1775, Exposure(endpoint_pod_names=True)).replay(told)


def test_serials_of_the_story():
    """The serial is the time of the last event that changed anything, and never goes back."""
    world = World()
    changed = []
    for number, kind, one in events():
        delta = world.apply(
            {one.key: None if kind == "DELETED" else one.slim}, "kubernetes", now=number
        )
        changed.append((number, bool(delta.keys)))
        assert max((at for at, any_key in changed if any_key), default=0) == world.table.serial

    assert 1796 not in [number for number, any_key in changed if any_key]

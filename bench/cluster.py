"""The cluster that every server of a benchmark knows: its objects, and its names.

1,000 Services in 20 namespaces, each with one EndpointSlice of five endpoints.
This module opens nothing, and is the same in every run: no number in it is drawn.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any, Final

from tests.fakes.objects import endpoint_slice, namespace, service

SERVICES: Final = 1000

NAMESPACES: Final = 20

ENDPOINTS: Final = 5

ZONE: Final = "cluster.local"

_FIRST_SERVICE: Final = IPv4Address("203.0.113.0")
"""RFC 5737 has too few addresses for a cluster: numbers run on behind its blocks.

No packet is ever sent to them."""

_FIRST_ENDPOINT: Final = IPv4Address("198.51.100.0")


def objects() -> Iterator[dict[str, Any]]:
    """Yield the Kubernetes objects, namespaces first."""
    for number in range(NAMESPACES):
        yield namespace(_namespace(number))
    for number in range(SERVICES):
        yield from service_objects(number)


def service_objects(number: int, moved: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a Service and its slice; `moved` is added to their addresses."""
    where, name = _namespace(number), f"service-{number}"
    first = _FIRST_ENDPOINT + number * ENDPOINTS + moved
    return (
        service(where, name, address_of(number, moved)),
        endpoint_slice(
            where, f"{name}-0", name, *(str(first + index) for index in range(ENDPOINTS))
        ),
    )


def address_of(number: int, moved: int = 0) -> str:
    """Return the cluster address of a Service, the A record of its name."""
    return str(_FIRST_SERVICE + number + moved)


def name_of(number: int) -> str:
    """Return the name of a Service in DNS."""
    return f"service-{number}.{_namespace(number)}.svc.{ZONE}"


def searched_name_of(number: int) -> str:
    """Return what a resolver asks first for `name_of` from a pod with `ndots:5`: no such name."""
    return f"{name_of(number)}.{_namespace(number)}.svc.{ZONE}"


def unknown_name(number: int) -> str:
    """Return a name that nothing has, another one for each number."""
    return f"nobody-{number}.{_namespace(number)}.svc.{ZONE}"


def _namespace(number: int) -> str:
    return f"team-{number % NAMESPACES}"

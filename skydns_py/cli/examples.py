"""Questions to try on a running server, picked from what it really has.

This module never asks one.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from skydns_py.app import World
from skydns_py.app.http import lines_of
from skydns_py.servers.http.names import Line

ENOUGH: Final = 20_000
"""Lines of a listing that are looked at: a big cluster has its examples among the first."""


def examples_of(world: World) -> Iterator[str]:
    """Yield `NAME TYPE` for one name of each kind that the world has."""
    lines = [
        line
        for line in islice(lines_of(world), ENOUGH)
        if not line.name.startswith("kubernetes.default.") and line.rdata != _API_SERVER
    ]
    for is_kind in _KINDS:
        found = next((line for line in lines if is_kind(line)), None)
        if found is not None:
            yield f"{found.name.removesuffix('.')} {found.type}"


_API_SERVER = "kubernetes.default.svc.cluster.local."


def _depth(line: Line) -> int:
    return len(line.name.partition(".svc.")[0].split("."))


def _is_service(line: Line) -> bool:
    return line.type == "A" and ".svc." in line.name and _depth(line) == 2


def _is_endpoint(line: Line) -> bool:
    return line.type == "A" and ".svc." in line.name and _depth(line) == 3


def _is_port(line: Line) -> bool:
    return line.type == "SRV" and line.name.startswith("_")


def _is_alias(line: Line) -> bool:
    return line.type == "CNAME"


def _is_pointer(line: Line) -> bool:
    return line.type == "PTR"


_KINDS: Final[tuple[Callable[[Line], bool], ...]] = (
    _is_service,
    _is_endpoint,
    _is_port,
    _is_alias,
    _is_pointer,
)

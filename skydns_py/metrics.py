"""What is counted, by the names and labels that dashboards and alerts for CoreDNS read.

Counting is adding to plain numbers (`Cells`); a metrics library is asked only when they are read.
What is not measured here is absent: no figure stands for another.
This module never counts by itself, and never opens a port.

Source: CoreDNS 1.14's manual pages of metrics, cache, forward and kubernetes.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import accumulate
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Cell = tuple[str, tuple[str, ...], int]
"""A number's place: the metric, the values of its labels, and which number of a histogram it is.

A histogram has one for each of its buckets (0 and up, the last without a bound), not cumulated, and
`SUM`; a counter or a gauge has 0.
"""

Cells = Mapping[Cell, float]
Sums = defaultdict[Cell, float]

SUM: Final = -1

DURATIONS: Final = tuple(0.00025 * 2**power for power in range(16))
"""Seconds: 0.25 ms doubled, up to 8.192 s."""

SIZES: Final = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000)
"""Octets, among them those where UDP without and with EDNS used to end."""

REST_DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: the buckets of Prometheus's own clients."""


class Shape(msgspec.Struct, frozen=True):
    """A metric: what it is of, its labels, and the bounds of its buckets if it is a histogram."""

    text: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_SERVER: Final = ("server", "zone", "view")
_CACHE: Final = ("server", "zones", "view")

SHAPES: Final[Mapping[str, Shape]] = {
    "coredns_build_info": Shape("What runs.", ("version", "revision", "goversion")),
    "coredns_plugin_enabled": Shape("Directives of a server block.", (*_SERVER, "name")),
    "coredns_panics_total": Shape("Queries that a bug of ours kept from being answered."),
    "coredns_dns_requests_total": Shape("Queries.", (*_SERVER, "proto", "family", "type")),
    "coredns_dns_responses_total": Shape("Replies.", (*_SERVER, "rcode", "plugin")),
    "coredns_dns_do_requests_total": Shape("Queries with the DO bit.", _SERVER),
    "coredns_dns_request_duration_seconds": Shape(
        "Seconds from a query to its reply.", _SERVER, DURATIONS
    ),
    "coredns_dns_request_size_bytes": Shape("Octets of queries.", (*_SERVER, "proto"), SIZES),
    "coredns_dns_response_size_bytes": Shape("Octets of replies.", (*_SERVER, "proto"), SIZES),
    "coredns_cache_requests_total": Shape("Questions to the cache.", _CACHE),
    "coredns_cache_hits_total": Shape("Questions the cache could answer.", _CACHE),
    "coredns_cache_misses_total": Shape("Questions the cache could not answer.", _CACHE),
    "coredns_cache_prefetch_total": Shape("Replies asked for again before their end.", _CACHE),
    "coredns_cache_served_stale_total": Shape("Replies given after their end.", _CACHE),
    "coredns_forward_requests_total": Shape("Questions sent to an upstream.", ("to",)),
    "coredns_forward_responses_total": Shape("Replies of upstreams.", ("rcode",)),
    "coredns_forward_max_concurrent_rejects_total": Shape(
        "Questions refused because too many were under way."
    ),
    "coredns_kubernetes_rest_client_requests_total": Shape(
        "Requests to the Kubernetes API; a watch counts once.", ("code", "method", "host")
    ),
    "coredns_kubernetes_rest_client_request_duration_seconds": Shape(
        "Seconds until the Kubernetes API answered.", ("verb", "host"), REST_DURATIONS
    ),
}
"""Everything that is told, in the order in which it is told."""

SINGLE: Final = frozenset({"process_max_fds", "process_start_time_seconds"})
"""What is told of the first process alone: it would mean nothing as a sum."""


def observe(sums: Sums, name: str, labels: tuple[str, ...], value: float, times: int = 1) -> None:
    """Count a value, so many times, into the histogram of this name."""
    sums[name, labels, bisect_left(SHAPES[name].bounds, value)] += times
    sums[name, labels, SUM] += value * times


def added(parts: Iterable[Cells]) -> Sums:
    """Return the sum of what several have counted."""
    sums: Sums = defaultdict(float)
    for cells in parts:
        for cell, number in cells.items():
            sums[cell] += number
    return sums


def registry_of(
    read: Callable[[], Cells], processes: Callable[[], Iterable[int]]
) -> CollectorRegistry:
    """Return what `expose` reads: the cells, and what the kernel knows of the processes.

    `processes` are ids, that of the program itself first; what can be added up is.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(read, processes))
    return registry


def expose(registry: CollectorRegistry) -> bytes:
    """Return everything as it is now, in Prometheus's text format (`CONTENT_TYPE`)."""
    return generate_latest(registry)


class _Collector(Collector):
    """Reads cells when it is asked."""

    def __init__(self, read: Callable[[], Cells], processes: Callable[[], Iterable[int]]) -> None:
        self._read = read
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """Yield each metric that has a number."""
        found: dict[str, dict[tuple[str, ...], dict[int, float]]] = {}
        for (name, labels, part), number in self._read().items():
            found.setdefault(name, {}).setdefault(labels, {})[part] = number
        for name, shape in SHAPES.items():
            if name in found:
                yield _family(name, shape, found[name])
        yield from _of_processes(self._processes())


def _family(name: str, shape: Shape, series: Mapping[tuple[str, ...], dict[int, float]]) -> Metric:
    if shape.bounds:
        histogram = HistogramMetricFamily(name, shape.text, labels=shape.labels)
        for labels, parts in series.items():
            histogram.add_metric(labels, _buckets(shape.bounds, parts), parts.get(SUM, 0.0))
        return histogram
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, shape.text, labels=shape.labels)
    for labels, parts in series.items():
        family.add_metric(labels, parts[0])
    return family


def _buckets(bounds: tuple[float, ...], parts: Mapping[int, float]) -> list[tuple[str, float]]:
    """Return the upper bound of each bucket, and what lies below it."""
    counts = accumulate(parts.get(number, 0) for number in range(len(bounds) + 1))
    names = [*map(floatToGoString, bounds), "+Inf"]
    return list(zip(names, counts, strict=True))


def _of_processes(pids: Iterable[int]) -> Iterator[Metric]:
    """Yield what the kernel knows of processes; one that has just ended adds nothing."""
    totals: dict[str, Metric] = {}
    for pid in pids:
        for family in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            total = totals.setdefault(family.name, family)
            if total is family or family.samples[0].name in SINGLE:
                continue
            added = total.samples[0].value + family.samples[0].value
            total.samples[0] = total.samples[0]._replace(value=added)
    yield from totals.values()

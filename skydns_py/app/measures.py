"""Metrics of what is set and of what already counts itself: directives, upstreams, API requests.

This module never counts a query (see `metering`).
"""

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from skydns_py import __version__, names
from skydns_py.answers.query import Rcode
from skydns_py.metrics import Cell, Cells, Sums, observe
from skydns_py.settings import Block, CacheSettings
from skydns_py.upstream.resolver import Resolver

_CHAIN = ("prometheus", "errors", "log", "loadbalance", "cache", "kubernetes", "loop", "forward")
"""The directives that a query passes through: what CoreDNS calls an enabled plugin."""


def of_settings(blocks: Iterable[Block]) -> Cells:
    """Return what runs, and which directives stand in each server block with `prometheus`."""
    build = (__version__, "", f"python{platform.python_version()}")
    enabled: dict[Cell, float] = {
        ("coredns_plugin_enabled", (f"dns://{listen}", names.to_text(zone), "", name), 0): 1
        for block in blocks
        if block.prometheus
        for listen in block.listen
        for zone in block.zones
        for name in _CHAIN
        if getattr(block, name)
    }
    enabled["coredns_build_info", build, 0] = 1
    return enabled


def of_resolver(server: str, cache: CacheSettings | None, resolver: Resolver) -> Cells:
    """Return what one `forward`, and the `cache` in front of it, have counted.

    What was replied is known by its code only, not by the upstream.
    """
    sums: Sums = defaultdict(float)
    for peer in resolver.forward.peers:
        sums["coredns_forward_requests_total", (str(peer.upstream),), 0] += peer.asked
    for name, number in resolver.forward.counts.items():
        kind, _, code = name.partition(" ")
        if kind == "rcode":
            sums["coredns_forward_responses_total", (_rcode_text(int(code)),), 0] += number
    refused = resolver.forward.counts["refused"]
    sums["coredns_forward_max_concurrent_rejects_total", (), 0] += refused
    if cache is not None:
        labels = (server, ",".join(map(names.to_text, cache.zones)), "")
        for metric, number in _of_cache(cache, resolver.counts):
            sums[f"coredns_cache_{metric}_total", labels, 0] += number
    return sums


def count_request(sums: Sums, host: str, method: str, code: str, seconds: float) -> None:
    """Count a request to the API server at `host`, answered or failed after so many seconds."""
    name = "coredns_kubernetes_rest_client_request"
    sums[f"{name}s_total", (code, method, host), 0] += 1
    observe(sums, f"{name}_duration_seconds", (method, host), seconds)


def _of_cache(cache: CacheSettings, counts: Counter[str]) -> Iterator[tuple[str, int]]:
    if not cache.stale:
        # Otherwise a miss that ends with an expired reply is among both.
        yield "requests", counts["hit"] + counts["miss"]
    yield "hits", counts["hit"]
    yield "misses", counts["miss"]
    yield "prefetch", counts["prefetched"]
    yield "served_stale", counts["stale"]


def _rcode_text(code: int) -> str:
    return Rcode(code).name if code in set(Rcode) else f"RCODE{code}"

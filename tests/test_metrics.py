"""Numbers as they are shown: names, labels and buckets as dashboards and promtool expect them."""

import os
from collections import defaultdict

import pytest
from prometheus_client.parser import text_string_to_metric_families

from skydns_py.metrics import SHAPES, SUM, Cell, Sums, added, expose, observe, registry_of
from tests.e2e.tools import needs
from tests.processes import run

SERVER = ("dns://:53", ".", "")
REQUESTS = "coredns_dns_requests_total"
SECONDS = "coredns_dns_request_duration_seconds"


def shown(cells: dict[Cell, float], *pids: int) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return what a scraper reads: labels and value of each sample by its name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    text = expose(registry_of(lambda: cells, lambda: pids)).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name].append((sample.labels, sample.value))
    return found


def one_of_each() -> dict[Cell, float]:
    """Return cells in which every metric there is has a number."""
    sums: Sums = defaultdict(float)
    for name, shape in SHAPES.items():
        labels = tuple("x" for _ in shape.labels)
        if shape.bounds:
            observe(sums, name, labels, 1.5)
        else:
            sums[name, labels, 0] = 1
    return sums


def test_a_counter_has_its_labels_by_name():
    """A counter's cell is shown under its own name with a value for each label."""
    cells: dict[Cell, float] = {(REQUESTS, (*SERVER, "udp", "1", "A"), 0): 7}

    labels = {"server": "dns://:53", "zone": ".", "view": "", "proto": "udp", "family": "1"}
    assert {REQUESTS: [(labels | {"type": "A"}, 7.0)]} == shown(cells)


def test_a_histogram_is_cumulated():
    """Each bucket shows all values up to its bound, the bound included, and the last one all."""
    sums: Sums = defaultdict(float)
    for seconds, times in ((0.00025, 3), (0.0003, 2), (8.0, 1), (9.0, 1)):
        observe(sums, SECONDS, SERVER, seconds, times)

    found = shown(sums)
    buckets = {labels["le"]: value for labels, value in found[f"{SECONDS}_bucket"]}

    assert 17 == len(buckets)
    assert [3, 5, 5, 6, 7] == [
        buckets[bound] for bound in ("0.00025", "0.0005", "4.096", "8.192", "+Inf")
    ]
    assert [7] == [value for _, value in found[f"{SECONDS}_count"]]
    assert [pytest.approx(17.00135)] == [value for _, value in found[f"{SECONDS}_sum"]]


def test_what_was_not_measured_is_absent():
    """A metric without a number is not shown at all: 0 would be a figure, too."""
    assert {} == shown({})


def test_a_total_of_nothing_is_shown():
    """A counter that stands at 0 is shown: alerts compare it with what comes."""
    assert [({}, 0.0)] == shown({("coredns_panics_total", (), 0): 0})["coredns_panics_total"]


def test_parts_add_up():
    """What several processes counted is added cell by cell, and none of them is changed."""
    one: dict[Cell, float] = {(REQUESTS, ("a",), 0): 1, (SECONDS, SERVER, SUM): 0.5}
    two: dict[Cell, float] = {(REQUESTS, ("a",), 0): 2, (REQUESTS, ("b",), 0): 4}

    assert {
        (REQUESTS, ("a",), 0): 3,
        (REQUESTS, ("b",), 0): 4,
        (SECONDS, SERVER, SUM): 0.5,
    } == added((one, two))
    assert {(REQUESTS, ("a",), 0): 1, (SECONDS, SERVER, SUM): 0.5} == one


def test_processes_are_added_up():
    """Memory of two processes is their sum, the start is that of the first."""
    alone = shown({}, os.getpid())
    twice = shown({}, os.getpid(), os.getpid())

    assert 2 == pytest.approx(
        value(twice, "process_resident_memory_bytes")
        / value(alone, "process_resident_memory_bytes"),
        rel=0.1,
    )
    for name in ("process_start_time_seconds", "process_max_fds"):
        assert value(alone, name) == value(twice, name)


def test_a_process_that_is_gone_adds_nothing():
    """A worker that has just ended does not keep the others from being told."""
    gone = 2**22 + 1  # above the largest id that Linux gives

    found = shown({}, os.getpid(), gone)

    assert value(found, "process_resident_memory_bytes") > 0


@needs("promtool", "prometheus")
async def test_promtool_has_nothing_to_say():
    """Prometheus's own linter takes every metric there is."""
    text = expose(registry_of(one_of_each, lambda: (os.getpid(),))).decode()

    ended = await run("promtool", "check", "metrics", stdin=text)

    assert (0, "", "") == (ended.code, ended.out, ended.err)


def value(found: dict[str, list[tuple[dict[str, str], float]]], name: str) -> float:
    ((_, number),) = found[name]
    return number

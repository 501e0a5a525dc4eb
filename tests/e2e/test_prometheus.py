"""A running server, scraped: by curl for the numbers, and by Prometheus itself."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.cluster import fill, http
from tests.e2e.tools import needs
from tests.fakes.apiserver import ApiServer
from tests.processes import LIMIT, OURS, Program, answers, ask, free_port, run, started

NAME = "web.shop.svc.cluster.local"
ASKED = 40

Numbers = dict[tuple[str, tuple[str, ...]], float]


def corefile(folder: Path, api: ApiServer, metrics: int) -> Path:
    """Write a Corefile whose metrics are shown on a port; two blocks share it."""
    path = folder / "Corefile"
    path.write_text(f"""\
. {{
    bind 127.0.0.1
    kubernetes cluster.local {{
        endpoint {api.url}
    }}
    prometheus 127.0.0.1:{metrics}
}}
example.org {{
    bind 127.0.0.1
    kubernetes example.org {{
        endpoint {api.url}
    }}
    prometheus 127.0.0.1:{metrics}
}}
""")
    return path


async def scraped(port: int) -> Numbers:
    """Return every sample by its name and the values of its labels, in the order of their names."""
    status, text = await http(f"http://127.0.0.1:{port}/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped_until(port: int, is_there: Callable[[Numbers], bool]) -> Numbers:
    """Scrape until something is there: workers tell what they count once a second."""
    found: Numbers = {}
    try:
        async with asyncio.timeout(LIMIT):
            while not is_there(found := await scraped(port)):
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"it was not there: {found}")
    return found


def total(numbers: Numbers, name: str) -> float:
    return sum(number for (each, _), number in numbers.items() if each == name)


@needs("curl", "curl")
@pytest.mark.parametrize("workers", ["0", "2"])
async def test_every_query_is_shown(workers: str, tmp_path: Path):
    """What was asked is what is shown, with a block's zone; with workers it is their sum."""
    port, metrics = free_port(), free_port()
    async with ApiServer() as api:
        await fill(api)
        conf = corefile(tmp_path, api, metrics)
        command = ("--conf", conf, "--dns-port", str(port), "--workers", workers)
        async with started(*OURS, "serve", *command) as program:
            await program.line("[INFO] dns/tcp")
            await asking(program, port)

            numbers = await scraped_until(
                metrics, lambda found: total(found, "coredns_dns_responses_total") >= ASKED + 1
            )

            server = f"dns://127.0.0.1:{port}"
            assert {
                (("1", "udp", server, "A", "", "."), ASKED),
                (("1", "udp", server, "A", "", "example.org."), 1),
            } == {
                (labels, number)
                for (name, labels), number in numbers.items()
                if name == "coredns_dns_requests_total"
            }
            assert ASKED + 1 == total(numbers, "coredns_dns_request_duration_seconds_count")
            assert ASKED + 1 == total(numbers, "coredns_dns_request_size_bytes_count")
            assert total(numbers, "coredns_kubernetes_rest_client_requests_total") > 0
            assert total(numbers, "process_resident_memory_bytes") > 0


async def asking(program: Program, port: int) -> None:
    for _ in range(ASKED):
        assert answers(await ask("127.0.0.1", port, NAME)) == ["192.0.2.10"]
    await ask("127.0.0.1", port, "web.shop.svc.example.org")
    assert program.process.returncode is None


@needs("prometheus", "prometheus")
async def test_prometheus_takes_them(tmp_path: Path):
    """Prometheus finds the target up, and answers the questions that dashboards put."""
    port, metrics, own = free_port(), free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: coredns
  static_configs: [{{targets: ["127.0.0.1:{metrics}"]}}]
""")
    prometheus = (
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}",
    )
    async with ApiServer() as api:
        await fill(api)
        conf = corefile(tmp_path, api, metrics)
        async with started(*OURS, "-conf", conf, "-dns.port", str(port)) as program:
            await program.line("[INFO] dns/tcp")
            await asking(program, port)
            async with started(*prometheus):
                assert await queried(own, 'up{job="coredns"}') == 1
                assert ASKED == await queried(
                    own, 'sum(coredns_dns_requests_total{zone=".",type="A",proto="udp"})'
                )
                assert ASKED + 1 == await queried(
                    own, 'sum(coredns_dns_request_duration_seconds_bucket{le="+Inf"})'
                )
                assert await queried(own, "sum(coredns_build_info)") == 1


async def queried(port: int, expression: str) -> float:
    """Return what Prometheus makes of an expression, once it makes something of it."""
    url = f"http://127.0.0.1:{port}/api/v1/query"
    query = ("curl", "-sS", "--max-time", "5", "-G", url, "--data-urlencode", f"query={expression}")
    async with asyncio.timeout(LIMIT):
        while True:
            ended = await run(*query)
            if ended.code == 0 and (found := json.loads(ended.out)["data"]["result"]):
                return float(found[0]["value"][1])
            await asyncio.sleep(0.1)

"""A shop in a fake API server, and the kubeconfig that leads to it."""

import asyncio
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.apiserver import ApiServer
from tests.fakes.objects import endpoint_slice, namespace, service
from tests.processes import LIMIT, run


async def fill(api: ApiServer) -> None:
    """Put two namespaces, two Services and the endpoints of one of them into the cluster."""
    await api.put(*objects())


def objects() -> list[dict[str, Any]]:
    return [
        namespace("default"),
        namespace("kube-system"),
        namespace("shop"),
        namespace("billing"),
        service("default", "kubernetes", "10.96.0.1"),
        service("shop", "web", "192.0.2.10"),
        service("billing", "ledger", "192.0.2.80"),
        endpoint_slice("shop", "web-1", "web", "198.51.100.7"),
    ]


def manifest(folder: Path) -> Path:
    """Write the same objects as a file of manifests."""
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump_all(objects()))
    return path


def kubeconfig(folder: Path, api: ApiServer) -> Path:
    """Write a kubeconfig whose current context is the fake server, with a token."""
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "shop",
        "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "reader"}}],
        "clusters": [{"name": "shop", "cluster": {"server": api.url}}],
        "users": [{"name": "reader", "user": {"token": "example-token"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


async def http(url: str) -> tuple[int, str]:
    """Return status and text of a page; status 0 while nobody listens there."""
    done = await run("curl", "-sS", "--max-time", "5", "-w", "\n%{http_code}", url)
    text, _, status = done.out.rpartition("\n")
    return int(status or 0), text


async def http_until(url: str, expected: tuple[int, str]) -> None:
    """Ask until the answer is the expected one."""
    actual = None
    try:
        async with asyncio.timeout(LIMIT):
            while (actual := await http(url)) != expected:
                await asyncio.sleep(0.02)
    except TimeoutError:
        assert expected == actual

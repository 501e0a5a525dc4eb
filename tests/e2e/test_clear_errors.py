"""What an operator gets wrong: a sentence, exit code 2, and never the program's insides."""

import socket
from pathlib import Path

import pytest

from tests.e2e.tools import needs, needs_root
from tests.processes import EXAMPLES, OURS, Ended, has_trace, run, skydns


def check(done: Ended, *parts: str) -> None:
    """Check that the end was a sentence with these parts, and no trace."""
    assert done.code == 2, done
    assert not has_trace([done.out, done.err])
    assert done.err.startswith("skydns-py: ")
    for part in parts:
        assert part in done.err


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
async def test_a_port_that_is_taken(kind: socket.SocketKind):
    """A port another program holds is named, with how to find that program."""
    with socket.socket(type=kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]

        done = await skydns("serve", "--manifests", EXAMPLES, "--listen", f"127.0.0.1:{port}")

    check(done, f"127.0.0.1 port {port}", "another program holds it", "ss -lnp")


async def test_an_http_port_that_is_taken():
    """The HTTP address is named when it cannot be served."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = await skydns(
            "serve", "--manifests", EXAMPLES, "--listen", "127.0.0.1:0", "--http", f":{port}"
        )

    check(done, f"port {port}")


@needs_root
@needs("setpriv", "util-linux")
async def test_a_port_that_needs_privileges():
    """Port 53 without privileges is refused with the capability that a pod's manifest can add."""
    low = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(low.read_text()) <= 53:
        pytest.skip("any user may take port 53 here")
    dropped = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    done = await run(*dropped, *OURS, "serve", "--manifests", EXAMPLES, "--listen", "127.0.0.1:53")

    check(done, "port 53", "NET_BIND_SERVICE")


async def test_an_address_of_another_machine():
    """An address that no interface has is named."""
    done = await skydns("serve", "--manifests", EXAMPLES, "--listen", "192.0.2.1:5353")

    check(done, "192.0.2.1", "no interface of this host has that address")


async def test_a_manifest_that_cannot_be_meant(tmp_path: Path):
    """A mistake in a manifest is told with file, line, object and field."""
    path = tmp_path / "shop.yaml"
    path.write_text((EXAMPLES / "billing.yaml").read_text().replace("port: 443", "port: https"))

    done = await skydns("serve", "--manifests", path, "--listen", "127.0.0.1:0")

    check(done, "shop.yaml:", "Service billing/ledger", "spec.ports[0].port")


async def test_a_kubeconfig_that_is_not_there():
    """A kubeconfig that does not exist is named by its flag and path."""
    done = await skydns("serve", "--kubeconfig", "/nonexistent/config")

    check(done, "--kubeconfig", "/nonexistent/config")


async def test_no_cluster_at_all():
    """Without any origin the three ways to name one are shown."""
    done = await skydns("serve", "--listen", "127.0.0.1:0")

    check(done, "--kubeconfig", "--in-cluster", "--manifests")


async def test_a_corefile_that_is_not_there(tmp_path: Path):
    """A Corefile that cannot be read is named."""
    done = await skydns("serve", "--conf", tmp_path / "Corefile")

    check(done, "Corefile", "No such file")


async def test_a_pidfile_that_cannot_be_written(tmp_path: Path):
    """A pidfile in a folder that is not there stops the start."""
    path = tmp_path / "none" / "pid"
    done = await skydns(
        "serve", "--manifests", EXAMPLES, "--listen", "127.0.0.1:0", "--pidfile", path
    )

    check(done, str(path))


async def test_a_server_that_is_not_there():
    """A server that cannot be asked is something outside that failed: exit code 1."""
    done = await skydns("names", "--server", "http://127.0.0.1:9")

    assert done.code == 1
    assert done.err.startswith("skydns-py: http://127.0.0.1:9 cannot be asked: ")
    assert not has_trace([done.err])

"""In CoreDNS's place: its arguments, its Corefile, its probes, its signals."""

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.cluster import fill, http, http_until
from tests.e2e.tools import needs
from tests.fakes.apiserver import ApiServer
from tests.processes import (
    OURS,
    ROOT,
    answers,
    ask,
    free_port,
    has_trace,
    listening,
    skydns,
    started,
)

COREFILES = ROOT / "tests" / "fixtures" / "corefiles"

NAME = "web.shop.svc.cluster.local"


def corefile(folder: Path, endpoint: str, *, health: int, ready: int, options: str = "") -> Path:
    """Write kubeadm's Corefile without what is not built, leading to an API server of ours."""
    path = folder / "Corefile"
    path.write_text(f"""\
. {{
    errors
    health 127.0.0.1:{health} {{
       lameduck 1s
    }}
    ready 127.0.0.1:{ready}
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       endpoint {endpoint}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
       {options}
    }}
    prometheus 127.0.0.1:{free_port()}
    forward . 127.0.0.1:{free_port()} {{
       max_concurrent 1000
    }}
    cache 30 {{
       disable success cluster.local
       disable denial cluster.local
    }}
    loop
    loadbalance
}}
""")
    return path


async def test_version():
    """`-version` says what runs, as CoreDNS does: name and version, then the platform."""
    done = await skydns("-version")

    assert done.code == 0
    assert done.out.startswith("skydns-py-")
    assert len(done.out.splitlines()) == 2


async def test_plugins():
    """`-plugins` lists the directives that are built, `dns.` before each."""
    done = await skydns("-plugins")

    assert done.code == 0
    assert "dns.kubernetes" in done.out.splitlines()


async def test_an_argument_that_is_none_of_coredns():
    """An unknown argument is named, with those there are, and the exit code is 2."""
    done = await skydns("-conff", "Corefile")

    assert done.code == 2
    assert "-conff" in done.err
    assert "-conf" in done.err
    assert not has_trace([done.err])


async def test_the_corefile_of_kubeadm_stops_with_what_is_not_built():
    """Every directive that is not built yet is named with its line, all at once, and nothing runs.

    To answer without them would be to answer something else than was asked for.
    """
    path = COREFILES / "kubeadm"
    done = await skydns("-conf", path)

    assert done.code == 2
    assert done.out == ""
    told = [line.split("`")[:2] for line in done.err.splitlines()]
    lines = path.read_text().splitlines()
    for place, directive in told:
        number = int(place.rstrip(": ").rpartition(":")[2])
        assert lines[number - 1].split()[0] == directive
    assert not has_trace([done.err])
    assert ["reload"] == [directive for _, directive in told]


@needs("curl", "curl")
async def test_the_same_without_them_serves(tmp_path: Path):
    """The rest of kubeadm's Corefile serves on -dns.port, answers both probes, writes its pid."""
    port, health, ready = free_port(), free_port(), free_port()
    pidfile = tmp_path / "pid"
    async with ApiServer() as api:
        await fill(api)
        conf = corefile(tmp_path, api.url, health=health, ready=ready)
        command = ("-conf", conf, "-dns.port", str(port), "-pidfile", pidfile)
        async with started(*OURS, *command) as program:
            await program.line(f"dns/udp 127.0.0.1:{port}")

            assert answers(await ask("127.0.0.1", port, NAME)) == ["192.0.2.10"]
            assert pidfile.read_text() == f"{program.process.pid}\n"
            assert await http(f"http://127.0.0.1:{health}/health") == (200, "OK")
            assert await http(f"http://127.0.0.1:{ready}/ready") == (200, "OK")


@needs("curl", "curl")
async def test_readiness_waits_for_the_cluster(tmp_path: Path):
    """/ready is 503 with the name of what is missing until the cluster is read, /health is 200."""
    port, health, ready = free_port(), free_port(), free_port()
    async with ApiServer() as api:
        await fill(api)
        api.refuse("services", 503)
        conf = corefile(
            tmp_path, api.url, health=health, ready=ready, options="startup_timeout 60s"
        )
        async with started(*OURS, "-conf", conf, "-dns.port", str(port)):
            await http_until(f"http://127.0.0.1:{ready}/ready", (503, "kubernetes"))
            assert await http(f"http://127.0.0.1:{health}/health") == (200, "OK")

            api.allow("services")

            await http_until(f"http://127.0.0.1:{ready}/ready", (200, "OK"))


@needs("curl", "curl")
async def test_a_lame_duck_answers_while_readiness_says_no(tmp_path: Path):
    """After SIGTERM /ready is 503 at once, DNS and /health go on for the lame-duck time, exit 0."""
    port, health, ready = free_port(), free_port(), free_port()
    async with ApiServer() as api:
        await fill(api)
        conf = corefile(tmp_path, api.url, health=health, ready=ready)
        command = ("-conf", conf, "-dns.port", str(port))
        async with started(*OURS, *command) as program:
            await program.line("[INFO] dns/tcp")
            program.process.terminate()
            await program.line("going into lameduck mode")
            began = time.monotonic()

            status, _ = await http(f"http://127.0.0.1:{ready}/ready")
            assert status == 503
            assert await http(f"http://127.0.0.1:{health}/health") == (200, "OK")
            assert answers(await ask("127.0.0.1", port, NAME)) == ["192.0.2.10"]

            assert await program.wait() == 0
            # As long as the Corefile says: the probes of a load balancer have time to notice.
            assert time.monotonic() - began > 0.5
            assert not has_trace(program.out + program.err)


@pytest.mark.parametrize("workers", ["0", "2"])
async def test_a_second_signal_ends_it_at_once(workers: str, tmp_path: Path):
    """A second SIGTERM ends the wait of the lame duck; the code is the 143 of a shell."""
    async with ApiServer() as api:
        await fill(api)
        conf = corefile(tmp_path, api.url, health=free_port(), ready=free_port())
        conf.write_text(conf.read_text().replace("lameduck 1s", "lameduck 60s"))
        command = ("--conf", conf, "--dns-port", str(free_port()), "--workers", workers)
        async with started(*OURS, "serve", *command) as program:
            await program.line("[INFO] dns/tcp")
            program.process.terminate()
            await program.line("going into lameduck mode")

            assert await program.end() == 128 + signal.SIGTERM
            assert not has_trace(program.out + program.err)


async def test_quiet_tells_only_what_is_wrong(tmp_path: Path):
    """With -quiet a good start writes nothing at all."""
    port = free_port()
    async with ApiServer() as api:
        await fill(api)
        conf = tmp_path / "Corefile"
        conf.write_text(
            f"cluster.local:{port} {{\n"
            "    bind 127.0.0.1\n"
            "    kubernetes {\n"
            f"        endpoint {api.url}\n"
            "    }\n"
            "}\n"
        )
        async with started(*OURS, "-quiet", "-conf", conf) as program:
            await listening(port)
            reply = await ask("127.0.0.1", port, NAME)
            assert answers(reply) == ["192.0.2.10"]
            assert await program.end() == 0
            assert program.out == []
            assert program.err == []


async def test_check_says_that_a_corefile_would_start():
    """`check` reads a Corefile as a start would, and exits with 0 when nothing is wrong."""
    done = await skydns("check", COREFILES / "kubeadm-built")

    assert done.code == 0
    assert "ready to serve" in done.out

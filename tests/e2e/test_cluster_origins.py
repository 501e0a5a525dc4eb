"""A cluster behind a kubeconfig, and the same objects from elsewhere: what is said must agree."""

import asyncio
from pathlib import Path

import dns.edns
import pytest

from tests.e2e.cluster import fill, kubeconfig, manifest
from tests.fakes.apiserver import ApiServer
from tests.fakes.eventually import eventually
from tests.fakes.objects import service
from tests.processes import LIMIT, Program, answers, ask, has_trace, serving, skydns

NAME = "web.shop.svc.cluster.local"


async def answered(program: Program, name: str, expected: list[str]) -> None:
    """Ask until the answer is the expected one."""
    async with asyncio.timeout(LIMIT):
        while answers(await program.ask(name)) != expected:
            await asyncio.sleep(0.01)


def without_serials(listing: str) -> list[str]:
    """Drop the SOA records: their serial is the time of a change."""
    return [line for line in listing.splitlines() if " SOA " not in line]


@pytest.mark.parametrize("workers", ["0", "2"], ids=["alone", "workers"])
async def test_a_kubeconfig_is_served(workers: str, tmp_path: Path):
    """`serve --kubeconfig` answers from the cluster it names, and for what is new there."""
    async with ApiServer() as api:
        api.tokens = {"example-token"}
        await fill(api)
        options = ("--kubeconfig", kubeconfig(tmp_path, api), "--workers", workers)
        async with serving(*options) as program:
            assert answers(await program.ask(NAME)) == ["192.0.2.10"]

            await api.put(service("shop", "new", "192.0.2.11"))
            await answered(program, "new.shop.svc.cluster.local", ["192.0.2.11"])

            assert await program.interrupt() == 0
            assert not has_trace(program.out + program.err)


@pytest.mark.parametrize("command", [("names",), ("env", "-n", "shop")], ids=["names", "env"])
async def test_every_origin_says_the_same(command: tuple[str, ...], tmp_path: Path):
    """A cluster, its dump, and a server that has read it give the same names and variables."""
    async with ApiServer() as api:
        await fill(api)
        conf = kubeconfig(tmp_path, api)
        async with serving("--kubeconfig", conf) as program:
            url = await program.url()
            from_cluster = await skydns(*command, "--kubeconfig", conf)
            from_server = await skydns(*command, "--server", url)
        from_file = await skydns(*command, "--manifests", manifest(tmp_path))

    assert [0, 0, 0] == [from_cluster.code, from_server.code, from_file.code]
    records = [line for line in without_serials(from_cluster.out) if line[:1] != ";"]
    assert len(records) > 8
    assert records == without_serials(from_server.out)
    assert without_serials(from_cluster.out) == without_serials(from_file.out)


async def test_kubeconfig_of_the_environment_is_found(tmp_path: Path):
    """Without an origin the files of $KUBECONFIG are the cluster, as with kubectl."""
    async with ApiServer() as api:
        await fill(api)
        path = str(kubeconfig(tmp_path, api))
        done = await skydns("env", "-n", "shop", KUBECONFIG=path)

    assert done.code == 0
    assert "WEB_SERVICE_HOST=192.0.2.10" in done.out.splitlines()


async def test_a_cluster_that_never_answers_is_not_denied(tmp_path: Path):
    """Unsynced after startup_timeout, DNS says SERVFAIL and Not Ready, never NXDOMAIN."""
    async with ApiServer() as api:
        api.refuse("services", 503)
        async with serving("--kubeconfig", kubeconfig(tmp_path, api)) as program:
            await program.line("starting server with unsynced Kubernetes API")
            reply = await program.ask(NAME)

            assert answers(reply) == ["SERVFAIL"]
            codes = [int(o.code) for o in reply.options if isinstance(o, dns.edns.EDEOption)]
            assert codes == [dns.edns.EDECode.NOT_READY]
            assert await program.end() == 0
            assert not has_trace(program.out + program.err)


async def test_a_cluster_that_is_lost_goes_on_being_answered(tmp_path: Path):
    """When the API server goes away the last state is answered, and the log says it is gone."""
    async with ApiServer() as api:
        await fill(api)
        async with serving("--kubeconfig", kubeconfig(tmp_path, api)) as program:
            assert answers(await program.ask(NAME)) == ["192.0.2.10"]
            host, port = await program.address("dns/udp")

            await api.stop()
            told = await program.line("[ERROR] plugin/kubernetes: services")

            assert "127.0.0.1" in told
            assert answers(await ask(host, port, NAME)) == ["192.0.2.10"]
            assert answers(await ask(host, port, "no.shop.svc.cluster.local")) == ["NXDOMAIN"]

            await api.start()
            assert await eventually(lambda: [line for line in program.out if "again" in line])


async def test_what_a_format_cannot_hold_is_refused_alike_by_command_and_server(tmp_path: Path):
    """A variable that `docker --env-file` cannot have is named, and nothing is half written."""
    async with ApiServer() as api:
        await fill(api)
        # No API server lets this in; whatever stands there, no line is made of it.
        await api.put(service("shop", "we b", "192.0.2.12"))
        conf = kubeconfig(tmp_path, api)
        async with serving("--kubeconfig", conf) as program:
            url = await program.url()
            by_server = await skydns("env", "-n", "shop", "--server", url)
        by_command = await skydns("env", "-n", "shop", "--kubeconfig", conf)

    for done in (by_server, by_command):
        assert done.code == 1
        assert done.out == ""
        assert done.err.startswith("skydns-py: ")
        assert "WE B_SERVICE_HOST" in done.err
        assert not has_trace([done.err])

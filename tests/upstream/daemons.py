"""Real name servers on the loopback, from the system's packages, with a zone of edge cases.

Each is one process in the foreground, ended by the one who started it.
"""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import pytest

from skydns_py.settings.upstream_shapes import Upstream

ZONE = """$ORIGIN example.org.
$TTL 300
@ IN SOA ns root 1 7200 3600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www 30 IN A 192.0.2.80
c1 IN CNAME c2
c2 20 IN CNAME c3
c3 IN CNAME www
lost IN CNAME nowhere
text IN TXT "one" "two"
mail IN MX 10 www
_http._tcp IN SRV 0 10 80 www
*.wild IN A 192.0.2.81
below.empty IN A 192.0.2.82
zero 0 IN A 192.0.2.83
escaped\\.dot IN A 192.0.2.84
""" + "".join(f'many IN TXT "{i:03} {"x" * 90}"\n' for i in range(60))

NSD = """server:
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  cookie-secret-file: "{folder}/cookies"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: example.org
  zonefile: {folder}/zone
"""

UNBOUND = """server:
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  num-threads: 1
remote-control:
  control-enable: no
auth-zone:
  name: example.org
  zonefile: {folder}/zone
  for-downstream: yes
  for-upstream: no
"""

COMMANDS = {
    "nsd": ("nsd", NSD, ["-d", "-c", "{folder}/conf"]),
    "unbound": ("unbound", UNBOUND, ["-d", "-c", "{folder}/conf"]),
    "dnsmasq": (
        "dnsmasq-base",
        "",
        [
            *("-k", "-C", "{folder}/conf", "-p", "{port}", "-u", "", "-x", "", "-R", "-h"),
            *("--listen-address=127.0.0.1", "--bind-interfaces", "--auth-ttl=300"),
            *("--host-record=www.example.org,192.0.2.80,30", "--local=/example.org/"),
            *("--cname=c1.example.org,c3.example.org", "--cname=c3.example.org,www.example.org"),
        ],
    ),
}


@contextlib.asynccontextmanager
async def running(program: str, folder: Path) -> AsyncIterator[Upstream]:
    """Run a name server that answers for `example.org`; skip the test where it is not installed."""
    package, conf, arguments = COMMANDS[program]
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"{program} is missing: apt-get install {package}")
    port = _free_port()
    (folder / "zone").write_text(ZONE)
    (folder / "conf").write_text(conf.format(folder=folder, port=port))
    arguments = [argument.format(folder=folder, port=port) for argument in arguments]
    process = await asyncio.create_subprocess_exec(
        path,
        *arguments,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
    )
    try:
        await _until_it_answers(port, process, folder / "log")
        yield Upstream("127.0.0.1", port)
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_it_answers(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    query = dns.message.make_query("www.example.org", "A")
    async with asyncio.timeout(10):
        while True:
            assert process.returncode is None, log.read_text()
            with contextlib.suppress(OSError, dns.exception.DNSException):
                reply = await dns.asyncquery.udp(query, "127.0.0.1", port=port, timeout=0.2)
                if reply.answer:
                    return
            await asyncio.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

"""The servers that are compared: how each is configured, alike as far as it can be.

Each answers for the same cluster, on a port of 127.0.0.1 of its own, with one process or thread
that answers, from files written for this run; nothing of the machine's own configuration is read.
This module never starts anything.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench import cluster

Command = Sequence[str | Path]


class Site(msgspec.Struct, frozen=True):
    """Where a server runs: its folder, its port, and what it can know the cluster from.

    `records` are zone-file lines, `kubeconfig` leads to an API server, `api` is that one's address.
    """

    folder: Path
    port: int
    records: Sequence[str]
    kubeconfig: Path
    api: str


class Server(msgspec.Struct, frozen=True):
    """A server: `program` is looked for on PATH, Debian has it in `package`.

    `configure` writes what it needs and returns its command.
    `over_tcp` tells whether it answers by TCP at all, `checked` whether answers can be true.
    """

    name: str
    program: str
    package: str
    configure: Callable[[Site], Command]
    over_tcp: bool = True
    checked: bool = True

    @property
    def is_here(self) -> bool:
        """Whether the program is on PATH."""
        return shutil.which(self.program) is not None


def _ours(site: Site) -> Command:
    return _skydns(site, 0)


def _our_workers(site: Site) -> Command:
    return _skydns(site, 2)


def _skydns(site: Site, workers: int) -> Command:
    listen = f"127.0.0.1:{site.port}"
    return (
        *(sys.executable, "-m", "skydns_py", "serve", "--kubeconfig", site.kubeconfig),
        *("--listen", listen, "--workers", str(workers), "--quiet"),
    )


def _echo(site: Site) -> Command:
    return (site.folder.parent / "echo", str(site.port))


def _nsd(site: Site) -> Command:
    _write_zone(site)
    return _configured(site, "nsd.conf", _NSD, "nsd", "-d", "-c")


def _knot(site: Site) -> Command:
    _write_zone(site)
    return _configured(site, "knot.conf", _KNOT, "knotd", "-c")


def _unbound(site: Site) -> Command:
    lines = [f"local-data: '{record}'" for record in site.records]
    return _configured(
        site, "unbound.conf", "\n".join((_UNBOUND, *lines, "")), "unbound", "-dp", "-c"
    )


def _dnsmasq(site: Site) -> Command:
    hosts = site.folder / "hosts"
    found = (record.split() for record in site.records)
    hosts.write_text("".join(f"{f[4]} {f[0].rstrip('.')}\n" for f in found if f[3] == "A"))
    return (
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"),
        *(f"--port={site.port}", "--listen-address=127.0.0.1", "--bind-interfaces"),
        *(f"--local=/{cluster.ZONE}/", f"--addn-hosts={hosts}", "--local-ttl=5", "--pid-file="),
        *("--user=root", "--log-facility=/dev/null"),
    )


def _coredns(site: Site) -> Command:
    return _corefile(site, f"kubernetes {cluster.ZONE} {{\n endpoint {site.api}\n ttl 5\n }}")


def _coredns_file(site: Site) -> Command:
    return _corefile(site, f"file {_write_zone(site)}")


def _corefile(site: Site, directive: str) -> Command:
    text = f"{cluster.ZONE}:{site.port} {{\n bind 127.0.0.1\n {directive}\n}}\n"
    (site.folder / "Corefile").write_text(text)
    return ("env", "GOMAXPROCS=1", "coredns", "-conf", site.folder / "Corefile")


def _write_zone(site: Site) -> Path:
    path = site.folder / "zone"
    path.write_text("\n".join((*site.records, "")))
    return path


def _configured(site: Site, name: str, template: str, *command: str) -> Command:
    text = template.replace("PORT", str(site.port)).replace("FOLDER", str(site.folder))
    (site.folder / name).write_text(text.replace("ZONE", cluster.ZONE))
    return (*command, site.folder / name)


_NSD: Final = """
server:
  server-count: 1
  ip-address: 127.0.0.1
  port: PORT
  username: ""
  zonesdir: "FOLDER"
  database: ""
  xfrdfile: "FOLDER/xfrd"
  xfrdir: "FOLDER"
  zonelistfile: "FOLDER/zones"
  pidfile: ""
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ZONE
  zonefile: zone
"""

_KNOT: Final = """
server:
  listen: 127.0.0.1@PORT
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  rundir: FOLDER
control:
  listen: FOLDER/control
database:
  storage: FOLDER
zone:
  - domain: ZONE
    storage: FOLDER
    file: zone
    zonefile-sync: -1
    journal-content: none
"""

_UNBOUND: Final = """
server:
  interface: 127.0.0.1@PORT
  num-threads: 1
  username: ""
  chroot: ""
  directory: "FOLDER"
  pidfile: ""
  use-syslog: no
  logfile: "FOLDER/log"
  module-config: "iterator"
  minimal-responses: no
  local-zone: "ZONE" static
remote-control:
  control-enable: no
server:
"""

OURS: Final = Server("skydns-py", sys.executable, "", _ours)

ECHO: Final = Server("C echo", "gcc", "gcc", _echo, over_tcp=False, checked=False)

SERVERS: Final = (
    ECHO,
    OURS,
    Server("Knot DNS", "knotd", "knot", _knot),
    Server("NSD", "nsd", "nsd", _nsd),
    Server("Unbound", "unbound", "unbound", _unbound),
    Server("dnsmasq", "dnsmasq", "dnsmasq-base", _dnsmasq),
    Server("CoreDNS kubernetes", "coredns", "", _coredns),
    Server("CoreDNS file", "coredns", "", _coredns_file),
)

OUR_WORKERS: Final = Server("skydns-py, 2 workers", sys.executable, "", _our_workers)

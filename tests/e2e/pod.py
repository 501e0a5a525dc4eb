"""A pod for tests: a network namespace with the resolv.conf that a kubelet would write.

It reaches one address only, that of the server on the host's side of the cable.
Everything that is made here is taken away again, whatever happens.
"""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from tests.processes import Ended, run

RESOLV_CONF = """\
search shop.svc.cluster.local svc.cluster.local cluster.local
nameserver {nameserver}
options ndots:5
"""


class Pod:
    """A namespace of the network; `server` is the address that its resolv.conf names."""

    def __init__(self, name: str, server: str) -> None:
        self.name = name
        self.server = server

    async def run(self, *command: str | Path) -> Ended:
        """Run a command in the pod."""
        return await run("ip", "netns", "exec", self.name, *command)


@contextlib.asynccontextmanager
async def pod() -> AsyncIterator[Pod]:
    """Make a pod of namespace `shop`, and take it away again."""
    number = os.getpid() % 10_000
    name, cable = f"pod-{number}", f"veth{number}"
    # Addresses of RFC 5737, another pair in each process that runs these tests.
    base = number % 64 * 4
    server, own = f"198.51.100.{base + 1}", f"198.51.100.{base + 2}"
    etc = Path("/etc/netns") / name
    try:
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text(RESOLV_CONF.format(nameserver=server))
        (etc / "nsswitch.conf").write_text("hosts: files dns\n")
        for words in (
            f"netns add {name}",
            f"link add {cable} type veth peer name eth0 netns {name}",
            f"addr add {server}/30 dev {cable}",
            f"link set {cable} up",
            f"-n {name} addr add {own}/30 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
        ):
            done = await run("ip", *words.split())
            assert done.code == 0, (words, done.err)
        yield Pod(name, server)
    finally:
        await run("ip", "link", "delete", cable)
        await run("ip", "netns", "delete", name)
        shutil.rmtree(etc, ignore_errors=True)

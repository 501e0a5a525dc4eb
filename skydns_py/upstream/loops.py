"""Find upstreams that lead back here, before a question goes round for ever.

Two ways: an upstream's address may be one that we listen on, and a name that nobody can know may
come back as a question.
Only that upstream is taken out; everything else goes on.
This module answers nothing: whoever is asked tells `Probes.seen`.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Collection, Iterable

from skydns_py import names
from skydns_py.settings.upstream_shapes import Upstream
from skydns_py.upstream.forward import Forward
from skydns_py.upstream.health import Ask
from skydns_py.upstream.question import Question

HINFO = 13

Listening = tuple[str, int]
"""An address and port that we listen on; the address is "" for every address of this machine."""


def leads_here(
    upstream: Upstream, listening: Collection[Listening], own: Iterable[str] = ()
) -> str | None:
    """Return the sentence that refuses an upstream which is ourselves, None when it is not.

    `own` are the addresses of this machine's interfaces, which a wildcard listens on besides
    the loopback's.
    """
    address = _plain(upstream.host)
    ports = {port for host, port in listening if not host}
    everywhere = address.is_loopback or address in {_plain(host) for host in own}
    exact = {(_plain(host), port) for host, port in listening if host}
    if (address, upstream.port) not in exact and not (everywhere and upstream.port in ports):
        return None
    where = f"{upstream.line}: " if upstream.line else ""
    return (
        f"{where}the upstream {upstream} is this server itself, so it is not asked;"
        " name the servers that know the rest of the world there"
    )


class Probes:
    """One secret name for each upstream; seen as a question, it tells which one leads here.

    `secret` gives so many random octets; `tell` takes the sentence for the operator.
    """

    def __init__(
        self,
        forward: Forward,
        zone: bytes,
        *,
        secret: Callable[[int], bytes],
        tell: Callable[[str], None],
    ) -> None:
        self._tell = tell
        self._upstreams = {_name(zone, secret): peer for peer in forward.peers}

    async def run(self, ask: Ask, within: float = 30.0) -> None:
        """Ask each upstream for its name once; again each second, while it cannot be reached.

        To be started when answers are given already; over after `within` seconds at most.
        """
        left = {peer.upstream: Question(name, HINFO) for name, peer in self._upstreams.items()}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while left:
                    for upstream, question in tuple(left.items()):
                        with contextlib.suppress(OSError):
                            await ask(upstream, question)
                            del left[upstream]
                    await asyncio.sleep(1)

    def seen(self, name: bytes, qtype: int) -> bool:
        """Tell whether a question is a probe; its upstream is not asked from then on."""
        if qtype != HINFO:
            return False
        peer = self._upstreams.get(name)
        if peer is None:
            return False
        if not peer.loops:
            peer.loops = True
            place = f"{peer.upstream.line}: " if peer.upstream.line else ""
            self._tell(
                f"{place}the upstream {peer.upstream} sends questions back to this server, so it"
                " is not asked any more; name one that does not forward to here"
            )
        return True


def _name(zone: bytes, secret: Callable[[int], bytes]) -> bytes:
    """Return a name of two labels of 128 random bits each, below a zone."""
    labels = (names.pack_label(secret(16).hex().encode()) for _ in range(2))
    return b"".join(labels) + zone


def _plain(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address without its scope, an IPv4 address in IPv6 as what it is."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

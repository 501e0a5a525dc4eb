"""Every directive a Corefile in use may hold, and what is said about those that are not built.

The names are those of CoreDNS 1.14's own plugins, of those it once had, and of well-known ones
that are compiled in by others.
This module never reads a directive.
"""

import difflib
from collections.abc import Collection
from typing import Final

_OWN: Final = frozenset(
    """
    acl any auto autopath azure bind bufsize cache cancel chaos clouddns debug dns64 dnssec dnstap
    erratic errors etcd file forward geoip grpc grpc_server header health hosts https https3 import
    k8s_external kubernetes loadbalance local log loop metadata minimal multisocket nomad nsid on
    pprof prometheus proxyproto quic ready reload rewrite root route53 secondary shed sign template
    timeouts tls trace transfer tsig view whoami
    """.split(),  # noqa: SIM905  (a list of sixty strings reads worse)
)
_GONE: Final = frozenset({"federation", "proxy", "reverse", "shutdown", "startup"})
_OTHERS: Final = frozenset(
    """
    ads alias alternate amazondns blocklist consul demo dnsredir docker dump ebpf example fanout
    finalize gslb idetcd ipecho ipset k8s_crd k8s_event k8s_gateway kubernetai lighthouse mdns
    meshname meship multicluster mysql netbox nftables nodecache pdsql pfdns policy records redis
    redisc rpz rrl split tailscale traefik unbound warnlist wgsd
    """.split(),  # noqa: SIM905
)


def explain_unbuilt(name: str, built: Collection[str]) -> str:
    """Say why a directive that is not among `built` is refused, and what to write instead."""
    supported = ", ".join(sorted(built))
    if name in _GONE:
        return f"`{name}` was taken out of CoreDNS; supported are: {supported}"
    if name in _OWN | _OTHERS:
        return f"`{name}` is known, but not built yet; supported are: {supported}"
    hint = did_you_mean(name, _OWN | set(built)) or f"; supported are: {supported}"
    return f"unknown directive `{name[:80]}`{hint}"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a half sentence with the known word nearest to one that is not, "" without any."""
    near = difflib.get_close_matches(word[:80].lower(), sorted(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""

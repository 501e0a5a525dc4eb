"""The command line's flags, as the same `Settings` a Corefile leads to.

One block answers, with `errors` and `loadbalance`, and where it forwards `cache 30` and `loop`, as
the kubeadm Corefile has them.
This module never parses a command line, and touches the disk only through `exists` and `read`.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import msgspec

from skydns_py import names
from skydns_py.settings import disk, values
from skydns_py.settings.findings import Findings
from skydns_py.settings.shapes import (
    Block,
    ErrorsSettings,
    InCluster,
    Kubeconfig,
    KubernetesSettings,
    Listen,
    Manifests,
    Origin,
    PodMode,
    Settings,
)
from skydns_py.settings.upstream_shapes import CacheSettings, ForwardSettings, Keep
from skydns_py.settings.upstreams import read_upstreams

DEFAULT_ZONES: Final = ("cluster.local", "in-addr.arpa", "ip6.arpa")
"""The zones kubeadm writes into its Corefile."""

SERVICE_ACCOUNT_TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105
"""Where the kubelet mounts a pod's token (Kubernetes: "Accessing the API from a Pod")."""


CACHE: Final = CacheSettings(success=Keep(max_ttl=30), denial=Keep(max_ttl=30))
"""The `cache 30` that kubeadm writes into its Corefile."""


class Flags(msgspec.Struct, frozen=True):
    """The flags as the command line has them; "" and () where one was not given.

    `forward` are the upstreams of all other names: addresses, or the paths of resolv.conf files.
    """

    kubeconfig: str = ""
    context: str = ""
    in_cluster: bool = False
    manifests: str = ""
    listen: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    http: tuple[str, ...] = ()
    ttl: int = 5
    pods: str = "disabled"
    forward: tuple[str, ...] = ()


def from_flags(
    flags: Flags,
    *,
    environ: Mapping[str, str],
    exists: Callable[[str], bool] = os.path.exists,
    read: disk.Read = disk.read,
) -> Settings:
    """Return the settings that flags ask for.

    Without `--kubeconfig`, `--in-cluster` and `--manifests`, the pod's service account is used
    when there is one, else the files of $KUBECONFIG, else ~/.kube/config.

    Raises:
        InvalidSettingsError: a flag cannot be meant, two exclude each other, no cluster is found.
    """
    findings = Findings()
    listen = _listens("--listen", flags.listen, findings) or (Listen(),)
    http = _listens("--http", flags.http, findings)
    zones = _zones(flags.zones or DEFAULT_ZONES, findings)
    _check_numbers_and_modes(flags, findings)
    forwarding = _forwarding(flags.forward, read, findings)
    origin = _origin(flags, environ, exists, findings)
    findings.settle()
    pods: PodMode = msgspec.convert(flags.pods, PodMode)
    kubernetes = KubernetesSettings(
        zones=zones,
        origin=origin,
        ttl=flags.ttl,
        pods=pods,
        # An address that is nobody's here may well be somebody's there.
        fallthrough=tuple(filter(names.is_reverse, zones)) if forwarding else (),
    )
    block = Block(
        zones=(names.ROOT,) if forwarding else zones,
        listen=listen,
        place="command line",
        kubernetes=kubernetes,
        errors=ErrorsSettings(),
        loadbalance=True,
        **forwarding,
    )
    return Settings(blocks=(block,), http=http)


def _listens(flag: str, texts: tuple[str, ...], findings: Findings) -> tuple[Listen, ...]:
    found: dict[Listen, None] = {}
    for text in texts:
        with findings.at(flag):
            found[Listen(*values.address_and_port(text))] = None
    return tuple(found)


def _zones(texts: tuple[str, ...], findings: Findings) -> tuple[bytes, ...]:
    found: dict[bytes, None] = {}
    for text in texts:
        with findings.at("--zone"):
            found |= dict.fromkeys(values.zones(text))
    if found and all(names.is_reverse(zone) for zone in found):
        findings.refuse("--zone", "only reverse zones are named; name one for services too")
    return tuple(found)


def _forwarding(texts: tuple[str, ...], read: disk.Read, findings: Findings) -> dict[str, Any]:
    if not texts:
        return {}
    to = read_upstreams(texts, "--forward", read, findings)
    return {"forward": (ForwardSettings(to=to),), "cache": CACHE, "loop": True}


def _check_numbers_and_modes(flags: Flags, findings: Findings) -> None:
    with findings.at("--ttl"):
        values.whole_number(str(flags.ttl), 0, 3600)
    with findings.at("--pods"):
        values.one_of(flags.pods, get_args(PodMode))


def _origin(
    flags: Flags,
    environ: Mapping[str, str],
    exists: Callable[[str], bool],
    findings: Findings,
) -> Origin:
    given = {
        "--kubeconfig": bool(flags.kubeconfig),
        "--in-cluster": flags.in_cluster,
        "--manifests": bool(flags.manifests),
    }
    chosen = [flag for flag, is_given in given.items() if is_given]
    if len(chosen) > 1:
        findings.refuse(" ".join(chosen), "only one source can be served; leave the others out")
    elif flags.context and chosen and not flags.kubeconfig:
        findings.refuse("--context", f"names a context of a kubeconfig, {chosen[0]} has none")
    for flag, path in (("--kubeconfig", flags.kubeconfig), ("--manifests", flags.manifests)):
        # `-` is standard input, for manifests.
        if path and not exists(path) and (flag, path) != ("--manifests", "-"):
            findings.refuse(flag, f"there is no `{path}`")
    if flags.kubeconfig:
        return Kubeconfig((flags.kubeconfig,), flags.context)
    if flags.manifests:
        return Manifests(flags.manifests)
    if flags.in_cluster:
        return InCluster()
    return _found_origin(flags.context, environ, exists, findings)


def _found_origin(
    context: str,
    environ: Mapping[str, str],
    exists: Callable[[str], bool],
    findings: Findings,
) -> Origin:
    # A context is a word about a kubeconfig: who gives one does not mean the service account.
    if not context and environ.get("KUBERNETES_SERVICE_HOST") and exists(SERVICE_ACCOUNT_TOKEN):
        return InCluster()
    listed = environ.get("KUBECONFIG", "").split(os.pathsep)
    home = os.path.join(environ.get("HOME", ""), ".kube", "config")  # noqa: PTH118  (no disk here)
    candidates = [path for path in listed if path] or [home]
    present = tuple(path for path in candidates if exists(path))
    if not present:
        raise findings.giving_up("", _NO_CLUSTER.format(tried=" and ".join(candidates)))
    return Kubeconfig(present, context)


_NO_CLUSTER: Final = """\
no cluster was named and none was found: this is no pod with a service account, and there is no \
{tried}; say which one to serve:
  --kubeconfig FILE [--context NAME]   the cluster of a kubeconfig
  --in-cluster                         the cluster this program runs in as a pod
  --manifests PATH                     no cluster: Kubernetes objects in YAML files"""

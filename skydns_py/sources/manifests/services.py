"""Services with the cluster IPs the API server would have given them.

This module never looks at pods or endpoints.

Source: Kubernetes, "IPv4/IPv6 dual-stack" and "Service ClusterIP allocation".
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

import msgspec

from skydns_py import names
from skydns_py.batch import Key
from skydns_py.sources.kubernetes import schema
from skydns_py.sources.manifests import shapes
from skydns_py.sources.manifests.addresses import AddressRange, static_band
from skydns_py.sources.manifests.objects import Object, family_of, refusal, shaped, slim
from skydns_py.sources.manifests.settings import ManifestSettings

KUBERNETES: Final = Key("Service", "default", "kubernetes")
"""The Service of the API server, which every cluster has from its first second."""


class PlannedService(msgspec.Struct, frozen=True):
    """A Service: what is kept of it, what it asked for, and the families its endpoints have."""

    slim: schema.Service
    spec: shapes.ServiceSpec
    families: tuple[str, ...]


def plan(objects: Iterable[Object], settings: ManifestSettings) -> dict[Key, PlannedService]:
    """Return the Services with all of their cluster IPs, and `default/kubernetes` in any case.

    Raises:
        SettingsError: an address that is none or is given twice, ports no API server takes, a full
            range.
    """
    read = [(obj, shaped(obj, shapes.Service).spec) for obj in objects]
    given = _given_addresses(read)
    ranges = {
        "IPv4": AddressRange(settings.service_v4, static_band(settings.service_v4)),
        "IPv6": AddressRange(settings.service_v6, static_band(settings.service_v6)),
    }
    first = str(settings.service_v4[1])
    for address in (*given, first):
        ranges[f"IPv{6 if ':' in address else 4}"].take(address)
    planned = {obj.key: _planned(obj, spec, ranges) for obj, spec in read}
    if KUBERNETES not in planned:
        planned[KUBERNETES] = _kubernetes(
            first if first not in given else ranges["IPv4"].choose("default/kubernetes"),
        )
    return planned


def _given_addresses(read: list[tuple[Object, shapes.ServiceSpec]]) -> dict[str, Object]:
    given: dict[str, Object] = {}
    for obj, spec in read:
        for address in _written(spec):
            family_of(obj, address, "spec.clusterIP")
            other = given.setdefault(str(ip_address(address)), obj)
            if other is not obj:
                problem = f"{address} is taken by Service {other.key.namespace}/{other.key.name}"
                raise refusal(obj, problem, "spec.clusterIP")
    return given


def _written(spec: shapes.ServiceSpec) -> list[str]:
    if spec.type == schema.EXTERNAL_NAME:
        return []
    addresses = spec.cluster_ips or [spec.cluster_ip]
    return [address for address in addresses if address not in {"", "None"}]


def _planned(
    obj: Object,
    spec: shapes.ServiceSpec,
    ranges: dict[str, AddressRange],
) -> PlannedService:
    kept: schema.Service = slim(obj)
    _check_ports(obj, spec.ports)
    if spec.type == schema.EXTERNAL_NAME:
        _check_external_name(obj, spec.external_name)
        return PlannedService(msgspec.structs.replace(kept, cluster_ips=()), spec, ())
    families = _families(obj, spec)
    if "None" in {spec.cluster_ip, *spec.cluster_ips}:
        return PlannedService(msgspec.structs.replace(kept, cluster_ips=("None",)), spec, families)
    written = {family_of(obj, address, "spec.clusterIP"): address for address in _written(spec)}
    owner = f"{obj.key.namespace}/{obj.key.name}"
    addresses = tuple(written.get(family) or ranges[family].choose(owner) for family in families)
    return PlannedService(msgspec.structs.replace(kept, cluster_ips=addresses), spec, families)


def _families(obj: Object, spec: shapes.ServiceSpec) -> tuple[str, ...]:
    written = [family_of(obj, address, "spec.clusterIPs") for address in _written(spec)]
    asked: list[str] = [*(spec.ip_families or written or ["IPv4"])]
    if written != asked[: len(written)]:
        problem = f"the addresses are {' and '.join(written)}, the families {' and '.join(asked)}"
        raise refusal(obj, problem, "spec.ipFamilies")
    if spec.ip_family_policy == "SingleStack":
        return tuple(asked[:1])
    if spec.ip_family_policy:
        asked += ["IPv6" if asked[0] == "IPv4" else "IPv4"]
    return tuple(dict.fromkeys(asked))


def _check_ports(obj: Object, ports: list[shapes.ServicePort]) -> None:
    # core/v1 ServicePort: a name is optional "if only one ServicePort is defined", else unique.
    seen: set[str] = set()
    for position, port in enumerate(ports):
        field = f"spec.ports[{position}]"
        if len(ports) > 1 and not port.name:
            raise refusal(obj, "needs a name, because the Service has several ports", field)
        if port.name in seen:
            raise refusal(obj, f"the port name {port.name!r} is used twice", field)
        seen.add(port.name)


def _check_external_name(obj: Object, name: str) -> None:
    if not name:
        raise refusal(obj, "an ExternalName Service needs `externalName`", "spec")
    try:
        names.from_text(name)
    except names.InvalidNameError as error:
        raise refusal(obj, str(error), "spec.externalName") from error


def _kubernetes(address: str) -> PlannedService:
    ports = (schema.ServicePort("https", 443, "TCP"),)
    kept = schema.Service("default", "kubernetes", "ClusterIP", (address,), "", ports)
    return PlannedService(kept, shapes.ServiceSpec(), ("IPv4",))

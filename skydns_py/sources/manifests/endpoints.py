"""EndpointSlices for Services, as the controllers of a cluster would write them.

For each Service the first of these that is there: slices in the input, its Endpoints object
(mirrored), the pods that its selector finds.
Never two of them, because the dump of a cluster has them all, of the same pods.

Source: Kubernetes, "EndpointSlices"; KEP-752; the rules for a pod's host name are those of
"DNS for Services and Pods".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from skydns_py.batch import Key
from skydns_py.sources.kubernetes import schema
from skydns_py.sources.manifests import shapes
from skydns_py.sources.manifests.addresses import suffix
from skydns_py.sources.manifests.objects import Object, family_of, refusal, shaped, slim
from skydns_py.sources.manifests.services import PlannedService
from skydns_py.sources.manifests.workloads import PlannedPod

MAX_ENDPOINTS: Final = 100
"""Endpoints in a slice: the default of the controller's `--max-endpoints-per-slice`."""

SKIP_MIRROR: Final = "endpointslice.kubernetes.io/skip-mirror"

Ports = tuple[schema.ServicePort, ...]
Groups = dict[tuple[str, Ports], list[schema.Endpoint]]
"""Endpoints by what one slice has in common: the address type and the ports."""


def as_written(objects: Iterable[Object]) -> Iterator[schema.EndpointSlice]:
    """Yield the slices in the input.

    Raises:
        SettingsError: a field that cannot be, or an address that is not of the slice's type.
    """
    for obj in objects:
        whole = shaped(obj, shapes.EndpointSlice)
        for position, endpoint in enumerate(whole.endpoints):
            field = f"endpoints[{position}].addresses"
            for address in endpoint.addresses:
                if whole.address_type == "FQDN":
                    continue
                if family_of(obj, address, field) != whole.address_type:
                    raise refusal(obj, f"{address} is not of type {whole.address_type}", field)
        yield slim(obj)


def mirrored(
    objects: Iterable[Object],
    services: Mapping[Key, PlannedService],
) -> Iterator[schema.EndpointSlice]:
    """Yield slices for the Endpoints objects that have a Service and do not opt out.

    Raises:
        SettingsError: a field that cannot be, such as an address that is none.
    """
    for obj in objects:
        whole = shaped(obj, shapes.Endpoints)
        service = Key("Service", obj.key.namespace, obj.key.name)
        if service not in services or whole.metadata.labels.get(SKIP_MIRROR) == "true":
            continue
        groups: Groups = {}
        for position, subset in enumerate(whole.subsets):
            ports = tuple(
                schema.ServicePort(port.name, port.port, port.protocol) for port in subset.ports
            )
            for address, ready in _subset_addresses(subset):
                family = family_of(obj, address.ip, f"subsets[{position}]")
                endpoint = schema.Endpoint(
                    (address.ip,), ready, address.hostname, address.target_ref.name
                )
                groups.setdefault((family, ports), []).append(endpoint)
        yield from _slices(service, groups)


def synthesised(service: PlannedService, pods: Iterable[PlannedPod]) -> list[schema.EndpointSlice]:
    """Return the slices of a Service for the pods that it selects, in the families it wants.

    An ExternalName wants none.
    """
    kept, groups = service.slim, Groups()
    for pod in pods:
        ports = tuple(_resolved_ports(service.spec.ports, pod))
        names_service = (pod.subdomain, pod.key.namespace) == (kept.name, kept.namespace)
        for address in pod.addresses:
            family = "IPv6" if ":" in address else "IPv4"
            if family not in service.families:
                continue
            endpoint = schema.Endpoint(
                addresses=(address,),
                ready=pod.ready or service.spec.publish_not_ready_addresses,
                hostname=pod.hostname if names_service else "",
                pod=pod.key.name,
            )
            groups.setdefault((family, ports), []).append(endpoint)
    return list(_slices(Key("Service", kept.namespace, kept.name), groups))


class Selectors:
    """Pods by their labels, to find those of many selectors without looking at every pod."""

    def __init__(self, pods: Iterable[PlannedPod]) -> None:
        self._by_label: dict[tuple[str, str, str], list[PlannedPod]] = {}
        for pod in pods:
            for label in pod.labels.items():
                self._by_label.setdefault((pod.key.namespace, *label), []).append(pod)

    def find(self, service: PlannedService) -> list[PlannedPod]:
        """Return the pods of a Service, none for one without a selector."""
        namespace, selector = service.slim.namespace, service.spec.selector
        if not selector:
            return []
        candidates = min(
            (self._by_label.get((namespace, *label), []) for label in selector.items()), key=len
        )
        return [pod for pod in candidates if selector.items() <= pod.labels.items()]


def _subset_addresses(subset: shapes.Subset) -> Iterator[tuple[shapes.EndpointAddress, bool]]:
    for address in subset.addresses:
        yield address, True
    for address in subset.not_ready_addresses:
        yield address, False


def _resolved_ports(
    ports: Iterable[shapes.ServicePort],
    pod: PlannedPod,
) -> Iterator[schema.ServicePort]:
    for port in ports:
        target = port.target_port or port.port
        # A name that no container of the pod has leaves the port out for this pod alone.
        number = pod.ports.get((target, port.protocol)) if isinstance(target, str) else target
        if number is not None:
            yield schema.ServicePort(port.name, number, port.protocol)


def _slices(service: Key, groups: Groups) -> Iterator[schema.EndpointSlice]:
    for (family, ports), endpoints in groups.items():
        owner = f"{service.namespace}/{service.name} {family} {ports}"
        for start in range(0, len(endpoints), MAX_ENDPOINTS):
            ending = suffix(owner, start // MAX_ENDPOINTS, 5)
            yield schema.EndpointSlice(
                namespace=service.namespace,
                name=f"{service.name[:57]}-{ending}",
                service=service.name,
                address_type=family,
                endpoints=tuple(endpoints[start : start + MAX_ENDPOINTS]),
                ports=ports,
            )

"""What a cluster would hold after `kubectl apply` of some documents and a little patience.

    documents ─► objects ─┬─► services with cluster IPs ─┬─► slices ─┐
                          └─► pods with addresses ───────┘           ├─► {key: slim object}
                                                         namespaces ─┘

The same documents give the same cluster, on every machine and after every restart.
This module never reads a file, and never interprets an object as DNS.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from skydns_py.batch import Key
from skydns_py.sources.kubernetes import schema
from skydns_py.sources.manifests import endpoints, services, workloads
from skydns_py.sources.manifests.addresses import AddressRange
from skydns_py.sources.manifests.documents import Document
from skydns_py.sources.manifests.objects import Object, collect, namespaces, of_kind
from skydns_py.sources.manifests.services import PlannedService
from skydns_py.sources.manifests.settings import ManifestSettings
from skydns_py.sources.manifests.workloads import PlannedPod


def build(documents: Sequence[Document], settings: ManifestSettings) -> dict[Key, schema.Slim]:
    """Return the Namespaces, Services, EndpointSlices and Pods that the documents amount to.

    Raises:
        SettingsError: an object that no API server would take, or one that is defined twice, with
            its place.
    """
    objects = collect(documents, settings.namespace)
    planned = services.plan(of_kind(objects, "Service"), settings)
    slices = _given_slices(objects, planned)
    pods, selected = _pods(objects, planned, settings)
    slices += _missing_slices(planned, selected, slices)
    existing = {"default", "kube-system", settings.namespace, *namespaces(documents)}
    existing |= {key.name for key in objects if key.kind == "Namespace"}
    return {
        **{Key("Namespace", "", name): schema.Namespace(name) for name in sorted(existing)},
        **{key: service.slim for key, service in planned.items()},
        **{Key("EndpointSlice", found.namespace, found.name): found for found in slices},
        **{pod.key: _slim_pod(pod) for pod in pods if pod.addresses},
    }


def _given_slices(
    objects: Mapping[Key, Object],
    planned: Mapping[Key, PlannedService],
) -> list[schema.EndpointSlice]:
    written = list(endpoints.as_written(of_kind(objects, "EndpointSlice")))
    served = _served(written)
    return written + [
        mirror
        for mirror in endpoints.mirrored(of_kind(objects, "Endpoints"), planned)
        if _service_key(mirror) not in served
    ]


def _missing_slices(
    planned: Mapping[Key, PlannedService],
    selected: Mapping[Key, list[PlannedPod]],
    given: Iterable[schema.EndpointSlice],
) -> list[schema.EndpointSlice]:
    served = _served(given)
    return [
        found
        for key, pods in selected.items()
        if key not in served
        for found in endpoints.synthesised(planned[key], pods)
    ]


def _served(slices: Iterable[schema.EndpointSlice]) -> set[Key]:
    return {_service_key(found) for found in slices}


def _service_key(found: schema.EndpointSlice) -> Key:
    return Key("Service", found.namespace, found.service)


def _pods(
    objects: Mapping[Key, Object],
    planned: Mapping[Key, PlannedService],
    settings: ManifestSettings,
) -> tuple[list[PlannedPod], dict[Key, list[PlannedPod]]]:
    """Return all pods with their addresses, and those that each Service selects."""
    pods = workloads.plan(objects)
    selectors = endpoints.Selectors(pods)
    wanting_v6 = {
        pod.key
        for service in planned.values()
        if "IPv6" in service.families
        for pod in selectors.find(service)
    }
    addressed = _addressed(pods, wanting_v6, settings)
    selectors = endpoints.Selectors(addressed)
    return addressed, {key: selectors.find(service) for key, service in planned.items()}


def _addressed(
    pods: Sequence[PlannedPod],
    wanting_v6: set[Key],
    settings: ManifestSettings,
) -> list[PlannedPod]:
    v4, v6 = AddressRange(settings.pod_v4, skip=2), AddressRange(settings.pod_v6, skip=2)
    for pod in pods:
        for address in pod.addresses:
            (v6 if ":" in address else v4).take(address)
    found = []
    for pod in pods:
        if pod.observed:
            found.append(pod)
            continue
        owner = f"{pod.key.namespace}/{pod.key.name}"
        second = (v6.choose(owner),) if pod.key in wanting_v6 else ()
        found.append(msgspec.structs.replace(pod, addresses=(v4.choose(owner), *second)))
    return found


def _slim_pod(pod: PlannedPod) -> schema.Pod:
    return schema.Pod(pod.key.namespace, pod.key.name, pod.addresses[0])

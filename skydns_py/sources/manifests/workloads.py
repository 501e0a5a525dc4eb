"""Pods: those that are written down, and those that controllers would make of workloads.

A workload whose pods are in the input (the dump of a cluster) makes no further ones.
Names are made from the workload's own name and a number, never from its template, so that an edited
image leaves every name and address as it was; a real rollout would not be so kind.
This module never knows Services.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from skydns_py.batch import Key
from skydns_py.sources.manifests import shapes
from skydns_py.sources.manifests.addresses import suffix
from skydns_py.sources.manifests.objects import Object, family_of, of_kind, shaped

WORKLOADS: Final = (
    "DaemonSet",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
)


class PlannedPod(msgspec.Struct, frozen=True):
    """A pod as endpoints need it.

    `addresses` has at most one a family, is empty while none is known, and stays so when a cluster
    `observed` the pod without one.
    `ports` maps the name and protocol of a container port to its number.
    """

    key: Key
    labels: shapes.Labels
    ports: Mapping[tuple[str, str], int]
    hostname: str = ""
    subdomain: str = ""
    addresses: tuple[str, ...] = ()
    ready: bool = True
    observed: bool = False


def plan(objects: Mapping[Key, Object]) -> list[PlannedPod]:
    """Return every pod that would run, in order of what it comes from, ordinals ascending.

    Raises:
        SettingsError: a field that cannot be.
    """
    written = {obj.key: shaped(obj, shapes.Pod) for obj in of_kind(objects, "Pod")}
    observed = _labels_of_owned(written)
    pods = {
        key: _written_pod(objects[key], pod)
        for key, pod in written.items()
        if pod.status.phase not in {"Succeeded", "Failed"}
    }
    for obj in of_kind(objects, *WORKLOADS):
        workload = shaped(obj, shapes.Workload)
        if not _is_done_already(obj, workload, objects, observed):
            for pod in _expand(obj.key, workload.spec):
                pods.setdefault(pod.key, pod)
    return list(pods.values())


def _written_pod(obj: Object, pod: shapes.Pod) -> PlannedPod:
    addresses = [address.ip for address in pod.status.pod_ips] or [pod.status.pod_ip]
    by_family = {
        family_of(obj, address, "status.podIP"): address for address in addresses if address
    }
    return PlannedPod(
        key=obj.key,
        labels=pod.metadata.labels,
        ports=_named_ports(pod.spec),
        hostname=pod.spec.hostname,
        subdomain=pod.spec.subdomain,
        addresses=tuple(by_family.values()),
        ready=_is_ready(pod),
        observed=bool(by_family or pod.status.phase),
    )


def _is_ready(pod: shapes.Pod) -> bool:
    if pod.metadata.deletion_timestamp:
        return False
    conditions = {condition.type: condition.status for condition in pod.status.conditions}
    return pod.status.phase in {"", "Running"} and conditions.get("Ready", "True") == "True"


def _labels_of_owned(written: Mapping[Key, shapes.Pod]) -> dict[str, list[shapes.Labels]]:
    found: dict[str, list[shapes.Labels]] = {}
    for key, pod in written.items():
        if pod.metadata.owner_references:
            found.setdefault(key.namespace, []).append(pod.metadata.labels)
    return found


def _is_done_already(
    obj: Object,
    workload: shapes.Workload,
    objects: Mapping[Key, Object],
    observed: Mapping[str, list[shapes.Labels]],
) -> bool:
    """Tell whether the pods of a workload come from elsewhere: from its owner, or as themselves."""
    namespace = obj.key.namespace
    if any(
        Key(owner.kind, namespace, owner.name) in objects
        for owner in workload.metadata.owner_references
    ):
        return True
    template = workload.spec.template.metadata.labels.items()
    return any(template <= labels.items() for labels in observed.get(namespace, ()))


def _expand(owner: Key, spec: shapes.WorkloadSpec) -> Iterator[PlannedPod]:
    ports = _named_ports(spec.template.spec)
    for position in range(1 if owner.kind == "DaemonSet" else spec.replicas):
        name = _pod_name(owner, spec, position)
        stateful = owner.kind == "StatefulSet"
        yield PlannedPod(
            key=Key("Pod", owner.namespace, name),
            labels=spec.template.metadata.labels,
            ports=ports,
            hostname=name if stateful else spec.template.spec.hostname,
            subdomain=spec.service_name if stateful else spec.template.spec.subdomain,
        )


def _pod_name(owner: Key, spec: shapes.WorkloadSpec, position: int) -> str:
    if owner.kind == "StatefulSet":
        return f"{owner.name}-{spec.ordinals.start + position}"
    identity = "/".join(owner)
    stem = owner.name
    if owner.kind == "Deployment":
        stem += "-" + suffix(f"{identity} template", 0, 10)
    # The API server cuts the stem of a generated name so that the whole is a label of 63.
    return f"{stem[:57]}-{suffix(identity, position, 5)}"


def _named_ports(spec: shapes.PodSpec) -> dict[tuple[str, str], int]:
    return {
        (port.name, port.protocol): port.container_port
        for container in reversed([*spec.containers, *_sidecars(spec.init_containers)])
        for port in reversed(container.ports)
        if port.name
    }


def _sidecars(containers: Iterable[shapes.Container]) -> list[shapes.Container]:
    return [container for container in containers if container.restart_policy == "Always"]

"""What a manifest says that is needed to act for the controllers: selectors, templates, policies.

`sources/kubernetes/schema.py` has what is kept of an object; here is what is read once, to find out
which addresses and endpoints a cluster would have given it.
The rules for names and numbers are the API server's: what it would refuse is refused here.
This module never interprets what it describes.

Source: Kubernetes API reference v1.36, core/v1, apps/v1 and discovery.k8s.io/v1.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, field

LABEL: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"
"""A DNS label as RFC 1123 section 2.1 has it, in lower case; 63 octets at most."""

OPTIONAL_LABEL: Final = rf"^\Z|{LABEL}"
SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z"

Label = Annotated[str, Meta(pattern=LABEL)]
OptionalLabel = Annotated[str, Meta(pattern=OPTIONAL_LABEL)]
Subdomain = Annotated[str, Meta(pattern=SUBDOMAIN, max_length=253)]
PortNumber = Annotated[int, Meta(ge=1, le=65535)]
TargetPort = Annotated[int, Meta(ge=0, le=65535)] | Annotated[str, Meta(pattern="[a-z]")]
"""A number, 0 for the Service port's own, or a name: it has a letter, "80" in quotes is none."""

Protocol = Literal["TCP", "UDP", "SCTP"]
Family = Literal["IPv4", "IPv6"]
Labels = dict[str, str]


class Owner(msgspec.Struct, rename="camel"):
    """Who made an object, as controllers write it."""

    kind: str = ""
    name: str = ""


class Metadata(msgspec.Struct, rename="camel"):
    """Name and labels of an object; `namespace` is empty when the manifest names none."""

    name: Subdomain
    namespace: OptionalLabel = ""
    labels: Labels = {}
    annotations: Labels = {}
    owner_references: list[Owner] = []
    deletion_timestamp: str = ""


class Named(msgspec.Struct):
    """Any object."""

    metadata: Metadata


class ServicePort(msgspec.Struct, rename="camel"):
    """A port of a Service; without a `target_port` the pods listen on the same number."""

    port: PortNumber
    name: OptionalLabel = ""
    protocol: Protocol = "TCP"
    target_port: TargetPort = 0


class ServiceSpec(msgspec.Struct, rename="camel"):
    """What a Service asks for; `ip_family_policy` is empty when it leaves that to us."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: list[str] = field(default_factory=list, name="clusterIPs")
    external_name: str = ""
    ip_families: list[Family] = []
    ip_family_policy: Literal["", "SingleStack", "PreferDualStack", "RequireDualStack"] = ""
    ports: list[ServicePort] = []
    publish_not_ready_addresses: bool = False
    selector: Labels = {}


class Service(msgspec.Struct):
    """A Service as it is written."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)


class ContainerPort(msgspec.Struct, rename="camel"):
    """A port that a container declares."""

    container_port: PortNumber
    name: str = ""
    protocol: Protocol = "TCP"


class Container(msgspec.Struct, rename="camel"):
    """A container; an init container that restarts `Always` stays, as a sidecar (KEP-753)."""

    ports: list[ContainerPort] = []
    restart_policy: str = ""


class PodSpec(msgspec.Struct, rename="camel"):
    """What a pod runs and what it is called within its Service."""

    containers: list[Container] = []
    init_containers: list[Container] = []
    hostname: OptionalLabel = ""
    subdomain: OptionalLabel = ""


class PodCondition(msgspec.Struct):
    """One condition, such as `Ready`, with the status "True", "False" or "Unknown"."""

    type: str = ""
    status: str = ""


class PodAddress(msgspec.Struct):
    """One address of a pod."""

    ip: str = ""


class PodStatus(msgspec.Struct, rename="camel"):
    """What a cluster observed of a pod; all of it is empty in a manifest written by hand."""

    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    pod_ips: list[PodAddress] = field(default_factory=list, name="podIPs")
    conditions: list[PodCondition] = []


class Pod(msgspec.Struct):
    """A Pod as it is written or was observed."""

    metadata: Metadata
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class TemplateMetadata(msgspec.Struct):
    """The labels that each pod of a template bears."""

    labels: Labels = {}


class Template(msgspec.Struct):
    """The pod that a workload makes, many times over."""

    metadata: TemplateMetadata = field(default_factory=TemplateMetadata)
    spec: PodSpec = field(default_factory=PodSpec)


class Ordinals(msgspec.Struct):
    """Where a StatefulSet begins to count."""

    start: Annotated[int, Meta(ge=0)] = 0


class WorkloadSpec(msgspec.Struct, rename="camel"):
    """A number of pods like `template`; 150,000 is the most a cluster is tested with."""

    replicas: Annotated[int, Meta(ge=0, le=150_000)] = 1
    template: Template = field(default_factory=Template)
    service_name: OptionalLabel = ""
    ordinals: Ordinals = field(default_factory=Ordinals)


class Workload(msgspec.Struct):
    """A Deployment, StatefulSet, ReplicaSet, DaemonSet or ReplicationController."""

    metadata: Metadata
    spec: WorkloadSpec = field(default_factory=WorkloadSpec)


class SliceEndpoint(msgspec.Struct):
    """One endpoint of a slice, for its addresses to be checked."""

    addresses: list[str] = []
    hostname: OptionalLabel = ""


class EndpointSlice(msgspec.Struct, rename="camel"):
    """An EndpointSlice as it is written; the address type is required, as by the API server."""

    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: list[SliceEndpoint] = []


class TargetReference(msgspec.Struct):
    """Which pod an address belongs to."""

    name: str = ""


class EndpointAddress(msgspec.Struct, rename="camel"):
    """One address of an Endpoints object."""

    ip: str
    hostname: OptionalLabel = ""
    target_ref: TargetReference = field(default_factory=TargetReference)


class EndpointPort(msgspec.Struct):
    """One port of an Endpoints object."""

    port: PortNumber
    name: OptionalLabel = ""
    protocol: Protocol = "TCP"


class Subset(msgspec.Struct, rename="camel"):
    """Addresses that share their ports."""

    addresses: list[EndpointAddress] = []
    not_ready_addresses: list[EndpointAddress] = []
    ports: list[EndpointPort] = []


class Endpoints(msgspec.Struct):
    """A legacy Endpoints object; its name is the Service's."""

    metadata: Metadata
    subsets: list[Subset] = []

"""The Kubernetes objects as we keep them: slim, frozen, without anything nobody reads.

Each kind has a private `_Whole…` shape that msgspec decodes (unknown fields are skipped unread:
managed fields and annotations are most of the bytes) and a public slim shape that is kept.
A field added to a slim shape is paid for once per object in the cluster: 105,000 endpoints make
every word count.
This module never fetches, and never interprets an object as DNS.

Source: Kubernetes API reference v1.36, core/v1 and discovery.k8s.io/v1.
"""

from typing import Any, Final

import msgspec

from skydns_py.batch import Key

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""Label by which an EndpointSlice names its Service (KEP-752)."""


class Namespace(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A namespace that is there."""

    name: str


class ServicePort(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One port of a Service or of an EndpointSlice; `name` may be empty."""

    name: str
    port: int
    protocol: str


class Service(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A Service: `cluster_ips` as written, first family first; ("None",) when headless."""

    namespace: str
    name: str
    type: str
    cluster_ips: tuple[str, ...]
    external_name: str
    ports: tuple[ServicePort, ...]

    @property
    def is_headless(self) -> bool:
        """Whether the Service has no address of its own and stands for its endpoints."""
        return self.type != EXTERNAL_NAME and self.cluster_ips[:1] == ("None",)


class Endpoint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One endpoint of a slice; `pod` is the name in its targetRef, `hostname` the pod's own."""

    addresses: tuple[str, ...]
    ready: bool
    hostname: str
    pod: str


class EndpointSlice(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A slice of the endpoints of `service` ("" when the label is missing)."""

    namespace: str
    name: str
    service: str
    address_type: str
    endpoints: tuple[Endpoint, ...]
    ports: tuple[ServicePort, ...]


class Pod(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A pod that has an address: `ip` is `status.podIP` as written."""

    namespace: str
    name: str
    ip: str


Slim = Namespace | Service | EndpointSlice | Pod

EXTERNAL_NAME: Final = "ExternalName"


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _WholeNamespace(msgspec.Struct, gc=False):
    metadata: _Metadata


class _WholePort(msgspec.Struct, gc=False):
    name: str | None = None
    port: int | None = None
    protocol: str | None = None


class _ServiceSpec(msgspec.Struct, gc=False):
    type: str | None = None
    clusterIP: str | None = None  # noqa: N815  (msgspec's camel case would say clusterIp)
    clusterIPs: list[str] | None = None  # noqa: N815
    externalName: str | None = None  # noqa: N815
    ports: list[_WholePort] | None = None


class _WholeService(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _ServiceSpec = msgspec.field(default_factory=_ServiceSpec)


class _Conditions(msgspec.Struct, gc=False):
    ready: bool | None = None


class _TargetRef(msgspec.Struct, gc=False):
    name: str | None = None


class _WholeEndpoint(msgspec.Struct, rename="camel", gc=False):
    addresses: list[str] | None = None
    conditions: _Conditions | None = None
    hostname: str | None = None
    target_ref: _TargetRef | None = None


class _WholeEndpointSlice(msgspec.Struct, rename="camel", gc=False):
    metadata: _Metadata
    address_type: str | None = None
    endpoints: list[_WholeEndpoint] | None = None
    ports: list[_WholePort] | None = None


class _PodStatus(msgspec.Struct, gc=False):
    podIP: str | None = None  # noqa: N815


class _WholePod(msgspec.Struct, gc=False):
    metadata: _Metadata
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """One object as it came: its key, the slim shape, and the version a watch goes on from.

    `terminating` tells that its deletion has begun: it is still there, but not for long.
    """

    key: Key
    slim: Slim
    resource_version: str
    terminating: bool = False


def decode(kind: str, raw: bytes | msgspec.Raw) -> Decoded:
    """Decode the JSON of one object of a kind.

    Raises:
        msgspec.DecodeError: the bytes are no such object; the message has the path of the field.
    """
    try:
        return _slim(kind, _DECODERS[kind].decode(raw))
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"the object is no UTF-8: {error}") from error


def convert(kind: str, document: dict[str, Any]) -> Decoded:
    """Take an object of a kind from plain Python values, as a YAML reader gives them.

    Raises:
        msgspec.ValidationError: a field has the wrong type; the message has its path.
    """
    return _slim(kind, msgspec.convert(document, _WHOLE[kind]))


def _slim(kind: str, whole: Any) -> Decoded:
    metadata: _Metadata = whole.metadata
    namespace = "" if kind == "Namespace" else metadata.namespace
    key = Key(kind, namespace, metadata.name)
    terminating = metadata.deletion_timestamp is not None
    return Decoded(key, _SLIMMERS[kind](whole), metadata.resource_version, terminating)


def _slim_namespace(whole: _WholeNamespace) -> Namespace:
    return Namespace(whole.metadata.name)


def _slim_service(whole: _WholeService) -> Service:
    spec = whole.spec
    cluster_ips = spec.clusterIPs or ([spec.clusterIP] if spec.clusterIP else [])
    return Service(
        namespace=whole.metadata.namespace,
        name=whole.metadata.name,
        type=spec.type or "ClusterIP",
        cluster_ips=tuple(cluster_ips),
        external_name=spec.externalName or "",
        ports=_slim_ports(spec.ports),
    )


def _slim_slice(whole: _WholeEndpointSlice) -> EndpointSlice:
    return EndpointSlice(
        namespace=whole.metadata.namespace,
        name=whole.metadata.name,
        service=(whole.metadata.labels or {}).get(SERVICE_NAME_LABEL, ""),
        address_type=whole.address_type or "IPv4",
        endpoints=tuple(_slim_endpoint(endpoint) for endpoint in whole.endpoints or ()),
        ports=_slim_ports(whole.ports),
    )


def _slim_endpoint(whole: _WholeEndpoint) -> Endpoint:
    ready = whole.conditions.ready if whole.conditions else None
    return Endpoint(
        addresses=tuple(whole.addresses or ()),
        # discovery.k8s.io/v1: an absent `ready` "should be interpreted as true".
        ready=True if ready is None else ready,
        hostname=whole.hostname or "",
        pod=(whole.target_ref and whole.target_ref.name) or "",
    )


def _slim_ports(ports: list[_WholePort] | None) -> tuple[ServicePort, ...]:
    # A slice port without a number means "all ports": there is nothing to put into an SRV record.
    return tuple(
        ServicePort(port.name or "", port.port, port.protocol or "TCP")
        for port in ports or ()
        if port.port is not None
    )


def _slim_pod(whole: _WholePod) -> Pod:
    return Pod(whole.metadata.namespace, whole.metadata.name, whole.status.podIP or "")


_WHOLE: Final[dict[str, Any]] = {
    "Namespace": _WholeNamespace,
    "Service": _WholeService,
    "EndpointSlice": _WholeEndpointSlice,
    "Pod": _WholePod,
}
_SLIMMERS: Final[dict[str, Any]] = {
    "Namespace": _slim_namespace,
    "Service": _slim_service,
    "EndpointSlice": _slim_slice,
    "Pod": _slim_pod,
}
_DECODERS: Final = {kind: msgspec.json.Decoder(shape) for kind, shape in _WHOLE.items()}

KINDS: Final = tuple(_WHOLE)
"""The kinds that can be watched or read from a manifest as they are."""

SHAPES: Final[dict[str, type[Slim]]] = {
    "Namespace": Namespace,
    "Service": Service,
    "EndpointSlice": EndpointSlice,
    "Pod": Pod,
}
"""The slim shape of each kind: what goes from one process to another, as arrays."""

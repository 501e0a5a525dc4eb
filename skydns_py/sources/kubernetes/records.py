"""From Kubernetes objects to names and records: the cluster's DNS schema as pure functions.

Where an object stands, which addresses are its own, and what a question finds there.
The rules are those of "Kubernetes DNS-Based Service Discovery" 1.1.0 (cited as [K8S-DNS]); where it
is silent, what cluster operators have come to rely on.
This module never keeps state, never sees a packet, and builds nothing before it is asked to.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from skydns_py import names
from skydns_py.names import MAX_LABEL, MAX_NAME, InvalidNameError, relative
from skydns_py.records import (
    Node,
    RRset,
    Subtree,
    Type,
    address_sets,
    nothing,
    srv,
    txt,
    with_empty_non_terminals,
)
from skydns_py.sources.kubernetes.schema import (
    EXTERNAL_NAME,
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
    Slim,
)

SCHEMA_VERSION = b"1.1.0"
"""What `dns-version` says: the version of [K8S-DNS] that is served."""

VERSION_TTL = 28_800
"""Seconds; the one TTL that no option changes, as [K8S-DNS] 2.2 gives it in its example."""

SVC = relative("svc")
POD = relative("pod")
VERSION = relative("dns-version")

Objects = tuple[Slim, ...]


class Exposure(msgspec.Struct, frozen=True):
    """What of a cluster is shown and how: the options of the `kubernetes` directive.

    `namespaces` empty means all; `ttl` in seconds.
    """

    ttl: int = 5
    namespaces: frozenset[str] = frozenset()
    pods: Literal["disabled", "insecure", "verified"] = "disabled"
    endpoints: bool = True
    endpoint_pod_names: bool = False
    ignore_empty_service: bool = False


class Hit(NamedTuple):
    """One address behind one port of one endpoint: what SRV weights are counted in.

    `label` is the endpoint's name below its Service, `packed` None when `text` is no address.
    """

    label: bytes
    text: str
    packed: bytes | None
    port: ServicePort | None


class KubernetesNaming(msgspec.Struct, frozen=True):
    """The `Naming` of a cluster under one `Exposure`."""

    exposure: Exposure = Exposure()

    @property
    def roots(self) -> frozenset[bytes]:
        """`svc` and `pod` are there in every cluster, also in an empty one."""
        return frozenset((SVC, POD))

    @property
    def depth(self) -> int:
        """`web.shop.svc` has three labels, and nothing stands deeper."""
        return 3

    def stands_at(self, slim: Slim) -> tuple[bytes, ...]:
        """Return the owner names of an object; none when it is not exposed or has no name."""
        try:
            return self._stands_at(slim)
        except InvalidNameError:
            # The API server validates names; what it let through cannot be asked for by DNS.
            return ()

    def addresses(self, slim: Slim) -> tuple[bytes, ...]:
        """Return cluster IPs of a Service, addresses of the ready endpoints of a slice."""
        match slim:
            case Service():
                texts: Iterable[str] = slim.cluster_ips
            case EndpointSlice():
                texts = (text for endpoint in _ready(slim) for text in endpoint.addresses)
            case _:
                return ()
        return tuple(filter(None, map(names.pack_address, texts)))

    def subtree(self, owner: bytes, objects: Objects, zone: bytes) -> Subtree:
        """Build what stands at an owner's name and below."""
        ttl = self.exposure.ttl
        if owner.endswith(SVC):
            if names.parent(owner) == SVC:
                return Subtree({b"": ()})
            return self._service_subtree(owner, objects, zone)
        if names.parent(owner) == POD:
            insecure = self.exposure.pods == "insecure"
            return Subtree({b"": ()}, _pod_names(owner + zone, ttl) if insecure else nothing)
        address = names.pack_address(next(slim.ip for slim in objects if isinstance(slim, Pod)))
        return _pod_subtree(address, owner + zone, ttl)

    def pointers(self, owners: Mapping[bytes, Objects], address: bytes) -> Iterable[bytes]:
        """Return the Service whose cluster IP it is, else the name of each such endpoint."""
        for owner, objects in owners.items():
            service = _service_of(objects)
            if service is not None and address in self.addresses(service):
                return (owner,)
        return (
            name
            for owner, objects in owners.items()
            for name in self._endpoint_names(owner, objects, address)
        )

    def servers(self, owner: bytes, objects: Objects, address: bytes) -> Iterable[bytes]:
        """Return the Service's name when it has a cluster IP, the endpoint's when headless."""
        service = _service_of(objects)
        if service is None:
            return ()
        names_of_endpoints = tuple(self._endpoint_names(owner, objects, address))
        if service.is_headless:
            return names_of_endpoints
        return (owner,) if names_of_endpoints and self.addresses(service) else ()

    def apex(self, zone: bytes) -> Mapping[bytes, Node]:
        """Return `dns-version` and the two roots, which may be empty; nothing in a reverse zone."""
        if names.is_reverse(zone):
            return {b"": ()}
        version = RRset(Type.TXT, VERSION_TTL, (txt(SCHEMA_VERSION),))
        return {b"": (), VERSION: (version,), SVC: (), POD: ()}

    def _stands_at(self, slim: Slim) -> tuple[bytes, ...]:
        exposure = self.exposure
        match slim:
            case Namespace():
                # What is not exposed stands under a name that is not there: it is not seen.
                if exposure.namespaces and slim.name not in exposure.namespaces:
                    return ()
                roots = ("svc",) if exposure.pods == "disabled" else ("svc", "pod")
                return tuple(relative(slim.name, root) for root in roots)
            case Service():
                return (relative(slim.name, slim.namespace, "svc"),)
            case EndpointSlice():
                shown = exposure.endpoints and slim.service
                return (relative(slim.service, slim.namespace, "svc"),) if shown else ()
            case Pod():
                verified = exposure.pods == "verified" and names.pack_address(slim.ip)
                label = slim.ip.replace(".", "-").replace(":", "-")
                return (relative(label, slim.namespace, "pod"),) if verified else ()

    def _service_subtree(self, owner: bytes, objects: Objects, zone: bytes) -> Subtree:
        service = _service_of(objects)
        if service is None:
            return Subtree({})
        ttl = self.exposure.ttl
        if service.type == EXTERNAL_NAME:
            return _alias_subtree(service.external_name, ttl)
        hits = self._endpoint_hits(objects)
        apex = owner + zone
        if service.is_headless:
            # [K8S-DNS] 2.4.1: no ready endpoint, no name.
            return _headless_subtree(hits, apex, ttl) if hits else Subtree({})
        if self.exposure.ignore_empty_service and not hits:
            return Subtree({})
        return _cluster_ip_subtree(service, hits, apex, ttl)

    def _endpoint_hits(self, objects: Objects) -> list[Hit]:
        """Return a hit for each ready endpoint address and port, an address without port once."""
        return [
            Hit(label, text, packed, port)
            for part in _slices_of(objects)
            for endpoint in _ready(part)
            for text in endpoint.addresses
            if (label := self._endpoint_label(endpoint, text))
            for packed in (names.pack_address(text),)
            for port in _speakable(part.ports) or (None,)
        ]

    def _endpoint_names(self, owner: bytes, objects: Objects, address: bytes) -> Iterator[bytes]:
        """Yield the names of the ready endpoints that have an address."""
        for part in _slices_of(objects):
            for endpoint in _ready(part):
                for text in endpoint.addresses:
                    if names.pack_address(text) == address:
                        label = self._endpoint_label(endpoint, text)
                        if label:
                            yield label + owner

    def _endpoint_label(self, endpoint: Endpoint, address: str) -> bytes:
        """Return the name of an endpoint below its Service: hostname, pod name or address.

        Empty when nothing of the endpoint can be a name.
        """
        pod = endpoint.pod if self.exposure.endpoint_pod_names and len(endpoint.pod) < 64 else ""
        try:
            # A pod's name may hold dots: it stands at as many labels, where it can be asked for.
            return relative(*(endpoint.hostname or pod or _dashed(address)).split("."))
        except InvalidNameError:
            return b""


def _service_of(objects: Objects) -> Service | None:
    return next((slim for slim in objects if isinstance(slim, Service)), None)


def _slices_of(objects: Objects) -> list[EndpointSlice]:
    """Return the slices by name: their order must not show the history of the table."""
    return sorted(
        (slim for slim in objects if isinstance(slim, EndpointSlice)),
        key=lambda part: part.name,
    )


def _speakable(ports: Iterable[ServicePort]) -> tuple[ServicePort, ...]:
    """Return the ports an SRV record can name; the API server lets no others through."""
    return tuple(port for port in ports if 0 <= port.port < 2**16)


def _ready(part: EndpointSlice) -> Iterable[Endpoint]:
    return (endpoint for endpoint in part.endpoints if endpoint.ready)


def _dashed(address: str) -> str:
    """Return an address as a label; a label must not end in a dash, so `fd00--` gets a zero."""
    dashed = address.lower().replace(".", "-").replace(":", "-")
    return f"{dashed}0" if dashed.endswith("-") else dashed


def _alias_subtree(target: str, ttl: int) -> Subtree:
    """Return the CNAME of an ExternalName Service ([K8S-DNS] 2.5), nothing for an address.

    A CNAME to the text of an address would name a host in the top-level domain `42`.
    """
    if not target or names.pack_address(target):
        return Subtree({})
    try:
        name = names.from_text(target)
    except InvalidNameError:
        return Subtree({})
    return Subtree({b"": (RRset(Type.CNAME, ttl, (name,)),)})


def _cluster_ip_subtree(service: Service, hits: list[Hit], apex: bytes, ttl: int) -> Subtree:
    """Return a Service with addresses of its own ([K8S-DNS] 2.3), and its endpoints below."""
    addresses = tuple(filter(None, map(names.pack_address, service.cluster_ips)))
    if not addresses:
        return Subtree({})
    sets = address_sets(addresses, ttl)

    def node_of(ports: Iterable[ServicePort]) -> Node:
        numbers = [port.port for port in _speakable(ports)]
        weight = _weight(len(numbers) * len(addresses))
        return (*sets, *_srv_set((srv(0, weight, number, apex) for number in numbers), ttl))

    nodes = {b"": node_of(service.ports)} | _endpoint_nodes(hits, apex, ttl)
    return _with_ports(nodes, service.ports, node_of)


def _headless_subtree(hits: list[Hit], apex: bytes, ttl: int) -> Subtree:
    """Return a Service that stands for its ready endpoints ([K8S-DNS] 2.4)."""

    def node_of(ports: Iterable[ServicePort]) -> Node:
        chosen = frozenset(ports)
        return _node_of([hit for hit in hits if hit.port in chosen], apex, ttl)

    nodes = {b"": _node_of(hits, apex, ttl)} | _endpoint_nodes(hits, apex, ttl)
    ports = dict.fromkeys(hit.port for hit in hits if hit.port is not None)
    return _with_ports(nodes, ports, node_of)


def _endpoint_nodes(hits: list[Hit], apex: bytes, ttl: int) -> dict[bytes, Node]:
    """Return a node for each endpoint label; endpoints may share a hostname."""
    by_label: dict[bytes, list[Hit]] = {}
    for hit in hits:
        by_label.setdefault(hit.label, []).append(hit)
    return {label: _node_of(alike, apex, ttl) for label, alike in by_label.items()}


def _node_of(hits: list[Hit], apex: bytes, ttl: int) -> Node:
    """Return addresses of hits, and an SRV set that points to their endpoint names.

    A slice of address type FQDN gives a CNAME; a name can have one, and nothing beside it
    (RFC 1034 3.6.2), so it is given only where no address is.
    """
    sets = address_sets((hit.packed for hit in hits if hit.packed), ttl)
    if not sets:
        return _alias_subtree(min(hit.text for hit in hits), ttl).nodes.get(b"", ())
    ports = [(hit.port.port, hit.label + apex) for hit in hits if hit.port and hit.packed]
    weight = _weight(len(ports))
    rdata = (srv(0, weight, port, target) for port, target in ports if len(target) <= MAX_NAME)
    return (*sets, *_srv_set(rdata, ttl))


def _srv_set(rdata: Iterable[bytes], ttl: int) -> Node:
    """Return one SRV set without doubles, none when there is no port to name."""
    distinct = tuple(dict.fromkeys(rdata))
    return (RRset(Type.SRV, ttl, distinct),) if distinct else ()


def _weight(hits: int) -> int:
    """Return each hit's share of 100, doubles counted; RFC 2782 has zero mean "hardly ever"."""
    return max(1, 100 // hits) if hits else 1


def _with_ports(
    nodes: Mapping[bytes, Node],
    ports: Iterable[ServicePort],
    node_of: Callable[[Iterable[ServicePort]], Node],
) -> Subtree:
    """Return a subtree with a node at each `_name._protocol`, found in other spellings too.

    The underscores need not be written, and a lone `_` stands for any port or any protocol:
    [K8S-DNS] does not ask for that and nobody lists it, but queries that rely on it resolve today.
    """
    by_words: dict[tuple[bytes, bytes], list[ServicePort]] = {}
    named: dict[bytes, Node] = {}
    for port in ports:
        name, protocol = port.name.lower().encode(), port.protocol.lower().encode()
        for words in {(name, protocol), (name, b""), (b"", protocol), (b"", b"")}:
            by_words.setdefault(words, []).append(port)
    for (name, protocol), alike in by_words.items():
        if name and protocol and max(len(name), len(protocol)) < MAX_LABEL:
            label = names.pack_label(b"_" + name) + names.pack_label(b"_" + protocol)
            named[label] = node_of(alike)

    protocols = {protocol for _, protocol in by_words}

    def synthesise(below: bytes) -> Node | None:
        words = [label.removeprefix(b"_") for label in names.labels(below)]
        if len(words) == 1:
            return () if words[0] in protocols else None
        found = by_words.get((words[0], words[1])) if len(words) == 2 else None
        return node_of(found) if found else None

    return Subtree(with_empty_non_terminals({**nodes, **named}), synthesise)


def _pod_names(apex: bytes, ttl: int) -> Callable[[bytes], Node | None]:
    """Return the endless names of `pods insecure`: any address, dashes for dots and colons."""

    def synthesise(below: bytes) -> Node | None:
        labels = list(names.labels(below))
        if len(labels) > 3:
            return None
        address = names.pack_address(_undashed(labels[-1].decode("ascii", "replace")))
        if address is None:
            return None
        return _pod_subtree(address, names.pack_label(labels[-1]) + apex, ttl).nodes[b""]

    return synthesise


def _pod_subtree(address: bytes | None, target: bytes, ttl: int) -> Subtree:
    """Return a pod's address; up to two labels before it are ignored, as everybody does."""
    node = address_sets((address,), ttl) if address else ()
    # There is no port to tell: the SRV set says so with a zero.
    node = (*node, RRset(Type.SRV, ttl, (srv(0, 100, 0, target),)))

    def synthesise(below: bytes) -> Node | None:
        return node if sum(1 for _ in names.labels(below)) <= 2 else None

    return Subtree({b"": node}, synthesise)


def _undashed(label: str) -> str:
    """Return the address a pod label spells: three single dashes are dots, all others colons."""
    if "." in label or ":" in label:
        return ""
    if label.count("-") == 3 and "--" not in label:
        return label.replace("-", ".")
    return label.replace("-", ":")

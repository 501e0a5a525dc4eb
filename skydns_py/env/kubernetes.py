"""The service variables of a namespace: exactly what the kubelet gives to a pod in it.

Where the kubelet's choice is random, because two Services claim one variable, ours is the same
every time and is told.
This module never looks at endpoints, readiness or pods: the Service object alone decides.

Source: Kubernetes 1.36, pkg/kubelet/envvars/envvars.go and getServiceEnvVarMap in
pkg/kubelet/kubelet_pods.go.
"""

from collections.abc import Iterable, Iterator

from skydns_py.env.env_map import Collision, EnvMap
from skydns_py.sources.kubernetes.schema import EXTERNAL_NAME, Service, ServicePort


def service_environment(
    services: Iterable[Service],
    namespace: str,
    *,
    service_links: bool = True,
) -> EnvMap:
    """Return the variables of a pod of `namespace`, given all Services of the cluster.

    `service_links` is the pod's `enableServiceLinks`: without them only `default/kubernetes` is
    left.
    Of two Services that claim one variable, the first by name wins: where `foo` and `foo-service`
    both claim FOO_SERVICE_PORT, `foo` is first, and FOO_SERVICE_HOST and FOO_SERVICE_PORT stay a
    pair.
    """
    variables: dict[str, str] = {}
    owners: dict[str, Service] = {}
    losers: dict[str, list[str]] = {}
    for service in _projected(services, namespace, service_links=service_links):
        # A dictionary per Service: within one, the kubelet lets the last of equal names win.
        for variable, value in dict(_variables(service)).items():
            owners.setdefault(variable, service)
            if variables.setdefault(variable, value) != value:
                losers.setdefault(variable, []).append(_title(service))
    collisions = (
        Collision(variable, _title(owners[variable]), tuple(found))
        for variable, found in losers.items()
    )
    return EnvMap(variables, tuple(collisions))


def _projected(
    services: Iterable[Service],
    namespace: str,
    *,
    service_links: bool,
) -> list[Service]:
    """Return the Services a pod of `namespace` hears of, by name.

    `default/kubernetes` is in every map, unless a Service of that name in `namespace` takes its
    place as a whole, which needs links and an address.
    """
    chosen: dict[str, Service] = {}
    for service in services:
        if service.name == "kubernetes" and service.namespace == "default":
            if _has_cluster_ip(service):
                chosen.setdefault(service.name, service)
        elif service_links and service.namespace == namespace and _has_cluster_ip(service):
            chosen[service.name] = service
    return [service for _, service in sorted(chosen.items())]


def _has_cluster_ip(service: Service) -> bool:
    return service.type != EXTERNAL_NAME and service.cluster_ips[:1] not in {(), ("",), ("None",)}


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    prefix = _variable_name(service.name)
    # Dual stack: the kubelet reads `spec.clusterIP`, which is the first of `spec.clusterIPs`.
    yield f"{prefix}_SERVICE_HOST", service.cluster_ips[0]
    if service.ports:
        yield f"{prefix}_SERVICE_PORT", str(service.ports[0].port)
    for port in service.ports:
        if port.name:
            yield f"{prefix}_SERVICE_PORT_{_variable_name(port.name)}", str(port.port)
    if service.ports:
        yield f"{prefix}_PORT", _url(service, service.ports[0])
    for port in service.ports:
        yield from _link_variables(prefix, service, port)


def _link_variables(
    prefix: str,
    service: Service,
    port: ServicePort,
) -> Iterator[tuple[str, str]]:
    """Yield the four variables that Docker links had for a port."""
    stem = f"{prefix}_PORT_{port.port}_{port.protocol.upper()}"
    yield stem, _url(service, port)
    yield f"{stem}_PROTO", port.protocol.lower()
    yield f"{stem}_PORT", str(port.port)
    yield f"{stem}_ADDR", service.cluster_ips[0]


def _url(service: Service, port: ServicePort) -> str:
    # As Go's net.JoinHostPort: an address with a colon is bracketed, its text stays as written.
    address = service.cluster_ips[0]
    host = f"[{address}]" if ":" in address else address
    return f"{port.protocol.lower()}://{host}:{port.port}"


def _variable_name(name: str) -> str:
    return name.replace("-", "_").upper()


def _title(service: Service) -> str:
    return f"{service.namespace}/{service.name}"

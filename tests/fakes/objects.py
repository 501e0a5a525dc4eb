"""Kubernetes objects as an API server is given them: small, and named after what they are.

Addresses are those of RFC 5737 and RFC 3849.
"""

from typing import Any

Object = dict[str, Any]


def namespace(name: str, labels: dict[str, str] | None = None) -> Object:
    return _object("v1", "Namespace", "", name, labels) | {
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def service(
    namespace: str,
    name: str,
    address: str = "192.0.2.10",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Object:
    made = _object("v1", "Service", namespace, name, labels) | {
        "spec": {
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
            "clusterIP": address,
            "clusterIPs": [address],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }
    if annotations:
        made["metadata"]["annotations"] = annotations
    return made


def endpoint_slice(namespace: str, name: str, service: str, *addresses: str) -> Object:
    labels = {"kubernetes.io/service-name": service}
    return _object("discovery.k8s.io/v1", "EndpointSlice", namespace, name, labels) | {
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": True}} for address in addresses
        ],
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


def pod(
    namespace: str,
    name: str,
    address: str = "",
    *,
    phase: str = "Running",
    deleted_at: str = "",
    labels: dict[str, str] | None = None,
) -> Object:
    made = _object("v1", "Pod", namespace, name, labels) | {
        "spec": {"containers": [{"name": "main", "image": "registry.example.org/main"}]},
        "status": {"phase": phase} | ({"podIP": address} if address else {}),
    }
    if deleted_at:
        made["metadata"]["deletionTimestamp"] = deleted_at
    return made


def _object(
    version: str, kind: str, namespace: str, name: str, labels: dict[str, str] | None
) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = labels
    return {"kind": kind, "apiVersion": version, "metadata": metadata}

"""The resources of a Kubernetes API server that are mirrored, and how a refusal of one is told.

This module asks nothing of a server.
"""

from typing import Final

import msgspec

from skydns_py.sources.kubernetes.events import Refused


class Resource(msgspec.Struct, frozen=True):
    """One resource: its plural name, the kind of its objects, its API group and version."""

    name: str
    kind: str
    group: str = ""
    version: str = "v1"

    @property
    def path(self) -> str:
        """The path of the whole cluster's objects."""
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/{self.name}"


SERVICES: Final = Resource("services", "Service")
ENDPOINTSLICES: Final = Resource("endpointslices", "EndpointSlice", group="discovery.k8s.io")
NAMESPACES: Final = Resource("namespaces", "Namespace")
PODS: Final = Resource("pods", "Pod")

RUNNING_PODS: Final = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"
"""The fieldSelector of pods whose address is theirs; one that is pending may have it already."""


def explain(resource: Resource, verb: str, refused: Refused, host: str) -> str:
    """Return what happened and what to do about it, for the operator.

    `verb` is list or watch, as RBAC names them; `host` the API server that refused.
    """
    asked = f"{verb} {resource.name} at {host}"
    said = refused.message or refused.reason or "no reason given"
    match refused.status:
        case 401:
            return (
                f"cannot {asked}: the API server does not know our credentials ({said}); see that"
                " the token, the client certificate or the exec plugin in use is still valid there"
            )
        case 403:
            return (
                f"cannot {asked}: {said}; let a ClusterRole that is bound to this account have the"
                f" rule\n{rule(resource)}"
            )
        case 404 if resource is ENDPOINTSLICES:
            return (
                f"cannot {asked}: the API server has no {resource.group}/{resource.version};"
                " Kubernetes 1.21 or newer is needed, or the option noendpoints"
            )
        case 404:
            return f"cannot {asked}: not found; see that this address is a Kubernetes API server's"
        case 0:
            return f"cannot {asked}: the watch says {said}"
        case status:
            return f"cannot {asked}: HTTP {status}: {said}"


def rule(resource: Resource) -> str:
    """Return the RBAC rule that a resource needs, as YAML."""
    return (
        f'- apiGroups: ["{resource.group}"]\n'
        f'  resources: ["{resource.name}"]\n'
        '  verbs: ["list", "watch"]'
    )

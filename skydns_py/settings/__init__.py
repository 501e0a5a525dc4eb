"""What the operator wants, typed and frozen: the one thing `app` is built from.

A Corefile (`skydns_py.corefile`) and the command line's flags (`from_flags`) lead to the same
`Settings`.
Nothing here opens a socket or reads a file; the flags may ask whether a file is there.
"""

from skydns_py.settings.findings import Findings, InvalidSettingsError, Problem
from skydns_py.settings.flags import Flags, from_flags
from skydns_py.settings.shapes import (
    ApiEndpoint,
    Block,
    Consolidation,
    ErrorsSettings,
    HealthSettings,
    InCluster,
    Kubeconfig,
    KubernetesSettings,
    Listen,
    LogRule,
    Manifests,
    Origin,
    PodMode,
    ReadySettings,
    Settings,
)

__all__ = [
    "ApiEndpoint",
    "Block",
    "Consolidation",
    "ErrorsSettings",
    "Findings",
    "Flags",
    "HealthSettings",
    "InCluster",
    "InvalidSettingsError",
    "Kubeconfig",
    "KubernetesSettings",
    "Listen",
    "LogRule",
    "Manifests",
    "Origin",
    "PodMode",
    "Problem",
    "ReadySettings",
    "Settings",
    "from_flags",
]

"""What the operator wants, typed and frozen: the one thing `app` is built from.

A Corefile (`skydns_py.corefile`) and the command line's flags (`from_flags`) lead to the same
`Settings`.
Nothing here opens a socket; the flags may ask whether a file is there, and read a resolv.conf.
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
    PrometheusSettings,
    ReadySettings,
    Settings,
)
from skydns_py.settings.upstream_shapes import CacheSettings, ForwardSettings, Keep, Upstream

__all__ = [
    "ApiEndpoint",
    "Block",
    "CacheSettings",
    "Consolidation",
    "ErrorsSettings",
    "Findings",
    "Flags",
    "ForwardSettings",
    "HealthSettings",
    "InCluster",
    "InvalidSettingsError",
    "Keep",
    "Kubeconfig",
    "KubernetesSettings",
    "Listen",
    "LogRule",
    "Manifests",
    "Origin",
    "PodMode",
    "Problem",
    "PrometheusSettings",
    "ReadySettings",
    "Settings",
    "Upstream",
    "from_flags",
]

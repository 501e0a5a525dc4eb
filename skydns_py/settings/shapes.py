"""The shapes of the settings: frozen values, with the defaults CoreDNS documents.

Zones are folded absolute wire names (`skydns_py.names`), times are seconds, paths are as written.
This module never checks: what reaches a shape has been read by `corefile` or by `flags`.
"""

from typing import Literal

import msgspec

from skydns_py.settings.upstream_shapes import CacheSettings, ForwardSettings

PodMode = Literal["disabled", "insecure", "verified"]
LogClass = Literal["all", "denial", "error", "success"]
LogLevel = Literal["warning", "error", "info", "debug"]

COMMON_LOG_FORMAT = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}"'
    " {rcode} {>rflags} {rsize} {duration}"
)
"""What `log` writes when no format is given, and what `{common}` stands for in one."""

COMBINED_LOG_FORMAT = COMMON_LOG_FORMAT + ' "{>opcode}"'
"""What `{combined}` stands for in a log format."""


class Listen(msgspec.Struct, frozen=True):
    """Where to listen: on one address, on those of a network interface, or on all (both "").

    `but_not` names the addresses and interfaces that `bind … { except … }` leaves out.
    Interfaces are looked up when the sockets are opened; port 0 lets the system choose one.
    """

    address: str = ""
    port: int = 53
    interface: str = ""
    but_not: tuple[str, ...] = ()

    def __str__(self) -> str:
        host = self.interface or self.address
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class InCluster(msgspec.Struct, frozen=True):
    """The Kubernetes API as a pod reaches it, with the service account it was given."""


class Kubeconfig(msgspec.Struct, frozen=True):
    """The Kubernetes API of a context in kubeconfig files; "" is their current context.

    Several paths are merged as kubectl merges the list in $KUBECONFIG: the first word counts.
    """

    paths: tuple[str, ...]
    context: str = ""


class ApiEndpoint(msgspec.Struct, frozen=True):
    """The Kubernetes API at a URL, with the PEM files of `tls` ("" for none)."""

    url: str
    cert: str = ""
    key: str = ""
    ca: str = ""


class Manifests(msgspec.Struct, frozen=True):
    """Kubernetes objects in YAML or JSON files: a file or a folder."""

    path: str


Origin = InCluster | Kubeconfig | ApiEndpoint | Manifests
"""Where the Kubernetes objects come from."""


class KubernetesSettings(msgspec.Struct, frozen=True):
    """The `kubernetes` directive.

    `zones` holds at least one zone outside the reverse trees; PTR targets stand in the first such.
    `namespaces` limits the namespaces when it is not empty; `namespace_labels` and `labels` are
    selectors in the API's own syntax, "" for everything.
    `endpoints` is False for `noendpoints`.
    `fallthrough` holds the zones whose unknown names are passed on; the root stands for all.
    The three `apiserver` numbers limit requests a second, in a burst and at once; None leaves
    them to the client.
    """

    zones: tuple[bytes, ...]
    origin: Origin = InCluster()
    namespaces: frozenset[str] = frozenset()
    namespace_labels: str = ""
    labels: str = ""
    pods: PodMode = "disabled"
    endpoint_pod_names: bool = False
    ttl: int = 5
    endpoints: bool = True
    fallthrough: tuple[bytes, ...] = ()
    ignore_empty_service: bool = False
    startup_timeout: float = 5.0
    apiserver_qps: float | None = None
    apiserver_burst: int | None = None
    apiserver_max_inflight: int | None = None


class Consolidation(msgspec.Struct, frozen=True):
    """Errors matching `pattern` are counted and told once per `period` seconds, at `level`.

    With `show_first` the first of a period is told at once too.
    """

    period: float
    pattern: str
    level: LogLevel = "error"
    show_first: bool = False


class ErrorsSettings(msgspec.Struct, frozen=True):
    """The `errors` directive: the first consolidation that matches an error counts."""

    consolidate: tuple[Consolidation, ...] = ()
    stacktrace: bool = False


class LogRule(msgspec.Struct, frozen=True):
    """One `log` rule: queries at or below `zone` whose answer is of one of `classes`."""

    zone: bytes
    format: str = COMMON_LOG_FORMAT
    classes: frozenset[LogClass] = frozenset({"all"})


class ReadySettings(msgspec.Struct, frozen=True):
    """The `ready` directive."""

    listen: Listen = Listen(port=8181)
    monitor: Literal["until-ready", "continuously"] = "until-ready"


class HealthSettings(msgspec.Struct, frozen=True):
    """The `health` directive: after SIGTERM, answers go on for `lameduck` seconds."""

    listen: Listen = Listen(port=8080)
    lameduck: float = 0.0


class PrometheusSettings(msgspec.Struct, frozen=True):
    """The `prometheus` directive: where the metrics are offered, at `/metrics`."""

    listen: Listen = Listen("127.0.0.1", 9153)


class Block(msgspec.Struct, frozen=True):
    """Zones served alike on the same port; `place` is where that was written.

    A server block of a Corefile becomes one `Block` per port, equal but for `zones` and `listen`.
    Where `errors`, `ready`, `health`, `prometheus`, `kubernetes` or `cache` is None, the directive
    was not written.
    Of `forward` the first that serves a name is asked, in the order written.
    `loop` says that upstreams are tried for leading back here.
    """

    zones: tuple[bytes, ...]
    listen: tuple[Listen, ...]
    place: str
    kubernetes: KubernetesSettings | None = None
    errors: ErrorsSettings | None = None
    log: tuple[LogRule, ...] = ()
    loadbalance: bool = False
    ready: ReadySettings | None = None
    health: HealthSettings | None = None
    prometheus: PrometheusSettings | None = None
    forward: tuple[ForwardSettings, ...] = ()
    cache: CacheSettings | None = None
    loop: bool = False


class Settings(msgspec.Struct, frozen=True):
    """Everything the program is started with.

    `http` is where the environment maps and the API are offered; empty: nowhere.
    `warnings` are sentences with their place, to be logged at start.
    """

    blocks: tuple[Block, ...]
    http: tuple[Listen, ...] = ()
    warnings: tuple[str, ...] = ()

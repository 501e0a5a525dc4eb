"""The `kubernetes` directive: its zones and its options, checked as far as words can be.

Whether a file, a context, a namespace or a server exists is found out by who uses it.

Source: the manual page of CoreDNS 1.14's plugin kubernetes; Kubernetes' label selectors.
"""

from typing import Any, Final, get_args
from urllib.parse import urlsplit

from skydns_py import names
from skydns_py.corefile.options import Context, OptionReader, arguments, read_options
from skydns_py.corefile.selectors import check_selector
from skydns_py.corefile.syntax import Line
from skydns_py.settings import (
    ApiEndpoint,
    InCluster,
    Kubeconfig,
    KubernetesSettings,
    Origin,
    PodMode,
)
from skydns_py.settings.values import (
    UNLIMITED,
    RefusedError,
    one_of,
    rate,
    seconds,
    whole_number,
    zones,
)


def read_kubernetes(line: Line, context: Context) -> KubernetesSettings:
    """Read `kubernetes [ZONES...] { options }`; without zones, the server block's are meant."""
    own_zones: tuple[bytes, ...] = ()
    with context.findings.at(line.place):
        own_zones = _read_zones(line, context)
    fields = read_options(line, _OPTIONS, context.findings, {"namespaces"})
    if fields.get("namespaces") and "namespace_labels" in fields:
        context.findings.refuse(
            line.place,
            "`namespaces` and `namespace_labels` exclude each other; keep one",
        )
    fields["origin"] = _read_origin(fields, line, context)
    fields["namespaces"] = frozenset(fields.get("namespaces", ()))
    if limits := sorted(fields.keys() & _LIMITS):
        message = (
            f"`{'` and `'.join(limits)}` change nothing: one request per resource is all we do"
        )
        context.findings.warn(line.place, message)
    return KubernetesSettings(zones=own_zones, **fields)


def _read_zones(line: Line, context: Context) -> tuple[bytes, ...]:
    found = _zones_of(line) or context.zones
    if found and all(names.is_reverse(zone) for zone in found):
        raise RefusedError(
            "`kubernetes` has reverse zones only; name the cluster's zone too, such as"
            " `cluster.local`",
        )
    return found


def _read_origin(fields: dict[str, Any], line: Line, context: Context) -> Origin:
    kubeconfig: Kubeconfig | None = fields.pop("kubeconfig", None)
    endpoints: tuple[str, ...] = fields.pop("endpoint", ())
    tls: tuple[str, ...] = fields.pop("tls", ())
    if len(endpoints) > 1:
        message = f"of several `endpoint`s only the first is used: {endpoints[0]}"
        context.findings.warn(line.place, message)
    unused = [name for name, value in (("endpoint", endpoints), ("tls", tls)) if value]
    if kubeconfig:
        if unused:
            message = f"`{'` and `'.join(unused)}` change nothing beside `kubeconfig`"
            context.findings.warn(line.place, message)
        return kubeconfig
    if endpoints:
        return ApiEndpoint(_with_scheme(endpoints[0], has_tls=bool(tls)), *tls)
    if tls:
        context.findings.warn(line.place, "`tls` changes nothing without `endpoint`")
    return InCluster()


def _read_endpoint(option: Line) -> dict[str, Any]:
    urls = arguments(option, 1, None, "endpoint URL")
    for url in urls:
        _check_url(url)
    return {"endpoint": urls}


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(_with_scheme(url, has_tls=True))
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        is_url = False
    if not is_url:
        raise RefusedError(
            f"`{url[:80]}` is no URL of an API server; write for example `https://192.0.2.1:6443`",
        )


def _with_scheme(url: str, *, has_tls: bool) -> str:
    # Kubernetes' own client reads `192.0.2.1:8080` as http, or as https when it has certificates.
    return url if "://" in url else f"{'https' if has_tls else 'http'}://{url}"


def _read_tls(option: Line) -> dict[str, Any]:
    return {"tls": arguments(option, 3, 3, "tls CERT KEY CACERT")}


def _read_kubeconfig(option: Line) -> dict[str, Any]:
    path, *context = arguments(option, 1, 2, "kubeconfig FILE [CONTEXT]")
    return {"kubeconfig": Kubeconfig((path,), *context)}


def _read_namespaces(option: Line) -> dict[str, Any]:
    return {"namespaces": arguments(option, 1, None, "namespaces NAMESPACE...")}


def _read_selector(option: Line) -> dict[str, Any]:
    text = " ".join(arguments(option, 1, None, f"{option.name} EXPRESSION"))
    check_selector(text)
    return {option.name: text}


def _read_pods(option: Line) -> dict[str, Any]:
    (mode,) = arguments(option, 1, 1, "pods disabled|insecure|verified")
    return {"pods": one_of(mode, get_args(PodMode))}


def _read_endpoint_pod_names(option: Line) -> dict[str, Any]:
    arguments(option, 0, 0, "endpoint_pod_names")
    return {"endpoint_pod_names": True}


def _read_noendpoints(option: Line) -> dict[str, Any]:
    arguments(option, 0, 0, "noendpoints")
    return {"endpoints": False}


def _read_ttl(option: Line) -> dict[str, Any]:
    (text,) = arguments(option, 1, 1, "ttl SECONDS")
    return {"ttl": whole_number(text, 0, 3600)}


def _read_fallthrough(option: Line) -> dict[str, Any]:
    return {"fallthrough": _zones_of(option) or (names.ROOT,)}


def _read_ignore(option: Line) -> dict[str, Any]:
    (what,) = arguments(option, 1, 1, "ignore empty_service")
    one_of(what, ("empty_service",))
    return {"ignore_empty_service": True}


def _read_startup_timeout(option: Line) -> dict[str, Any]:
    return {"startup_timeout": seconds(*arguments(option, 1, 1, "startup_timeout DURATION"))}


def _read_rate(option: Line) -> dict[str, Any]:
    return {option.name: rate(*arguments(option, 1, 1, f"{option.name} NUMBER"))}


def _read_limit(option: Line) -> dict[str, Any]:
    (text,) = arguments(option, 1, 1, f"{option.name} NUMBER")
    return {option.name: whole_number(text, 0, UNLIMITED)}


def _refuse_unbuilt(option: Line) -> dict[str, Any]:
    raise RefusedError(f"the option `{option.name}` of `kubernetes` is known, but not built yet")


def _refuse_gone(option: Line) -> dict[str, Any]:
    raise RefusedError(f"`{option.name}` was taken out of CoreDNS and does nothing; delete it")


def _zones_of(line: Line) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(zone for text in line.arguments for zone in zones(text)))


_LIMITS: Final = frozenset({"apiserver_burst", "apiserver_max_inflight", "apiserver_qps"})
_OPTIONS: Final[dict[str, OptionReader]] = {
    "apiserver_burst": _read_limit,
    "apiserver_max_inflight": _read_limit,
    "apiserver_qps": _read_rate,
    "endpoint": _read_endpoint,
    "endpoint_pod_names": _read_endpoint_pod_names,
    "fallthrough": _read_fallthrough,
    "ignore": _read_ignore,
    "kubeconfig": _read_kubeconfig,
    "labels": _read_selector,
    "multicluster": _refuse_unbuilt,
    "namespace_labels": _read_selector,
    "namespaces": _read_namespaces,
    "noendpoints": _read_noendpoints,
    "pods": _read_pods,
    "resyncperiod": _refuse_gone,
    "startup_timeout": _read_startup_timeout,
    "tls": _read_tls,
    "ttl": _read_ttl,
    "upstream": _refuse_gone,
    "zonal": _refuse_unbuilt,
}

"""Every directive and option that is built: what it means, and how it is refused."""

from collections.abc import Mapping

import msgspec
import pytest

from skydns_py import corefile, names
from skydns_py.corefile.directives import DIRECTIVES
from skydns_py.corefile.plugins import explain_unbuilt
from skydns_py.settings import (
    ApiEndpoint,
    Block,
    Consolidation,
    ErrorsSettings,
    HealthSettings,
    InCluster,
    InvalidSettingsError,
    Kubeconfig,
    Listen,
    LogRule,
    PrometheusSettings,
    ReadySettings,
)
from skydns_py.settings.shapes import COMMON_LOG_FORMAT

BUILT = (
    "bind, cache, errors, forward, health, kubernetes, loadbalance, log, loop, prometheus, ready"
)


def block(*lines: str) -> Block:
    """Return the block of `example.org` with these lines in it, the first on line 2."""
    text = "\n".join(("example.org {", *lines, "}"))
    (found,) = corefile.parse(text).blocks
    return found


def kubernetes(*options: str) -> Mapping[str, object]:
    """Return the fields the options change, compared to none."""
    bare = block("kubernetes").kubernetes
    changed = block("kubernetes {", *options, "}").kubernetes
    assert bare is not None
    assert changed is not None
    before = msgspec.structs.asdict(bare)
    return {k: v for k, v in msgspec.structs.asdict(changed).items() if v != before[k]}


def refusal(*lines: str) -> str:
    with pytest.raises(InvalidSettingsError) as caught:
        block(*lines)
    return str(caught.value)


def zone(text: str) -> bytes:
    return names.from_text(text)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("", {}),
        ("apiserver_burst 20", {"apiserver_burst": 20}),
        ("apiserver_max_inflight 0", {"apiserver_max_inflight": 0}),
        ("apiserver_qps 2.5", {"apiserver_qps": 2.5}),
        (
            "endpoint https://192.0.2.1:6443",
            {"origin": ApiEndpoint("https://192.0.2.1:6443")},
        ),
        ("endpoint 192.0.2.1:8080", {"origin": ApiEndpoint("http://192.0.2.1:8080")}),
        ("endpoint a.example.org b.example.org", {"origin": ApiEndpoint("http://a.example.org")}),
        (
            "tls c k ca\nendpoint [2001:db8::1]:6443",
            {"origin": ApiEndpoint("https://[2001:db8::1]:6443", "c", "k", "ca")},
        ),
        ("endpoint_pod_names", {"endpoint_pod_names": True}),
        ("fallthrough", {"fallthrough": (names.ROOT,)}),
        ("fallthrough Example.NET", {"fallthrough": (zone("example.net"),)}),
        ("fallthrough 192.0.2.0/24", {"fallthrough": (zone("2.0.192.in-addr.arpa"),)}),
        ("ignore empty_service", {"ignore_empty_service": True}),
        ("kubeconfig /k", {"origin": Kubeconfig(("/k",))}),
        ("kubeconfig /k blue", {"origin": Kubeconfig(("/k",), "blue")}),
        ("kubeconfig /k\nendpoint https://x", {"origin": Kubeconfig(("/k",))}),
        ("tls a b c", {}),
        ("labels app=web", {"labels": "app=web"}),
        (
            "labels environment in (production, qa),tier!=back",
            {"labels": "environment in (production, qa),tier!=back"},
        ),
        ("namespace_labels istio", {"namespace_labels": "istio"}),
        ("namespaces shop depot", {"namespaces": frozenset({"shop", "depot"})}),
        ("namespaces shop\nnamespaces depot", {"namespaces": frozenset({"shop", "depot"})}),
        ("noendpoints", {"endpoints": False}),
        ("pods verified", {"pods": "verified"}),
        ("pods insecure\npods disabled", {}),
        ("startup_timeout 1m0.5s", {"startup_timeout": 60.5}),
        ("ttl 0", {"ttl": 0}),
        ("ttl 3600", {"ttl": 3600}),
    ],
)
def test_options_of_kubernetes_set_their_fields(option, expected):
    """Each option changes the fields it is about and no other."""
    assert expected == kubernetes(*option.split("\n"))


def test_kubernetes_has_the_documented_defaults():
    """Without options: the block's zones, the pod's own cluster, five seconds."""
    settings = block("kubernetes").kubernetes

    assert settings is not None
    assert (zone("example.org"),) == settings.zones
    assert InCluster() == settings.origin
    assert ("disabled", 5, 5.0, True) == (
        settings.pods,
        settings.ttl,
        settings.startup_timeout,
        settings.endpoints,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cluster.local", ["cluster.local"]),
        ("Cluster.LOCAL. IN-ADDR.arpa", ["cluster.local", "in-addr.arpa"]),
        ("cluster.local cluster.local", ["cluster.local"]),
        ("cluster.local 10.2.3.4/16", ["cluster.local", "2.10.in-addr.arpa"]),
        (
            "cluster.local 10.96.0.0/15",
            ["cluster.local", "96.10.in-addr.arpa", "97.10.in-addr.arpa"],
        ),
        ("cluster.local fd00::/8", ["cluster.local", "d.f.ip6.arpa"]),
        ("cluster.local 0/25.2.0.192.in-addr.arpa", ["cluster.local", "0/25.2.0.192.in-addr.arpa"]),
        (".", ["."]),
    ],
)
def test_zones_of_kubernetes_are_names_or_networks(words, expected):
    """Zones are folded and told once; a network stands for the reverse zones that cover it."""
    settings = block(f"kubernetes {words}").kubernetes

    assert settings is not None
    assert tuple(zone(text) for text in expected) == settings.zones


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("apiserver_burst -1", "`-1` is not a whole number of at least 0"),
        ("apiserver_max_inflight 1.5", "`1.5` is not a whole number of at least 0"),
        ("apiserver_qps -0.1", "`-0.1` is not a number of at least 0"),
        ("apiserver_qps nan", "`nan` is not a number of at least 0"),
        (
            "apiserver_qps",
            "`apiserver_qps` has 0 arguments here; it is written `apiserver_qps NUMBER`",
        ),
        ("endpoint", "`endpoint` has 0 arguments here; it is written `endpoint URL`"),
        (
            "endpoint ftp://192.0.2.1",
            (
                "`ftp://192.0.2.1` is no URL of an API server; write for example"
                " `https://192.0.2.1:6443`"
            ),
        ),
        (
            "endpoint https://192.0.2.1:port",
            (
                "`https://192.0.2.1:port` is no URL of an API server; write for example"
                " `https://192.0.2.1:6443`"
            ),
        ),
        (
            "endpoint_pod_names yes",
            "`endpoint_pod_names` has 1 arguments here; it is written `endpoint_pod_names`",
        ),
        (
            "fallthrough a..b",
            "`a..b` is no zone: the label b'' is 0 octets long, 1 to 63 are allowed",
        ),
        ("ignore all", "`all` is not one of: empty_service"),
        (
            "kubeconfig",
            "`kubeconfig` has 0 arguments here; it is written `kubeconfig FILE [CONTEXT]`",
        ),
        (
            "labels app=web tier=back",
            (
                "`app=web tier=back` is no label selector from `app=web tier=back` on; write for"
                " example `app=web,tier in (front, back)`"
            ),
        ),
        (
            "multicluster example.org",
            "the option `multicluster` of `kubernetes` is known, but not built yet",
        ),
        ("zonal", "the option `zonal` of `kubernetes` is known, but not built yet"),
        ("upstream", "`upstream` was taken out of CoreDNS and does nothing; delete it"),
        ("pods", "`pods` has 0 arguments here; it is written `pods disabled|insecure|verified`"),
        ("pods all", "`all` is not one of: disabled, insecure, verified"),
        ("startup_timeout 5", "`5` has no unit; write for example `5s`"),
        (
            "startup_timeout -5s",
            "`-5s` is no duration; write for example `5s` or `1m30s`",
        ),
        ("tls cert key", "`tls` has 2 arguments here; it is written `tls CERT KEY CACERT`"),
        ("ttl 3601", "`3601` is not a whole number from 0 to 3600"),
        ("ttl -1", "`-1` is not a whole number from 0 to 3600"),
        ("ttl 5s", "`5s` is not a whole number from 0 to 3600"),
        ("ttl 1_0", "`1_0` is not a whole number from 0 to 3600"),
        ("ttl 30 60", "`ttl` has 2 arguments here; it is written `ttl SECONDS`"),
        ("pod verified", "unknown option `pod` of `kubernetes`; did you mean `pods`?"),
        ("ttl 30 {\nx\n}", "the option `ttl` of `kubernetes` has no block of its own"),
    ],
)
def test_options_of_kubernetes_are_refused_with_their_line(option, message):
    """An option that cannot be meant is told with its line, its word and its form."""
    lines = ("kubernetes {", *option.split("\n"), "}")
    assert f"Corefile:3: {message}" == refusal(*lines)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["kubernetes in-addr.arpa 10.0.0.0/8"],
            (
                "Corefile:2: `kubernetes` has reverse zones only; name the cluster's zone too,"
                " such as `cluster.local`"
            ),
        ),
        (
            ["kubernetes", "kubernetes example.net"],
            "Corefile:3: `kubernetes` may stand once in a server block; the first is at Corefile:2",
        ),
        (
            ["kubernetes {", "namespaces a", "namespace_labels b", "}"],
            "Corefile:2: `namespaces` and `namespace_labels` exclude each other; keep one",
        ),
        (
            ["kubernetes 10.0.0.0/33 {", "ttl x", "}"],
            (
                "Corefile:2: `10.0.0.0/33` is neither a zone nor a network; write `example.org` or"
                " `10.96.0.0/12`\nCorefile:3: `x` is not a whole number from 0 to 3600"
            ),
        ),
        (
            ["kubernetes bücher.example.org"],
            "Corefile:2: the zone `bücher.example.org` is not ASCII; write it in its xn-- form",
        ),
    ],
)
def test_contradictions_of_kubernetes_are_refused(lines, message):
    """What is wrong with the directive as a whole is told at its own line."""
    assert message == refusal(*lines)


@pytest.mark.parametrize(
    ("option", "warning"),
    [
        (
            "endpoint http://192.0.2.1 http://192.0.2.2",
            "of several `endpoint`s only the first is used: http://192.0.2.1",
        ),
        ("tls a b c", "`tls` changes nothing without `endpoint`"),
        (
            "kubeconfig /k\nendpoint http://192.0.2.1\ntls a b c",
            "`endpoint` and `tls` change nothing beside `kubeconfig`",
        ),
    ],
)
def test_options_of_kubernetes_without_effect_are_warned_about(option, warning):
    """What CoreDNS silently ignores is said."""
    settings = corefile.parse(f"example.org {{\nkubernetes {{\n{option}\n}}\n}}")

    assert (f"Corefile:2: {warning}",) == settings.warnings


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["errors"], {"errors": ErrorsSettings()}),
        (["errors stdout"], {"errors": ErrorsSettings()}),
        (["errors {", "stacktrace", "}"], {"errors": ErrorsSettings(stacktrace=True)}),
        (
            [
                "errors {",
                'consolidate 5m ".* timeout$" warning',
                "consolidate 30s ^x show_first",
                "}",
            ],
            {
                "errors": ErrorsSettings(
                    (
                        Consolidation(300.0, ".* timeout$", "warning"),
                        Consolidation(30.0, "^x", "error", show_first=True),
                    ),
                ),
            },
        ),
        (["health"], {"health": HealthSettings(Listen("", 8080), 0.0)}),
        (
            ["health 169.254.20.10:8080 {", "lameduck 1.5s", "}"],
            {"health": HealthSettings(Listen("169.254.20.10", 8080), 1.5)},
        ),
        (["prometheus"], {"prometheus": PrometheusSettings(Listen("127.0.0.1", 9153))}),
        (["prometheus :9153"], {"prometheus": PrometheusSettings(Listen("", 9153))}),
        (
            ["prometheus [2001:db8::1]:9253"],
            {"prometheus": PrometheusSettings(Listen("2001:db8::1", 9253))},
        ),
        (["health localhost:8091"], {"health": HealthSettings(Listen("127.0.0.1", 8091))}),
        (["ready"], {"ready": ReadySettings(Listen("", 8181))}),
        (
            ["ready [2001:db8::1]:81 {", "monitor continuously", "}"],
            {"ready": ReadySettings(Listen("2001:db8::1", 81), "continuously")},
        ),
        (["loadbalance"], {"loadbalance": True}),
        (["loadbalance round_robin", "loadbalance"], {"loadbalance": True}),
        (["log"], {"log": (LogRule(names.ROOT),)}),
        (
            ["log example.org example.net {", "class denial error", "}"],
            {
                "log": tuple(
                    LogRule(zone(text), classes=frozenset({"denial", "error"}))
                    for text in ("example.org", "example.net")
                ),
            },
        ),
        (["log", "log a"], {"log": (LogRule(names.ROOT), LogRule(zone("a")))}),
        (['log . "{name} {type}"'], {"log": (LogRule(names.ROOT, "{name} {type}"),)}),
        (['log "{common} x"'], {"log": (LogRule(names.ROOT, f"{COMMON_LOG_FORMAT} x"),)}),
        (["bind 192.0.2.1"], {"listen": (Listen("192.0.2.1", 53),)}),
        (["bind 192.0.2.1", "bind ::1"], {"listen": (Listen("192.0.2.1"), Listen("::1"))}),
        (["bind ::1 ::1", "bind ::1"], {"listen": (Listen("::1"),)}),
        (["bind eth0"], {"listen": (Listen("", 53, "eth0"),)}),
        (
            ["bind 192.0.2.1 192.0.2.2 eth0 {", "except 192.0.2.1 lo", "}"],
            {
                "listen": (
                    Listen("192.0.2.2", 53, "", ("192.0.2.1", "lo")),
                    Listen("", 53, "eth0", ("192.0.2.1", "lo")),
                ),
            },
        ),
    ],
)
def test_directives_set_their_fields(lines, expected):
    """Each directive changes the fields of the block it is about and no other."""
    bare = msgspec.structs.asdict(block())
    found = msgspec.structs.asdict(block(*lines))

    assert bare | expected == found


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["errors", "errors"],
            "3: `errors` may stand once in a server block; the first is at Corefile:2",
        ),
        (["errors /log"], "2: `errors` writes to the standard output only, not to `/log`"),
        (
            ["errors {", "consolidate 5x .*", "}"],
            "3: `5x` is no duration; write for example `5s` or `1m30s`",
        ),
        (
            ["errors {", "consolidate 5s (", "}"],
            "3: `(` is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            ["errors {", f"consolidate 5s {'x' * 10_001}", "}"],
            "3: the regular expression is longer than 10000 characters",
        ),
        (
            ["errors {", "consolidate 5s x loud", "}"],
            (
                "3: `loud` is not understood; it is written"
                " `consolidate DURATION REGEXP [LEVEL] [show_first]`"
            ),
        ),
        (
            ["health 8080"],
            "2: `8080` has no port; write `192.0.2.1:53`, `[2001:db8::1]:53` or `:53`",
        ),
        (
            ["health example.org:80"],
            "2: `example.org` is no IP address; write `192.0.2.1:53`, `[2001:db8::1]:53` or `:53`",
        ),
        (
            ["health ::1:80"],
            (
                "2: `::1:80`: an IPv6 address needs brackets; write `192.0.2.1:53`,"
                " `[2001:db8::1]:53` or `:53`"
            ),
        ),
        (
            ["health {", "lameduck", "}"],
            "3: `lameduck` has 0 arguments here; it is written `lameduck DURATION`",
        ),
        (["ready {", "monitor once", "}"], "3: `once` is not one of: until-ready, continuously"),
        (["ready :65536"], "2: `65536` is no port; ports are 0 to 65535"),
        (["ready a b"], "2: `ready` has 2 arguments here; it is written `ready [ADDRESS:PORT]`"),
        (
            ["loadbalance weighted /w"],
            "2: `loadbalance weighted` is known, but not built yet; use `round_robin`",
        ),
        (["loadbalance first"], "2: unknown policy `first` of `loadbalance`; use `round_robin`"),
        (
            ["loadbalance {", "prefer 192.0.2.0/24", "}"],
            "3: `prefer` of `loadbalance` is known, but not built yet",
        ),
        (["log {", "class bad", "}"], "3: `bad` is not one of: all, denial, error, success"),
        (["bind"], "2: `bind` has 0 arguments here; it is written `bind ADDRESS|INTERFACE...`"),
        (["bind a/b"], "2: `a/b` is neither an IP address nor an interface's name"),
        (
            ["bind 192.0.2.1 {", "except 192.0.2.1", "}"],
            "2: `bind` leaves out every address it names",
        ),
        (["prometeus"], "2: unknown directive `prometeus`; did you mean `prometheus`?"),
        (
            ["x"],
            f"2: unknown directive `x`; supported are: {BUILT}",
        ),
        (["health {", "x", "}"], "3: unknown option `x` of `health`; it has: lameduck"),
        (
            ["prometheus :1 :2"],
            "2: `prometheus` has 2 arguments here; it is written `prometheus [ADDRESS:PORT]`",
        ),
        (
            ["prometheus", "prometheus :9153"],
            "3: `prometheus` may stand once in a server block; the first is at Corefile:2",
        ),
        (["KUBERNETES"], "2: unknown directive `KUBERNETES`; did you mean `kubernetes`?"),
        (
            ["fanout . 192.0.2.1"],
            f"2: `fanout` is known, but not built yet; supported are: {BUILT}",
        ),
        (
            ["proxy . 192.0.2.1"],
            f"2: `proxy` was taken out of CoreDNS; supported are: {BUILT}",
        ),
    ],
)
def test_directives_are_refused_with_their_line(lines, message):
    """A directive that cannot be meant is told with its line, its word and its form."""
    assert f"Corefile:{message}" == refusal(*lines)


def test_every_directive_of_coredns_is_known():
    """No directive of CoreDNS 1.14's own list is called unknown."""
    own = """
        acl any auto autopath azure bind bufsize cache cancel chaos clouddns debug dns64 dnssec
        dnstap erratic errors etcd file forward geoip grpc grpc_server header health hosts https
        https3 k8s_external kubernetes loadbalance local log loop metadata minimal multisocket nomad
        nsid on pprof prometheus quic ready reload rewrite root route53 secondary sign template
        timeouts tls trace transfer tsig view whoami
    """
    unbuilt = set(own.split()) - set(DIRECTIVES)

    assert all("known, but not built" in explain_unbuilt(name, DIRECTIVES) for name in unbuilt)
    assert 11 == len(DIRECTIVES)

"""Endpoints as the controllers of a cluster would write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from skydns_py.sources.kubernetes import schema
from skydns_py.sources.kubernetes.schema import Endpoint, ServicePort
from skydns_py.sources.manifests.cluster import build
from skydns_py.sources.manifests.documents import File, parse
from skydns_py.sources.manifests.settings import ManifestSettings
from tests.sources.manifests.applied import WEB, WEB_PODS, Applied, refused

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "kubernetes"


def pod(name, *, ip="192.0.2.1", labels="app: web", spec="", status="phase: Running", namespace=""):
    return (
        "---\napiVersion: v1\nkind: Pod\n"
        f"metadata: {{name: {name}, namespace: {namespace or 'shop'}, labels: {{{labels}}}}}\n"
        f"spec: {{{spec}}}\nstatus: {{podIP: {ip}, {status}}}\n"
    )


def container(name, number, protocol="TCP"):
    port = f"{{name: {name}, containerPort: {number}, protocol: {protocol}}}"
    return f"containers: [{{name: c, ports: [{port}]}}]"


def test_service_and_deployment():
    """Every pod of a Deployment is an endpoint, at the number its container gives the port."""
    applied = Applied(WEB, WEB_PODS)

    (found,) = applied.slices("web")
    assert (ServicePort("http", 8080, "TCP"),) == found.ports
    assert "IPv4" == found.address_type
    expected = [Endpoint((ip,), True, "", name) for name, ip in applied.pods().items()]
    assert expected == list(found.endpoints)


def test_only_matching_pods_of_the_namespace():
    """All labels of the selector have to match, in the Service's own namespace."""
    service = WEB.replace("{app: web}", "{app: web, tier: front}")
    applied = Applied(
        service,
        pod("both", labels="app: web, tier: front, more: x"),
        pod("one", labels="app: web"),
        pod("other", labels="app: web, tier: back"),
        pod("elsewhere", labels="app: web, tier: front", namespace="dev"),
    )

    assert ["both"] == [endpoint.pod for endpoint in applied.endpoints("web")]


@pytest.mark.parametrize("selector", ["{}", "null"])
def test_no_selector_selects_nothing(selector):
    """A Service without a selector has the endpoints that it is given, here none."""
    service = WEB.replace("{app: web}", selector)

    assert [] == Applied(service, WEB_PODS).slices("web")


def test_named_ports_split_slices():
    """Pods that give a name to different numbers stand in different slices."""
    applied = Applied(
        WEB,
        pod("a", ip="192.0.2.1", spec=container("http", 8080)),
        pod("b", ip="192.0.2.2", spec=container("http", 9999)),
        pod("c", ip="192.0.2.3", spec=container("http", 8080)),
        pod("d", ip="192.0.2.4", spec=container("other", 1)),
        pod("e", ip="192.0.2.5", spec=container("http", 53, "UDP")),
    )

    found = {
        tuple(port.port for port in each.ports): [endpoint.pod for endpoint in each.endpoints]
        for each in applied.slices("web")
    }
    assert {(8080,): ["a", "c"], (9999,): ["b"], (): ["d", "e"]} == found


def test_port_name_in_two_containers():
    """Of two ports of one name the first counts, in the order of the containers."""
    first, second = container("http", 8080), container("http", 9999).replace("containers: [", "")
    (found,) = Applied(WEB, pod("a", spec=first.removesuffix("]") + ", " + second)).slices("web")

    assert [8080] == [port.port for port in found.ports]


def test_external_name_selects_nothing():
    """An alias has no endpoints, whatever its selector finds."""
    alias = WEB.replace("spec:", "spec:\n  type: ExternalName\n  externalName: a.example.org")

    assert [] == Applied(alias, WEB_PODS).slices("web")


def test_sidecar_ports():
    """A port of a sidecar, an init container that stays, is found by its name."""
    sidecar = "initContainers: [{restartPolicy: Always, ports: [{name: http, containerPort: 15}]}]"
    gone = "initContainers: [{ports: [{name: http, containerPort: 15}]}]"
    applied = Applied(WEB, pod("a", spec=sidecar), pod("b", ip="192.0.2.2", spec=gone))

    ports = [[port.port for port in found.ports] for found in applied.slices("web")]
    assert [[15], []] == ports


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("[{port: 80}]", [("", 80, "TCP")]),
        ("[{port: 80, targetPort: 0}]", [("", 80, "TCP")]),
        ("[{port: 80, targetPort: 8080}]", [("", 8080, "TCP")]),
        (
            "[{name: a, port: 53, protocol: UDP}, {name: b, port: 53}]",
            [("a", 53, "UDP"), ("b", 53, "TCP")],
        ),
        ("[]", []),
    ],
)
def test_ports(ports, expected):
    """Ports keep the Service's names and have the pods' numbers; a Service may have none."""
    service = WEB.replace("[{name: http, port: 80, targetPort: http}]", ports)
    (found,) = Applied(service, pod("a")).slices("web")

    assert [ServicePort(*port) for port in expected] == list(found.ports)


def test_a_hundred_endpoints_a_slice():
    """A slice has a hundred endpoints at most, as the controller cuts them."""
    applied = Applied(WEB, WEB_PODS.replace("replicas: 2", "replicas: 250"))

    assert [100, 100, 50] == [len(found.endpoints) for found in applied.slices("web")]
    assert 250 == len({endpoint.pod for endpoint in applied.endpoints("web")})


@pytest.mark.parametrize(
    ("spec", "hostname"),
    [
        ("hostname: one, subdomain: web", "one"),
        ("hostname: one, subdomain: other", ""),
        ("hostname: one", ""),
        ("subdomain: web", ""),
    ],
)
def test_hostname(spec, hostname):
    """An endpoint has its pod's host name when the pod's subdomain is the Service."""
    (endpoint,) = Applied(WEB, pod("a", spec=spec)).endpoints("web")

    assert hostname == endpoint.hostname


def test_hostnames_of_a_stateful_set():
    """The pods of a StatefulSet are hosts of its own Service, and of no other that finds them."""
    pods = WEB_PODS.replace("Deployment", "StatefulSet").replace("spec:", "spec: &s", 1)
    pods = pods.replace("spec: &s", "spec:\n  serviceName: web")
    applied = Applied(WEB, WEB.replace("name: web, n", "name: also, n"), pods)

    assert ["web-0", "web-1"] == [endpoint.hostname for endpoint in applied.endpoints("web")]
    assert ["", ""] == [endpoint.hostname for endpoint in applied.endpoints("also")]


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ("phase: ''", True),
        ("phase: Running", True),
        ("phase: Running, conditions: [{type: Ready, status: 'True'}]", True),
        ("phase: Running, conditions: [{type: Ready, status: 'False'}]", False),
        ("phase: Running, conditions: [{type: Ready, status: Unknown}]", False),
        ("phase: Pending", False),
    ],
)
def test_readiness(status, ready):
    """A pod is as ready as its status says, and ready when it has none."""
    (endpoint,) = Applied(WEB, pod("a", status=status)).endpoints("web")
    publishing = WEB.replace("spec:", "spec:\n  publishNotReadyAddresses: true")
    (published,) = Applied(publishing, pod("a", status=status)).endpoints("web")

    assert ready == endpoint.ready
    assert published.ready


def test_terminating_pod_is_not_ready():
    """A pod that is being deleted is not ready, even while its condition still says so."""
    leaving = pod("a").replace("{name: a,", "{name: a, deletionTimestamp: 2026-01-01T00:00:00Z,")

    (endpoint,) = Applied(WEB, leaving).endpoints("web")
    assert not endpoint.ready


def test_dual_stack_pod():
    """A pod that has both families stands in a slice of each that the Service wants."""
    both = pod("a", status="podIPs: [{ip: 192.0.2.1}, {ip: '2001:db8::1'}]")
    dual = WEB.replace("spec:", "spec:\n  ipFamilyPolicy: PreferDualStack")

    assert [("192.0.2.1",)] == [each.addresses for each in Applied(WEB, both).endpoints("web")]
    expected = {"IPv4": ("192.0.2.1",), "IPv6": ("2001:db8::1",)}
    slices = Applied(dual, both).slices("web")
    assert expected == {found.address_type: found.endpoints[0].addresses for found in slices}


SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [192.0.2.9], targetRef: {kind: Pod, name: a}}]
"""

ENDPOINTS = """
apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: shop}
subsets:
- addresses: [{ip: 192.0.2.1, hostname: one, targetRef: {kind: Pod, name: a}}]
  notReadyAddresses: [{ip: 192.0.2.2}]
  ports: [{name: http, port: 8080}]
- addresses: [{ip: "2001:db8::1"}]
"""


def test_slices_as_written():
    """A slice in the input is kept as it is, in the default namespace when it names none."""
    (found,) = Applied(SLICE.replace(", namespace: shop", "")).slices("web", "default")

    expected = schema.EndpointSlice(
        "default",
        "web-1",
        "web",
        "IPv4",
        (Endpoint(("192.0.2.9",), True, "", "a"),),
        (ServicePort("http", 8080, "TCP"),),
    )
    assert expected == found


def test_endpoints_are_mirrored():
    """An Endpoints object of a Service becomes slices by family and ports, readiness kept."""
    service = WEB.replace("{app: web}", "{}")
    found = {each.address_type: each for each in Applied(service, ENDPOINTS).slices("web")}

    one = Endpoint(("192.0.2.1",), True, "one", "a")
    two = Endpoint(("192.0.2.2",), False, "", "")
    assert ((one, two), (ServicePort("http", 8080, "TCP"),)) == (
        found["IPv4"].endpoints,
        found["IPv4"].ports,
    )
    assert (Endpoint(("2001:db8::1",), True, "", ""),) == found["IPv6"].endpoints


def test_endpoints_that_are_not_mirrored():
    """Endpoints without a Service are nobody's, and a label opts out."""
    service = WEB.replace("{app: web}", "{}")
    label = "labels: {endpointslice.kubernetes.io/skip-mirror: 'true'}"
    skipped = ENDPOINTS.replace("namespace: shop}", f"namespace: shop, {label}}}")

    assert [] == Applied(ENDPOINTS).slices("web")
    assert [] == Applied(service, skipped).slices("web")


def test_dump_is_not_doubled():
    """Slices go before Endpoints, and Endpoints before what the selector finds."""
    assert ["192.0.2.9"] == [
        endpoint.addresses[0]
        for endpoint in Applied(WEB, SLICE, ENDPOINTS, pod("a")).endpoints("web")
    ]
    assert ["192.0.2.1", "192.0.2.2", "2001:db8::1"] == [
        endpoint.addresses[0] for endpoint in Applied(WEB, ENDPOINTS, pod("a")).endpoints("web")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SLICE.replace("192.0.2.9", "192.0.2"),
            (
                "1.yaml:7: EndpointSlice shop/web-1, endpoints[0].addresses: "
                "'192.0.2' is no IP address"
            ),
        ),
        (
            SLICE.replace("IPv4", "IPv6"),
            (
                "1.yaml:7: EndpointSlice shop/web-1, endpoints[0].addresses: "
                "192.0.2.9 is not of type IPv6"
            ),
        ),
        (
            SLICE.replace("targetRef: {kind: Pod, name: a}", "conditions: {ready: maybe}"),
            (
                "1.yaml:7: EndpointSlice shop/web-1, endpoints[0].conditions.ready: "
                "expected `bool`, got `str`"
            ),
        ),
        (
            SLICE.replace("addressType: IPv4\n", ""),
            "1.yaml:2: EndpointSlice shop/web-1: object missing required field `addressType`",
        ),
    ],
)
def test_refusals(text, message):
    """A slice that no API server would take is refused with its place."""
    assert message == refused(text)


def test_slice_of_names():
    """A slice of type FQDN holds names, which are not read as addresses."""
    text = SLICE.replace("IPv4", "FQDN").replace("192.0.2.9", "a.example.org")

    assert [("a.example.org",)] == [each.addresses for each in Applied(text).endpoints("web")]


def events(kind):
    lines = (RECORDINGS / f"{kind}.lifecycle.watch.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def state(kind, version):
    """The objects of a recording as they were at a resource version."""
    found: dict[str, Any] = {}
    for event in events(kind):
        metadata = event["object"]["metadata"]
        if event["type"] == "BOOKMARK" or int(metadata["resourceVersion"]) > version:
            continue
        if event["type"] == "DELETED":
            found.pop(metadata["name"], None)
        else:
            found[metadata["name"]] = event["object"]
    return parse(File(kind, json.dumps({"kind": "List", "items": list(found.values())})))


@pytest.mark.parametrize(
    ("before", "after"),
    [(1765, 1767), (1768, 1769), (1771, 1773), (1774, 1775), (1778, 1780), (1781, 1784)],
)
def test_like_the_real_controller(before, after):
    """For recorded Services and Pods our endpoints are those that a real cluster wrote."""
    settings = ManifestSettings()
    ours = build([*state("services", before), *state("pods", before)], settings).values()
    theirs = build(state("endpointslices", after), settings).values()

    def facts(objects):
        return {
            (each.service, each.address_type, each.ports, each.endpoints)
            for each in objects
            if isinstance(each, schema.EndpointSlice) and each.endpoints
        }

    assert facts(theirs)
    assert facts(theirs) == facts(ours)

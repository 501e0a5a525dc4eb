"""Kubernetes objects decoded: what is kept, what stands for what is missing, what is refused."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.schema import (
    KINDS,
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
    convert,
    decode,
)

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "kubernetes"
META = {"name": "web", "namespace": "shop", "resourceVersion": "7"}


def decoded(kind, **fields):
    return decode(kind, json.dumps({"metadata": META, **fields}).encode()).slim


def endpoint(**fields):
    return decoded("EndpointSlice", endpoints=[fields]).endpoints[0]


def test_a_service():
    """Of a Service its type, addresses, external name and ports are kept."""
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    spec = {
        "type": "NodePort",
        "clusterIP": "192.0.2.1",
        "clusterIPs": ["192.0.2.1", "2001:db8::1"],
        "ports": ports,
    }
    expected = Service(
        "shop",
        "web",
        "NodePort",
        ("192.0.2.1", "2001:db8::1"),
        "",
        (ServicePort("http", 80, "TCP"), ServicePort("", 53, "UDP")),
    )

    assert expected == decoded("Service", spec=spec)


@pytest.mark.parametrize(
    ("spec", "addresses"),
    [
        ({}, ()),
        ({"clusterIP": ""}, ()),
        ({"clusterIP": None, "clusterIPs": None}, ()),
        ({"clusterIP": "192.0.2.1"}, ("192.0.2.1",)),
        ({"clusterIP": "192.0.2.1", "clusterIPs": []}, ("192.0.2.1",)),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ("None",)),
    ],
)
def test_cluster_ips(spec, addresses):
    """All cluster IPs are kept, the single one where a server tells no list."""
    assert addresses == decoded("Service", spec=spec).cluster_ips


@pytest.mark.parametrize(
    ("spec", "is_headless"),
    [
        ({"clusterIP": "None"}, True),
        ({"clusterIP": ""}, False),
        ({"clusterIP": "192.0.2.1"}, False),
        ({"type": "ExternalName", "clusterIP": "None", "externalName": "example.org"}, False),
    ],
)
def test_headless(spec, is_headless):
    """A Service is headless when it says None, and is no alias."""
    assert is_headless == decoded("Service", spec=spec).is_headless


def test_a_slice():
    """Of a slice its Service, endpoints and ports are kept."""
    raw = {
        "metadata": META | {"labels": {"kubernetes.io/service-name": "api", "x": "y"}},
        "addressType": "IPv6",
        "endpoints": [
            {
                "addresses": ["2001:db8::1"],
                "conditions": {"ready": False, "serving": True, "terminating": True},
                "hostname": "a",
                "targetRef": {"kind": "Pod", "name": "api-1"},
            }
        ],
        "ports": [{"name": "", "port": 80, "protocol": "SCTP"}],
    }
    expected = EndpointSlice(
        "shop",
        "web",
        "api",
        "IPv6",
        (Endpoint(("2001:db8::1",), ready=False, hostname="a", pod="api-1"),),
        (ServicePort("", 80, "SCTP"),),
    )

    assert expected == decode("EndpointSlice", json.dumps(raw).encode()).slim


@pytest.mark.parametrize(
    ("conditions", "is_ready"),
    [
        ({}, True),
        ({"conditions": None}, True),
        ({"conditions": {}}, True),
        ({"conditions": {"ready": None}}, True),
        ({"conditions": {"ready": True}}, True),
        ({"conditions": {"ready": False, "serving": True}}, False),
    ],
)
def test_ready(conditions, is_ready):
    """An endpoint is ready unless the condition says no; serving is not enough."""
    assert is_ready == endpoint(addresses=["192.0.2.1"], **conditions).ready


def test_empty_slice():
    """Lists that are null or missing are empty; a slice without label has no Service."""
    expected = EndpointSlice("shop", "web", "", "IPv4", (), ())

    assert expected == decoded("EndpointSlice", endpoints=None, ports=None)
    assert expected == decoded("EndpointSlice")
    assert Endpoint((), ready=True, hostname="", pod="") == endpoint(addresses=None, targetRef=None)


def test_ports_without_number():
    """A port without a number, which means all of them, is none that could be told."""
    ports = [{"name": "all"}, {"port": None}, {"name": None, "port": 80, "protocol": None}]

    assert (ServicePort("", 80, "TCP"),) == decoded("EndpointSlice", ports=ports).ports


def test_pod_and_namespace():
    """A pod has its first address, a namespace stands in no namespace."""
    pod = decode("Pod", json.dumps({"metadata": META, "status": {"podIP": "192.0.2.9"}}).encode())
    namespace = decode("Namespace", json.dumps({"metadata": META}).encode())

    assert (Key("Pod", "shop", "web"), Pod("shop", "web", "192.0.2.9")) == (pod.key, pod.slim)
    assert Pod("shop", "web", "") == decoded("Pod")
    assert (Key("Namespace", "", "web"), Namespace("web")) == (namespace.key, namespace.slim)


@pytest.mark.parametrize("stamp", [None, "2026-01-01T00:00:00Z"])
def test_terminating(stamp):
    """An object whose deletion has begun says so, and has its version."""
    raw = {"metadata": META | {"deletionTimestamp": stamp}}
    one = decode("Pod", json.dumps(raw).encode())

    assert (stamp is not None, "7") == (one.terminating, one.resource_version)


@pytest.mark.parametrize(
    ("kind", "raw", "path"),
    [
        ("Service", b'{"metadata":{"name":7}}', "$.metadata.name"),
        ("Service", b'{"metadata":{},"spec":{"ports":[{"port":"x"}]}}', "$.spec.ports[0].port"),
        ("EndpointSlice", b'{"metadata":{},"endpoints":[{"addresses":[1]}]}', "$.endpoints[0]"),
        ("Pod", b"{}", "metadata"),
        ("Pod", b"[]", "array"),
        ("Pod", b'{"metadata":{}', "truncated"),
        ("Pod", b'{"metadata":{"name":"\\ud800"}}', ""),
        ("Pod", b'{"metadata":{"name":"\xff"}}', ""),
    ],
)
def test_what_is_no_object(kind, raw, path):
    """Bytes that are no such object are refused, with the path to the field."""
    with pytest.raises(msgspec.DecodeError) as refused:
        decode(kind, raw)

    assert path in str(refused.value)


WORDS = (
    "labels ports port protocol name endpoints addresses conditions ready hostname targetRef "
    "podIP clusterIP clusterIPs externalName type addressType"
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(["spec", "status", "endpoints", "ports", "addressType"]), json_values
    ),
)
def test_any_json(kind, fields):
    """Any fields are decoded or refused; from bytes or from plain values, it is the same."""
    value = {"metadata": META} | fields
    try:
        one = decode(kind, json.dumps(value).encode())
    except msgspec.DecodeError:
        with pytest.raises(msgspec.ValidationError):
            convert(kind, value)
    else:
        assert one == convert(kind, value)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("services.list.page1.json", "Service"),
        ("services.list.page2.json", "Service"),
        ("namespaces.list.json", "Namespace"),
        ("endpointslices.ns-1.list.json", "EndpointSlice"),
        ("pods.ns-1.list.json", "Pod"),
    ],
)
def test_recorded_lists(file, kind):
    """Every object that a real server listed is decoded, and found in its own words again."""
    items = json.loads((RECORDINGS / file).read_bytes())["items"]
    found = [decode(kind, json.dumps(item).encode()) for item in items]

    assert [item["metadata"]["name"] for item in items] == [one.key.name for one in found]
    assert len(items) == len({one.key for one in found}) > 0
    assert [one.slim for one in found] == [convert(kind, item).slim for item in items]


def test_recorded_addresses():
    """The addresses of a real server's Services and slices are all kept, in their order."""
    pages = [json.loads(path.read_bytes()) for path in RECORDINGS.glob("services.list.page?.json")]
    items = [item for page in pages for item in page["items"]]
    parts = json.loads((RECORDINGS / "endpointslices.ns-1.list.json").read_bytes())["items"]
    services: list[Any] = [convert("Service", item).slim for item in items]
    slices: list[Any] = [convert("EndpointSlice", item).slim for item in parts]

    assert 2 == len(pages)
    assert [tuple(item["spec"].get("clusterIPs", ())) for item in items] == [
        service.cluster_ips for service in services
    ]
    assert [[tuple(e["addresses"]) for e in item["endpoints"] or ()] for item in parts] == [
        [endpoint.addresses for endpoint in part.endpoints] for part in slices
    ]

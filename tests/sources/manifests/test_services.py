"""Cluster IPs as the API server would have given them."""

from ipaddress import ip_address, ip_network

import pytest

from skydns_py.sources.kubernetes.schema import Service, ServicePort
from tests.sources.manifests.applied import Applied, refused, small_range


def service(name="web", *, spec="", namespace="shop"):
    return (
        f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{{spec}}}\n"
    )


def families(applied, name="web"):
    return [ip_address(address).version for address in applied.service(name).cluster_ips]


def test_default():
    """A Service without an address gets one of the IPv4 range; ports are TCP unless they say."""
    found = Applied(service(spec="ports: [{port: 80}]")).service("web")

    (address,) = found.cluster_ips
    assert ip_address(address) in ip_network("10.96.0.0/12")
    assert (ServicePort("", 80, "TCP"),) == found.ports
    assert "ClusterIP" == found.type


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_types_with_an_address(kind):
    """Each type of Service but ExternalName has a cluster IP."""
    assert [4] == families(Applied(service(spec=f"type: {kind}")))


def test_given_address_stays():
    """An address in the manifest is the address, whatever the range."""
    applied = Applied(service(spec="clusterIP: 192.0.2.7"))

    assert ("192.0.2.7",) == applied.service("web").cluster_ips


def test_headless_and_external_name_have_none():
    """`None` stays None, and an alias has no address."""
    applied = Applied(
        service("db", spec="clusterIP: None"),
        service("search", spec="type: ExternalName, externalName: search.example.org"),
    )

    assert applied.service("db").is_headless
    expected = Service("shop", "search", "ExternalName", (), "search.example.org", ())
    assert expected == applied.service("search")


@pytest.mark.parametrize(
    ("spec", "versions"),
    [
        ("ipFamilies: [IPv6]", [6]),
        ("ipFamilyPolicy: SingleStack, ipFamilies: [IPv6]", [6]),
        ("ipFamilyPolicy: PreferDualStack", [4, 6]),
        ("ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]", [6, 4]),
        ("ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6, IPv4]", [6, 4]),
        ("ipFamilies: [IPv4, IPv6]", [4, 6]),
        ("ipFamilyPolicy: PreferDualStack, clusterIP: '2001:db8::5'", [6, 4]),
    ],
)
def test_families(spec, versions):
    """The first family asked for is the first address; dual stack has both."""
    assert versions == families(Applied(service(spec=spec)))


def test_address_survives_other_services():
    """A Service keeps its address when others are added before and after it."""
    alone = Applied(service("m")).service("m").cluster_ips
    others = [service(name) for name in ("a", "b", "y", "z")]

    assert alone == Applied(service("m"), *others).service("m").cluster_ips


def test_written_address_is_not_chosen_for_another():
    """An address that one Service has written down is never chosen for one before it."""
    chosen = Applied(service("a")).service("a").cluster_ips[0]
    applied = Applied(service("a"), service("z", spec=f"clusterIP: {chosen}"))

    assert (chosen,) == applied.service("z").cluster_ips
    assert (chosen,) != applied.service("a").cluster_ips


def test_address_written_twice():
    """One address in two Services is refused, with both named."""
    message = refused(
        service("a", spec="clusterIP: 192.0.2.7"), service("b", spec="clusterIP: 192.0.2.7")
    )

    expected = "2.yaml:5: Service shop/b, spec.clusterIP: 192.0.2.7 is taken by Service shop/a"
    assert expected == message


def test_kubernetes_is_always_there():
    """`default/kubernetes` exists in every cluster, at the first address of the range."""
    expected = Service(
        "default",
        "kubernetes",
        "ClusterIP",
        ("10.96.0.1",),
        "",
        (ServicePort("https", 443, "TCP"),),
    )

    assert expected == Applied("").service("kubernetes", "default")


def test_kubernetes_as_written():
    """A manifest's own `default/kubernetes` replaces ours; a taken first address moves it."""
    own = service("kubernetes", spec="clusterIP: 192.0.2.1", namespace="default")
    taken = service("web", spec="clusterIP: 10.96.0.1")

    assert ("192.0.2.1",) == Applied(own).service("kubernetes", "default").cluster_ips
    assert ("10.96.0.1",) != Applied(taken).service("kubernetes", "default").cluster_ips


def test_own_range():
    """The operator's range is used in place of kubeadm's."""
    applied = Applied(service(), service_v4=small_range("198.51.100.0/24"))

    assert ip_address(applied.service("web").cluster_ips[0]) in ip_network("198.51.100.0/24")
    assert ("198.51.100.1",) == applied.service("kubernetes", "default").cluster_ips


def test_narrow_range():
    """A range of six usable addresses serves five Services and `default/kubernetes`."""
    names = ["a", "b", "c", "d", "f"]
    applied = Applied(*map(service, names), service_v4=small_range("198.51.100.0/29"))

    addresses = {applied.service(name).cluster_ips for name in names}
    assert 5 == len(addresses)
    assert ("198.51.100.1",) == applied.service("kubernetes", "default").cluster_ips
    assert ("198.51.100.1",) not in addresses


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("clusterIP: 10.96.0.300", "spec.clusterIP: '10.96.0.300' is no IP address"),
        ("type: clusterip", "spec.type: invalid enum value 'clusterip'"),
        ("ports: [{port: 0}]", "spec.ports[0].port: expected `int` >= 1"),
        ("ports: [{port: '80'}]", "spec.ports[0].port: expected `int`, got `str`"),
        ("ports: [{name: http}]", "spec.ports[0]: object missing required field `port`"),
        (
            "ports: [{port: 80, targetPort: '80'}]",
            (
                "spec.ports[0].targetPort: a port's name has a letter in it; "
                "write a number without quotes"
            ),
        ),
        (
            "ports: [{port: 80, name: a}, {port: 81}]",
            "spec.ports[1]: needs a name, because the Service has several ports",
        ),
        (
            "ports: [{port: 80, name: a}, {port: 81, name: a}]",
            "spec.ports[1]: the port name 'a' is used twice",
        ),
        ("type: ExternalName", "spec: an ExternalName Service needs `externalName`"),
        (
            "type: ExternalName, externalName: a..example.org",
            "spec.externalName: the label b'' is 0 octets long, 1 to 63 are allowed",
        ),
        (
            "clusterIP: 192.0.2.7, ipFamilies: [IPv6]",
            "spec.ipFamilies: the addresses are IPv4, the families IPv6",
        ),
        ("selector: [a]", "spec.selector: expected `object`, got `array`"),
    ],
)
def test_refusals(spec, problem):
    """What the API server would refuse is refused, with line, object and field."""
    assert f"1.yaml:5: Service shop/web, {problem}" == refused(service(spec=spec))

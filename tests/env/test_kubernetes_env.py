"""The service variables of a pod, case by case as the kubelet makes them."""

import random

from hypothesis import given
from hypothesis import strategies as st

from skydns_py.env.env_map import Collision, EnvMap
from skydns_py.env.kubernetes import service_environment
from skydns_py.sources.kubernetes.schema import Service, ServicePort

HTTP = ServicePort("http", 80, "TCP")
UNNAMED = ServicePort("", 80, "TCP")


def service(
    name: str,
    *ports: ServicePort,
    namespace: str = "shop",
    ips: tuple[str, ...] = ("192.0.2.10",),
    kind: str = "ClusterIP",
) -> Service:
    return Service(namespace, name, kind, ips, "", ports or (UNNAMED,))


KUBERNETES = service(
    "kubernetes", ServicePort("https", 443, "TCP"), namespace="default", ips=("192.0.2.1",)
)


def variables(
    *services: Service, namespace: str = "shop", service_links: bool = True
) -> dict[str, str]:
    found = service_environment(services, namespace, service_links=service_links)
    return dict(found.variables)


def test_a_named_port() -> None:
    """A Service with a named port gives its host, its port twice, and the Docker link family."""
    expected = {
        "WEB_SERVICE_HOST": "192.0.2.10",
        "WEB_SERVICE_PORT": "80",
        "WEB_SERVICE_PORT_HTTP": "80",
        "WEB_PORT": "tcp://192.0.2.10:80",
        "WEB_PORT_80_TCP": "tcp://192.0.2.10:80",
        "WEB_PORT_80_TCP_PROTO": "tcp",
        "WEB_PORT_80_TCP_PORT": "80",
        "WEB_PORT_80_TCP_ADDR": "192.0.2.10",
    }

    assert expected == variables(service("web", HTTP))


def test_the_order_of_one_service() -> None:
    """The variables of a Service come in the kubelet's order: host, ports, links."""
    expected = [
        "WEB_SERVICE_HOST",
        "WEB_SERVICE_PORT",
        "WEB_SERVICE_PORT_HTTP",
        "WEB_PORT",
        "WEB_PORT_80_TCP",
        "WEB_PORT_80_TCP_PROTO",
        "WEB_PORT_80_TCP_PORT",
        "WEB_PORT_80_TCP_ADDR",
    ]

    assert expected == list(variables(service("web", HTTP)))


def test_the_first_port_as_listed() -> None:
    """The first port as listed is the Service's port, also when it is UDP and not the lowest."""
    udp, tcp = ServicePort("dns", 5353, "UDP"), ServicePort("tcp", 53, "TCP")
    found = variables(service("dns", udp, tcp))

    assert "5353" == found["DNS_SERVICE_PORT"]
    assert "udp://192.0.2.10:5353" == found["DNS_PORT"]
    assert "53" == found["DNS_SERVICE_PORT_TCP"]
    assert "udp" == found["DNS_PORT_5353_UDP_PROTO"]
    assert "tcp://192.0.2.10:53" == found["DNS_PORT_53_TCP"]


def test_names_are_upper_case_with_underscores() -> None:
    """Letters become upper case and hyphens underscores, in Service and in port names."""
    found = variables(service("my-web-1", ServicePort("admin-ui", 8080, "SCTP")))

    assert "8080" == found["MY_WEB_1_SERVICE_PORT_ADMIN_UI"]
    assert "sctp://192.0.2.10:8080" == found["MY_WEB_1_PORT_8080_SCTP"]


def test_a_name_that_begins_with_a_digit() -> None:
    """A Service name that begins with a digit gives variables that begin with a digit."""
    assert "192.0.2.10" == variables(service("3scale"))["3SCALE_SERVICE_HOST"]


def test_ipv6() -> None:
    """IPv6 is bracketed in URLs, bare elsewhere, and its text is copied as written."""
    found = variables(service("web", ips=("2001:DB8:0::10",)))

    assert "2001:DB8:0::10" == found["WEB_SERVICE_HOST"]
    assert "2001:DB8:0::10" == found["WEB_PORT_80_TCP_ADDR"]
    assert "tcp://[2001:DB8:0::10]:80" == found["WEB_PORT"]


def test_dual_stack() -> None:
    """Of two cluster IPs the first alone counts."""
    found = variables(service("web", ips=("2001:db8::10", "192.0.2.10")))

    assert "2001:db8::10" == found["WEB_SERVICE_HOST"]
    assert not any("192.0.2.10" in value for value in found.values())


def test_services_without_an_address() -> None:
    """Headless Services, ExternalNames and Services still without an address give nothing."""
    assert {} == variables(
        service("headless", ips=("None",)),
        service("pending", ips=()),
        service("blank", ips=("",)),
        service("outside", kind="ExternalName"),
    )


def test_a_service_without_ports() -> None:
    """A Service without ports, which the API refuses and a manifest may have, gives its host."""
    portless = Service("shop", "web", "ClusterIP", ("192.0.2.10",), "", ())

    assert {"WEB_SERVICE_HOST": "192.0.2.10"} == variables(portless)


def test_other_namespaces_do_not_show() -> None:
    """Services of other namespaces give nothing but default/kubernetes."""
    found = variables(service("web", namespace="other"), KUBERNETES)

    assert "192.0.2.1" == found["KUBERNETES_SERVICE_HOST"]
    assert not any(name.startswith("WEB") for name in found)


def test_without_service_links() -> None:
    """Without service links default/kubernetes is alone, in its own namespace too."""
    for namespace in ("shop", "default"):
        found = variables(
            service("web", namespace=namespace),
            KUBERNETES,
            namespace=namespace,
            service_links=False,
        )

        assert variables(KUBERNETES) == found


def test_a_namesake_of_kubernetes() -> None:
    """A Service named kubernetes in the namespace replaces default/kubernetes as a whole."""
    namesake = service("kubernetes", HTTP)
    for order in ([KUBERNETES, namesake], [namesake, KUBERNETES]):
        found = service_environment(order, "shop")

        assert service_environment([namesake], "shop") == found


def test_a_namesake_of_kubernetes_that_does_not_count() -> None:
    """default/kubernetes stays when its namesake is headless, or when links are off."""
    headless = service("kubernetes", ips=("None",))

    assert variables(KUBERNETES) == variables(headless, KUBERNETES)
    assert variables(KUBERNETES) == variables(
        KUBERNETES, service("kubernetes", HTTP), service_links=False
    )


def test_the_default_namespace_itself() -> None:
    """In the namespace default, kubernetes stands in line with the others."""
    found = variables(service("web", namespace="default"), KUBERNETES, namespace="default")

    assert {"KUBERNETES_SERVICE_HOST", "WEB_SERVICE_HOST"} <= found.keys()


def test_two_services_claim_one_variable() -> None:
    """Of foo and foo-service foo keeps FOO_SERVICE_PORT, and the collision is told."""
    found = service_environment(
        [service("foo-service", ips=("192.0.2.20",)), service("foo", ServicePort("", 8080, "TCP"))],
        "shop",
    )

    assert "8080" == found.variables["FOO_SERVICE_PORT"]
    assert (Collision("FOO_SERVICE_PORT", "shop/foo", ("shop/foo-service",)),) == found.collisions
    assert (
        "FOO_SERVICE_PORT is claimed by shop/foo, shop/foo-service: "
        "it is that of shop/foo here, a kubelet takes any of them"
    ) == str(found.collisions[0])


def test_two_services_agree() -> None:
    """A variable that two Services claim with one value is no collision."""
    found = service_environment(
        [service("foo", ServicePort("80-tcp-port", 80, "TCP")), service("foo-service")], "shop"
    )

    assert "80" == found.variables["FOO_SERVICE_PORT_80_TCP_PORT"]
    assert ["FOO_SERVICE_PORT"] == [collision.variable for collision in found.collisions]


def test_two_ports_of_one_service_claim_one_variable() -> None:
    """Within a Service the last of equal names wins, as in the kubelet, and is no collision."""
    found = service_environment(
        [service("web", ServicePort("a", 80, "TCP"), ServicePort("a", 81, "TCP"))], "shop"
    )

    assert "81" == found.variables["WEB_SERVICE_PORT_A"]
    assert () == found.collisions


def test_no_services() -> None:
    """A cluster without Services gives an empty map."""
    assert EnvMap({}) == service_environment([], "shop")


Ports = dict[str, list[ServicePort]]
names = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?(-service)?", fullmatch=True)
port_lists = st.lists(
    st.builds(ServicePort, names | st.just(""), st.integers(1, 3), st.sampled_from(["TCP", "UDP"])),
    min_size=1,
    max_size=3,
)


@given(st.dictionaries(names, port_lists, max_size=6), st.randoms())
def test_the_order_of_services_does_not_matter(ports: Ports, chance: random.Random) -> None:
    """The map is the same, its order and collisions too, however the Services are listed."""
    services = [
        service(name, *found, ips=(f"192.0.2.{number}",))
        for number, (name, found) in enumerate(ports.items())
    ]
    first = service_environment(services, "shop")
    chance.shuffle(services)
    again = service_environment(services, "shop")

    assert first == again
    assert list(first.variables) == list(again.variables)


@given(st.dictionaries(names, port_lists, max_size=6))
def test_only_names_of_our_making(ports: Ports) -> None:
    """No Service can set a variable outside its own family, such as PATH or LD_PRELOAD."""
    found = service_environment([service(name, *each) for name, each in ports.items()], "shop")

    for variable in found.variables:
        assert "_SERVICE_HOST" in variable or "_SERVICE_PORT" in variable or "_PORT" in variable

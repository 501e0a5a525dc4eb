"""The table: owners come and go, are seen or hidden, and each change tells its keys."""

import pytest

from skydns_py import names, table
from skydns_py.batch import Batch, Key
from skydns_py.sources.kubernetes.records import Exposure
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
)
from skydns_py.table import ANY_ADDRESS, SYNCED
from tests.conftest import FORWARD, World

HTTP = ServicePort("http", 80, "TCP")
SHOP = Namespace("shop")
SHOP_OWNER = names.relative("shop", "svc")
WEB = Service("shop", "web", "ClusterIP", ("192.0.2.1",), "", (HTTP,))
WEB_OWNER = names.relative("web", "shop", "svc")
MOVED = Service("shop", "web", "ClusterIP", ("192.0.2.2",), "", (HTTP,))
OLD, NEW = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))


def part(name, *addresses, of="web", namespace="shop"):
    endpoints = tuple(Endpoint((text,), ready=True, hostname="", pod="") for text in addresses)
    return EndpointSlice(namespace, name, of, "IPv4", endpoints, (HTTP,))


def test_a_delta_has_owners_and_addresses():
    """A change tells the owner, the addresses it left and took, and that addresses changed."""
    world = World(SHOP, WEB)

    assert (
        frozenset({WEB_OWNER, ANY_ADDRESS, ANY_ADDRESS + OLD, ANY_ADDRESS + NEW})
        == world.put(MOVED).keys
    )


def test_a_delta_without_addresses():
    """A change that moves no address leaves the answers of the reverse zones alone."""
    renamed = Service("shop", "web", "ClusterIP", ("192.0.2.1",), "", ())

    assert frozenset({WEB_OWNER}) == World(SHOP, WEB).put(renamed).keys


def test_what_is_told_again():
    """The same object, or one gone that never was, changes nothing, not even the serial."""
    world = World(SHOP, WEB)
    key = Key("Service", "shop", "web")

    assert frozenset() == world.apply({}, "kubernetes", now=7).keys
    assert frozenset() == world.apply({key: WEB}, "kubernetes", now=7).keys
    assert frozenset() == world.remove(part("web-1")).keys
    assert 0 == world.table.serial


def test_the_serial_never_goes_back():
    """The serial is the time of the last change; a clock that is set back does not lower it."""
    world = World()
    world.apply({Key("Namespace", "", "shop"): SHOP}, "kubernetes", now=100)
    world.apply({Key("Namespace", "", "shop"): None}, "kubernetes", now=50)

    assert 100 == world.table.serial


def test_synced_once():
    """A source syncs once: only then does the delta name every answer given before."""
    world = World(synced=False, sources=("a", "b"))

    assert (False, frozenset("ab")) == (world.table.is_synced, world.table.unsynced)
    assert frozenset({SYNCED}) == world.apply({}, "a", synced=True).keys
    assert (False, frozenset("b")) == (world.table.is_synced, world.table.unsynced)
    assert frozenset({SYNCED}) == world.apply({}, "b", synced=True).keys
    assert frozenset() == world.apply({}, "b", synced=True).keys
    assert world.table.is_synced


def test_a_source_nobody_waits_for():
    """A source that was not named beforehand may tell objects too."""
    world = World(SHOP)
    world.apply({Key("Service", "shop", "web"): WEB}, "other")

    assert [SHOP, WEB] == list(world.table.objects())
    assert world.answer("web.shop.svc.cluster.local", "A").answer


def test_owners_are_hidden_without_their_namespace():
    """What stands below a name that is not there is neither answered nor listed."""
    world = World(WEB)
    told = """
    ? web.shop.svc.cluster.local A
    NXDOMAIN
    ? 1.2.0.192.in-addr.arpa PTR
    NXDOMAIN
    """

    assert told == world.replay(told)
    assert [b""] == [owner for owner, _ in world.table.subtrees(FORWARD)]


def test_an_owner_stays_while_one_object_is_left():
    """Two slices at one Service come and go one by one."""
    one, two = part("web-1", "198.51.100.1"), part("web-2", "198.51.100.1")
    headless = Service("shop", "web", "ClusterIP", ("None",), "", ())
    world = World(SHOP, headless, one, two)
    told = """
    ? web.shop.svc.cluster.local A
    web.shop.svc.cluster.local. 5 IN A 198.51.100.1
    ? 1.100.51.198.in-addr.arpa PTR
    1.100.51.198.in-addr.arpa. 5 IN PTR 198-51-100-1.web.shop.svc.cluster.local.
    """
    assert told == world.replay(told)
    world.remove(one)
    assert told == world.replay(told)
    world.remove(two)

    assert [] == list(world.table.addresses())


def test_slices_are_ordered_by_name():
    """Addresses stand in the order of the slices' names, whichever came first."""
    one, two = part("web-1", "198.51.100.1"), part("web-2", "198.51.100.2")
    headless = Service("shop", "web", "ClusterIP", ("None",), "", ())
    there = World(SHOP, headless, one, two).answer("web.shop.svc.cluster.local", "A")
    back = World(two, one, headless, SHOP).answer("web.shop.svc.cluster.local", "A")

    assert there.answer == back.answer


def test_a_slice_moves_to_another_service():
    """A slice whose label changes leaves one Service and joins the other, addresses and all."""
    headless = [Service("shop", name, "ClusterIP", ("None",), "", ()) for name in ("web", "db")]
    world = World(SHOP, *headless, part("x", "198.51.100.1"))
    world.put(part("x", "198.51.100.1", of="db"))
    told = """
    ? web.shop.svc.cluster.local A
    NXDOMAIN
    ? db.shop.svc.cluster.local A
    db.shop.svc.cluster.local. 5 IN A 198.51.100.1
    ? 1.100.51.198.in-addr.arpa PTR
    1.100.51.198.in-addr.arpa. 5 IN PTR 198-51-100-1.db.shop.svc.cluster.local.
    """

    assert told == world.replay(told)


@pytest.mark.parametrize(
    "hidden",
    [
        (part("a", "198.51.100.1", of=""), part("b", "198.51.100.1", of="")),
        (part("a", "198.51.100.1", namespace="bank"), part("b", "198.51.100.1", namespace="bank")),
        (part("a", "198.51.100.1"), part("b", "198.51.100.1", namespace="bank")),
        (part("a", "198.51.100.1", namespace="bank"), part("b", "198.51.100.1")),
    ],
    ids=["no label", "not exposed", "one not exposed", "the other not exposed"],
)
def test_addresses_of_objects_that_stand_nowhere(hidden):
    """Objects that are not shown may share an address, and may all go again."""
    world = World(SHOP, exposure=Exposure(namespaces=frozenset({"shop"})))
    world.put(*hidden)
    world.remove(hidden[1])
    world.remove(hidden[0])

    assert [] == list(world.table.addresses())


def test_addresses_of_hidden_objects_are_hidden():
    """The address of an object that is not shown cannot be heard of in a reverse zone."""
    world = World(exposure=Exposure(namespaces=frozenset({"shop"})))
    world.put(part("a", "198.51.100.1", namespace="bank"))
    told = """
    ? 51.198.in-addr.arpa PTR
    NXDOMAIN
    """

    assert told == world.replay(told)


def test_digits_are_kept_up():
    """Names above addresses follow the addresses, from the first question on."""
    world = World(SHOP)
    told = """
    ? 2.0.192.in-addr.arpa PTR
    NODATA
    ? 0.2.ip6.arpa PTR
    NXDOMAIN
    """
    assert told.replace("NODATA", "NXDOMAIN") == world.replay(told)
    world.put(WEB)
    assert told == world.replay(told)
    world.put(MOVED)
    assert told == world.replay(told)
    world.remove(MOVED)

    assert told.replace("NODATA", "NXDOMAIN") == world.replay(told)


def test_what_is_built_is_bounded(monkeypatch):
    """Of the records that were built only so many are kept, and none less is answered."""
    monkeypatch.setattr(table, "MAX_BUILT", 3)
    services = [
        Service("shop", f"web-{i}", "ClusterIP", (f"192.0.2.{i}",), "", ()) for i in range(9)
    ]
    world = World(SHOP, *services)
    for _ in range(2):
        for i in range(9):
            answer = world.answer(f"web-{i}.shop.svc.cluster.local", "A")
            assert (bytes((192, 0, 2, i)),) == answer.answer[0][1].rdata

    assert 3 == len(world.table._built[FORWARD])


def test_owners_are_listed_in_the_order_of_their_names():
    """A listing goes down the tree, label by label from the right."""
    world = World(
        Namespace("b"),
        Namespace("a"),
        Service("b", "x", "ClusterIP", ("192.0.2.1",), "", ()),
        Service("a", "z", "ClusterIP", ("192.0.2.2",), "", ()),
        Pod("a", "p", "192.0.2.9"),
        exposure=Exposure(pods="verified"),
    )
    owners = [names.to_text(owner) for owner, _ in world.table.subtrees(FORWARD)]

    assert [
        ".",
        "a.pod.",
        "192-0-2-9.a.pod.",
        "b.pod.",
        "a.svc.",
        "z.a.svc.",
        "b.svc.",
        "x.b.svc.",
    ] == owners


def test_names_are_found_at_label_boundaries():
    """A name is not below an owner because its octets end like the owner's."""
    world = World(SHOP, WEB)
    told = r"""
    ? xweb.shop.svc.cluster.local A
    NXDOMAIN
    ? web\.shop.svc.cluster.local A
    NXDOMAIN
    ? x\003web.shop.svc.cluster.local A
    NXDOMAIN
    ? web\004shop\003svc.cluster.local A
    NXDOMAIN
    """

    assert told == world.replay(told)


def test_two_sources_of_one_object():
    """Which of two sources told of the same Service first is not to be seen."""
    key = Key("Service", "shop", "web")
    answers = []
    for order in (("a", WEB), ("b", MOVED)), (("b", MOVED), ("a", WEB)):
        world = World(SHOP, sources=("a", "b"))
        for source, slim in order:
            world.table.apply(Batch(source, {key: slim}), 0)
        answers.append(world.answer("web.shop.svc.cluster.local", "A").answer)

    assert answers[0] == answers[1]


def test_two_sources_of_the_very_same_object():
    """What one source takes back stays as long as another one tells of it."""
    key = Key("Service", "shop", "web")
    world = World(SHOP, sources=("a", "b"))
    for source in ("a", "b"):
        world.apply({key: WEB}, source)
    world.apply({key: None}, "a")
    assert world.answer("web.shop.svc.cluster.local", "A").answer
    world.apply({key: None}, "b")

    assert not world.answer("web.shop.svc.cluster.local", "A").answer


def test_a_namespace_shows_and_hides_the_names_above_addresses():
    """A name above an address is there while the owner is seen, and the delta says so."""
    world = World(WEB)
    reverse = ("0.192.in-addr.arpa", "PTR")
    for change in (world.put, world.remove):
        before = world.answer(*reverse)
        delta = change(SHOP)
        now = world.answer(*reverse)
        assert before.rcode == now.rcode or not delta.keys.isdisjoint(before.keys)

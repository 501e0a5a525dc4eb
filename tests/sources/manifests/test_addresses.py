"""Addresses by hash: stable, within the range, never twice."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.errors import SettingsError
from skydns_py.sources.manifests.addresses import AddressRange, static_band, suffix

SERVICES = ip_network("10.96.0.0/12")


def test_same_owner_same_address():
    """An owner gets the same address from any fresh range, on any machine."""
    assert "10.109.172.153" == AddressRange(SERVICES, 256).choose("shop/web")


@given(st.sets(st.text(max_size=20), max_size=13))
def test_small_range_is_used_up(owners):
    """Every address of a range is found, none twice, the reserved ones never."""
    network = ip_network("192.0.2.0/28")
    addresses = AddressRange(network, 2)

    chosen = [ip_address(addresses.choose(owner)) for owner in owners]

    assert len(owners) == len(set(chosen))
    assert all(address in network for address in chosen)
    assert not {network[0], network[1], network[15]} & set(chosen)


def test_full_range():
    """A full range says so, and for whom there was nothing left."""
    addresses = AddressRange(ip_network("192.0.2.0/29"), 2)
    for number in range(5):
        addresses.choose(f"owner-{number}")

    with pytest.raises(SettingsError, match=r"no address is free in 192\.0\.2\.0/29 for shop/web"):
        addresses.choose("shop/web")


def test_taken_address_is_not_chosen():
    """An address that is taken goes to nobody else; one outside the range is no concern."""
    free = AddressRange(SERVICES, 256).choose("shop/web")
    addresses = AddressRange(SERVICES, 256)
    addresses.take(free)
    addresses.take("2001:db8::1")

    assert str(ip_address(free) + 1) == addresses.choose("shop/web")


@pytest.mark.parametrize(
    ("network", "band"),
    [("10.96.0.0/12", 256), ("10.96.0.0/16", 256), ("10.96.0.0/24", 16), ("10.0.0.0/22", 64)],
)
def test_static_band(network, band):
    """The low addresses are left alone as KEP-3070 computes it."""
    assert band == static_band(ip_network(network))


def test_suffixes_differ():
    """The endings of one owner's replicas are all different, however many there are."""
    endings = {suffix("Deployment/shop/web", position, 5) for position in range(150_000)}

    assert 150_000 == len(endings)

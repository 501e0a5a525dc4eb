"""Which Host fields are read, and which hosts are trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.servers.http.hosts import host_of, is_trusted

NAMES = ("node-1.example.org", "*.cluster.local")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[2001:db8::1]:8080", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        (" Example.ORG.:80 ", "example.org"),
        ("example.org:", "example.org"),
        ("", ""),
        (":80", ""),
        ("2001:db8::1", "2001:db8::1"),
        ("a b", ""),
        ("[example.org]", ""),
        ("[2001:db8::1", ""),
        ("example.org:80:80", ""),
        ("example.org:http", ""),
        ("[::1]evil", ""),
    ],
)
def test_host_of(field: str, expected: str) -> None:
    """The host is read in lower case without port, brackets and closing dot; else it is empty."""
    assert expected == host_of(field)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "192.0.2.1",
        "localhost",
        "a.localhost",
        "skydns.kube-system.svc",
        "node-1.example.org",
        "skydns.kube-system.svc.cluster.local",
    ],
)
def test_trusted(host: str) -> None:
    """Addresses, localhost, names of Services, and the names given are trusted."""
    assert is_trusted(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "x.node-1.example.org",
        "notlocalhost",
        "localhost.example.org",
        "svc.example.org",
        "xsvc",
        "cluster.local",
        "evilcluster.local",
        "127.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.1.example.org",
    ],
)
def test_not_trusted(host: str) -> None:
    """Every other name is not trusted, however near it looks, nor are odd forms of addresses."""
    assert not is_trusted(host, NAMES)


@given(st.text())
def test_any_field(field: str) -> None:
    """No field whatsoever raises, and an empty host is never trusted."""
    host = host_of(field)

    assert host or not is_trusted(host, ())

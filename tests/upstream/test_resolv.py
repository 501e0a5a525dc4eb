"""Reading resolv.conf: its nameserver lines, each with its place."""

import pytest

from skydns_py.errors import SettingsError
from skydns_py.settings.resolv import read
from skydns_py.settings.upstream_shapes import Upstream


def test_nameservers():
    """Each nameserver is an upstream with its place, with a scope where one is needed."""
    text = """# made by hand
nameserver 192.0.2.1 # the first
search example.org
  nameserver\t2001:db8::1;the second
#nameserver 192.0.2.9
; nameserver 192.0.2.8
nameserver 192.0.2.1
nameserver fe80::1%eth0
nameserver 2001:db8::2%eth0
options ndots:5
"""

    expected = (
        Upstream("192.0.2.1", line="resolv.conf:2"),
        Upstream("2001:db8::1", line="resolv.conf:4"),
        Upstream("fe80::1%eth0", line="resolv.conf:8"),
        Upstream("2001:db8::2", line="resolv.conf:9"),
    )
    assert expected == read(text, "resolv.conf")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nnameserver\n", r"^resolv.conf:2: `nameserver` names no address"),
        ("nameserver dns.example.org", r"^resolv.conf:1: `dns.example.org` is no address"),
    ],
)
def test_refused(text, message):
    """A line that names no upstream is refused with its place."""
    with pytest.raises(SettingsError, match=message):
        read(text, "resolv.conf")


@pytest.mark.parametrize("text", ["", "search example.org\n", "# nameserver 192.0.2.1\n"])
def test_without_nameservers(text):
    """A file may name nobody; whether anybody else does is seen where it is named."""
    assert () == read(text, "resolv.conf")


def test_shown():
    """An upstream shows its address so that the port can be told from it."""
    upstreams = (Upstream("192.0.2.1"), Upstream("2001:db8::1", 853, tls=True))

    assert ["192.0.2.1:53", "tls://[2001:db8::1]:853"] == [str(each) for each in upstreams]

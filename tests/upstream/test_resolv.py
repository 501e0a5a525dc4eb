"""Reading resolv.conf: its nameserver lines, each with its place."""

import pytest

from skydns_py.errors import SettingsError
from skydns_py.settings.resolv import read
from skydns_py.settings.upstream_shapes import Upstream


def test_nameservers():
    """Every nameserver line is an upstream with its place, in order and none twice."""
    text = """# made by hand
nameserver 192.0.2.1 # the first
search example.org
  nameserver\t2001:db8::1;the second
#nameserver 192.0.2.9
; nameserver 192.0.2.8
nameserver 192.0.2.1
nameserver fe80::1%eth0
options ndots:5
"""

    expected = (
        Upstream("192.0.2.1", line="resolv.conf:2"),
        Upstream("2001:db8::1", line="resolv.conf:4"),
        Upstream("fe80::1%eth0", line="resolv.conf:8"),
    )
    assert expected == read(text, "resolv.conf")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^resolv.conf: no `nameserver` line"),
        ("search example.org\n", r"^resolv.conf: no `nameserver` line"),
        ("\nnameserver\n", r"^resolv.conf:2: `nameserver` names no address"),
        ("nameserver dns.example.org", r"^resolv.conf:1: `dns.example.org` is no address"),
    ],
)
def test_refused(text, message):
    """What names no upstream is refused with its line."""
    with pytest.raises(SettingsError, match=message):
        read(text, "resolv.conf")


def test_shown():
    """An upstream shows its address so that the port can be told from it."""
    upstreams = (Upstream("192.0.2.1"), Upstream("2001:db8::1", 853, tls=True))

    assert ["192.0.2.1:53", "tls://[2001:db8::1]:853"] == [str(each) for each in upstreams]

"""Keys of server blocks: zones, networks, schemes and ports, and who may serve what."""

import pytest

from skydns_py import corefile, names
from skydns_py.settings import InvalidSettingsError

BUILT = (
    "bind, cache, errors, forward, health, kubernetes, loadbalance, log, loop, prometheus, ready"
)


def served(text, dns_port=53):
    """Return the zones as text and the ports of each block."""
    return [
        ([names.to_text(zone) for zone in block.zones], [listen.port for listen in block.listen])
        for block in corefile.parse(text, dns_port=dns_port).blocks
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (".", [(["."], [1053])]),
        (".:53", [(["."], [53])]),
        (":5300", [(["."], [5300])]),
        ("Example.ORG.", [(["example.org."], [1053])]),
        ("dns://.:53", [(["."], [53])]),
        ("dns://example.org", [(["example.org."], [1053])]),
        ("a, b", [(["a.", "b."], [1053])]),
        ("a:1 b:2 c:1", [(["a.", "c."], [1]), (["b."], [2])]),
        ("10.0.0.0/24:53", [(["0.0.10.in-addr.arpa."], [53])]),
        ("10.96.0.0/15", [(["96.10.in-addr.arpa.", "97.10.in-addr.arpa."], [1053])]),
        ("fd00::/8", [(["d.f.ip6.arpa."], [1053])]),
        ("2001:db8::/32:5353", [(["8.b.d.0.1.0.0.2.ip6.arpa."], [5353])]),
        ("[fd00::]/7", [(["c.f.ip6.arpa.", "d.f.ip6.arpa."], [1053])]),
        ("_tcp.example.org", [(["_tcp.example.org."], [1053])]),
    ],
)
def test_keys_are_zones_with_ports(keys, expected):
    """A key is a zone or a network, with the server's port where it names none."""
    assert expected == served(f"{keys} {{\n}}", dns_port=1053)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls://. {\n}", "1: `tls://` is known, but not built yet; only dns:// is served"),
        ("https://. {\n}", "1: `https://` is known, but not built yet; only dns:// is served"),
        ("grpc://. {\n}", "1: `grpc://` is known, but not built yet; only dns:// is served"),
        ("http://. {\n}", "1: unknown scheme `http://`; only dns:// is served"),
        (".:{$UNSET} {\n}", "1: a port is missing after the last colon of `.:`"),
        (".:65536 {\n}", "1: `65536` is no port; ports are 0 to 65535"),
        ("a..b {\n}", "1: `a..b` is no zone: the label b'' is 0 octets long, 1 to 63 are allowed"),
        (
            "10.0.0.0/33 {\n}",
            (
                "1: `10.0.0.0/33` is neither a zone nor a network; write `example.org` or"
                " `10.96.0.0/12`"
            ),
        ),
        (
            "2001:db8::a {\n}",
            (
                "1: `2001:db8::a` is neither a zone nor a network; write `example.org` or"
                " `10.96.0.0/12`"
            ),
        ),
        (
            "a b\na {\n}",
            f"2: unknown directive `a`; supported are: {BUILT}",
        ),
        (
            ".:53 {\n}\n. {\n}",
            "3: cannot serve dns://.:53: it is already defined at Corefile:1",
        ),
        (
            "a\n{\n}\nb\n{\n}\nc A. {\n}",
            "7: cannot serve dns://a.:53: it is already defined at Corefile:1",
        ),
        ("a a {\n}", "1: cannot serve dns://a.:53: it is already defined at Corefile:1"),
        (
            "10.96.0.0/12 {\n}\n10.97.0.0/16 {\n}",
            "3: cannot serve dns://97.10.in-addr.arpa.:53: it is already defined at Corefile:1",
        ),
        (
            "a {\nbind 192.0.2.1\n}\na {\n}",
            "4: cannot serve dns://a.:53: it is already defined at Corefile:1",
        ),
        (
            "a {\nbind 192.0.2.1 192.0.2.2\n}\na {\nbind 192.0.2.2\n}",
            "4: cannot serve dns://a.:53: it is already defined at Corefile:1",
        ),
        (
            "a {\nhealth\n}\nb {\nhealth :8080\n}",
            (
                "4: `health` on :8080 is already in the server block at Corefile:1; keep one, or"
                " give them different addresses"
            ),
        ),
    ],
)
def test_keys_are_refused_with_their_line(text, message):
    """A key that is no zone, or that another block serves already, is told with its place."""
    with pytest.raises(InvalidSettingsError) as caught:
        corefile.parse(text)

    assert f"Corefile:{message}" == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a:1 {\n}\na:2 {\n}",
        "a {\n}\nb.a {\n}",
        "a {\nbind 192.0.2.1\n}\na {\nbind 192.0.2.2\n}",
        "a {\nhealth :8080\n}\nb {\nhealth 192.0.2.1:8080\n}",
        "a:1 b:2 {\nhealth\n}",
    ],
)
def test_neighbours_may_stand_side_by_side(text):
    """Different ports, zones and addresses do not clash."""
    assert 2 == len(corefile.parse(text).blocks)


def test_an_address_for_a_key_is_warned_about():
    """An address without a network's length is a zone's name, as in CoreDNS, which is odd."""
    settings = corefile.parse("192.0.2.1:53 {\n}")

    assert (names.from_text("192.0.2.1"),) == settings.blocks[0].zones
    assert settings.warnings == (
        "Corefile:1: `192.0.2.1` is taken for a zone's name; to listen on one address use `bind`",
    )

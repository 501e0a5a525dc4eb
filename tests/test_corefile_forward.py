"""The directives `forward` and `loop`: whom to ask, how, and what is refused."""

from pathlib import Path

import msgspec
import pytest

from skydns_py import corefile, names
from skydns_py.corefile.files import Files, UnreadableError
from skydns_py.corefile.forward import _OPTIONS
from skydns_py.settings import Block, ForwardSettings, InvalidSettingsError, Upstream

A = "192.0.2.1"
PAGE = Path(corefile.__file__).with_name("README.md")

RESOLV_CONFS = {
    "/etc/resolv.conf": "# a node's\nnameserver 192.0.2.53\nnameserver 2001:db8::53 # second\n",
    "/etc/empty.conf": "search example.org\n",
    "/etc/broken.conf": "nameserver 192.0.2.53\n\nnameserver dns.example.org\n",
    "/etc/many.conf": "".join(f"nameserver 192.0.2.{number}\n" for number in range(1, 17)),
}


def read(path: str) -> str:
    if path not in RESOLV_CONFS:
        raise UnreadableError("No such file or directory")
    return RESOLV_CONFS[path]


def settings(*lines: str) -> tuple[Block, tuple[str, ...]]:
    """Return the block of the root with these lines in it, the first on line 2, and warnings."""
    text = "\n".join((". {", *lines, "}"))
    found = corefile.parse(text, files=Files(read, lambda _pattern: []))
    return found.blocks[0], found.warnings


def forwards(*lines: str) -> tuple[ForwardSettings, ...]:
    return settings(*lines)[0].forward


def refusal(*lines: str) -> str:
    with pytest.raises(InvalidSettingsError) as caught:
        settings(*lines)
    return str(caught.value)


def zone(text: str) -> bytes:
    return names.from_text(text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("192.0.2.1", [Upstream(A)]),
        ("192.0.2.1:5353", [Upstream(A, 5353)]),
        ("dns://192.0.2.1", [Upstream(A)]),
        ("tls://192.0.2.1", [Upstream(A, 853, tls=True)]),
        ("tls://192.0.2.1:8853", [Upstream(A, 8853, tls=True)]),
        ("2001:db8::1", [Upstream("2001:db8::1")]),
        ("[2001:db8::1]", [Upstream("2001:db8::1")]),
        ("[2001:db8::1]:5353", [Upstream("2001:db8::1", 5353)]),
        ("tls://[2001:db8::1]:8853", [Upstream("2001:db8::1", 8853, tls=True)]),
        ("fe80::1%eth0", [Upstream("fe80::1%eth0")]),
        ("[fe80::1%eth0]:5353", [Upstream("fe80::1%eth0", 5353)]),
        ("tls://fe80::1%eth0", [Upstream("fe80::1%eth0", 853, tls=True)]),
        ("192.0.2.2 192.0.2.1:53 192.0.2.1", [Upstream("192.0.2.2"), Upstream(A)]),
        ("192.0.2.1 tls://192.0.2.1", [Upstream(A), Upstream(A, 853, tls=True)]),
    ],
)
def test_upstreams_are_addresses_with_ports_and_schemes(words, expected):
    """Each address is an upstream with its port, known by its line, none twice."""
    (found,) = forwards(f"forward . {words}")

    assert [msgspec.structs.replace(each, line="Corefile:2") for each in expected] == list(found.to)


def test_upstreams_of_a_resolv_conf_keep_its_lines():
    """A file's upstreams stand among the others, each known by its own line there."""
    (found,) = forwards("forward . 192.0.2.1 /etc/resolv.conf 192.0.2.53:53")

    assert (
        Upstream(A, line="Corefile:2"),
        Upstream("192.0.2.53", line="/etc/resolv.conf:2"),
        Upstream("2001:db8::53", line="/etc/resolv.conf:3"),
    ) == found.to


def test_several_forwards_stand_in_the_order_written():
    """A server block may forward several zones, each to its own upstreams."""
    first, second = forwards("forward Example.ORG 192.0.2.1", "forward . 192.0.2.2")

    assert (zone("example.org"), names.ROOT) == (first.zone, second.zone)
    assert (A, "192.0.2.2") == (first.to[0].host, second.to[0].host)


def test_a_network_is_forwarded_for_each_of_its_zones():
    """The two reverse zones of a network that ends within an octet are asked of the same."""
    first, second = forwards("forward 192.0.2.0/23 192.0.2.1 {", "policy sequential", "}")

    assert [zone("2.0.192.in-addr.arpa"), zone("3.0.192.in-addr.arpa")] == [first.zone, second.zone]
    assert first == msgspec.structs.replace(second, zone=first.zone)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("", {}),
        ("except Example.ORG 192.0.2.0/24", {"except_": ("example.org", "2.0.192.in-addr.arpa")}),
        ("except example.org\nexcept example.net", {"except_": ("example.org", "example.net")}),
        ("force_tcp", {"force_tcp": True}),
        ("prefer_udp", {"prefer_udp": True}),
        ("expire 1m30s", {"expire": 90.0}),
        ("max_fails 0", {"max_fails": 0}),
        ("tls", {}),
        ("tls ca.pem", {"tls_ca": "ca.pem"}),
        ("tls c.pem k.pem", {"tls_cert": "c.pem", "tls_key": "k.pem"}),
        ("tls c k ca", {"tls_cert": "c", "tls_key": "k", "tls_ca": "ca"}),
        ("tls c k ca\ntls other", {"tls_ca": "other"}),
        ("tls_servername dns.example.org", {"tls_servername": "dns.example.org"}),
        ("policy round_robin", {"policy": "round_robin"}),
        ("policy sequential", {"policy": "sequential"}),
        ("health_check 5s", {"health_check": 5.0}),
        (
            "health_check 250ms no_rec domain Example.ORG",
            {"health_check": 0.25, "health_no_rec": True, "health_domain": zone("example.org")},
        ),
        (
            "health_check 1s domain example.org no_rec",
            {"health_check": 1.0, "health_no_rec": True, "health_domain": zone("example.org")},
        ),
        ("max_concurrent 1000", {"max_concurrent": 1000}),
        ("failover SERVFAIL refused", {"failover": frozenset({2, 5})}),
        ("failover SERVFAIL\nfailover REFUSED", {"failover": frozenset({2, 5})}),
        ("failfast_all_unhealthy_upstreams", {"failfast_all_unhealthy": True}),
    ],
)
def test_options_set_their_fields(option, expected):
    """Each option changes the fields it is about and no other."""
    if "except_" in expected:
        expected = {"except_": tuple(map(zone, expected["except_"]))}
    (bare,) = forwards("forward . 192.0.2.1")
    (found,) = forwards("forward . 192.0.2.1 {", option, "}")

    assert msgspec.structs.asdict(bare) | expected == msgspec.structs.asdict(found)


FORMS = (
    "host names are not looked up; write `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`,"
    " `tls://192.0.2.1` or `/etc/resolv.conf`"
)
UNREADABLE = "is neither an address nor a file that can be read (No such file or directory);"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "`forward` has 0 arguments here; it is written `forward FROM TO...`"),
        (".", "`forward` has 1 arguments here; it is written `forward FROM TO...`"),
        (
            "a..b 192.0.2.1",
            "`a..b` is no zone: the label b'' is 0 octets long, 1 to 63 are allowed",
        ),
        (". dns.example.org", f"`dns.example.org` {UNREADABLE} {FORMS}"),
        (". 192.0.2", f"`192.0.2` {UNREADABLE} {FORMS}"),
        (". [192.0.2.1]:53", f"`[192.0.2.1]:53` {UNREADABLE} {FORMS}"),
        (". 192.0.2.1:", "a port is missing after the last colon of `192.0.2.1:`"),
        (". 192.0.2.1:65536", "`65536` is no port; ports are 0 to 65535"),
        (". 192.0.2.1:0", "`192.0.2.1:0`: nobody can be asked on port 0; DNS is on 53"),
        (
            ". fe80::1%eth0:53",
            "`fe80::1%eth0:53`: an IPv6 address with a port needs brackets",
        ),
        (
            ". https://192.0.2.1",
            "upstreams at `https://` are known, but not built yet; use `dns://` or `tls://`",
        ),
        (". udp://192.0.2.1", "unknown scheme `udp://` of an upstream; use `dns://` or `tls://`"),
        (
            ". tls://192.0.2.1%dns.example.org",
            (
                "`tls://192.0.2.1%dns.example.org`: a server's name behind `%` is known, but not"
                " built yet; write it as `tls_servername`, in a `forward` of its own"
            ),
        ),
        (
            ". tls:///etc/resolv.conf",
            "`/etc/resolv.conf` names upstreams without TLS; write each as `tls://192.0.2.1`",
        ),
        (
            ". /etc/empty.conf",
            (
                "/etc/empty.conf: no `nameserver` line names an upstream; write one such as"
                " `nameserver 192.0.2.1`"
            ),
        ),
        (
            ". /etc/broken.conf",
            (
                "/etc/broken.conf:3: `dns.example.org` is no address; write one such as 192.0.2.1"
                " or 2001:db8::1"
            ),
        ),
        (". /etc/many.conf", "16 upstreams are named; 15 are allowed at most"),
    ],
)
def test_whom_to_ask_is_refused_with_its_line(words, message):
    """A zone or an upstream that cannot be meant is told with its line and its word."""
    assert f"Corefile:2: {message}" == refusal(f"forward {words}")


def test_a_file_without_upstreams_beside_others():
    """A resolv.conf that names nobody is a warning where somebody else can be asked."""
    block, warnings = settings(f"forward . /etc/empty.conf {A}")

    assert [A] == [upstream.host for upstream in block.forward[0].to]
    (warning,) = warnings
    assert warning.startswith(
        "Corefile:2: /etc/empty.conf: no `nameserver` line names an upstream;"
    )


NOT_BUILT = sorted(
    {
        "doh_method",
        "max_age",
        "max_connect_attempts",
        "max_idle_conns",
        "next",
        "next_on_nodata",
        "read_timeout",
        "resolver",
        "source_address",
    }
)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("except", "`except` has 0 arguments here; it is written `except NAME...`"),
        ("except a..b", "`a..b` is no zone: the label b'' is 0 octets long, 1 to 63 are allowed"),
        ("force_tcp yes", "`force_tcp` has 1 arguments here; it is written `force_tcp`"),
        ("prefer_udp yes", "`prefer_udp` has 1 arguments here; it is written `prefer_udp`"),
        ("expire 10", "`10` has no unit; write for example `10s`"),
        ("max_fails -1", "`-1` is not a whole number from 0 to 4294967295"),
        ("tls a b c d", "`tls` has 4 arguments here; it is written `tls [CERT KEY] [CA]`"),
        (
            "tls_servername",
            "`tls_servername` has 0 arguments here; it is written `tls_servername NAME`",
        ),
        (
            "tls_servername .",
            "`tls_servername` is the name in the upstream's certificate, not the root",
        ),
        ("policy first", "`first` is not one of: random, round_robin, sequential"),
        (
            "health_check",
            (
                "`health_check` has 0 arguments here; it is written"
                " `health_check DURATION [no_rec] [domain NAME]`"
            ),
        ),
        (
            "health_check 1s domain",
            (
                "`domain` is not understood here; it is written"
                " `health_check DURATION [no_rec] [domain NAME]`"
            ),
        ),
        (
            "health_check 1s domain 192.0.2.0/24",
            "`192.0.2.0/24` is a network; write a name, such as `example.org`",
        ),
        ("max_concurrent many", "`many` is not a whole number of at least 0"),
        (
            "failover SERVFIAL",
            (
                "unknown response code `SERVFIAL`; there are: FORMERR, SERVFAIL, NXDOMAIN, NOTIMP,"
                " REFUSED, YXDOMAIN, YXRRSET, NXRRSET, NOTAUTH, NOTZONE"
            ),
        ),
        (
            "failover NOERROR",
            "`failover NOERROR` would ask again after every good answer; delete it",
        ),
        ("max_concurent 5", "unknown option `max_concurent` of `forward`; did you mean"),
        *(
            (name, f"the option `{name}` of `forward` is known, but not built")
            for name in NOT_BUILT
        ),
    ],
)
def test_options_are_refused_with_their_line(option, message):
    """An option that cannot be meant, or is not built, is told with its own line."""
    found = refusal("forward . 192.0.2.1 {", option, "}")

    assert found.startswith(f"Corefile:3: {message}")
    assert 1 == len(found.splitlines())


def test_all_that_is_wrong_in_a_forward_is_told_at_once():
    """The zone, each upstream and each option are told side by side."""
    found = refusal("forward a..b x 192.0.2.1 y {", "next NXDOMAIN", "policy first", "}")

    assert ["2", "2", "2", "3", "4"] == [line.split(":")[1] for line in found.splitlines()]


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (
            ["forward 192.0.2.1 192.0.2.2"],
            (
                "`192.0.2.1` is taken for a zone's name; to ask it for everything write"
                " `forward . 192.0.2.1`"
            ),
        ),
        (
            ["forward . 192.0.2.1 {", "force_tcp", "prefer_udp", "}"],
            "`prefer_udp` changes nothing beside `force_tcp`",
        ),
        (
            ["forward . 192.0.2.1 {", "tls", "tls_servername dns.example.org", "}"],
            (
                "no upstream is written `tls://…`: whatever `tls` and `tls_servername` may say, all"
                " are asked without TLS"
            ),
        ),
        (["loop"], "`loop` changes nothing: there is no `forward` here"),
        (["cache"], "`cache` changes nothing: there is no `forward` here"),
    ],
)
def test_what_has_no_effect_is_warned_of(lines, warning):
    """What loads but is hardly meant is told with its line."""
    assert (f"Corefile:2: {warning}",) == settings(*lines)[1]


def test_a_forward_as_it_should_be_has_no_warning():
    """TLS options of a TLS upstream, `cache` and `loop` beside `forward`: no word is said."""
    lines = ["forward . tls://192.0.2.1 {", "tls_servername dns.example.org", "}", "cache", "loop"]
    block, warnings = settings(*lines)

    assert ((), True) == (warnings, block.loop)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["loop 5s"], "2: `loop` has 1 arguments here; it is written `loop`"),
        (["loop {", "x", "}"], "3: unknown option `x` of `loop`; it has none"),
        (
            ["loop", "loop"],
            "3: `loop` may stand once in a server block; the first is at Corefile:2",
        ),
    ],
)
def test_loop_takes_nothing(lines, message):
    """`loop` stands alone, and once."""
    assert f"Corefile:{message}" == refusal(*lines)


def test_every_option_has_its_row():
    """The manual page has a row for each option of `forward`, or names it among the refused."""
    section = PAGE.read_text().partition("## Options of forward")[2].partition("\n## ")[0]
    rows, _, refused = section.partition("Refused")

    assert sorted(_OPTIONS) == sorted(
        [name for name in _OPTIONS if f"\n| `{name}" in rows]
        + [name for name in NOT_BUILT if f"`{name}`" in refused]
    )

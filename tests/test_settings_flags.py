"""The command line's flags lead to the same settings as a Corefile."""

import re

import msgspec
import pytest

from skydns_py import corefile, names
from skydns_py.settings import (
    Flags,
    InCluster,
    InvalidSettingsError,
    Kubeconfig,
    Listen,
    Manifests,
    Upstream,
    from_flags,
)
from skydns_py.settings.flags import SERVICE_ACCOUNT_TOKEN


def build(environ=None, present=(), **flags):
    return from_flags(Flags(**flags), environ=environ or {}, exists=lambda path: path in present)


def origin(environ=None, present=(), **flags):
    (block,) = build(environ, present, **flags).blocks
    assert block.kubernetes
    return block.kubernetes.origin


def refusal(environ=None, present=(), **flags):
    with pytest.raises(InvalidSettingsError) as caught:
        build(environ, present, **flags)
    return str(caught.value)


IN_A_POD = {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "HOME": "/home/me"}


def test_flags_mean_what_the_same_corefile_means():
    """Without further flags, the block equals the one of a Corefile that says the same."""
    (block,) = build(in_cluster=True).blocks
    (same,) = corefile.parse(
        "cluster.local in-addr.arpa ip6.arpa {\n errors\n kubernetes\n loadbalance\n}",
        "command line",
    ).blocks

    assert same.kubernetes == block.kubernetes
    assert (same.zones, same.listen, same.errors, same.loadbalance, same.health) == (
        block.zones,
        block.listen,
        block.errors,
        block.loadbalance,
        block.health,
    )


def test_each_flag_sets_its_field():
    """Addresses, zones, the TTL and the pod mode arrive where they belong."""
    settings = build(
        in_cluster=True,
        listen=("192.0.2.1:53", "[::1]:1053", "[::1]:1053"),
        zones=("Example.ORG", "10.0.0.0/8"),
        http=(":8080",),
        ttl=30,
        pods="verified",
    )

    (block,) = settings.blocks
    assert block.kubernetes
    assert (Listen("192.0.2.1", 53), Listen("::1", 1053)) == block.listen
    assert (names.from_text("example.org"), names.from_text("10.in-addr.arpa")) == block.zones
    assert block.zones == block.kubernetes.zones
    assert (Listen("", 8080),) == settings.http
    assert (30, "verified") == (block.kubernetes.ttl, block.kubernetes.pods)


def test_forwarding_flags_mean_what_the_same_corefile_means():
    """With upstreams all names are taken, and the block equals one with `cache 30` and `loop`."""
    (block,) = build(in_cluster=True, forward=("192.0.2.1", "tls://[2001:db8::1]:8853")).blocks
    (same,) = corefile.parse(
        """\
. {
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        fallthrough in-addr.arpa ip6.arpa
    }
    errors
    loadbalance
    forward . 192.0.2.1 tls://[2001:db8::1]:8853
    cache 30
    loop
}
"""
    ).blocks

    to = tuple(msgspec.structs.replace(each, line="--forward") for each in same.forward[0].to)
    forward = (msgspec.structs.replace(same.forward[0], to=to),)
    assert block == msgspec.structs.replace(same, place="command line", forward=forward)


def test_upstreams_may_come_out_of_a_resolv_conf(tmp_path):
    """A path names a resolv.conf, read from the disk unless something else reads."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.53\n")

    (block,) = build(in_cluster=True, forward=(str(path),)).blocks

    assert (Upstream("192.0.2.53", line=f"{path}:1"),) == block.forward[0].to


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"\xff", r"it is not UTF-8 text \(octet 0\)"),
    ],
)
def test_an_upstream_that_is_no_address_and_no_file_is_refused(tmp_path, content, reason):
    """What can be neither is told with the flag, the word and why it could not be read."""
    path = tmp_path / "resolv.conf"
    if content is not None:
        path.write_bytes(content)

    found = refusal(in_cluster=True, forward=(str(path), "192.0.2.1:0"))

    first, second = found.splitlines()
    assert re.search(rf"^--forward: `{path}` is neither .* \({reason}\)", first)
    assert "--forward: `192.0.2.1:0`: nobody can be asked on port 0; DNS is on 53" == second


@pytest.mark.parametrize(
    ("environ", "present", "flags", "expected"),
    [
        ({}, ["/k"], {"kubeconfig": "/k", "context": "c"}, Kubeconfig(("/k",), "c")),
        ({}, ["/m"], {"manifests": "/m"}, Manifests("/m")),
        ({}, [], {"in_cluster": True}, InCluster()),
        (IN_A_POD, [SERVICE_ACCOUNT_TOKEN, "/home/me/.kube/config"], {}, InCluster()),
        (IN_A_POD, ["/home/me/.kube/config"], {}, Kubeconfig(("/home/me/.kube/config",))),
        (
            IN_A_POD,
            [SERVICE_ACCOUNT_TOKEN, "/home/me/.kube/config"],
            {"context": "blue"},
            Kubeconfig(("/home/me/.kube/config",), "blue"),
        ),
        ({"KUBECONFIG": "/a:/b::/c"}, ["/a", "/c"], {}, Kubeconfig(("/a", "/c"))),
    ],
)
def test_the_source_is_the_one_named_or_the_first_found(environ, present, flags, expected):
    """A flag decides; without one, the service account, $KUBECONFIG and ~/.kube/config do."""
    assert expected == origin(environ, present, **flags)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"kubeconfig": "/there", "in_cluster": True},
            "--kubeconfig --in-cluster: only one source can be served; leave the others out",
        ),
        (
            {"manifests": "/there", "context": "c"},
            "--context: names a context of a kubeconfig, --manifests has none",
        ),
        ({"kubeconfig": "/nowhere"}, "--kubeconfig: there is no `/nowhere`"),
        ({"manifests": "/nowhere"}, "--manifests: there is no `/nowhere`"),
        (
            {"in_cluster": True, "listen": ("dns.example.org:53",)},
            (
                "--listen: `dns.example.org` is no IP address; write `192.0.2.1:53`,"
                " `[2001:db8::1]:53` or `:53`"
            ),
        ),
        ({"in_cluster": True, "ttl": 3601}, "--ttl: `3601` is not a whole number from 0 to 3600"),
        (
            {"in_cluster": True, "pods": "some"},
            "--pods: `some` is not one of: disabled, insecure, verified",
        ),
        (
            {"in_cluster": True, "zones": ("in-addr.arpa",)},
            "--zone: only reverse zones are named; name one for services too",
        ),
        (
            {"in_cluster": True, "zones": ("a..b",), "http": ("80",)},
            (
                "--http: `80` has no port; write `192.0.2.1:53`, `[2001:db8::1]:53` or `:53`\n"
                "--zone: `a..b` is no zone: the label b'' is 0 octets long, 1 to 63 are allowed"
            ),
        ),
    ],
)
def test_flags_are_refused_by_name(flags, message):
    """What cannot be meant is told with the flag, all flags at once."""
    assert message == refusal(present=["/there"], **flags)


def test_without_any_cluster_the_choices_are_explained():
    """Nothing named and nothing found: the error shows how to name one."""
    expected = """\
no cluster was named and none was found: this is no pod with a service account, and there is no \
/home/me/.kube/config; say which one to serve:
  --kubeconfig FILE [--context NAME]   the cluster of a kubeconfig
  --in-cluster                         the cluster this program runs in as a pod
  --manifests PATH                     no cluster: Kubernetes objects in YAML files"""

    assert expected == refusal(environ={"HOME": "/home/me"})

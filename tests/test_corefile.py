"""Whole Corefiles: those in use load, what is not built is named, and nothing else is raised."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py import corefile, names
from skydns_py.corefile.files import DISK, Files, UnreadableError
from skydns_py.errors import SettingsError
from skydns_py.settings import (
    Block,
    CacheSettings,
    ErrorsSettings,
    ForwardSettings,
    HealthSettings,
    InvalidSettingsError,
    Keep,
    KubernetesSettings,
    Listen,
    LogRule,
    Problem,
    PrometheusSettings,
    ReadySettings,
    Upstream,
)

COREFILES = Path(__file__).parent / "fixtures" / "corefiles"

CLUSTER = names.from_text("cluster.local")
IN_ADDR = names.from_text("in-addr.arpa")
IP6 = names.from_text("ip6.arpa")


def unreadable(path: str) -> str:
    raise UnreadableError(f"no {path} in this test")


NO_FILES = Files(unreadable, lambda _pattern: [])


def with_resolv_conf(path: str) -> str:
    is_ours = path == "/etc/resolv.conf"
    return "search example.org\nnameserver 192.0.2.53\n" if is_ours else DISK.read(path)


A_NODE = Files(with_resolv_conf, DISK.matches)
"""The disk, with a resolv.conf that is the same on every machine."""


def test_the_kubeadm_corefile_names_each_directive_that_is_not_built_yet():
    """The Corefile kubeadm ships stops at one directive, with its line."""
    path = str(COREFILES / "kubeadm")

    with pytest.raises(InvalidSettingsError) as caught:
        corefile.load(path, files=A_NODE)

    assert [
        Problem(
            f"{path}:21",
            "`reload` is known, but not built yet; supported are: bind, cache, errors, forward,"
            " health, kubernetes, loadbalance, log, loop, prometheus, ready",
        )
    ] == list(caught.value.problems)
    assert f"{path}:21" == caught.value.where


def test_the_kubeadm_corefile_loads_without_what_is_not_built():
    """The kubeadm Corefile minus the directives to come leads to the settings it describes."""
    path = str(COREFILES / "kubeadm-built")

    settings = corefile.load(path, files=A_NODE)

    kubernetes = KubernetesSettings(
        zones=(CLUSTER, IN_ADDR, IP6),
        pods="insecure",
        fallthrough=(IN_ADDR, IP6),
        ttl=30,
    )
    block = Block(
        zones=(names.ROOT,),
        listen=(Listen("", 53),),
        place=f"{path}:1",
        kubernetes=kubernetes,
        errors=ErrorsSettings(),
        loadbalance=True,
        ready=ReadySettings(Listen("", 8181), "until-ready"),
        health=HealthSettings(Listen("", 8080), 5.0),
        prometheus=PrometheusSettings(Listen("", 9153)),
        forward=(
            ForwardSettings(
                (Upstream("192.0.2.53", line="/etc/resolv.conf:2"),), max_concurrent=1000
            ),
        ),
        cache=CacheSettings(
            success=Keep(max_ttl=30),
            denial=Keep(max_ttl=30),
            no_success=(CLUSTER,),
            no_denial=(CLUSTER,),
        ),
        loop=True,
    )
    assert (block,) == settings.blocks
    assert () == settings.warnings
    assert () == settings.http


def test_snippets_files_and_patterns_are_imported_from_disk():
    """A Corefile with a snippet, an options file and a folder of servers becomes one whole."""
    path = COREFILES / "with-imports"

    first, second, third = corefile.load(str(path), environ={"DNS_PORT": "5353"}).blocks

    assert first.kubernetes == KubernetesSettings(zones=(CLUSTER,), pods="verified", ttl=15)
    assert first.log == (LogRule(names.ROOT, classes=frozenset({"denial"})),)
    assert first.listen == (Listen("", 5353),)
    assert second.place == f"{COREFILES / 'custom' / 'example.server'}:1"
    assert second.log == (LogRule(names.ROOT, classes=frozenset({"all"})),)
    assert third.zones == (names.from_text("2.0.192.in-addr.arpa"),)
    assert third.listen == (Listen("", 5353),)


def test_a_corefile_that_is_missing_is_the_operators_error():
    """A path that leads nowhere is told as such."""
    with pytest.raises(SettingsError, match=r"nowhere: the Corefile cannot be read: No such file"):
        corefile.load(str(COREFILES / "nowhere"))


def test_a_corefile_that_is_no_text_is_the_operators_error(tmp_path: Path):
    """Octets that are not UTF-8 are refused with where they stand."""
    path = tmp_path / "Corefile"
    path.write_bytes(b".:53 {\n\xff\n}\n")

    with pytest.raises(SettingsError, match=r"it is not UTF-8 text \(octet 7\)$"):
        corefile.load(str(path))


def test_a_path_that_no_disk_can_have_is_the_operators_error():
    """An import with a zero octet in its path is refused like any other unreadable file."""
    with pytest.raises(SettingsError, match=r"^Corefile:2: .* cannot be read: embedded null byte$"):
        corefile.parse(".\nimport a\0b\n")


def test_all_problems_are_told_at_once():
    """Problems of keys, directives and options stand side by side, in the order of the file."""
    text = """\
tls://example.org {
    kubernetes cluster.local {
        ttl 3601
        pods some
    }
    helth
}
"""
    with pytest.raises(InvalidSettingsError) as caught:
        corefile.parse(text)

    assert """\
Corefile:1: `tls://` is known, but not built yet; only dns:// is served
Corefile:3: `3601` is not a whole number from 0 to 3600
Corefile:4: `some` is not one of: disabled, insecure, verified
Corefile:6: unknown directive `helth`; did you mean `health`?""" == str(caught.value)


def test_warnings_do_not_stop_but_are_kept():
    """What is odd but can be meant loads, and is told with its place."""
    text = ".:53 {\n    kubernetes cluster.local {\n        tls a b c\n    }\n}\n"

    settings = corefile.parse(text)

    assert ("Corefile:2: `tls` changes nothing without `endpoint`",) == settings.warnings


@pytest.mark.parametrize("text", ["", "# nothing\n", "(snippet) {\n errors\n}\n"])
def test_a_corefile_without_a_server_block_is_refused(text):
    """Nothing to serve is an error, with an example."""
    with pytest.raises(SettingsError, match=r"^Corefile: there is no server block; the smallest"):
        corefile.parse(text)


VOCABULARY = """
{ } import (a) a, kubernetes errors log ready health bind loadbalance ttl pods class except
lameduck consolidate labels namespaces endpoint tls kubeconfig fallthrough {$A} {$A:b} {%A%}
{args[0]} . :53 [::1]:53 10.0.0.0/12 fd00::/9 cluster.local in-addr.arpa dns:// "x" 5s -1 .*
forward cache loop 192.0.2.1 [2001:db8::1]:53 tls://192.0.2.1 fe80::1%eth0 except failover SERVFAIL
health_check no_rec domain policy success denial 9984 30 prefetch 10% serve_stale verify disable
namespace_labels a=b !a in ([a-z] " \\ # monitor continuously endpoint_pod_names https://[
"""
WORDS = st.one_of(
    st.sampled_from(VOCABULARY.split()),
    st.text(max_size=8),
)
TEXTS = st.one_of(
    st.text(),
    st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "", " {\n", "\n}\n"]))).map(
        lambda pieces: "".join(word + end for word, end in pieces)
    ),
    st.lists(WORDS).map(lambda words: f". {{\n kubernetes a {{\n {' '.join(words)}\n }}\n}}"),
    st.tuples(
        st.sampled_from(["ttl", "labels", "endpoint", "startup_timeout", "fallthrough", "tls"]),
        WORDS,
    ).map(lambda pair: f". {{\n kubernetes a {{\n {pair[0]} {pair[1]}\n }}\n}}"),
    st.lists(WORDS, max_size=4).map(lambda words: f". {{\n forward . {' '.join(words)}\n}}"),
    st.tuples(
        st.sampled_from(["forward . 192.0.2.1", "cache"]),
        st.sampled_from(["except", "expire", "failover", "health_check", "tls", "tls_servername"])
        | st.sampled_from(["success", "denial", "prefetch", "serve_stale", "servfail", "disable"]),
        st.lists(WORDS, max_size=3).map(" ".join),
    ).map(lambda of: f". {{\n {of[0]} {{\n {of[1]} {of[2]}\n }}\n}}"),
)


@given(TEXTS, st.dictionaries(st.just("A"), st.text()))
def test_any_text_loads_or_is_refused_as_the_operators_error(text, environ):
    """No text and no environment makes the reader raise anything but SettingsError."""
    try:
        settings = corefile.parse(text, environ=environ, files=NO_FILES)
    except SettingsError as error:
        assert str(error)  # noqa: PT017  (either outcome is right, each has its check)
    else:
        assert all(block.zones and block.listen for block in settings.blocks)


@given(st.text())
def test_a_text_that_imports_itself_by_any_name_comes_to_an_end(text):
    """A file that every import finds never makes an endless reading."""
    looped = f"import {text}\nexample.org {{\n import other*\n}}\n"
    files = Files(lambda _path: looped, lambda pattern: [pattern, "other"])
    with pytest.raises(SettingsError):
        corefile.parse(looped, files=files)

"""The three ways to an API server, and what is said when one of them is closed."""

import os

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes.access import (
    from_endpoint,
    in_cluster,
    in_cluster_available,
)
from skydns_py.sources.kubernetes.content import LONGEST_TRUST, RotatedFile
from skydns_py.sources.kubernetes.credentials import Certificate, Identity
from tests.fakes.loopback import chain_and_key, pem


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def account(tmp_path, authority):
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(pem(authority))
    return tmp_path


POD = {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("192.0.2.1", "https://192.0.2.1:6443"),
        ("2001:db8::1", "https://[2001:db8::1]:6443"),
        ("api.example.org", "https://api.example.org:6443"),
    ],
)
async def test_reaches_the_cluster_from_within(account, authority, host, server):
    """A pod's access is its environment's address, its token and its cluster's authority."""
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}

    access = in_cluster(account, environment)

    assert server == access.server
    assert Identity("Bearer first") == await access.credentials.current()
    assert access.trust.authority is not None
    assert pem(authority) == access.trust.authority.read()


async def test_follows_the_kubelets_swap(tmp_path, authority):
    """A token renewed by swapping `..data` is in the next request."""
    for name, token in (("..1", "first"), ("..2", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(token)
        (tmp_path / name / "ca.crt").write_bytes(pem(authority))
    (tmp_path / "..data").symlink_to("..1")
    for name in ("token", "ca.crt"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    credentials = in_cluster(tmp_path, POD).credentials
    assert Identity("Bearer first") == await credentials.current()

    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    assert Identity("Bearer second") == await credentials.current()


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "token"])
def test_says_what_a_pod_would_have(account, missing):
    """Outside a pod the sentence names variables and file, and the other ways."""
    environment = {name: value for name, value in POD.items() if name != missing}
    (account / missing).unlink(missing_ok=True)

    assert not in_cluster_available(account, environment)
    with pytest.raises(
        SettingsError, match=r"not run in a cluster: KUBERNETES_SERVICE.*kubeconfig"
    ):
        in_cluster(account, environment)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("token", b" \n", "token: the token is empty"),
        ("ca.crt", b"", "ca.crt: the certificate authority cannot be used"),
        ("ca.crt", b"not PEM", "ca.crt: the certificate authority cannot be used"),
        ("ca.crt", None, "ca.crt: cannot read .*/ca.crt: No such file or directory"),
    ],
)
def test_names_a_spoilt_service_account(account, file, content, message):
    """A mounted file that cannot be used is named, with the folder it is in."""
    (account / file).unlink() if content is None else (account / file).write_bytes(content)

    assert in_cluster_available(account, POD)
    with pytest.raises(SettingsError, match=f"service account {account}: {message}"):
        in_cluster(account, POD)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://192.0.2.1:6443/", "https://192.0.2.1:6443"),
        ("http://api.example.org/k8s/c-1/", "http://api.example.org/k8s/c-1"),
        ("https://[2001:db8::1]:6443", "https://[2001:db8::1]:6443"),
        ("192.0.2.1:8080", "http://192.0.2.1:8080"),
    ],
)
def test_reads_an_endpoint(url, server):
    """An address may have a path, and is HTTP without a scheme and without TLS files."""
    assert server == from_endpoint(url).server


async def test_reads_an_endpoint_with_its_files(tmp_path, authority):
    """An address without a scheme is HTTPS when TLS files come with it."""
    chain, key = chain_and_key(authority.issue_cert("who@example.org"))
    for name, content in (("cert", chain), ("key", key), ("ca", pem(authority))):
        (tmp_path / name).write_bytes(content)

    access = from_endpoint("192.0.2.1:6443", tmp_path / "cert", tmp_path / "key", tmp_path / "ca")

    identity = await access.credentials.current()
    assert ("https://192.0.2.1:6443", "") == (access.server, identity.authorization)
    assert Certificate(chain, key) == identity.certificate


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "ftp://192.0.2.1", "https://me:hush@192.0.2.1", "https://192.0.2.1?a=b",
        "https://192.0.2.1:port", "https://[2001:db8::1",
    ],
)  # fmt: skip
def test_refuses_an_endpoint_that_is_none(url):
    """What is no address of an API server is refused at once."""
    with pytest.raises(SettingsError, match="endpoint"):
        from_endpoint(url)


def test_refuses_half_a_certificate(tmp_path, authority):
    """A certificate without its key, another's key, or an encrypted one is refused."""
    chain, _ = chain_and_key(authority.issue_cert("a@example.org"))
    _, other = chain_and_key(authority.issue_cert("b@example.org"))
    (tmp_path / "cert").write_bytes(chain)
    (tmp_path / "other").write_bytes(other)
    (tmp_path / "locked").write_bytes(locked(other))

    with pytest.raises(SettingsError, match="tls KEY: missing"):
        from_endpoint("https://192.0.2.1", cert=tmp_path / "cert")
    with pytest.raises(SettingsError, match="tls CERT: missing"):
        from_endpoint("https://192.0.2.1", key=tmp_path / "other")
    with pytest.raises(SettingsError, match=r"tls CERT KEY: .*cannot be used together"):
        from_endpoint("https://192.0.2.1", tmp_path / "cert", tmp_path / "other")
    with pytest.raises(SettingsError, match="key is encrypted; write it without a passphrase"):
        from_endpoint("https://192.0.2.1", tmp_path / "cert", tmp_path / "locked")
    with pytest.raises(SettingsError, match=r"tls CACERT: cannot read .*/nothing: No such file"):
        from_endpoint("https://192.0.2.1", ca=tmp_path / "nothing")


def test_reads_a_file_again_when_its_time_is_up(tmp_path):
    """A file that changed without looking changed is found within a minute."""
    now = 0.0
    path = tmp_path / "token"
    path.write_text("one")
    file = RotatedFile(path, clock=lambda: now)
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert b"one" == file.read()
    now = LONGEST_TRUST
    assert b"two" == file.read()


def test_keeps_good_bytes_while_a_file_is_away(tmp_path):
    """A file that vanished or was emptied does not take away what was read from it."""
    path = tmp_path / "token"
    path.write_text("one")
    file = RotatedFile(path)

    path.write_text("")
    assert b"one" == file.read()
    path.unlink()
    file.forget()
    assert b"one" == file.read()
    path.write_text("two")
    assert b"two" == file.read()


def locked(key):
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"example"),
    )

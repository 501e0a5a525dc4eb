"""Kubeconfig files mean here what they mean to kubectl, and mistakes are shown where they stand."""

import base64
import json
import os
import shutil
import subprocess

import pytest
import trustme
import yaml

from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes import kubeconfig
from skydns_py.sources.kubernetes.access import from_kubeconfig
from skydns_py.sources.kubernetes.credentials import Certificate, Identity
from tests.fakes.loopback import chain_and_key, pem

FIRST = """
current-context: shop
clusters:
- {name: one, cluster: {server: "https://192.0.2.1:6443", tls-server-name: api.example.org}}
contexts:
- {name: shop, context: {cluster: one, user: ann, namespace: shop}}
users:
- {name: ann, user: {token: first}}
"""
SECOND = """
apiVersion: v1
kind: Config
preferences: {}
current-context: other
clusters:
- {name: one, cluster: {server: "https://198.51.100.1", proxy-url: "http://192.0.2.9:3128"}}
- {name: two, cluster: {server: "https://[2001:db8::1]:6443", insecure-skip-tls-verify: true}}
contexts:
- {name: shop, context: {cluster: two, user: bob}}
- {name: other, context: {cluster: two, user: ann}}
- {name: basic, context: {cluster: two, user: bob}}
- {name: mixed, context: {cluster: one, user: bob}}
users:
- {name: ann, user: {token: second, as: root}}
- {name: bob, user: {username: bob, password: "007"}}
"""
THIRD = "contexts: null\nusers: []\n"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "first", tmp_path / "second", tmp_path / "third", tmp_path / "missing"]
    for path, text in zip(paths, (FIRST, SECOND, THIRD), strict=False):
        path.write_text(text)
    return paths


# Each is one run of kubectl, and that takes a second or two.
@pytest.mark.parametrize(
    ("order", "context"),
    [
        ((0, 1), None),
        ((0, 1), "other"),
        ((1, 0), "shop"),
        ((3, 1, 2, 0), "mixed"),
        ((2, 0), "basic"),
        ((1, 1, 0), None),
    ],
)
@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed to compare with")
def test_chooses_what_kubectl_chooses(files, order, context):
    """Merged files and chosen context give kubectl's own cluster and user, or both refuse."""
    listed = [files[index] for index in order]
    judge = ask_kubectl(listed, context)
    if judge is None:
        with pytest.raises(SettingsError):
            kubeconfig.choose(listed, context)
        return

    choice = kubeconfig.choose(listed, context)

    cluster, user = judge["clusters"][0], judge["users"][0]
    assert judge["contexts"][0]["name"] == choice.context.name
    assert cluster["name"] == choice.cluster.name
    assert cluster["cluster"]["server"] == choice.cluster.value.server
    assert cluster["cluster"].get("proxy-url", "") == choice.cluster.value.proxy_url
    assert cluster["cluster"].get("tls-server-name", "") == choice.cluster.value.tls_server_name
    assert choice.user is not None
    assert user["name"] == choice.user.name
    for field, value in (("token", "token"), ("username", "username"), ("as", "impersonate")):
        assert user["user"].get(field, "") == getattr(choice.user.value, value)


def ask_kubectl(paths, context):
    asked = [f"--context={context}"] if context else []
    done = subprocess.run(
        ["kubectl", "config", "view", "--minify", "--raw", "-o", "json", *asked],
        env={**os.environ, "KUBECONFIG": os.pathsep.join(map(str, paths))},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return None if done.returncode else json.loads(done.stdout)


async def test_takes_the_whole_of_the_first_entry(files):
    """The first file to name an entry wins it whole: nothing of the second shines through."""
    access = from_kubeconfig(files)

    assert ("https://192.0.2.1:6443", "") == (access.server, access.proxy)
    assert "api.example.org" == access.trust.server_name
    assert Identity("Bearer first") == await access.credentials.current()
    assert () == access.headers
    assert f"kubeconfig {files[0]}, context 'shop'" == access.where


def test_looks_where_kubectl_looks(files, tmp_path, monkeypatch):
    """$KUBECONFIG lists files, and without it there is ~/.kube/config."""
    monkeypatch.setenv("KUBECONFIG", f"{files[3]}{os.pathsep}{os.pathsep}{files[0]}")
    assert "https://192.0.2.1:6443" == from_kubeconfig().server

    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text(SECOND)
    assert "https://[2001:db8::1]:6443" == from_kubeconfig().server


def test_reads_json_too(tmp_path):
    """A kubeconfig in JSON is read as one in YAML."""
    (tmp_path / "config").write_text(json.dumps(yaml.safe_load(FIRST)))

    assert "https://192.0.2.1:6443" == from_kubeconfig([tmp_path / "config"]).server


async def test_starts_paths_from_the_files_own_folder(tmp_path, authority, monkeypatch):
    """Relative paths belong to the file they are written in, wherever we were started."""
    chain, key = chain_and_key(authority.issue_cert("who@example.org"))
    (tmp_path / "pki").mkdir()
    for name, content in (("ca", pem(authority)), ("cert", chain), ("key", key)):
        (tmp_path / "pki" / name).write_bytes(content)
    (tmp_path / "pki" / "token").write_text("from-a-file")
    path = write(
        tmp_path,
        cluster={"certificate-authority": "pki/ca"},
        user={
            "client-certificate": "pki/cert",
            "client-key": "pki/key",
            "tokenFile": "pki/token",
            "token": "loses",
        },
    )
    monkeypatch.chdir("/")

    access = from_kubeconfig([path])

    identity = await access.credentials.current()
    assert "Bearer from-a-file" == identity.authorization
    assert Certificate(chain, key) == identity.certificate
    assert access.trust.authority is not None
    assert pem(authority) == access.trust.authority.read()


async def test_reads_inline_certificates(tmp_path, authority):
    """Data fields are base64, also when it is broken into lines."""
    chain, key = chain_and_key(authority.issue_cert("who@example.org"))
    path = write(
        tmp_path,
        cluster={"certificate-authority-data": base64.encodebytes(pem(authority)).decode()},
        user={
            "client-certificate-data": base64.b64encode(chain).decode(),
            "client-key-data": base64.b64encode(key).decode(),
        },
    )

    access = from_kubeconfig([path])

    identity = await access.credentials.current()
    assert Certificate(chain, key) == identity.certificate
    assert access.trust.authority is not None
    assert pem(authority) == access.trust.authority.read()


async def test_lets_a_context_go_without_a_user(tmp_path):
    """A context without a user asks anonymously; dates and nulls are text and nothing."""
    path = tmp_path / "config"
    path.write_text(
        "current-context: 2026-01-01\n"
        "clusters: [{name: c, cluster: {server: 192.0.2.1, tls-server-name: null}}]\n"
        "contexts: [{name: 2026-01-01, context: {cluster: c}}]\n"
        "users: null\n"
    )

    access = from_kubeconfig([path])

    assert "http://192.0.2.1" == access.server
    assert Identity() == await access.credentials.current()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"config: no current-context is set and none was asked for; there are: none"),
        ("a: b\nc: %", r"config:2: this is no YAML"),
        ("a: \x00", r"config: this is no YAML"),
        ("- a", r"config: this is no kubeconfig: Expected `object`, got `array`"),
        (
            "users: [{name: a, user: {token: 7}}]",
            r"Expected `str`, got `int` - at `\$.users\[0\].u",
        ),
        ("kind: Pod", r"config: this is Pod of v1, a kubeconfig is Config of v1"),
        ("users: [{name: a}, {name: a}]", r"config: the user 'a' is written twice"),
        ("current-context: x", r"config: no context 'x'; there are: none"),
        (FIRST.replace("cluster: one", "cluster: two"), r"wants the cluster 'two', which does not"),
        (
            FIRST.replace("user: ann", "user: eve"),
            r"context 'shop' wants the user 'eve', .*: 'ann'",
        ),
    ],
)
def test_shows_where_a_file_is_wrong(tmp_path, text, message):
    """A file that is none, or a name that leads nowhere, is shown with file, line or path."""
    (tmp_path / "config").write_text(text)

    with pytest.raises(SettingsError, match=message):
        from_kubeconfig([tmp_path / "config"])


def test_names_every_missing_file(tmp_path):
    """Missing files are an error when all of them are, and all are named."""
    paths = [tmp_path / "one", tmp_path / "two"]

    with pytest.raises(SettingsError, match=r"/one:.*/two: there is no such kubeconfig file"):
        from_kubeconfig(paths)
    with pytest.raises(SettingsError, match="cannot read the kubeconfig: Is a directory"):
        from_kubeconfig([tmp_path])


CA = {"certificate-authority": "/nowhere/ca"}
BAD_CLUSTERS = [
    ({"server": ""}, "server: missing"),
    ({"server": "https://192.0.2.1/?a"}, "server: an API server's address has no user, no query"),
    (CA, "certificate-authority: cannot read /nowhere/ca: No such file"),
    ({"certificate-authority-data": "%"}, "certificate-authority-data: this is no base64"),
    ({"certificate-authority-data": "YQ=="}, "certificate-authority: the .* cannot be used"),
    (CA | {"certificate-authority-data": "YQ=="}, "contradicts certificate-authority-data"),
    ({"proxy-url": "socks5://192.0.2.9:1080"}, "proxy-url: SOCKS proxies are not supported"),
    ({"proxy-url": "192.0.2.9:3128"}, "proxy-url: .*no proxy URL; write http://HOST:PORT"),
    ({"proxy-url": "http://[::1"}, "proxy-url: this is no proxy URL"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), BAD_CLUSTERS)
def test_names_the_field_of_a_cluster(tmp_path, fields, message):
    """A wrong field of a cluster is shown with file, context, cluster and field."""
    path = write(tmp_path, cluster=fields)

    with pytest.raises(SettingsError, match=f"{path}: context 'here', cluster 'c', .*{message}"):
        from_kubeconfig([path])


def test_refuses_to_trust_one_and_anyone(tmp_path, authority):
    """An authority beside insecure-skip-tls-verify is a contradiction, as it is to kubectl."""
    data = base64.b64encode(pem(authority)).decode()
    fields = {"certificate-authority-data": data, "insecure-skip-tls-verify": True}
    path = write(tmp_path, cluster=fields)

    with pytest.raises(SettingsError, match="insecure-skip-tls-verify: contradicts"):
        from_kubeconfig([path])


BAD_USERS = [
    ({"client-certificate-data": "YQ=="}, "client-key: missing"),
    ({"client-key-data": "YQ=="}, "client-certificate: missing"),
    ({"client-certificate-data": "YQ==", "client-key-data": "YQ=="}, "cannot be used together"),
    ({"client-key": "x", "client-key-data": "YQ=="}, "client-key: contradicts client-key-data"),
    ({"client-key": "x"}, "client-key: cannot read .*/x: No such file"),
    ({"token": "a\nb"}, "token: the token has blanks, line breaks"),
    ({"token": "a", "username": "b"}, "token: contradicts username/password"),
    ({"tokenFile": "nothing"}, "tokenFile: cannot read .*/nothing: No such file"),
    ({"as-groups": ["a"]}, "as: groups, a UID or extras need a user"),
    ({"auth-provider": {"name": "oidc"}}, "auth-provider: 'oidc' was built into .* use `exec`"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), BAD_USERS)
def test_names_the_field_of_a_user(tmp_path, fields, message):
    """A wrong field of a user is shown with file, context, user and field."""
    path = write(tmp_path, user=fields)

    with pytest.raises(SettingsError, match=f"{path}: context 'here', user 'u', .*{message}"):
        from_kubeconfig([path])


def write(folder, cluster=None, user=None):
    document = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1"} | (cluster or {})}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))
    return folder / "config"

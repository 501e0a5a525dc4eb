"""An exec plugin is run when needed, told what it asks for, and never waited for without end."""

import asyncio
import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
import yaml

from skydns_py.errors import SettingsError, SourceError
from skydns_py.sources.kubernetes.access import from_kubeconfig
from skydns_py.sources.kubernetes.credentials import Identity
from skydns_py.sources.kubernetes.exec_plugin import ExecCredentials, Plugin
from tests.fakes.loopback import chain_and_key, pem

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("version", [V1, V1BETA1])
async def test_takes_a_token_from_a_plugin(tmp_path, version):
    """Both versions of the protocol give a token; the plugin is told which one is spoken."""
    command = printing(tmp_path, {"token": "from-plugin"}, version)
    access = kubeconfig(tmp_path, {"apiVersion": version, "command": command})

    assert Identity("Bearer from-plugin") == await access.credentials.current()
    assert {
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {"interactive": False},
    } == json.loads((tmp_path / "told").read_text())


async def test_takes_a_certificate_from_a_plugin(tmp_path):
    """A certificate and key may come instead of a token, and go into the TLS handshake."""
    chain, key = chain_and_key(trustme.CA().issue_cert("who@example.org"))
    status = {"clientCertificateData": chain.decode(), "clientKeyData": key.decode()}
    access = kubeconfig(tmp_path, {"command": printing(tmp_path, status)})

    identity = await access.credentials.current()

    assert "" == identity.authorization
    assert (chain, key) == (identity.certificate.chain, identity.certificate.key)


async def test_tells_a_plugin_about_its_cluster(tmp_path):
    """With provideClusterInfo the plugin sees the cluster, with authority and its own config."""
    authority = trustme.CA()
    (tmp_path / "ca").write_bytes(pem(authority))
    cluster = {
        "certificate-authority": "ca",
        "tls-server-name": "api.example.org",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"aud": "x"}}],
    }
    plugin = {"command": printing(tmp_path, {"token": "t"}), "provideClusterInfo": True}

    await kubeconfig(tmp_path, plugin, cluster).credentials.current()

    assert {
        "server": "https://192.0.2.1",
        "tls-server-name": "api.example.org",
        "certificate-authority-data": base64.b64encode(pem(authority)).decode(),
        "config": {"aud": "x"},
    } == json.loads((tmp_path / "told").read_text())["spec"]["cluster"]


async def test_hands_on_arguments_and_variables(tmp_path, monkeypatch):
    """A plugin has our environment, its own variables on top, its arguments, and no input."""
    monkeypatch.setenv("OURS", "kept")
    body = 'printf "%s|" "$OURS" "$THEIRS" "$@" "$(cat)" >"$(dirname "$0")/seen"\n'
    plugin = {
        "command": script(tmp_path, body + credential({"token": "t"})),
        "args": ["get token", "--now"],
        "env": [{"name": "THEIRS", "value": "set"}],
    }

    await kubeconfig(tmp_path, plugin).credentials.current()

    assert "kept|set|get token|--now||" == (tmp_path / "seen").read_text()


async def test_starts_a_relative_command_from_its_file(tmp_path, monkeypatch):
    """A command with a slash belongs to the kubeconfig's folder, a bare one to PATH."""
    printing(tmp_path, {"token": "t"})
    monkeypatch.chdir("/")
    relative = kubeconfig(tmp_path, {"command": "./plugin"})
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    bare = kubeconfig(tmp_path, {"command": "plugin"})

    assert Identity("Bearer t") == await relative.credentials.current()
    assert Identity("Bearer t") == await bare.credentials.current()


async def test_renews_shortly_before_the_end(tmp_path):
    """A token is kept while it has time left, and renewed half a minute before its end."""
    now = NOON
    status = {"token": "t", "expirationTimestamp": "2026-01-01T13:00:00Z"}
    plugin = counted(tmp_path, status)
    credentials = ExecCredentials(plugin, now=lambda: now)

    for wait, runs in (("0s", 1), ("59m29s", 1), ("59m30s", 2)):
        now = NOON + moment(wait)
        await credentials.current()
        assert (wait, runs) == (wait, count(tmp_path))


async def test_keeps_a_short_token_for_most_of_its_life(tmp_path):
    """A token that lives for seconds is not asked for with every request."""
    now = NOON
    status = {"token": "t", "expirationTimestamp": "2026-01-01T12:00:20+00:00"}
    credentials = ExecCredentials(counted(tmp_path, status), now=lambda: now)

    for wait, runs in (("0s", 1), ("17s", 1), ("18s", 2)):
        now = NOON + moment(wait)
        await credentials.current()
        assert (wait, runs) == (wait, count(tmp_path))


async def test_runs_once_for_many_waiters(tmp_path):
    """Watches that start together, or are refused together, share one run."""
    credentials = ExecCredentials(counted(tmp_path, {"token": "t"}))
    found = await asyncio.gather(*(credentials.current() for _ in range(5)))
    assert 1 == count(tmp_path)

    credentials.forget(found[0])
    await credentials.current()
    credentials.forget(Identity("Bearer of-long-ago"))
    await credentials.current()
    assert 2 == count(tmp_path)


async def test_prefers_what_is_written_down(tmp_path):
    """A token beside a plugin is used, and the plugin is not run."""
    user = {"token": "written", "exec": {"command": printing(tmp_path, {"token": "t"})}}
    access = kubeconfig(tmp_path, user["exec"], user={"token": "written"})

    assert Identity("Bearer written") == await access.credentials.current()
    assert not (tmp_path / "told").exists()


async def test_shows_what_a_failing_plugin_said(tmp_path):
    """Its number and the end of its complaint are shown, what it printed is not."""
    command = script(tmp_path, 'echo secret\necho "log in with: example login" >&2\nexit 3\n')
    access = kubeconfig(tmp_path, {"command": command})

    with pytest.raises(SourceError) as caught:
        await access.credentials.current()

    assert (
        f"exec plugin of user 'u': '{command}' ended with 3 and said: log in with: example login"
        == str(caught.value)
    )


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("hush", "printed no ExecCredential"),
        ("{}", "printed '' of ''"),
        (json.dumps({"kind": "ExecCredential", "apiVersion": V1BETA1}), "asked for '.*/v1'"),
        (json.dumps({"kind": "ExecCredential", "apiVersion": V1}), "without status"),
        ({}, "neither a token nor a client certificate"),
        ({"token": ""}, "neither a token nor a client certificate"),
        ({"clientKeyData": "hush"}, "only one of clientCertificateData and clientKeyData"),
        ({"token": "hu\nsh"}, "a token that cannot be sent"),
        ({"token": "hush", "expirationTimestamp": "tomorrow"}, "printed no ExecCredential"),
        ({"token": "hush", "expirationTimestamp": "2026-01-01T00:00:00"}, "no ExecCredential"),
    ],
)
async def test_names_nonsense_without_showing_it(tmp_path, printed, message):
    """What is no credential is named by what is wrong, never quoted."""
    body = credential(printed) if isinstance(printed, dict) else f"echo '{printed}'\n"
    access = kubeconfig(tmp_path, {"command": script(tmp_path, body)})

    with pytest.raises(SourceError, match=message) as caught:
        await access.credentials.current()
    assert "hush" not in str(caught.value)


async def test_kills_a_plugin_that_hangs(tmp_path):
    """A plugin that does not end in time is killed with its children, and named."""
    body = f"sleep 600 & echo $! >{tmp_path}/child; wait\n"
    plugin = Plugin("exec plugin of user 'u'", V1, script(tmp_path, body))

    with pytest.raises(SourceError, match=r"did not end within 0.5 s and was killed; run it by"):
        await ExecCredentials(plugin, limit=0.5).current()

    await is_gone(tmp_path)


async def test_kills_a_plugin_when_cancelled(tmp_path):
    """Cancelling the question ends the plugin and lets the cancellation through."""
    body = f"sleep 600 & echo $! >{tmp_path}/child; wait\n"
    plugin = Plugin("exec plugin of user 'u'", V1, script(tmp_path, body))
    question = asyncio.create_task(ExecCredentials(plugin).current())
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        await asyncio.sleep(0)

    question.cancel()

    with pytest.raises(asyncio.CancelledError):
        await question
    await is_gone(tmp_path)


async def test_recovers_after_a_failure(tmp_path):
    """A plugin that failed once is run again at the next question."""
    body = f"test -e {tmp_path}/again || {{ touch {tmp_path}/again; exit 1; }}\n"
    plugin = Plugin("p", V1, script(tmp_path, body + credential({"token": "t"})))
    credentials = ExecCredentials(plugin)

    with pytest.raises(SourceError, match="ended with 1 and said nothing"):
        await credentials.current()
    assert Identity("Bearer t") == await credentials.current()


async def test_names_a_plugin_that_was_removed(tmp_path):
    """A command that vanished after the start is named with the operator's advice."""
    plugin = Plugin("p", V1, str(tmp_path / "gone"), install_hint="apt install example\n")

    with pytest.raises(SourceError, match=r"p: the command '.*/gone' is not there.*; apt install"):
        await ExecCredentials(plugin).current()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"command": ""}, "exec.command: missing"),
        (
            {"command": "no-such-plugin", "installHint": "apt install example"},
            "exec.command: the command 'no-such-plugin' is not there or cannot be run; apt install",
        ),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "exec.apiVersion: '.*v1alpha1'"),
        ({"interactiveMode": ""}, "exec.interactiveMode: '' is not one of Never"),
        ({"interactiveMode": "Always"}, "exec.interactiveMode: Always wants a terminal"),
        ({"env": [{"value": "x"}]}, "exec.env: a variable has no name"),
    ],
)
def test_refuses_a_plugin_that_cannot_be_run(tmp_path, fields, message):
    """What is wrong with a plugin's settings is known before it is first needed."""
    with pytest.raises(SettingsError, match=f"config: context 'here', user 'u', {message}"):
        kubeconfig(tmp_path, {"command": "true"} | fields)


def script(folder, body):
    path = folder / "plugin"
    path.write_text(f'#!/bin/sh\nprintf "%s" "$KUBERNETES_EXEC_INFO" >"{folder}/told"\n{body}')
    path.chmod(0o755)
    return str(path)


def credential(status, version=V1):
    printed = json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status})
    return f"cat <<'END'\n{printed}\nEND\n"


def printing(folder, status, version=V1):
    return script(folder, credential(status, version))


def counted(folder, status):
    return Plugin("p", V1, script(folder, f"echo >>{folder}/runs\n" + credential(status)))


def count(folder):
    return len((folder / "runs").read_text().splitlines())


def moment(text):
    minutes, _, seconds = text.removesuffix("s").rpartition("m")
    return timedelta(minutes=int(minutes or 0), seconds=int(seconds))


async def is_gone(folder):
    status = Path(f"/proc/{int((folder / 'child').read_text())}/stat")
    async with asyncio.timeout(5):
        # A killed child nobody has collected yet is a zombie: it does not run.
        while status.exists() and ") Z " not in status.read_text():
            await asyncio.sleep(0.01)


def kubeconfig(folder, plugin, cluster=None, user=None):
    plugin = {"apiVersion": V1, "interactiveMode": "IfAvailable"} | plugin
    document = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1"} | (cluster or {})}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": (user or {}) | {"exec": plugin}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))
    return from_kubeconfig([folder / "config"])

"""A refused client looks for newer credentials once, whatever kind they are."""

import os

import pytest
from aiohttp import web

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.access import Access, from_kubeconfig
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.credentials import Identity, Stated
from skydns_py.sources.kubernetes.tls import Trust
from tests.fakes.loopback import serve


class Rotating:
    """Credentials that have a new token each time the last one was forgotten."""

    def __init__(self):
        self.round = 1
        self.forgotten = []

    async def current(self):
        return Identity(f"Bearer token-{self.round}")

    def forget(self, rejected):
        self.forgotten.append(rejected.authorization)
        self.round += 1


def only(token):
    async def answer(request):
        good = request.headers.get("Authorization") == f"Bearer {token}"
        return web.Response(status=200 if good else 401)

    return answer


async def test_asks_again_with_newer_credentials():
    """After a 401 the newer token is tried, and kept for the next question."""
    credentials = Rotating()
    async with (
        serve(only("token-2")) as server,
        Client(access_to(server.url, credentials)) as client,
    ):
        assert [200, 200] == [await status(client), await status(client)]

    assert ["Bearer token-1"] == credentials.forgotten
    assert ["Bearer token-1", "Bearer token-2", "Bearer token-2"] == sent(server)


async def test_hands_on_the_second_refusal():
    """A second 401 is the answer; nobody is asked a third time."""
    async with (
        serve(only("token-9")) as server,
        Client(access_to(server.url, Rotating())) as client,
    ):
        assert 401 == await status(client)

    assert ["Bearer token-1", "Bearer token-2"] == sent(server)


async def test_does_not_renew_for_other_refusals():
    """A 403 says who we are is known: no newer credentials would help."""

    async def forbid(request):
        return web.Response(status=403)

    credentials = Rotating()
    async with serve(forbid) as server, Client(access_to(server.url, credentials)) as client:
        assert 403 == await status(client)
        assert [] == credentials.forgotten


async def test_reads_a_replaced_token_file(tmp_path):
    """A token file replaced between two questions is read for the second."""
    (tmp_path / "token").write_text("first\n")
    async with serve(only("second")) as server:
        access = kubeconfig(tmp_path, server.url, "tokenFile: token")
        async with Client(access) as client:
            assert 401 == await status(client)
            (tmp_path / "token.new").write_text("second\n")
            (tmp_path / "token.new").replace(tmp_path / "token")
            assert 200 == await status(client)


async def test_opens_the_token_file_after_a_refusal(tmp_path):
    """A token overwritten so that the file looks unchanged is found after a 401."""
    token = tmp_path / "token"
    token.write_text("token-1")
    before = token.stat()
    async with serve(only("token-2")) as server:
        access = kubeconfig(tmp_path, server.url, "tokenFile: token")
        async with Client(access) as client:
            token.write_text("token-2")
            os.utime(token, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert 200 == await status(client)
    assert ["Bearer token-1", "Bearer token-2"] == sent(server)


async def test_runs_the_plugin_again_after_a_refusal(tmp_path):
    """A plugin's token that the server does not know is asked for anew, once."""
    plugin = tmp_path / "login"
    plugin.write_text(
        "#!/bin/sh\n"
        'echo run >>"$RUNS"\n'
        'printf \'{"kind":"ExecCredential",'
        '"apiVersion":"client.authentication.k8s.io/v1",'
        '"status":{"token":"token-%s"}}\' "$(grep -c run "$RUNS")"\n'
    )
    plugin.chmod(0o755)
    user = (
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, "
        f"interactiveMode: Never, env: [{{name: RUNS, value: {tmp_path / 'runs'}}}]}}"
    )
    async with (
        serve(only("token-2")) as server,
        Client(kubeconfig(tmp_path, server.url, user)) as client,
    ):
        assert [200, 200] == [await status(client), await status(client)]
    assert ["Bearer token-1", "Bearer token-2", "Bearer token-2"] == sent(server)


async def test_sends_a_password_and_whom_to_act_as(tmp_path):
    """User name and password go as Basic, impersonation as its headers, group by group."""

    async def ok(request):
        return web.Response()

    user = (
        "{username: admin, password: 'p:w', as: system:serviceaccount:dns:reader, as-uid: u-1, "
        "as-groups: [one, two], as-user-extra: {Example.org/scope: [view]}}"
    )
    async with serve(ok) as server, Client(kubeconfig(tmp_path, server.url, user)) as client:
        assert 200 == await status(client)
        headers = server.asked[0].headers

    assert "Basic YWRtaW46cDp3" == headers["Authorization"]
    assert "system:serviceaccount:dns:reader" == headers["Impersonate-User"]
    assert "u-1" == headers["Impersonate-Uid"]
    assert ["one", "two"] == headers.getall("Impersonate-Group")
    assert "view" == headers["Impersonate-Extra-Example.org%2Fscope"]


async def test_names_a_token_file_that_was_spoilt(tmp_path):
    """A token file that comes to hold something else is the upstream's fault, shown without it."""
    (tmp_path / "token").write_text("good")
    access = kubeconfig(tmp_path, "http://192.0.2.1", "tokenFile: token")
    (tmp_path / "token").write_text("two\nlines of it")
    async with Client(access) as client:
        with pytest.raises(SourceError, match="the token has blanks, line breaks") as caught:
            await status(client)
    assert "lines of it" not in str(caught.value)


async def test_asks_anonymously_without_a_user():
    """Without a user nothing is said about who asks."""
    async with serve(only("x")) as server, Client(access_to(server.url, Stated())) as client:
        assert 401 == await status(client)
        assert "Authorization" not in server.asked[0].headers


def kubeconfig(folder, url, user):
    (folder / "config").write_text(
        f"clusters: [{{name: here, cluster: {{server: '{url}'}}}}]\n"
        "contexts: [{name: here, context: {cluster: here, user: me}}]\n"
        "current-context: here\n"
        "users:\n- name: me\n  user:\n"
        f"    {user}\n"
    )
    return from_kubeconfig([folder / "config"])


def access_to(url, credentials):
    return Access(url, "the test", Trust(), credentials)


def sent(server):
    return [request.headers["Authorization"] for request in server.asked]


async def status(client):
    async with client.get("/", {}, read_timeout=5) as response:
        return response.status

"""A client trusts whom it was told to trust, and shows the certificate it was given."""

import asyncio
import contextlib
import socket
import ssl
import tempfile
import threading
from datetime import UTC, datetime

import pytest
import trustme
from aiohttp import web

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.access import Access, from_endpoint
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.content import Inline
from skydns_py.sources.kubernetes.credentials import Certificate, Identity, Stated
from skydns_py.sources.kubernetes.tls import Contexts, Trust
from tests.fakes.loopback import chain_and_key, pem, serve, server_context


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


async def who(request):
    shown = request.transport.get_extra_info("peercert") or {}
    name = request.transport.get_extra_info("ssl_object").server_hostname
    return web.json_response({"subject": str(shown.get("subject", "")), "name": name})


async def test_trusts_the_given_authority(authority, tmp_path):
    """A server whose certificate the given authority signed is believed."""
    (tmp_path / "ca.crt").write_bytes(pem(authority))
    async with serve(who, server_context(authority, "127.0.0.1")) as server:
        assert 200 == (await answer(from_endpoint(server.url, ca=tmp_path / "ca.crt")))[0]


async def test_names_an_unknown_authority(authority):
    """A server signed by somebody else is refused, with the place to look at."""
    access = access_to("https://127.0.0.1:1", Trust(Inline(pem(trustme.CA()))))
    message = r"its certificate is not trusted: .*; see the certificate authority in the test"
    async with serve(who, server_context(authority, "127.0.0.1")) as server:
        await refused(access_to(server.url, access.trust), message)


async def test_names_a_certificate_of_another_name(authority):
    """A certificate of another name suggests tls-server-name, and says which name was asked."""
    message = r"not valid for '127.0.0.1'.*\(asked for 127.0.0.1\); set tls-server-name"
    async with serve(who, server_context(authority, "api.example.org")) as server:
        await refused(access_to(server.url, Trust(Inline(pem(authority)))), message)


async def test_expects_the_servers_other_name(authority):
    """`tls-server-name` is what is asked for and what the certificate must have."""
    async with serve(who, server_context(authority, "api.example.org")) as server:
        access = access_to(server.url, Trust(Inline(pem(authority)), "api.example.org"))
        assert 200 == (await answer(access))[0]
        wrong = access_to(server.url, Trust(Inline(pem(authority)), "other.example.org"))
        await refused(wrong, r"\(asked for other.example.org\)")


async def test_names_an_expired_certificate(authority):
    """A certificate whose time is over is refused with that reason."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    past = datetime(2001, 1, 1, tzinfo=UTC)
    authority.issue_cert("127.0.0.1", not_after=past).configure_cert(context)
    async with serve(who, context) as server:
        await refused(
            access_to(server.url, Trust(Inline(pem(authority)))), "certificate has expired"
        )


async def test_believes_anyone_when_told_to(authority):
    """`insecure-skip-tls-verify` takes any certificate of any name."""
    async with serve(who, server_context(authority, "api.example.org")) as server:
        assert 200 == (await answer(access_to(server.url, Trust(insecure=True))))[0]


async def test_takes_an_intermediate_for_a_root(authority):
    """An authority that another one signed is trusted alone, as Go's clients do."""
    middle = authority.create_child_ca()
    async with serve(who, server_context(middle, "127.0.0.1")) as server:
        assert 200 == (await answer(access_to(server.url, Trust(Inline(pem(middle))))))[0]


async def test_shows_its_certificate(authority, tmp_path):
    """The client certificate reaches a server that asks for one."""
    clients = trustme.CA()
    chain, key = chain_and_key(clients.issue_cert("who@example.org"))
    write(tmp_path, {"ca": pem(authority), "cert": chain, "key": key})
    context = server_context(authority, "127.0.0.1", clients=clients)
    async with serve(who, context) as server:
        access = from_endpoint(server.url, tmp_path / "cert", tmp_path / "key", tmp_path / "ca")
        assert b"trustme" in (await answer(access))[1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_names_a_missing_client_certificate(authority, version):
    """A server that wants a certificate and gets none is explained, however late it says so."""
    context = server_context(authority, "127.0.0.1", clients=trustme.CA())
    context.maximum_version = version
    with strict_server(context) as url:
        access = access_to(url, Trust(Inline(pem(authority))))
        await refused(access, r"refused our side of TLS.*see the client certificate in the test")


async def test_takes_up_a_rotated_certificate(authority, tmp_path):
    """A certificate replaced on disk is shown by the next new connection."""
    clients, strangers = trustme.CA(), trustme.CA()
    chain, key = chain_and_key(strangers.issue_cert("who@example.org"))
    write(tmp_path, {"ca": pem(authority), "cert": chain, "key": key})
    context = server_context(authority, "127.0.0.1", clients=clients)
    async with serve(who, context) as server:
        access = from_endpoint(server.url, tmp_path / "cert", tmp_path / "key", tmp_path / "ca")
        async with Client(access) as client:
            with pytest.raises(SourceError, match="closed the connection"):
                await read(client)
            chain, key = chain_and_key(clients.issue_cert("who@example.org"))
            replace(tmp_path, {"cert": chain, "key": key})
            assert 200 == (await read(client))[0]


async def test_names_a_certificate_that_lost_its_key(authority, tmp_path):
    """A pair caught between two writes is a SourceError: the next question may find both."""
    chain, key = chain_and_key(authority.issue_cert("who@example.org"))
    write(tmp_path, {"ca": pem(authority), "cert": chain, "key": key})
    access = from_endpoint(
        "https://127.0.0.1:1", tmp_path / "cert", tmp_path / "key", tmp_path / "ca"
    )
    replace(tmp_path, {"key": chain_and_key(authority.issue_cert("other@example.org"))[1]})
    await refused(access, "the client certificate and its key cannot be used together")


async def test_names_a_server_without_tls():
    """An https address of a plain HTTP server is explained, not shown as an OpenSSL code."""

    async def greet(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with plain:
        url = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}"
        await refused(
            access_to(url, Trust()), "does not speak TLS.*scheme of the address in the test"
        )


def test_keeps_a_context_until_a_certificate_changes(authority):
    """The same certificates give the same context, so that connections can be kept."""
    first = Certificate(*chain_and_key(authority.issue_cert("a@example.org")))
    second = Certificate(*chain_and_key(authority.issue_cert("b@example.org")))
    contexts = Contexts(Trust(Inline(pem(authority))))

    kept = contexts.current(first)

    assert kept is contexts.current(Certificate(first.chain, first.key))
    assert kept is not contexts.current(second)


def test_leaves_no_key_behind(authority, tmp_path, monkeypatch):
    """The files OpenSSL reads are gone as soon as it has read them, and ours alone before."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def watch(self, *arguments, **options):
        modes.extend(path.stat().st_mode & 0o777 for path in tmp_path.iterdir())
        load(self, *arguments, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watch)
    shown = Certificate(*chain_and_key(authority.issue_cert("a@example.org")))
    Contexts(Trust(insecure=True)).current(shown)

    assert [0o600, 0o600] == modes
    assert [] == list(tmp_path.iterdir())


def test_shows_no_secret():
    """Nothing secret is in what a log or a traceback would print."""
    shown = repr(Identity("Bearer hush", Certificate(b"hush", b"hush"))) + repr(
        Stated(Inline(b"hush"), basic="Basic hush")
    )

    assert "hush" not in shown


@contextlib.contextmanager
def strict_server(context):
    """Serve handshakes from a thread: asyncio's end refuses one without sending the alert."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=shake_hands, args=(listener, context), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        listener.close()


def shake_hands(listener, context):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                shake_hand(connection, context)


def shake_hand(connection, context):
    connection.settimeout(5)
    with connection.dup() as kept:
        with contextlib.suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)
        # Closing with octets unread would reset the connection and take the alert with it.
        kept.shutdown(socket.SHUT_WR)
        while kept.recv(4096):
            pass


def access_to(url, trust):
    return Access(url, "the test", trust, Stated())


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


def replace(folder, files):
    for name, content in files.items():
        fresh = folder / f"{name}.new"
        fresh.write_bytes(content)
        fresh.replace(folder / name)


async def answer(access):
    async with Client(access) as client:
        return await read(client)


async def refused(access, message):
    with pytest.raises(SourceError, match=message):
        await answer(access)


async def read(client):
    async with client.get("/", {}, read_timeout=5) as response:
        return response.status, await response.body(1_000_000)

"""What an operator or a script can ask at the administration address."""

import asyncio
import functools
import json
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from skydns_py.env.kubernetes import service_environment
from skydns_py.servers.http.admin import admin_application
from skydns_py.servers.http.connection import Limits
from skydns_py.servers.http.env import Cluster
from skydns_py.servers.http.names import PIECE, Line
from skydns_py.servers.http.probes import Status
from skydns_py.sources.kubernetes.schema import Service, ServicePort

Ask = Callable[..., Awaitable[Any]]
Start = Callable[..., Awaitable[Any]]

STATUS = Status(not_ready=list, is_stopping=lambda: False)
HTTP = ServicePort("http", 80, "TCP")


def service(namespace: str, name: str, host: str, port: ServicePort = HTTP) -> Service:
    return Service(namespace, name, "ClusterIP", (host,), "", (port,))


SERVICES = [
    service("default", "kubernetes", "192.0.2.1", ServicePort("https", 443, "TCP")),
    service("shop", "web", "192.0.2.10"),
    service("clash", "foo", "192.0.2.20"),
    service("clash", "foo-service", "192.0.2.21"),
    service("digit", "3scale", "192.0.2.30"),
    # Nothing of Kubernetes' own validates a manifest before we read it.
    service("evil", "web", "192.0.2.40\nLD_PRELOAD=/tmp/x"),
]


def application(*services: Service, synced: bool = True) -> web.Application:
    cluster = Cluster(
        environment=functools.partial(service_environment, services or SERVICES),
        has_namespace={"default", "shop", "clash", "digit", "evil", "empty"}.__contains__,
        is_synced=lambda: synced,
    )
    return admin_application(STATUS, cluster=cluster, listing=lambda: LINES)


LINES = [
    Line("web.shop.svc.cluster.local.", 30, "A", "192.0.2.10"),
    Line("dns-version.cluster.local.", 28800, "TXT", '"1.1.0"'),
]

EXPECTED = {
    "KUBERNETES_SERVICE_HOST": "192.0.2.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "KUBERNETES_SERVICE_PORT_HTTPS": "443",
    "KUBERNETES_PORT": "tcp://192.0.2.1:443",
    "KUBERNETES_PORT_443_TCP": "tcp://192.0.2.1:443",
    "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
    "KUBERNETES_PORT_443_TCP_PORT": "443",
    "KUBERNETES_PORT_443_TCP_ADDR": "192.0.2.1",
}


@pytest.mark.parametrize(
    ("query", "expected", "content_type"),
    [
        ("", "".join(f"{n}={v}\n" for n, v in EXPECTED.items()), "text/plain; charset=utf-8"),
        (
            "?format=sh",
            "".join(f"export {n}='{v}'\n" for n, v in EXPECTED.items()),
            "text/plain; charset=utf-8",
        ),
        (
            "?format=json",
            json.dumps(EXPECTED, indent=2) + "\n",
            "application/json; charset=utf-8",
        ),
    ],
)
async def test_formats(ask: Ask, query: str, expected: str, content_type: str) -> None:
    """A namespace's variables come in the format asked for, an env-file when none is."""
    reply = await ask(application(), f"/v1/env/empty{query}")

    assert (200, expected) == (reply.status, reply.text)
    assert content_type == reply.headers["Content-Type"]
    assert "0" == reply.headers["X-Skydns-Warnings"]


async def test_service_links(ask: Ask) -> None:
    """service_links says whether the namespace's own Services are in the map."""
    linked = await ask(application(), "/v1/env/shop?format=json&service_links=true")
    alone = await ask(application(), "/v1/env/shop?format=json&service_links=false")

    assert "192.0.2.10" == json.loads(linked.text)["WEB_SERVICE_HOST"]
    assert EXPECTED == json.loads(alone.text)


async def test_warnings(ask: Ask) -> None:
    """What two Services claim is counted in a field, and told at a path of its own."""
    variables = await ask(application(), "/v1/env/clash")
    warnings = await ask(application(), "/v1/env/clash/warnings")
    alone = await ask(application(), "/v1/env/clash/warnings?service_links=false")

    assert "1" == variables.headers["X-Skydns-Warnings"]
    assert "FOO_SERVICE_PORT=80\n" in variables.text
    collision = {
        "variable": "FOO_SERVICE_PORT",
        "winner": "clash/foo",
        "losers": ["clash/foo-service"],
    }
    assert {"collisions": [collision], "sizes": []} == json.loads(warnings.text)
    assert {"collisions": [], "sizes": []} == json.loads(alone.text)


async def test_not_synced(ask: Ask) -> None:
    """A cluster that is not read yet is 503 with a time to wait, never an empty map."""
    for path in ("/v1/env/shop", "/v1/env/nowhere", "/v1/env/shop/warnings"):
        reply = await ask(application(synced=False), path)

        assert 503 == reply.status
        assert "1" == reply.headers["Retry-After"]
        assert "The Services of the cluster have not all been read yet: ask again shortly.\n" == (
            reply.text
        )


async def test_an_unknown_namespace(ask: Ask) -> None:
    """A namespace that is not there is 404."""
    reply = await ask(application(), "/v1/env/nowhere")

    assert (404, "There is no namespace 'nowhere'.\n") == (reply.status, reply.text)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("format=toml", "The option format is one of: docker, sh, json\n"),
        ("format=", "The option format is one of: docker, sh, json\n"),
        ("format=sh&format=sh", "The option format is given more than once.\n"),
        ("service_links=no", "The option service_links is one of: true, false\n"),
        ("service_link=false", "There is no option 'service_link' here. There is: format, "),
        ("%ff=%00", "There is no option "),
    ],
)
async def test_bad_options(ask: Ask, query: str, sentence: str) -> None:
    """An option that is unknown, doubled or out of its range is 400 and says what there is."""
    reply = await ask(application(), f"/v1/env/shop?{query}")

    assert 400 == reply.status
    assert reply.text.startswith(sentence)


async def test_a_format_that_cannot(ask: Ask) -> None:
    """A variable that a format cannot hold is 422 with its name and the formats that can."""
    reply = await ask(application(), "/v1/env/digit?format=sh")

    assert 422 == reply.status
    assert reply.text.startswith("the variable 3SCALE_SERVICE_HOST has no sh form: ")
    assert reply.text.endswith("; docker and json can hold it.\n")
    assert 200 == (await ask(application(), "/v1/env/digit")).status


async def test_no_line_is_injected(ask: Ask) -> None:
    """A line break in an object never becomes a line of an env-file, and is not shown."""
    reply = await ask(application(), "/v1/env/evil")

    assert 422 == reply.status
    assert "LD_PRELOAD" not in reply.text


@pytest.mark.parametrize("namespace", ["%0d%0aX:%20y", "%ff", "%00", "a" * 5_000, "%E2%80%AE"])
async def test_odd_namespaces(ask: Ask, namespace: str) -> None:
    """A namespace that cannot be one is 404, and nothing of it becomes a field."""
    reply = await ask(application(), f"/v1/env/{namespace}")

    assert 404 == reply.status
    assert "X" not in reply.headers
    assert len(reply.text) < 1_100


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "",
            (
                "web.shop.svc.cluster.local. 30 IN A 192.0.2.10\n"
                'dns-version.cluster.local. 28800 IN TXT "1.1.0"\n'
            ),
        ),
        (
            "?format=json",
            (
                '[\n{"name": "web.shop.svc.cluster.local.", "ttl": 30, "type": "A", '
                '"rdata": "192.0.2.10"},\n'
                '{"name": "dns-version.cluster.local.", "ttl": 28800, "type": "TXT", '
                '"rdata": "\\"1.1.0\\""}\n]\n'
            ),
        ),
    ],
)
async def test_names(ask: Ask, query: str, expected: str) -> None:
    """The names are listed as lines of a zone file, or as an array of objects."""
    reply = await ask(application(), f"/v1/names{query}")

    assert (200, expected) == (reply.status, reply.text)


@pytest.mark.parametrize("query", ["?format=xml", "?zone=x"])
async def test_bad_options_of_names(ask: Ask, query: str) -> None:
    """An option of the listing that is unknown, or out of its range, is 400."""
    assert 400 == (await ask(application(), f"/v1/names{query}")).status


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
@pytest.mark.parametrize("form", ["text", "json"])
async def test_long_listings(ask: Ask, count: int, form: str) -> None:
    """A listing of any length is sent whole."""

    def listing() -> Iterator[Line]:
        return (Line(f"n{number}.example.org.", 5, "A", "192.0.2.1") for number in range(count))

    reply = await ask(admin_application(STATUS, listing=listing), f"/v1/names?format={form}")

    found = json.loads(reply.text) if form == "json" else reply.text.splitlines()
    assert count == len(found)


async def test_a_long_listing_lets_others_in(ask: Ask) -> None:
    """Between two pieces of a listing the event loop turns, and DNS can be answered."""
    turns = 0
    seen = []

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def listing() -> Iterator[Line]:
        for number in range(20 * PIECE):
            if number % PIECE == 0:
                seen.append(turns)
            yield Line(f"n{number}.example.org.", 5, "A", "192.0.2.1")

    turning = asyncio.create_task(turn())
    await ask(admin_application(STATUS, listing=listing), "/v1/names")
    turning.cancel()

    assert 20 == len(set(seen))


async def test_a_listing_that_is_not_read_to_its_end(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Who hangs up in the middle of a listing ends it, and is not worth a line in the log."""

    def listing() -> Iterator[Line]:
        while True:
            yield Line("n.example.org.", 5, "A", "192.0.2.1")

    server = await start(admin_application(STATUS, listing=listing))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /v1/names HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readexactly(100_000)
    writer.transport.abort()
    async with asyncio.timeout(10):
        while server.connections:
            await asyncio.sleep(0.01)

    assert "" == caplog.text


async def test_head_of_the_listing(ask: Ask) -> None:
    """HEAD of the listing does not make it."""

    def listing() -> Iterator[Line]:
        raise AssertionError

    reply = await ask(admin_application(STATUS, listing=listing), "/v1/names", "HEAD")

    assert (200, "") == (reply.status, reply.text)


async def test_an_empty_body(ask: Ask) -> None:
    """A body of no octets, which some clients announce with a GET, is none."""
    reply = await ask(application(), "/health", headers={"Content-Length": "0"})

    assert 200 == reply.status


async def test_probes_are_there_too(ask: Ask) -> None:
    """The probes are answered here as well, under names that are trusted."""
    for path in ("/health", "/ready"):
        known = await ask(application(), path)
        foreign = await ask(application(), path, headers={"Host": "rebound.example.org"})

        assert [200, 421] == [known.status, foreign.status]


async def test_what_there_is(ask: Ask) -> None:
    """Without a cluster and a listing there are the probes alone."""
    reply = await ask(admin_application(STATUS), "/v1/names")

    assert 404 == reply.status
    assert reply.text.endswith("There is: /health, /ready\n")


async def test_mutated_requests(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever comes in place of a request is 2xx, 4xx or the end, and no line of the log."""
    server = await start(application(), limits=Limits(idle=0.05, linger=0.05))
    chance = random.Random(7)
    requests = [mutated(chance) for _ in range(400)]
    statuses = set()
    for first in range(0, len(requests), 40):
        some = requests[first : first + 40]
        for reply in await asyncio.gather(*(answer(server.port, each) for each in some)):
            statuses |= set(re.findall(rb"^HTTP/1.[01] (\d)", reply))

    assert {b"2", b"4"} == statuses
    assert "" == caplog.text


def mutated(chance: random.Random) -> bytes:
    """Make a request with a few octets dropped, doubled, or replaced."""
    path = chance.choice(["/v1/env/shop?format=sh", "/v1/env/evil", "/v1/names", "/ready"])
    request = bytearray(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode())
    for _ in range(chance.randrange(4)):
        where = chance.randrange(len(request))
        octets = chance.choice([b"", b"%", b"\r\n", b"\0", b"\xff", b":", b" ", b"&", b"%00"])
        request[where : where + chance.randrange(3)] = octets
    return bytes(request)


async def answer(port: int, request: bytes) -> bytes:
    """Send octets, and return everything until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    found = b""
    try:
        async with asyncio.timeout(10):
            while piece := await reader.read(65_536):
                found += piece
    except ConnectionError:
        pass
    finally:
        writer.close()
    return found

"""The probes of CoreDNS's `health` and `ready`, answered the same way."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from skydns_py.servers.http.probes import Status, health_application, ready_application

Ask = Callable[..., Awaitable[Any]]

READY = Status(not_ready=list, is_stopping=lambda: False)
WAITING = Status(not_ready=lambda: ["manifests", "kubernetes"], is_stopping=lambda: False)
STOPPING = Status(not_ready=list, is_stopping=lambda: True)


async def test_health(ask: Ask) -> None:
    """/health is 200 OK."""
    reply = await ask(health_application(), "/health")

    assert (200, "OK") == (reply.status, reply.text)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (READY, (200, "OK")),
        (WAITING, (503, "kubernetes,manifests")),
        (STOPPING, (503, "shutting down")),
    ],
)
async def test_ready(ask: Ask, status: Status, expected: tuple[int, str]) -> None:
    """/ready is 200 OK, or 503 with what is waited for, or 503 from the start of a shutdown on."""
    reply = await ask(ready_application(status), "/ready")

    assert expected == (reply.status, reply.text)


async def test_readiness_is_asked_anew(ask: Ask) -> None:
    """Each probe asks again: what was not ready becomes so without a restart."""
    waiting = ["kubernetes"]
    application = ready_application(Status(lambda: waiting, lambda: False))
    before = await ask(application, "/ready")
    waiting.clear()
    after = await ask(ready_application(Status(lambda: waiting, lambda: False)), "/ready")

    assert [503, 200] == [before.status, after.status]


async def test_a_probe_by_any_name(ask: Ask) -> None:
    """Probes are answered under any Host, as operators wrote them for CoreDNS."""
    for application, path in (
        (health_application(), "/health"),
        (ready_application(READY), "/ready"),
    ):
        reply = await ask(application, path, headers={"Host": "node-1.example.org:8080"})

        assert 200 == reply.status


async def test_head(ask: Ask) -> None:
    """HEAD is answered as GET is, without a body."""
    reply = await ask(health_application(), "/health", "HEAD")

    assert (200, "", "2") == (reply.status, reply.text, reply.headers["Content-Length"])


async def test_nothing_else_is_there(ask: Ask) -> None:
    """Another path is 404 with the paths there are."""
    reply = await ask(health_application(), "/healthz")

    assert (404, "There is nothing at '/healthz'. There is: /health\n") == (
        reply.status,
        reply.text,
    )

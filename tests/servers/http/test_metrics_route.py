"""The page that is scraped."""

from collections.abc import Awaitable, Callable
from typing import Any

from skydns_py.metrics import CONTENT_TYPE
from skydns_py.servers.http.metrics import metrics_application

Ask = Callable[..., Awaitable[Any]]


async def test_metrics_are_read_anew(ask: Ask) -> None:
    """/metrics is what is counted at that moment, under any Host, in Prometheus's text format."""
    numbers = iter((b"one 1\n", b"one 2\n"))
    application = metrics_application(lambda: next(numbers), CONTENT_TYPE)

    reply = await ask(application, "/metrics", headers={"Host": "node-1.example.org:9153"})

    assert (200, "one 1\n") == (reply.status, reply.text)
    assert CONTENT_TYPE == reply.headers["Content-Type"]
    assert b"one 2\n" == next(numbers)


async def test_nothing_else_is_there(ask: Ask) -> None:
    """Another path is 404, and names the one there is."""
    reply = await ask(metrics_application(lambda: b"", CONTENT_TYPE), "/")

    assert 404 == reply.status
    assert "/metrics" in reply.text

"""Bytes to events: lines cut anywhere, watch events, list pages and refusals."""

import contextlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skydns_py.batch import Key
from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes import events, schema
from skydns_py.sources.kubernetes.events import (
    Bookmark,
    Expired,
    Gone,
    Lines,
    Put,
    Refused,
    Unreadable,
)

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "kubernetes"
LIFECYCLE = (RECORDINGS / "pods.lifecycle.watch.jsonl").read_bytes()
DEEP = b"[" * 100_000 + b"]" * 100_000


def line(kind, thing):
    return json.dumps({"type": kind, "object": thing}).encode()


def cut(stream, places):
    """The stream in pieces, cut at these places."""
    places = sorted({place % (len(stream) + 1) for place in places})
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


@given(st.lists(st.integers(min_value=0)))
@example(range(len(LIFECYCLE)))
@example([])
def test_any_chunks(places):
    """A stream gives the same lines however it is cut: whole, octet by octet, in between."""
    lines = Lines()

    assert LIFECYCLE.splitlines() == [
        found for chunk in cut(LIFECYCLE, places) for found in lines.feed(chunk)
    ]


@given(st.lists(st.sampled_from([b"", b"a", b"\n", b"bc\n", b"\n\nd", b"\r\n"])))
def test_any_lines(chunks):
    """Blank lines are dropped, and the last line waits for its end."""
    lines = Lines()
    found = [line for chunk in chunks for line in lines.feed(chunk)]

    *whole, _rest = b"".join(chunks).split(b"\n")
    assert [line for line in whole if line.strip()] == found


@pytest.mark.parametrize("chunk", [1, 7, 11, 12, 30])
def test_line_limit(chunk):
    """A line longer than the limit is refused, one just as long is not, however they come."""
    for content, refused in ((b"x" * 10 + b"\n", False), (b"x" * 11 + b"\n", True)):
        lines = Lines(limit=10)
        pieces = [content[i : i + chunk] for i in range(0, len(content), chunk)]
        if refused:
            with pytest.raises(SourceError, match="more than 10 octets"):
                [lines.feed(piece) for piece in pieces]
        else:
            assert [[content.strip()]] == [f for piece in pieces if (f := lines.feed(piece))]


def test_long_line_in_small_chunks():
    """Twenty megabytes in small chunks are joined without copying what came before each time."""
    lines = Lines()
    piece = b"x" * 100
    for _ in range(200_000):
        assert [] == lines.feed(piece)

    assert [20_000_000] == [len(line) for line in lines.feed(b"\n")]


def test_recorded_events():
    """A recorded life of two pods is read as it happened."""
    found = [events.read_event("Pod", line) for line in LIFECYCLE.splitlines()]
    web, db = Key("Pod", "shop", "web-1"), Key("Pod", "shop", "db-0")

    assert [
        Put(web, schema.Pod("shop", "web-1", ""), "1760", False),
        Put(db, schema.Pod("shop", "db-0", ""), "1761", False),
        Put(web, schema.Pod("shop", "web-1", "10.200.0.1"), "1765", False),
        Put(db, schema.Pod("shop", "db-0", "10.200.0.2"), "1768", False),
        Put(web, schema.Pod("shop", "web-1", "10.200.0.1"), "1771", False),
        Put(db, schema.Pod("shop", "db-0", "10.200.0.2"), "1774", False),
        Put(web, schema.Pod("shop", "web-1", "10.200.0.1"), "1778", False),
        Put(web, schema.Pod("shop", "web-1", "10.200.0.1"), "1781", True),
        Gone(web, "1782"),
        Put(db, schema.Pod("shop", "db-0", "10.200.0.2"), "1795", True),
        Bookmark("1809", False),
        Bookmark("1812", False),
        Bookmark("1812", False),
    ] == found


def test_recorded_end_of_initial_events():
    """Only the last line of a recorded streaming list says that the initial events end."""
    recorded = (RECORDINGS / "services.ns-2.watchlist.jsonl").read_bytes().splitlines()
    found = [events.read_event("Service", line) for line in recorded]

    assert Bookmark("1751", True) == found[-1]
    assert [Put] * 24 == [type(event) for event in found[:-1]]


def test_recorded_expiry():
    """A recorded ERROR event with a 410 in it means that the version has expired."""
    recorded = (RECORDINGS / "services.watch.expired.jsonl").read_bytes()

    assert Expired("too old resource version: 5 (2906)") == events.read_event("Service", recorded)


def test_recorded_pages():
    """Recorded pages have their items, their token and their version."""
    page = events.read_page((RECORDINGS / "services.list.page1.json").read_bytes())

    assert (40, "1751") == (len(page.items), page.version)
    assert page.token.startswith("eyJ2IjoibWV0YS5rOHMuaW8vdjEi")
    assert Key("Service", "default", "kubernetes") == (
        events.read_object("Service", page.items[0]).key
    )


@pytest.mark.parametrize(
    ("name", "status", "found"),
    [
        ("unauthorized", 401, Refused(401, "Unauthorized", "Unauthorized")),
        (
            "forbidden",
            403,
            Refused(
                403,
                "Forbidden",
                'services is forbidden: User "nobody" cannot list resource "services" in API group'
                ' "" at the cluster scope',
            ),
        ),
    ],
)
def test_recorded_refusals(name, status, found):
    """A recorded Status gives its reason in one word and its sentence."""
    body = (RECORDINGS / f"services.list.{name}.status.json").read_bytes()

    assert found == events.read_refusal(status, body)


def test_recorded_expired_token():
    """A recorded 410 for a page is an expiry."""
    body = (RECORDINGS / "services.list.continue_expired.status.json").read_bytes()

    assert isinstance(events.read_refusal(410, body), Expired)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Too many requests, please try again later.\n", "Too many requests, please try again"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd"),
        (b'{"message": 5}', '{"message": 5}'),
        (b"[]", "[]"),
        (DEEP, "[[["),
    ],
)
def test_refusal_of_a_proxy(body, message):
    """A refusal that is no Status is told in its own words, cut to a line."""
    found = events.read_refusal(429, body, 3.0)

    assert isinstance(found, Refused)
    assert (429, 3.0) == (found.status, found.retry_after)
    assert found.message.startswith(message)
    assert len(found.message) <= 120


def test_retry_after_in_the_status():
    """A Status may say itself how long to wait."""
    body = b'{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}'

    assert Refused(429, "", "", 7.0) == events.read_refusal(429, body)


@pytest.mark.parametrize(
    ("thing", "key", "reason"),
    [
        (
            {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"type": 5}},
            Key("Service", "shop", "web"),
            "spec.type",
        ),
        ({"metadata": {"name": 5}}, None, "metadata.name"),
        ({"metadata": {}}, None, "no metadata.name"),
        ({}, None, "metadata"),
        ([], None, "object"),
        ("text", None, "object"),
    ],
)
def test_unreadable_objects(thing, key, reason):
    """An object of the wrong shape says where it is wrong, and its key when it has one."""
    found = events.read_event("Service", line("ADDED", thing))

    assert isinstance(found, Unreadable)
    assert key == found.key
    assert reason in found.reason


def test_unreadable_octets():
    """An object with octets that are no UTF-8 is unreadable, and costs no other anything."""
    thing = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"type": "?"}}
    found = events.read_event("Service", line("ADDED", thing).replace(b"?", b"\xff"))

    assert isinstance(found, Unreadable)
    assert Key("Service", "shop", "web") == found.key
    assert "utf-8" in found.reason


def test_unreadable_object_goes():
    """An object that cannot be read is still seen to be deleted."""
    thing = {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9"}, "spec": 5}

    assert Gone(Key("Service", "shop", "web"), "9") == (
        events.read_event("Service", line("DELETED", thing))
    )


@pytest.mark.parametrize(
    ("thing", "reason"),
    [([], "a bookmark: "), ({"metadata": {}}, "a bookmark without metadata.resourceVersion")],
)
def test_unreadable_bookmarks(thing, reason):
    """A bookmark that marks nothing is reported and skipped."""
    found = events.read_event("Service", line("BOOKMARK", thing))

    assert isinstance(found, Unreadable)
    assert found.reason.startswith(reason)


def test_error_without_status():
    """An ERROR event that says nothing we know is a refusal without a status."""
    found = events.read_event("Service", line("ERROR", "no"))

    assert isinstance(found, Refused)
    assert 0 == found.status
    assert "holds no Status" in found.message


def test_unknown_event_type():
    """An event type of the future is reported and skipped."""
    found = events.read_event("Service", line("RENAMED", {"metadata": {"name": "web"}}))

    assert Unreadable(None, "", "the watch event type 'RENAMED' is unknown") == found


@pytest.mark.parametrize(
    "text", [b"<html>", b"{}", b"[]", b'{"type":"ADDED"}', b"\xff", DEEP, b'{"type":"ADDED","obj']
)
def test_no_event(text):
    """A line that is no watch event at all raises, with the beginning of what it says."""
    with pytest.raises(SourceError, match="in place of a watch event") as raised:
        events.read_event("Service", text)

    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("text", [b"<html>", b"[]", b"", b"\xff", DEEP, b'{"items": 5}'])
def test_no_list(text):
    """A body that is no list raises, with the beginning of what it says."""
    with pytest.raises(SourceError, match="in place of a list"):
        events.read_page(text)


def test_list_without_version():
    """A list without a version to watch from is refused: nothing could follow it."""
    with pytest.raises(SourceError, match=r"no metadata\.resourceVersion"):
        events.read_page(b'{"items": []}')


def test_list_of_nothing():
    """A list whose items are null is empty."""
    page = events.read_page(b'{"metadata": {"resourceVersion": "5"}, "items": null}')

    assert ((), "", "5") == (page.items, page.token, page.version)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes(content):
    """Whatever comes, only a SourceError leaves this module."""
    for read in (
        lambda: events.read_event("Service", content),
        lambda: events.read_page(content),
        lambda: events.read_refusal(500, content),
        lambda: events.read_object("Service", msgspec.Raw(content)),
    ):
        with contextlib.suppress(SourceError):
            read()

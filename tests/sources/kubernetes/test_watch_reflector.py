"""What a reflector asks next, and what it tells, without a network and without time."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.backoff import Backoff
from skydns_py.sources.kubernetes.events import Expired, Refused
from skydns_py.sources.kubernetes.watch import Phase, Reflector

EXPIRED = Expired("too old resource version")
UNSUPPORTED = Refused(422, "Invalid", "sendInitialEvents is forbidden")
BROKEN = Refused(500, "InternalError", "etcdserver: no leader")


def reflector(kind="Service", **selectors):
    return Reflector(kind, selectors, random=lambda: 0.5, backoff=Backoff(lambda: 1.0))


def thing(name, version, **metadata):
    return {"metadata": {"name": name, "resourceVersion": str(version), **metadata}}


def line(kind, thing):
    return json.dumps({"type": kind, "object": thing}).encode() + b"\n"


def bookmark(version, *, ends=False):
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends else {}
    return line("BOOKMARK", {"metadata": {"resourceVersion": str(version), **annotations}})


def page(version, *things, token=""):
    metadata = {"resourceVersion": str(version)} | ({"continue": token} if token else {})
    return json.dumps({"metadata": metadata, "items": things}).encode()


def names(changes):
    """What changes tell: names, with a minus before those that are gone."""
    return {("" if slim else "-") + key.name for key, slim in changes.objects.items()}


def told(pages):
    return set().union(*(names(changes) for changes in pages))


def watching(*things, version=10):
    """A reflector that has its first picture and has asked for what follows it."""
    made = reflector()
    made.next_request()
    made.take_chunk(b"".join(line("ADDED", thing) for thing in things))
    made.take_chunk(bookmark(version, ends=True))
    return made


def paging(*, asked=True):
    made = reflector()
    made.next_request()
    made.turned_away(UNSUPPORTED)
    if asked:
        made.next_request()
    return made


def test_streaming():
    """The first request streams the objects, and goes on as the watch when they have come."""
    made = reflector(labelSelector="app=web")

    assert {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "450",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "labelSelector": "app=web",
    } == made.next_request().params
    assert {"web"} == names(made.take_chunk(line("ADDED", thing("web", 3))))
    assert (Phase.STREAMING, False) == (made.phase, made.synced)
    assert set() == names(made.take_chunk(bookmark(10, ends=True)))
    assert (Phase.WATCHING, True) == (made.phase, made.synced)
    assert {"-web"} == names(made.take_chunk(line("DELETED", thing("web", 11))))


@pytest.mark.parametrize("status", [400, 422])
def test_refused_streaming(status):
    """A server that refuses to stream is asked for pages at once, and never to stream again."""
    made = reflector()
    made.next_request()

    assert 0.0 == made.turned_away(Refused(status, "", ""))
    assert {"limit": "500"} == made.next_request().params
    list(made.take_page(page(10)))
    assert "10" == made.next_request().params["resourceVersion"]
    made.turned_away(EXPIRED)
    assert {"limit": "500"} == made.next_request().params


def test_ignored_streaming():
    """A bookmark before the initial events end shows a server that knows no initial events."""
    made = reflector()
    made.next_request()
    end = made.take_chunk(line("ADDED", thing("web", 3)) + bookmark(10)).end

    assert 0.0 == made.turned_away(end)
    assert not made.next_request().is_watch


@pytest.mark.parametrize("attempt", ["ended", "fell_silent", "broke", "turned_away"])
def test_streaming_in_vain(attempt):
    """A stream that twice brings no end of its initial events makes way for pages, this once."""
    made = reflector()
    said: dict[str, tuple[Any, ...]] = {"fell_silent": (), "turned_away": (BROKEN,)}
    for _ in range(2):
        assert made.next_request().is_watch
        made.take_chunk(line("ADDED", thing("web", 3)))
        getattr(made, attempt)(*said.get(attempt, (0.0,)))

    assert not made.next_request().is_watch
    list(made.take_page(page(10, thing("web", 3))))
    made.next_request()
    made.turned_away(EXPIRED)
    assert "sendInitialEvents" in made.next_request().params


def test_streaming_that_only_fails():
    """A server, or a proxy before it, that fails twice to stream is asked for pages this once."""
    made = reflector()
    for _ in range(2):
        assert made.next_request().is_watch
        assert made.turned_away(Refused(504, "Timeout", "")) > 0

    assert not made.next_request().is_watch


def test_unreachable_server_is_not_in_vain():
    """A server that cannot be reached says nothing against streaming."""
    made = reflector()
    for _ in range(5):
        assert "sendInitialEvents" in made.next_request().params
        made.broke(0.0)


def test_pages():
    """Pages are told as they come, and the watch begins at the version of the last."""
    made = paging()

    assert [{"a"}] == [names(c) for c in made.take_page(page(10, thing("a", 3), token="next"))]
    assert {"limit": "500", "continue": "next"} == made.next_request().params
    assert not made.synced
    assert [{"b"}] == [names(c) for c in made.take_page(page(10, thing("b", 4)))]
    assert made.synced
    assert "10" == made.next_request().params["resourceVersion"]


def test_page_that_fails_is_asked_again():
    """A failure between two pages costs that page only."""
    made = paging()
    list(made.take_page(page(10, thing("a", 3), token="next")))
    made.next_request()
    made.turned_away(BROKEN)

    assert {"limit": "500", "continue": "next"} == made.next_request().params
    assert {"b"} == told(made.take_page(page(10, thing("b", 4))))


def test_expired_page():
    """When a page has expired the list begins again in larger ones; what went meanwhile is gone."""
    made = paging()
    list(made.take_page(page(10, thing("a", 3), thing("b", 4), token="next")))
    made.next_request()
    assert made.turned_away(EXPIRED) > 0

    assert {"limit": "1000"} == made.next_request().params
    assert {"-a", "c"} == told(made.take_page(page(20, thing("b", 4), thing("c", 15))))


def test_refused_token():
    """A token that the server calls invalid is dropped, and the list begins again."""
    made = paging()
    list(made.take_page(page(10, thing("a", 3), token="next")))
    made.next_request()
    made.turned_away(Refused(400, "BadRequest", "continue key is not valid"))

    assert {"limit": "500"} == made.next_request().params


def test_relist_tells_the_difference():
    """A second picture tells what is new, changed or gone, and not what stayed as it was."""
    made = watching(thing("same", 1), thing("changed", 2), thing("gone", 3))
    made.next_request()
    made.turned_away(EXPIRED)
    assert "sendInitialEvents" in made.next_request().params

    events = (thing("same", 1), thing("changed", 12), thing("new", 13))
    assert {"changed", "new"} == names(
        made.take_chunk(b"".join(line("ADDED", event) for event in events))
    )
    assert {"-gone"} == names(made.take_chunk(bookmark(20, ends=True)))


def test_picture_that_breaks_off():
    """A picture that breaks off removes nothing; the next one counts from the beginning."""
    made = watching(thing("a", 1), thing("b", 2))
    made.next_request()
    made.turned_away(EXPIRED)
    made.next_request()
    made.take_chunk(line("ADDED", thing("a", 1)))
    made.broke(0.0)
    made.next_request()

    assert set() == names(made.take_chunk(line("ADDED", thing("b", 2))))
    assert {"-a"} == names(made.take_chunk(bookmark(20, ends=True)))


@pytest.mark.parametrize(
    ("chunk", "version"),
    [
        (line("ADDED", thing("b", 11)), "11"),
        (line("DELETED", thing("a", 12)), "12"),
        (bookmark(13), "13"),
        (line("ADDED", {"metadata": {"name": "b", "resourceVersion": "14"}, "spec": 5}), "14"),
        (b"", "10"),
        (bookmark(15)[:-1], "10"),
    ],
)
def test_goes_on_from_the_last_version(chunk, version):
    """The next watch begins at the last whole event, be it a bookmark or unreadable."""
    made = watching(thing("a", 1))
    made.next_request()
    made.take_chunk(chunk)
    made.broke(0.0)

    assert version == made.next_request().params["resourceVersion"]


def test_rest_of_a_broken_line_is_forgotten():
    """What a stream left unfinished does not run into the next one."""
    made = watching()
    made.next_request()
    made.take_chunk(b'{"type":"ADD')
    made.broke(0.0)
    made.next_request()

    assert {"a"} == names(made.take_chunk(line("ADDED", thing("a", 11))))


def test_nothing_of_a_foreign_chunk_is_applied():
    """Events in one chunk with nonsense come again: the version stands before them."""
    made = watching()
    made.next_request()
    with pytest.raises(SourceError):
        made.take_chunk(line("ADDED", thing("a", 11)) + b"<html>\n")
    made.broke(0.0)

    assert "10" == made.next_request().params["resourceVersion"]
    assert {"a"} == names(made.take_chunk(line("ADDED", thing("a", 11))))


def test_expired_event():
    """Events before the end of a stream count; what stands behind it is not read."""
    made = watching()
    made.next_request()
    status = {"kind": "Status", "code": 410, "message": "too old"}
    changes = made.take_chunk(
        line("ADDED", thing("a", 11)) + line("ERROR", status) + line("ADDED", thing("b", 12))
    )

    assert ({"a"}, Expired("too old")) == (names(changes), changes.end)


@pytest.mark.parametrize("attempt", ["fell_silent", "turned_away"])
def test_version_in_vain(attempt):
    """A version that twice brings silence or an ERROR is dropped, and everything told again."""
    made = watching(thing("a", 1))
    for _ in range(2):
        assert "10" == made.next_request().params["resourceVersion"]
        if attempt == "turned_away":
            made.turned_away(made.take_chunk(line("ERROR", {"code": 500})).end)
        else:
            made.fell_silent()

    assert "sendInitialEvents" in made.next_request().params
    assert {"a"} == names(made.take_chunk(line("ADDED", thing("a", 1))))


def test_outage_keeps_the_version():
    """However long a server refuses or is away, the watch goes on from where it was."""
    made = watching()
    for _ in range(5):
        made.next_request()
        made.broke(0.0)
        made.next_request()
        made.turned_away(Refused(503, "", ""))

    assert "10" == made.next_request().params["resourceVersion"]


def test_retry_after():
    """The wish of a server that refuses is the least that is waited."""
    made = watching()
    made.next_request()

    assert 7.0 == made.turned_away(Refused(429, "TooManyRequests", "", retry_after=7.0))


def test_backoff_is_reset_by_an_event_of_the_watch():
    """Pauses grow until the watch brings an event; a mere first picture does not count."""
    made = reflector()
    pauses = [made.broke(0.0) for _ in range(3)]
    made.next_request()
    made.take_chunk(line("ADDED", thing("a", 1)) + bookmark(10, ends=True))
    pauses.append(made.broke(0.0))
    made.next_request()
    made.take_chunk(bookmark(11))
    pauses.append(made.broke(0.0))

    assert [0.8, 1.6, 3.2, 6.4, 0.8] == pauses


@pytest.mark.parametrize(("lived", "pause"), [(0.0, 0.8), (300.0, 0.0)])
def test_normal_end(lived, pause):
    """A watch that has lived for a while goes on at once, one that ends at once after a pause."""
    made = watching()
    made.next_request()

    assert pause == made.ended(lived)


@pytest.mark.parametrize(("lived", "pauses"), [(1.0, [0.8, 1.6, 3.2]), (50.0, [0.8, 0.8, 0.8])])
def test_idle_connections_that_are_cut(lived, pauses):
    """A proxy that cuts idle watches does not make the pauses between them grow."""
    made = watching()

    assert pauses == [made.broke(lived) for _ in range(3)]


def test_doubt():
    """In doubt everything is told again, and even what was told as gone just before."""
    made = watching(thing("a", 1), thing("b", 2))
    made.next_request()
    made.take_chunk(line("DELETED", thing("b", 11)))
    made.doubt()
    made.next_request()

    assert {"a"} == names(made.take_chunk(line("ADDED", thing("a", 1))))
    assert {"-b"} == names(made.take_chunk(bookmark(20, ends=True)))


def test_terminating_objects_of_other_kinds():
    """Only pods are left out when they are first met terminating."""
    event = line("ADDED", thing("shop", 1, deletionTimestamp="2026-11-23T08:52:32Z"))
    for kind, expected in (("Namespace", {"shop"}), ("Service", {"shop"}), ("Pod", set())):
        made = reflector(kind)
        made.next_request()
        assert expected == names(made.take_chunk(event))


def test_pod_that_terminates_over_a_relist():
    """A known pod that terminates stays over a relist, and goes when it is deleted."""
    made = reflector("Pod")
    made.next_request()
    made.take_chunk(line("ADDED", thing("p", 1)) + bookmark(10, ends=True))
    made.turned_away(EXPIRED)
    made.next_request()
    leaving = line("ADDED", thing("p", 12, deletionTimestamp="2026-11-23T08:52:32Z"))

    assert {"p"} == names(made.take_chunk(leaving + bookmark(20, ends=True)))
    assert {"-p"} == names(made.take_chunk(line("DELETED", thing("p", 21))))


WORLDS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9))


@given(st.lists(st.tuples(WORLDS, st.sampled_from(["stream", "pages", "broken"])), min_size=1))
def test_any_pictures(worlds):
    """Whatever pictures follow each other, whole or broken off, what is told adds up to the last.

    A picture that breaks off adds and changes, and removes nothing.
    """
    made, table = reflector(), {}
    for turn, (world, how) in enumerate(worlds):
        for changes in picture(made, str(turn + 1), world, how):
            table.update(changes.objects)
        present = {key.name: slim.external_name for key, slim in table.items() if slim}
        expected = {name: f"{name}{number}" for name, number in world.items()}

        if how == "broken":
            assert present | expected == present
        else:
            assert expected == present


def picture(made, version, world, how):
    """All that a reflector tells when the cluster is so and the picture comes that way."""
    made.turned_away(EXPIRED)
    made.phase = Phase.PAGING if how == "pages" else Phase.STREAMING
    made.next_request()
    # A version is never used for two contents.
    versions = {name: f"{name}{number}" for name, number in world.items()}
    things = [thing(n, v) | {"spec": {"externalName": v}} for n, v in versions.items()]
    if how == "pages":
        return list(made.take_page(page(version, *things)))
    stream = b"".join(line("ADDED", thing) for thing in things)
    end = b"" if how == "broken" else bookmark(version, ends=True)
    return [made.take_chunk(stream), made.take_chunk(end)]

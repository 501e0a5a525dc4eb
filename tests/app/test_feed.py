"""What parent and worker say to each other arrives as it was said, however it is cut on the way."""

import msgspec
import pytest

from skydns_py.app import feed
from skydns_py.app.feed import Counted, Failed, Fed, Frames, Open, Opened, Stop
from skydns_py.batch import Batch, Key
from skydns_py.sources.kubernetes.schema import (
    SHAPES,
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
    Slim,
)
from tests.conftest import key_of

PORTS = (ServicePort("dns", 53, "UDP"), ServicePort("", 65_535, "SCTP"))

SLIMS: dict[str, Slim] = {
    "a namespace": Namespace("shop"),
    "a service": Service("shop", "web", "ClusterIP", ("192.0.2.1", "2001:db8::1"), "", PORTS),
    "a headless service": Service("shop", "db", "ClusterIP", ("None",), "", ()),
    "an alias": Service("shop", "out", "ExternalName", (), "www.example.org", ()),
    "a slice": EndpointSlice(
        "shop",
        "web-1",
        "web",
        "IPv4",
        (Endpoint(("198.51.100.1",), True, "h", "web-0"), Endpoint((), False, "", "")),
        PORTS,
    ),
    "an empty slice": EndpointSlice("shop", "web-2", "", "IPv6", (), ()),
    "a pod": Pod("shop", "web-0", "198.51.100.1"),
    "a pod without an address": Pod("shop", "web-1", ""),
    "names beyond ASCII": Pod("größe", "👩‍🚀", "�"),  # The API refuses them; a manifest may not.
}

TO_WORKER = {
    "open": Open(),
    "stop": Stop(),
    "an empty batch": Fed(0, "kubernetes", None, ()),
}
TO_PARENT = {
    "opened": Opened((("dns/udp", "192.0.2.1", 53), ("dns/tcp", "2001:db8::1", 53))),
    "counted": Counted({"NOERROR": 2**40, "udp received": 0}),
    "failed": Failed("192.0.2.1 port 53: another program holds it: größe"),
}


def through(batch: Batch, world: int = 0) -> list[Batch]:
    """Return the batches that a worker gets when a parent feeds one."""
    frames = Frames()
    wire = b"".join(feed.frame(message) for message in feed.fed(world, batch))
    messages = [feed.for_worker(body) for body in frames.feed(wire)]
    assert all(isinstance(message, Fed) and message.world == world for message in messages)
    return [feed.batch_of(message) for message in messages if isinstance(message, Fed)]


@pytest.mark.parametrize("slim", SLIMS.values(), ids=SLIMS.keys())
def test_every_object_arrives_as_it_was_sent(slim: Slim):
    """Each kind is the same value of the same type on the other side."""
    batch = Batch("kubernetes", {key_of(slim): slim}, None)

    [arrived] = through(batch, world=3)

    assert batch == arrived
    assert type(slim) is type(arrived.objects[key_of(slim)])


def test_every_kind_is_tried():
    """No kind that can be kept is left out of these tests."""
    assert set(SHAPES) == {type(slim).__name__ for slim in SLIMS.values()}


def test_what_is_gone_arrives_as_gone():
    """An object that is gone is None on the other side, beside those that are there."""
    slims = dict.fromkeys(map(key_of, SLIMS.values())) | {
        Key("Namespace", "", "there"): Namespace("there")
    }

    assert [Batch("kubernetes", slims, None)] == through(Batch("kubernetes", slims, None))


@pytest.mark.parametrize("synced", [None, True, False])
@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 1234])
def test_a_batch_comes_in_pieces_and_the_last_tells_of_the_source(count: int, synced: bool | None):
    """No piece is larger than a chunk, none is lost, and a source is synced with the last only."""
    slims = {Key("Namespace", "", f"n-{n}"): Namespace(f"n-{n}") for n in range(count)}

    pieces = through(Batch("manifests", slims, synced))

    joined = [item for piece in pieces for item in piece.objects.items()]
    assert list(slims.items()) == joined
    assert max(1, -(-count // feed.CHUNK)) == len(pieces)
    assert all(len(piece.objects) <= feed.CHUNK for piece in pieces)
    assert [None] * (len(pieces) - 1) + [synced] == [piece.synced for piece in pieces]
    assert {"manifests"} == {piece.source for piece in pieces}


@pytest.mark.parametrize("message", TO_WORKER.values(), ids=TO_WORKER.keys())
def test_what_a_worker_is_told(message: feed.ToWorker):
    """Each message to a worker is read as it was written."""
    [body] = Frames().feed(feed.frame(message))

    assert message == feed.for_worker(body)


@pytest.mark.parametrize("message", TO_PARENT.values(), ids=TO_PARENT.keys())
def test_what_a_parent_is_told(message: feed.ToParent):
    """Each message to a parent is read as it was written."""
    [body] = Frames().feed(feed.frame(message))

    assert message == feed.for_parent(body)


STREAM = [b"", b"a", b"b" * 255, b"\x00\x00\x00\x01", b"c" * 70_000, b""]
WIRE = b"".join(len(body).to_bytes(feed.LENGTH, "big") + body for body in STREAM)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 259, 4096, 69_999, len(WIRE)])
def test_frames_are_found_however_they_are_cut(size: int):
    """Fed whole, octet by octet or in any pieces, a stream has the same bodies in it."""
    frames = Frames()
    found = [
        body
        for start in range(0, len(WIRE), size)
        for body in frames.feed(WIRE[start : start + size])
    ]

    assert STREAM == found


@pytest.mark.parametrize(
    "tail", [b"\x00", b"\x00\x00\x00", b"\x00\x00\x00\x05", b"\x00\x00\x00\x05abcd"]
)
def test_a_frame_that_is_cut_waits_for_its_rest(tail: bytes):
    """What comes behind whole frames is kept until it is whole itself."""
    frames = Frames()
    rest = b"\x00\x00\x00\x05abcde"[len(tail) :]

    assert STREAM == list(frames.feed(WIRE + tail))
    assert [] == list(frames.feed(b""))
    assert [b"abcde"] == list(frames.feed(rest))


def test_a_worker_does_not_take_what_is_for_a_parent():
    """A message of the other direction is refused, not mistaken."""
    [body] = Frames().feed(feed.frame(Opened(())))

    with pytest.raises(msgspec.ValidationError):
        feed.for_worker(body)

"""What parent and worker tell each other: frames of msgpack on a socket pair.

Objects travel slim, as arrays without field names, and are never joined into records.
This module never waits and never opens anything.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from skydns_py.batch import Batch, Key
from skydns_py.metrics import Cell
from skydns_py.sources.kubernetes.schema import SHAPES

CHUNK: Final = 500
"""Objects in one frame: a worker answers questions between two frames."""

LENGTH: Final = 4
"""Octets of a frame's length, in network order."""


class Fed(msgspec.Struct, frozen=True, array_like=True, tag="batch"):
    """A batch for the world with this number; objects are encoded by their key's kind."""

    world: int
    source: str
    synced: bool | None
    objects: tuple[tuple[Key, msgspec.Raw], ...]


class Open(msgspec.Struct, frozen=True, array_like=True, tag="open"):
    """The pictures are whole, or whole enough: open the listeners."""


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="stop"):
    """Answer what has been received, and end."""


class Opened(msgspec.Struct, frozen=True, array_like=True, tag="opened"):
    """The listeners are open, at these addresses."""

    addresses: tuple[tuple[str, str, int], ...]


class Counted(msgspec.Struct, frozen=True, array_like=True, tag="counted"):
    """What a worker has counted since its start."""

    counts: dict[str, int]


class Measured(msgspec.Struct, frozen=True, array_like=True, tag="measured"):
    """Numbers of metrics since a worker's start: those that have changed since it last told."""

    cells: tuple[tuple[Cell, float], ...]


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """The listeners cannot be opened; the sentence is for the operator."""

    sentence: str


ToWorker = Fed | Open | Stop
ToParent = Opened | Counted | Measured | Failed

_ENCODER: Final = msgspec.msgpack.Encoder()
_TO_WORKER: Final = msgspec.msgpack.Decoder(ToWorker)
_TO_PARENT: Final = msgspec.msgpack.Decoder(ToParent)
_GONE: Final = _ENCODER.encode(None)
_SHAPES: Final = {kind: msgspec.msgpack.Decoder(shape) for kind, shape in SHAPES.items()}


def frame(message: ToWorker | ToParent) -> bytes:
    """Return a message as it goes over the wire."""
    body = _ENCODER.encode(message)
    return len(body).to_bytes(LENGTH, "big") + body


def for_worker(body: bytes) -> ToWorker:
    """Read what a parent sent."""
    message: ToWorker = _TO_WORKER.decode(body)
    return message


def for_parent(body: bytes) -> ToParent:
    """Read what a worker sent."""
    message: ToParent = _TO_PARENT.decode(body)
    return message


def fed(world: int, batch: Batch) -> Iterator[Fed]:
    """Yield a batch in pieces; only the last tells that the source has synced."""
    objects = list(batch.objects.items())
    for start in range(0, len(objects) or 1, CHUNK):
        piece = tuple(
            (key, msgspec.Raw(_ENCODER.encode(slim)))
            for key, slim in objects[start : start + CHUNK]
        )
        is_last = start + CHUNK >= len(objects)
        yield Fed(world, batch.source, batch.synced if is_last else None, piece)


def batch_of(message: Fed) -> Batch:
    """Return the batch a worker applies to its own table."""
    objects = {
        key: None if bytes(raw) == _GONE else _SHAPES[key.kind].decode(raw)
        for key, raw in message.objects
    }
    return Batch(message.source, objects, message.synced)


class Frames:
    """Bytes in, bodies of frames out; what is cut waits for its rest."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes as they came, and yield each body that is complete."""
        self._buffer += data
        position = 0
        while len(self._buffer) - position >= LENGTH:
            start = position + LENGTH
            end = start + int.from_bytes(self._buffer[position:start], "big")
            if end > len(self._buffer):
                break
            yield bytes(self._buffer[start:end])
            position = end
        del self._buffer[:position]

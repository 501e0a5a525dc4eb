"""From the bytes of a Kubernetes API server to typed events.

Three shapes are read: the lines of a watch, the pages of a list, and the Status of a refusal.
The envelope is decoded with the object left raw, then the object by itself: one that cannot be read
is an `Unreadable` event and costs nobody else anything.
This module does no IO, and does not know which request the bytes answer or what they change.

Source: Kubernetes API concepts, "Efficient detection of changes" and "Retrieving large results sets
in chunks"; KEP-3157 for the end of the initial events.
"""

from typing import Any, Final

import msgspec

from skydns_py.batch import Key
from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes import schema

MAX_LINE: Final = 64 * 2**20
"""Octets in one line of a watch.

etcd refuses an object above 1.5 MiB, so this only keeps a mad server from filling memory.
aiohttp's own reader of lines gives up at 512 KiB, which real objects do reach.
"""

_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
_SHOWN: Final = 120
"""Characters of a foreign answer that are shown to people."""


class Put(msgspec.Struct, frozen=True, gc=False):
    """An object is there and looks like this; `terminating`: its deletion has begun."""

    key: Key
    slim: schema.Slim
    version: str
    terminating: bool


class Gone(msgspec.Struct, frozen=True, gc=False):
    """An object is no longer there."""

    key: Key
    version: str


class Bookmark(msgspec.Struct, frozen=True, gc=False):
    """Nothing happened up to this version; the initial events may end here (KEP-3157)."""

    version: str
    initial_events_end: bool


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """An object came that is not what we know of its kind; `key` is None when it has no name."""

    key: Key | None
    version: str
    reason: str


class Expired(msgspec.Struct, frozen=True, gc=False):
    """410: the version or the `continue` token is too old, the server has forgotten it."""

    message: str


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The server said no: HTTP status, its reason in one word, its sentence, seconds to wait."""

    status: int
    reason: str
    message: str
    retry_after: float = 0.0


Event = Put | Gone | Bookmark | Unreadable | Expired | Refused


class Page(msgspec.Struct, frozen=True):
    """One page of a list: raw objects, the token of the next page ("" on the last), the version."""

    items: tuple[msgspec.Raw, ...]
    token: str
    version: str


class Lines:
    """Cuts a stream into lines, fed with chunks of any size, in linear time."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes, without the empty ones.

        Raises:
            SourceError: a line is longer than the limit.
        """
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        if max(map(len, (*lines, self._rest))) > self._limit:
            raise SourceError(f"the server sends a line of more than {self._limit} octets")
        return [line for line in lines if line.strip()]


def read_event(kind: str, line: bytes) -> Event:
    """Read one line of a watch on objects of a kind.

    Raises:
        SourceError: the line is no watch event at all; something else than an API server speaks.
    """
    try:
        envelope = _ENVELOPE.decode(line)
    except _UNDECODABLE as error:
        shown = line[:_SHOWN].decode(errors="replace")
        raise SourceError(f"the server sends {shown!r} in place of a watch event") from error
    reader = _READERS.get(envelope.type)
    if reader is None:
        return Unreadable(None, "", f"the watch event type {envelope.type!r} is unknown")
    event: Event = reader(kind, envelope.object)
    return event


def read_object(kind: str, raw: msgspec.Raw) -> Put | Unreadable:
    """Read one object, of a list page or of a watch event."""
    try:
        decoded = schema.decode(kind, raw)
    except _UNDECODABLE as error:
        return _unreadable(kind, raw, str(error))
    if not decoded.key.name:
        return _unreadable(kind, raw, "it has no metadata.name")
    return Put(decoded.key, decoded.slim, decoded.resource_version, decoded.terminating)


def read_page(body: bytes) -> Page:
    """Read one page of a list; its items carry neither kind nor apiVersion.

    Raises:
        SourceError: the body is no list, or says no version to watch from.
    """
    try:
        page = _PAGE.decode(body)
    except _UNDECODABLE as error:
        shown = body[:_SHOWN].decode(errors="replace")
        raise SourceError(f"the server sends {shown!r} in place of a list: {error}") from error
    if not page.metadata.resource_version:
        raise SourceError("the server's list has no metadata.resourceVersion to watch from")
    return Page(tuple(page.items or ()), page.metadata.continue_, page.metadata.resource_version)


def read_refusal(status: int, body: bytes, retry_after: float = 0.0) -> Expired | Refused:
    """Read what came with an HTTP status other than 200: a Status, or any text of a proxy."""
    try:
        found = _STATUS.decode(body)
    except _UNDECODABLE:
        found = _Status(message=body[:_SHOWN].decode(errors="replace").strip())
    return _refusal(found, status, retry_after)


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Identified(msgspec.Struct, gc=False):
    metadata: _Metadata


class _Envelope(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _ListMetadata(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)
    items: list[msgspec.Raw] | None = None


class _Details(msgspec.Struct, rename="camel", gc=False):
    retry_after_seconds: int = 0


class _Status(msgspec.Struct, gc=False):
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


def _read_gone(kind: str, raw: msgspec.Raw) -> Gone | Unreadable:
    # Only the name matters: an object that cannot be read can still be seen to go.
    found = _unreadable(kind, raw, "it has no metadata.name")
    return found if found.key is None else Gone(found.key, found.version)


def _read_bookmark(_kind: str, raw: msgspec.Raw) -> Bookmark | Unreadable:
    try:
        metadata = _IDENTIFIED.decode(raw).metadata
    except _UNDECODABLE as error:
        return Unreadable(None, "", f"a bookmark: {error}")
    if not metadata.resource_version:
        return Unreadable(None, "", "a bookmark without metadata.resourceVersion")
    ends = (metadata.annotations or {}).get(_INITIAL_EVENTS_END) == "true"
    return Bookmark(metadata.resource_version, ends)


def _read_error(_kind: str, raw: msgspec.Raw) -> Expired | Refused:
    try:
        return _refusal(_STATUS.decode(raw))
    except _UNDECODABLE as error:
        return Refused(0, "", f"an ERROR event that holds no Status: {error}")


def _refusal(found: _Status, status: int = 0, wait: float = 0.0) -> Expired | Refused:
    code = status or found.code
    if code == 410:
        return Expired(found.message)
    asked = float(found.details.retry_after_seconds) if found.details else 0.0
    return Refused(code, found.reason, found.message, wait or asked)


def _unreadable(kind: str, raw: msgspec.Raw, reason: str) -> Unreadable:
    try:
        metadata = _IDENTIFIED.decode(raw).metadata
    except _UNDECODABLE:
        return Unreadable(None, "", reason)
    key = Key(kind, metadata.namespace, metadata.name) if metadata.name else None
    return Unreadable(key, metadata.resource_version, reason)


# DecodeError and UnicodeDecodeError are ValueErrors; nesting without end is a RecursionError.
_UNDECODABLE: Final = (ValueError, RecursionError)

_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_IDENTIFIED: Final = msgspec.json.Decoder(_Identified)
_PAGE: Final = msgspec.json.Decoder(_List)
_STATUS: Final = msgspec.json.Decoder(_Status)
_READERS: Final[dict[str, Any]] = {
    "ADDED": read_object,
    "MODIFIED": read_object,
    "DELETED": _read_gone,
    "BOOKMARK": _read_bookmark,
    "ERROR": _read_error,
}

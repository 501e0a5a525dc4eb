"""What to ask a Kubernetes API server next about one resource, and what its answer changes.

    STREAMING ──── refused, or in vain ────► PAGING
        │ initial events end                    │ last page
        └───────────────► WATCHING ◄────────────┘
                              │ version expired, or no longer believed
                              └──► STREAMING, or PAGING where streaming is refused

The first picture comes as a stream (KEP-3157) or, from servers that cannot, as pages; a watch goes
on from its version.
A later picture replaces the former by difference: what it brings is told as it comes, and what it
did not bring is told as gone at its end.
This module does no IO and reads no clock: bytes in, changes and seconds to wait out.

Source: Kubernetes API concepts, "Resource versions" and "Streaming lists".
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from typing import Final

import msgspec

from skydns_py.batch import Key
from skydns_py.sources.kubernetes import events, request
from skydns_py.sources.kubernetes.backoff import Backoff
from skydns_py.sources.kubernetes.events import Bookmark, Expired, Gone, Put, Refused, Unreadable
from skydns_py.sources.kubernetes.picture import Difference, Picture
from skydns_py.sources.kubernetes.request import PAGE, Request
from skydns_py.sources.kubernetes.schema import Slim

STEADY: Final = 5.0
"""Seconds after which a stream that closes was a working one: many proxies close idle ones."""

_VAIN: Final = 2
"""Attempts from one position that bring nothing before another way is tried."""

_IGNORED: Final = Refused(422, "Invalid", "the server ignores sendInitialEvents")


class Phase(Enum):
    """What is asked for: the first picture as a stream, as pages, or what changes after it."""

    STREAMING = "streaming"
    PAGING = "paging"
    WATCHING = "watching"


class Changes(msgspec.Struct, frozen=True):
    """What some bytes changed: objects by key (None: gone), and what could not be read.

    `heard` tells that the server said anything; `end` is why this stream is over, if it is.
    """

    objects: Mapping[Key, Slim | None]
    unreadable: tuple[Unreadable, ...] = ()
    heard: bool = True
    end: Expired | Refused | None = None


class Reflector:
    """The position in one resource: what is known of it, and how to learn more.

    `kind` is the kind of the objects, `selectors` the labelSelector and fieldSelector parameters,
    `random` returns numbers from 0 to 1.
    Ask `next_request`, give the answer to one of the `take_…` methods, and say how it ended with
    one of the four below them, each of which returns the seconds to wait before the next request.
    """

    def __init__(
        self,
        kind: str,
        selectors: Mapping[str, str],
        *,
        random: Callable[[], float],
        backoff: Backoff | None = None,
    ) -> None:
        self.phase = Phase.STREAMING
        self.synced = False
        self._kind = kind
        self._selectors = dict(selectors)
        self._random = random
        self._backoff = backoff or Backoff(random)
        self._picture = Picture()
        self._told: Collection[Key] = ()
        self._version = ""
        self._limit = PAGE
        self._token = ""
        self._streams = True
        self._vain = 0
        self._heard = False
        self._lines = events.Lines()

    def next_request(self) -> Request:
        """Return what to ask now."""
        self._lines = events.Lines()
        self._heard = False
        if self.phase is not Phase.WATCHING and not self._token:
            self._picture.begin()
        return self._question().of(self._selectors)

    def take_page(self, body: bytes) -> Iterator[Changes]:
        """Take one page of a list, and yield what it changes, at most `PAGE` objects at a time.

        A server that answers from its cache ignores the limit and sends everything in one page.

        Raises:
            SourceError: the body is no list.
        """
        page = events.read_page(body)
        for start in range(0, len(page.items) or 1, PAGE):
            objects: Difference = {}
            found = [
                events.read_object(self._kind, raw) for raw in page.items[start : start + PAGE]
            ]
            for event in found:
                self._apply(event, objects)
            if start + PAGE >= len(page.items):
                self._token = page.token
                if not page.token:
                    self._complete(page.version, objects)
            yield self._changes(objects, found)

    def take_chunk(self, chunk: bytes) -> Changes:
        """Take some bytes of a watch, cut anywhere, and return what they change.

        Raises:
            SourceError: the stream holds something else than watch events. Nothing of this chunk
                has been applied then; it comes again from the version that was reached.
        """
        found = [events.read_event(self._kind, line) for line in self._lines.feed(chunk)]
        self._heard |= bool(found)
        objects: Difference = {}
        for event in found:
            end = self._apply(event, objects)
            if end is not None:
                return self._changes(objects, found, end)
        return self._changes(objects, found)

    def turned_away(self, end: Expired | Refused) -> float:
        """Go on after a refusal, by HTTP status or within the stream; 0.0: at once, all is well."""
        if isinstance(end, Expired):
            self._expire()
        elif self.phase is Phase.STREAMING and end.status in {400, 422}:
            # Without the WatchList feature these parameters are forbidden: 422, of old also 400.
            self._streams = False
            self.phase = Phase.PAGING
            return 0.0
        elif end.status == 400:
            # The token or the version is not one of this server's.
            self._forget()
        elif self._heard or (self.phase is Phase.STREAMING and end.status >= 500):
            self._count_vain()
        return self._backoff.pause(end.retry_after if isinstance(end, Refused) else 0.0)

    def ended(self, lived: float) -> float:
        """Go on after the server closed a stream in good order that `lived` so many seconds."""
        if self.phase is Phase.STREAMING:
            self._count_vain()
            return self._backoff.pause()
        return 0.0 if lived >= STEADY else self._backoff.pause()

    def broke(self, lived: float) -> float:
        """Go on after the connection failed, or broke a stream off that `lived` so many seconds."""
        if lived >= STEADY:
            self._backoff.reset()
        if self.phase is Phase.STREAMING and self._heard:
            self._count_vain()
        return self._backoff.pause()

    def fell_silent(self) -> float:
        """Go on after an open stream said nothing for too long."""
        self._count_vain()
        return self._backoff.pause()

    def doubt(self) -> float:
        """Believe nothing that is known here: ask for everything, and tell everything again.

        What was told last may not have arrived, so that even what is gone will be told once more.
        """
        self._picture.doubt(self._told)
        self._forget()
        return self._backoff.pause()

    def _question(self) -> Request:
        seconds = 300 + int(self._random() * 300)
        match self.phase:
            case Phase.STREAMING:
                return request.streaming_list(seconds)
            case Phase.PAGING:
                return request.list_page(self._limit, self._token)
            case Phase.WATCHING:
                return request.watch(self._version, seconds)

    def _changes(
        self,
        objects: Difference,
        found: Collection[events.Event],
        end: Expired | Refused | None = None,
    ) -> Changes:
        self._told = objects.keys()
        unreadable = tuple(event for event in found if isinstance(event, Unreadable))
        return Changes(objects, unreadable, bool(found), end)

    def _apply(self, event: events.Event, objects: Difference) -> Expired | Refused | None:
        if isinstance(event, Expired | Refused):
            return event
        if self.phase is Phase.WATCHING:
            self._version = event.version or self._version
            self._vain = 0
            self._backoff.reset()
        if isinstance(event, Put):
            self._picture.put(event, objects)
        elif isinstance(event, Gone):
            self._picture.remove(event, objects)
        elif isinstance(event, Unreadable) and event.key is not None:
            # It is there, whatever it looks like: the last that could be read of it stays.
            self._picture.keep(event.key)
        elif isinstance(event, Bookmark) and self.phase is Phase.STREAMING:
            if not event.initial_events_end:
                # None comes before the initial events end: this is an ordinary watch.
                return _IGNORED
            self._complete(event.version, objects)
        return None

    def _complete(self, version: str, objects: Difference) -> None:
        self._picture.complete(objects)
        self._limit = PAGE
        self._version = version
        self._vain = 0
        self.phase = Phase.WATCHING
        self.synced = True

    def _expire(self) -> None:
        # The token that a 410 offers continues with other versions of the objects: what changed
        # on the pages before it would never be told, because the watch begins after it.
        # So the list begins again, with pages twice as large: fewer of them expire.
        if self.phase is Phase.PAGING and self._token:
            self._limit *= 2
        if self.phase is Phase.STREAMING:
            self._count_vain()
        else:
            self._forget()

    def _forget(self) -> None:
        self._version = ""
        self._token = ""
        self._vain = 0
        self.phase = Phase.STREAMING if self._streams else Phase.PAGING

    def _count_vain(self) -> None:
        self._vain += 1
        if self._vain < _VAIN:
            return
        self._vain = 0
        if self.phase is Phase.STREAMING:
            self.phase = Phase.PAGING
        elif self.phase is Phase.WATCHING:
            # The version may lie ahead of a server restored from a backup: it would stay silent.
            self._picture.doubt()
            self._forget()

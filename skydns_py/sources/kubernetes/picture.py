"""Which objects of one kind have been told, and how a later picture differs from them.

Keys and versions only: the objects themselves live in the table, once.
This module asks nothing of a server, and does not know which request brought an object.
"""

from collections.abc import Collection

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.events import Gone, Put
from skydns_py.sources.kubernetes.schema import Slim

Difference = dict[Key, Slim | None]
"""What is to be told: objects as they are now by key, None for what is gone."""


class Picture:
    """The keys that have been told and their versions, "" where the version is not believed."""

    def __init__(self) -> None:
        self._versions: dict[Key, str] = {}
        self._unseen: set[Key] = set()

    def begin(self) -> None:
        """Begin a new picture: whatever it does not bring until `complete` is gone."""
        self._unseen = set(self._versions)

    def put(self, event: Put, told: Difference) -> None:
        """See an object, and tell it unless it was told just so."""
        self._unseen.discard(event.key)
        version = self._versions.get(event.key)
        if version is None and event.terminating and event.key.kind == "Pod":
            # A pod met on its way out is never announced; a known one stays until it is deleted.
            return
        if not version or version != event.version:
            self._versions[event.key] = event.version
            told[event.key] = event.slim

    def keep(self, key: Key) -> None:
        """See an object of which nothing is to be told."""
        self._unseen.discard(key)

    def remove(self, event: Gone, told: Difference) -> None:
        """See an object go, and tell it if it was told."""
        self._forget(event.key, told)

    def complete(self, told: Difference) -> None:
        """Tell as gone what the picture did not bring."""
        for key in tuple(self._unseen):
            self._forget(key, told)

    def doubt(self, lost: Collection[Key] = ()) -> None:
        """Have the next picture tell every object again, and those of `lost` that are gone."""
        self._versions = dict.fromkeys((*self._versions, *lost), "")

    def _forget(self, key: Key, told: Difference) -> None:
        self._unseen.discard(key)
        if self._versions.pop(key, None) is not None:
            told[key] = None

"""Things kept under keys, bounded in number and octets, where what is asked often stays.

Two halves: what is new has to prove itself in the first, what was asked again moves to the second,
and there is room for new things in the first alone.
So a flood of names that nobody asks twice pushes out nothing but itself.
This module reads no clock and knows no DNS.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_PROVEN_SHARE: Final = 0.8
"""How much of the room is for what was asked again; the rest is always left for what is new."""


class Shelf(Generic[K, V]):
    """At most `capacity` things of at most `octets` together; the longest unasked goes first."""

    def __init__(self, capacity: int, octets: int) -> None:
        self._capacity = capacity
        self._octets = octets
        self._new: dict[K, tuple[V, int]] = {}
        self._proven: dict[K, tuple[V, int]] = {}
        self._new_octets = 0
        self._proven_octets = 0

    def __len__(self) -> int:
        return len(self._new) + len(self._proven)

    @property
    def octets(self) -> int:
        """The octets of everything kept."""
        return self._new_octets + self._proven_octets

    def get(self, key: K) -> V | None:
        """Return what is kept under a key, which thereby has proven itself; None for nothing."""
        found = self._proven.pop(key, None)
        if found is not None:
            self._proven[key] = found  # to the end: the first is the longest unasked
            return found[0]
        found = self._new.pop(key, None)
        if found is None:
            return None
        self._new_octets -= found[1]
        self._prove(key, found)
        return found[0]

    def peek(self, key: K) -> V | None:
        """Return what is kept under a key, without any consequence."""
        found = self._proven.get(key) or self._new.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, octets: int) -> None:
        """Keep a thing; in the place of what has its key, and new if nothing had."""
        is_proven = key in self._proven
        self.drop(key)
        if is_proven:
            self._prove(key, (value, octets))
        else:
            self._new[key] = (value, octets)
            self._new_octets += octets
        self._make_room()

    def drop(self, key: K) -> None:
        """Forget what is kept under a key, if anything is."""
        if (gone := self._proven.pop(key, None)) is not None:
            self._proven_octets -= gone[1]
        if (gone := self._new.pop(key, None)) is not None:
            self._new_octets -= gone[1]

    def clear(self) -> None:
        """Forget everything."""
        self._new.clear()
        self._proven.clear()
        self._new_octets = self._proven_octets = 0

    def _prove(self, key: K, thing: tuple[V, int]) -> None:
        """Move a thing to the second half; what is too much there has to prove itself again."""
        self._proven[key] = thing
        self._proven_octets += thing[1]
        while (
            len(self._proven) > self._capacity * _PROVEN_SHARE
            or self._proven_octets > self._octets * _PROVEN_SHARE
        ):
            oldest = next(iter(self._proven))
            thing = self._proven.pop(oldest)
            self._proven_octets -= thing[1]
            self._new[oldest] = thing
            self._new_octets += thing[1]

    def _make_room(self) -> None:
        while len(self) > self._capacity or self.octets > self._octets:
            self.drop(next(iter(self._new or self._proven)))

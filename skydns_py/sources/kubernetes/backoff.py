"""How long to wait before the next attempt.

This module never waits itself: it returns seconds.
"""

from collections.abc import Callable
from typing import Final

_LONGEST_WISH: Final = 300.0
"""Seconds beyond which no server's Retry-After is obeyed."""


class Backoff:
    """Seconds before the next attempt: doubled each time and jittered, until `reset`.

    `random` returns numbers from 0 to 1; a pause is between half of its length and the whole.
    client-go too begins at 0.8 s and stops at 30 s.
    """

    def __init__(
        self, random: Callable[[], float], first: float = 0.8, longest: float = 30.0
    ) -> None:
        self._random = random
        self._first = first
        self._longest = longest
        self._next = first

    def pause(self, at_least: float = 0.0) -> float:
        """Return the seconds to wait now; `at_least` is the server's own wish."""
        pause = self._next * (0.5 + self._random() / 2)
        self._next = min(self._next * 2, self._longest)
        return max(pause, min(at_least, _LONGEST_WISH))

    def reset(self) -> None:
        """Begin again with the shortest wait: things work."""
        self._next = self._first

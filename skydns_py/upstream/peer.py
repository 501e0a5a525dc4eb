"""What is known of one upstream: how fast it replies, and whether it does; and who is asked first.

This module waits for nothing and reads no clock.
"""

from collections.abc import Callable, MutableSequence, Sequence
from typing import Any, Final

from skydns_py.settings.upstream_shapes import Policy, Upstream

MIN_PATIENCE: Final = 0.5
MAX_PATIENCE: Final = 1.0
"""Seconds, at least and at most, until the next upstream is asked besides.

A name that an upstream has to look for itself takes longer than the replies it has at hand: with
less than half a second, such names would cost every upstream a question.
"""

Shuffle = Callable[[MutableSequence[Any]], None]


class Peer:
    """One upstream as experience has it; `max_fails` failures in a row are forgiven, 0 all.

    One that `loops` leads back here, and one that `is_gone` is not asked any more.
    """

    def __init__(self, upstream: Upstream, max_fails: int) -> None:
        self.upstream = upstream
        self.loops = False
        self.is_gone = False
        self.fails = 0
        self.asked = 0
        self._max_fails = max_fails
        self._mean: float | None = None
        self._deviation = 0.0

    @property
    def is_down(self) -> bool:
        """Whether it failed more often in a row than is forgiven."""
        return 0 < self._max_fails < self.fails

    @property
    def patience(self) -> float:
        """Seconds in which nearly all its replies came so far (RFC 6298 section 2), in bounds."""
        if self._mean is None:
            return MAX_PATIENCE
        return min(max(self._mean + 4 * self._deviation, MIN_PATIENCE), MAX_PATIENCE)

    def failed(self) -> bool:
        """Note a failure; True when it is down by that, and was not before."""
        was_down = self.is_down
        self.fails += 1
        return self.is_down and not was_down

    def replied(self, seconds: float) -> bool:
        """Note a reply after so many seconds; True when that ends its being down."""
        was_down = self.is_down
        self.fails = 0
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
        else:
            self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
            self._mean += (seconds - self._mean) / 8
        return was_down


def order(peers: Sequence[Peer], policy: Policy, turn: int, shuffle: Shuffle) -> list[Peer]:
    """Return peers in the order in which they are to be asked, those that are down behind.

    `turn` counts the questions, for `round_robin`; where all are down, any one comes first.
    """
    up = [peer for peer in peers if not peer.is_down]
    down = [peer for peer in peers if peer.is_down]
    shuffle(down)
    if policy == "random":
        shuffle(up)
    elif policy == "round_robin" and up:
        first = turn % len(up)
        up = up[first:] + up[:first]
    return up + down

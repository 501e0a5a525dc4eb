"""Shares one loop among many connections, so that a flood on each of them starves nobody.

Each time round the loop so many messages are answered in all; who comes after that waits in line.
This module knows no sockets and no messages: it counts, and calls whose turn it is.
"""

from collections import deque
from collections.abc import Callable

ROUND = 256
"""Messages each time round: a millisecond or two, as for UDP, so that both take like shares."""

_HASTE = 10
"""How much shorter a turn is while others wait: 2,000 floods then delay the next by 0.1 s."""


class Turns:
    """Whose turn it is, in the order in which they began to wait.

    `call_soon` puts a call off to the next time round the loop; `turn` is the messages of a turn.
    """

    def __init__(self, call_soon: Callable[[Callable[[], None]], object], turn: int) -> None:
        self._call_soon = call_soon
        self._turn = turn
        self._left = ROUND
        self._is_spent = False
        self._line: deque[Callable[[], None]] = deque()

    def share(self) -> int:
        """Return how many messages one turn may have now; 0 means to wait in line."""
        if self._left <= 0:
            return 0
        return max(1, self._turn // _HASTE) if self._line else self._turn

    def spend(self, count: int) -> None:
        """Take `count` messages off this round."""
        self._left -= count
        self._begin_round_soon()

    def wait(self, turn: Callable[[], None]) -> None:
        """Call `turn` when those who wait already have had theirs."""
        self._line.append(turn)
        self._begin_round_soon()

    def _begin_round_soon(self) -> None:
        if not self._is_spent:
            self._is_spent = True
            self._call_soon(self._begin_round)

    def _begin_round(self) -> None:
        self._is_spent = False
        self._left = ROUND
        for _ in range(len(self._line)):
            if self._left <= 0:
                break
            self._line.popleft()()
        if self._line:
            self._begin_round_soon()

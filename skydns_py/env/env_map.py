"""What an environment map is: variables in order, and what could not be had by all who claim it.

This module never knows where variables come from, nor how they are written.
"""

from collections.abc import Mapping

import msgspec


class Collision(msgspec.Struct, frozen=True):
    """A variable that several Services claim with different values.

    `winner` and `losers` are Services as `namespace/name`.
    """

    variable: str
    winner: str
    losers: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.variable} is claimed by {', '.join((self.winner, *self.losers))}: "
            f"it is that of {self.winner} here, a kubelet takes any of them"
        )


class EnvMap(msgspec.Struct, frozen=True):
    """Variables in the order of their Services' names, and what could not be had by all."""

    variables: Mapping[str, str]
    collisions: tuple[Collision, ...] = ()

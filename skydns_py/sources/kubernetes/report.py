"""How it stands with one mirrored resource, as values that people are shown.

This module never logs and never measures time: a clock is given.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

State = Literal["listing", "watching", "lost"]
"""The first picture is on its way, changes are, or nothing is and we try again."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with one resource.

    `since` is when this state began, in seconds of the Unix epoch; `error` the last sentence about
    what went wrong in it, "" when nothing did; `synced` whether a whole picture has ever come.
    """

    resource: str
    state: State
    since: float
    error: str = ""
    synced: bool = False


class Standing:
    """The last report of one resource: tells `report` when something about it is new."""

    def __init__(
        self, resource: str, report: Callable[[Report], None], clock: Callable[[], float]
    ) -> None:
        self._report = report
        self._clock = clock
        self._last = Report(resource=resource, state="listing", since=clock())
        report(self._last)

    def set(self, state: State, *, synced: bool, error: str = "") -> None:
        """Take a state in; an error stays until the state changes or another takes its place."""
        last = self._last
        since, error = (
            (last.since, error or last.error) if state == last.state else (self._clock(), error)
        )
        self._last = Report(
            resource=last.resource, state=state, since=since, error=error, synced=synced
        )
        if self._last != last:
            self._report(self._last)

"""What is wrong and what is odd in one reading, gathered so that all of it is told at once.

An operator who has to mend a file five times over, once per error, was not helped four times.
This module never decides what is wrong.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from skydns_py.errors import SettingsError
from skydns_py.settings.values import RefusedError


class Problem(msgspec.Struct, frozen=True):
    """A sentence about a place: `Corefile:12`, or a flag such as `--listen`; "" for none."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class InvalidSettingsError(SettingsError):
    """All that keeps the settings from being meant, one line each, in the order it was found.

    `problems` has them one by one, `warnings` what else was odd, `where` the first place.
    """

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.where = problems[0].place if problems else ""
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)


class Findings:
    """The problems and warnings of one reading, as they come."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Take a `RefusedError` raised inside as a problem at `place`, and go on after it."""
        try:
            yield
        except RefusedError as error:
            self.refuse(place, str(error))

    def refuse(self, place: str, message: str) -> None:
        """Note what cannot be meant."""
        self.problems.append(Problem(place, message))

    def warn(self, place: str, message: str) -> None:
        """Note what can be meant, but hardly is."""
        self.warnings.append(Problem(place, message))

    def giving_up(self, place: str, message: str) -> InvalidSettingsError:
        """Return the error to raise at a problem after which nothing more can be read."""
        self.refuse(place, message)
        return InvalidSettingsError(self.problems, self.warnings)

    def settle(self) -> None:
        """Go on when there was no problem.

        Raises:
            InvalidSettingsError: there was one or more.
        """
        if self.problems:
            raise InvalidSettingsError(self.problems, self.warnings)

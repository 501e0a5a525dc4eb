"""Lines within a directive's braces, read through a table from an option's name to its reader.

A reader takes the line and returns the fields it sets; what one refuses stands beside what the
others refuse.
This module never knows an option by name.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from skydns_py.corefile.files import Files
from skydns_py.corefile.plugins import did_you_mean
from skydns_py.corefile.syntax import Line
from skydns_py.settings import Findings
from skydns_py.settings.values import RefusedError

OptionReader = Callable[[Line], dict[str, Any]]


class Context(NamedTuple):
    """What a directive may know of the server block it stands in, and of the files it names."""

    zones: tuple[bytes, ...]
    findings: Findings
    files: Files


def read_options(
    line: Line,
    readers: Mapping[str, OptionReader],
    findings: Findings,
    growing: Collection[str] = (),
) -> dict[str, Any]:
    """Return the fields that the options in a directive's braces set; problems go to `findings`.

    When an option is repeated the last one counts, but tuples in `growing` fields are joined.
    """
    fields: dict[str, Any] = {}
    for option in line.body:
        with findings.at(option.place):
            for name, value in _read_option(line.name, option, readers).items():
                fields[name] = fields.get(name, ()) + value if name in growing else value
    return fields


def arguments(line: Line, least: int, most: int | None, form: str) -> tuple[str, ...]:
    """Return a line's arguments: `least` to `most` of them, where None is any number.

    Raises:
        RefusedError: there are fewer or more; the message shows `form`, how it is written.
    """
    given = len(line.arguments)
    if given < least or (most is not None and given > most):
        raise RefusedError(f"`{line.name}` has {given} arguments here; it is written `{form}`")
    return line.arguments


def _read_option(
    directive: str,
    option: Line,
    readers: Mapping[str, OptionReader],
) -> dict[str, Any]:
    if option.name not in readers:
        all_of_them = f"it has: {', '.join(readers)}" if readers else "it has none"
        hint = did_you_mean(option.name, readers) or f"; {all_of_them}"
        raise RefusedError(f"unknown option `{option.name[:80]}` of `{directive}`{hint}")
    if option.body:
        raise RefusedError(f"the option `{option.name}` of `{directive}` has no block of its own")
    return readers[option.name](option)

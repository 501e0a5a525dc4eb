"""The one door from a Corefile to the disk: read a file, list what a pattern matches.

Tests give `Files` of their own, and so can whoever holds a Corefile elsewhere than on a disk.
"""

import glob
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple


class UnreadableError(Exception):
    """A file that cannot be read; the message is the reason alone, without the path."""


class Files(NamedTuple):
    """`read` returns a file's text or raises `UnreadableError`; `matches` lists files, sorted.

    `matches` takes a pattern with `*`, `?` and `[…]`, which match no name that begins with a dot:
    a mounted ConfigMap has hidden doubles of everything.
    """

    read: Callable[[str], str]
    matches: Callable[[str], list[str]]


def _read(path: str) -> str:
    try:
        return Path(path).read_bytes().decode()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"it is not UTF-8 text (octet {error.start})") from error
    except ValueError as error:  # a path with a zero octet
        raise UnreadableError(str(error)) from error


def _matches(pattern: str) -> list[str]:
    return sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207


DISK: Final = Files(_read, _matches)

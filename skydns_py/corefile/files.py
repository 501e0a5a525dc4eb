"""What a Corefile needs of a disk: read a file, list what a pattern matches.

Tests give `Files` of their own, and so can whoever holds a Corefile elsewhere than on a disk.
"""

import glob
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from skydns_py.settings.disk import Read, UnreadableError, read

__all__ = ["DISK", "Files", "UnreadableError"]


class Files(NamedTuple):
    """`read` returns a file's text or raises `UnreadableError`; `matches` lists files, sorted.

    `matches` takes a pattern with `*`, `?` and `[…]`, which match no name that begins with a dot:
    a mounted ConfigMap has hidden doubles of everything.
    """

    read: Read
    matches: Callable[[str], list[str]]


def _matches(pattern: str) -> list[str]:
    return sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207


DISK: Final = Files(read, _matches)

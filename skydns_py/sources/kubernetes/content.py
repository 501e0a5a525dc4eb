"""Bytes the operator gave us: written inline, or standing in a file that somebody else rotates.

The kubelet replaces a service account token about every hour by swapping a symbolic link, and
cert-manager and its neighbours do the same with certificates; whoever reads such a file once will
be refused one day.
This module never says what the bytes mean, and never forgets good bytes because a file is away.
"""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

LONGEST_TRUST = 60.0
"""Seconds after which a file is read again though it looks unchanged; client-go's own figure."""


class Content(Protocol):
    """Something that can be read as often as one likes and is always the newest."""

    def read(self) -> bytes:
        """Return the bytes as they are now."""

    def forget(self) -> None:
        """Distrust what was read: the next `read` looks again."""


@dataclass(frozen=True)
class Inline:
    """Bytes that stand in the settings themselves and cannot change."""

    data: bytes = field(repr=False)

    def read(self) -> bytes:
        """Return the bytes."""
        return self.data

    def forget(self) -> None:
        """Do nothing: there is nowhere to look again."""


class RotatedFile:
    """A file read again when it changed, when its time is up, or when it was distrusted.

    The constructor reads it once and raises `OSError` when it cannot; later failures are borne,
    because a swap may be under way and the bytes we hold are often still good.
    `clock` counts seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._data = b""
        self._stamp: tuple[int, ...] | None = None
        self._read_at = 0.0
        self._read_anew()

    def read(self) -> bytes:
        """Return the newest bytes that could be read; an emptied file counts as unreadable."""
        with contextlib.suppress(OSError):
            if self._is_stale():
                self._read_anew()
        return self._data

    def forget(self) -> None:
        """Distrust what was read: the next `read` opens the file."""
        self._stamp = None

    def _is_stale(self) -> bool:
        too_old = self._clock() - self._read_at >= LONGEST_TRUST
        return too_old or _stamp(self.path) != self._stamp

    def _read_anew(self) -> None:
        # The stamp is taken first: a change between the two calls is then seen next time.
        stamp, read_at = _stamp(self.path), self._clock()
        self._data = self.path.read_bytes() or self._data
        self._stamp, self._read_at = stamp, read_at


def _stamp(path: Path) -> tuple[int, ...]:
    # `stat` follows symbolic links, so swapping `..data` changes the inode seen here.
    found = os.stat(path)  # noqa: PTH116  (twice as cheap as Path.stat, and asked per request)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

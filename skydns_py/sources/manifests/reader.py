"""Which files are the manifests, their texts, and their marks by which a change is seen.

A directory's own `*.yaml`, `*.yml` and `*.json` are read in order of their names, hidden ones not:
the files of a mounted ConfigMap are links through hidden folders, and are read once.
This module never watches, and never understands what it reads.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from skydns_py.errors import SettingsError
from skydns_py.sources.manifests.documents import File

STANDARD_INPUT: Final = "-"
SUFFIXES: Final = (".yaml", ".yml", ".json")


class Mark(NamedTuple):
    """What differs when a file differs: `size` in bytes, both times in nanoseconds."""

    inode: int
    size: int
    content_changed: int
    inode_changed: int


Marks = dict[str, Mark]


def read_files(path: str, *, recursive: bool = False, stdin: TextIO | None = None) -> list[File]:
    """Return the manifests at a path: a file, a directory, or `-` for `stdin`.

    Raises:
        SettingsError: nothing is there, it cannot be read, or it is no UTF-8.
    """
    if path == STANDARD_INPUT:
        if stdin is None:
            raise SettingsError("there is no standard input to read manifests from", path)
        return [_read_stdin(stdin)]
    return [_read(found) for found in _paths(path, recursive=recursive)]


def marks(path: str, *, recursive: bool = False) -> Marks:
    """Return a mark for each file that `read_files` would read; none when nothing is there."""
    found: Marks = {}
    try:
        for file in _paths(path, recursive=recursive):
            entry = file.stat()
            found[str(file)] = Mark(
                entry.st_ino, entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns
            )
    except (OSError, SettingsError):
        # Gone while we looked: the marks differ from any earlier ones, and reading will tell why.
        return found
    return found


def is_watchable(path: str) -> bool:
    """Tell whether a path can be read again: standard input and pipes cannot."""
    if path == STANDARD_INPUT:
        return False
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return True
    return stat.S_ISDIR(mode) or stat.S_ISREG(mode)


def _paths(path: str, *, recursive: bool) -> list[Path]:
    top = Path(path)
    if not top.exists():
        raise SettingsError("there is no such file or directory", path)
    if not top.is_dir():
        return [top]
    try:
        return sorted(_below(top, recursive=recursive))
    except OSError as error:
        raise SettingsError(f"cannot be listed: {error.strerror}", path) from error


def _below(folder: Path, *, recursive: bool) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.startswith("."):
            continue
        # Linked folders are left alone: a link that leads upwards would never end.
        if recursive and entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), recursive=True)
        elif entry.name.endswith(SUFFIXES) and entry.is_file():
            yield Path(entry.path)


def _read(path: Path) -> File:
    try:
        # With or without a byte order mark, which some editors write.
        return File(str(path), path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", str(path)) from error
    except UnicodeDecodeError as error:
        problem = f"is no UTF-8 text: {error.reason} at byte {error.start}"
        raise SettingsError(problem, str(path)) from error


def _read_stdin(stdin: TextIO) -> File:
    try:
        return File(_STANDARD_INPUT_NAME, _text_of(stdin).removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        problem = f"is no UTF-8 text: {error.reason} at byte {error.start}"
        raise SettingsError(problem, _STANDARD_INPUT_NAME) from error


def _text_of(stdin: TextIO) -> str:
    try:
        descriptor = stdin.fileno()
    except OSError:
        return stdin.read()  # text in memory
    # A reader of our own: a process that ends while another thread holds the lock of `sys.stdin`
    # dies with a fatal error, and whoever types into a terminal may end us at any time.
    with open(descriptor, encoding="utf-8", closefd=False) as own:
        return own.read()


_STANDARD_INPUT_NAME: Final = "standard input"

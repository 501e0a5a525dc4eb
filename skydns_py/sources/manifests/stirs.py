"""When to look at the files again: as soon as their folder stirs, and once a second anyway.

The folder is watched, never the file, which an editor or a ConfigMap replaces by another.
This module never reads a manifest and does not say what changed: whoever looks compares.
"""

from asyncio import sleep
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from watchfiles import awatch
from watchfiles._rust_notify import WatchfilesRustInternalError

QUIET: Final = 20
"""Milliseconds without a further change before we look: a program writes a file in pieces."""

PATIENCE: Final = 50
"""Milliseconds after which we look even if changes keep coming."""

LOOK_ANYWAY: Final = 1000
"""Milliseconds between looks without notice: network mounts give none, nor do linked files."""


async def stirs(path: str, *, recursive: bool) -> AsyncGenerator[None, None]:
    """Yield whenever the files at a path may have changed, for ever.

    A folder that is missing or replaced by another is found again; where the system gives no
    notice at all (no inotify watches left) the look once a second remains.
    """
    while True:
        folder = _folder(path)
        place = _identity(folder)
        below = recursive and folder == Path(path)
        try:
            async with aclosing(
                awatch(
                    folder,
                    watch_filter=None,
                    debounce=PATIENCE,
                    step=QUIET,
                    rust_timeout=LOOK_ANYWAY,
                    yield_on_timeout=True,
                    recursive=below,
                    ignore_permission_denied=True,
                ),
            ) as changes:
                async for _ in changes:
                    yield
                    if (_folder(path), _identity(folder)) != (folder, place):
                        break
        except (OSError, WatchfilesRustInternalError):
            await sleep(LOOK_ANYWAY / 1000)
            yield


def _folder(path: str) -> Path:
    # While a directory is missing its parent tells when it comes back.
    return Path(path) if Path(path).is_dir() else Path(path).parent


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        entry = folder.stat()
    except OSError:
        return None
    return entry.st_dev, entry.st_ino

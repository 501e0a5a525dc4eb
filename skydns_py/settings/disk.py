"""The one door from what an operator writes to a file's text.

Whoever reads takes a `Read`, so that tests, and who holds files elsewhere, can give their own.
This module never looks into what it reads.
"""

from collections.abc import Callable
from pathlib import Path

from skydns_py.settings.values import RefusedError

Read = Callable[[str], str]
"""Returns the text of the file at a path, or raises `UnreadableError`."""


class UnreadableError(RefusedError):
    """A file that cannot be read; the message is the reason alone, without the path."""


def read(path: str) -> str:
    """Return the text of a file on disk.

    Raises:
        UnreadableError: it cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_bytes().decode()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"it is not UTF-8 text (octet {error.start})") from error
    except ValueError as error:  # a path with a zero octet
        raise UnreadableError(str(error)) from error

"""Ask a running server's HTTP API, for the commands that take `--server`.

This module never prints.
"""

from collections.abc import Mapping
from typing import Final
from urllib import error as urllib_error
from urllib import parse, request

from skydns_py.errors import SettingsError, SourceError

TIMEOUT: Final = 10.0
"""Seconds."""


def fetch(server: str, path: str, options: Mapping[str, str]) -> tuple[str, int]:
    """Return the text at a path of a server, and how many warnings it has about it.

    Raises:
        SettingsError: the URL is none.
        SourceError: the server cannot be reached, or says no; its sentence is told.
    """
    base = server if "://" in server else f"http://{server}"
    if parse.urlsplit(base).scheme not in {"http", "https"}:
        raise SettingsError(f"--server {server}: write http://HOST:PORT")
    url = f"{base.rstrip('/')}{parse.quote(path)}?{parse.urlencode(options)}"
    # No proxy of the environment stands between us and a server named by its address.
    opener = request.build_opener(request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            warnings = int(response.headers.get("X-Skydns-Warnings", 0))
            return response.read().decode(), warnings
    except urllib_error.HTTPError as error:
        sentence = error.read(4096).decode(errors="replace").strip()
        raise SourceError(f"{base} says: {sentence or error.reason}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceError(f"{base} cannot be asked: {reason}") from error

"""The four questions that are asked of a Kubernetes API server about one resource.

This module knows no selectors, no paths and no answers.

Source: Kubernetes API concepts, "Resource versions", "Retrieving large results sets in chunks" and
"Streaming lists".
"""

from collections.abc import Mapping
from typing import Final

import msgspec

PAGE: Final = 500
"""Objects in a page of a list; client-go's figure too."""


class Request(msgspec.Struct, frozen=True):
    """A question: its query parameters, and whether the answer is a stream of lines."""

    params: Mapping[str, str]
    is_watch: bool

    def of(self, selectors: Mapping[str, str]) -> "Request":
        """Return the same question about the selected objects only."""
        return Request({**self.params, **selectors}, self.is_watch)


CACHED_LIST: Final = Request({"limit": str(PAGE), "resourceVersion": "0"}, is_watch=False)
"""Whatever version the server has at hand; it may well ignore the limit."""

CONSISTENT_LIST: Final = Request({"limit": str(PAGE)}, is_watch=False)
"""The newest version, page by page."""

WHOLE_LIST: Final = Request({}, is_watch=False)
"""The newest version in one answer, when the pages expire faster than they can be read."""


def next_page(token: str) -> Request:
    """Ask for the page after another; a version beside the token would be refused."""
    return Request({"limit": str(PAGE), "continue": token}, is_watch=False)


def streaming_list(seconds: int) -> Request:
    """Ask for every object as an event, for a bookmark behind the last, and for what follows.

    `seconds` is how long the server shall keep the stream open.
    """
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    return Request(_watch(seconds) | asked, is_watch=True)


def watch(version: str, seconds: int) -> Request:
    """Ask for what changed after `version`, for at most so many seconds."""
    return Request(_watch(seconds) | {"resourceVersion": version}, is_watch=True)


def _watch(seconds: int) -> dict[str, str]:
    return {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}

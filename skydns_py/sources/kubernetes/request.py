"""The three questions that are asked of a Kubernetes API server about one resource.

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


def list_page(limit: int, token: str = "") -> Request:
    """Ask for the first page of a list in its newest version, or for the page behind a token.

    Without `resourceVersion=0`: a server that answers from its cache may ignore the limit, and send
    a whole cluster as one document.
    """
    behind = {"continue": token} if token else {}
    return Request({"limit": str(limit)} | behind, is_watch=False)


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

"""How a Kubernetes API server begins a watch, and one open watch.

Held to the recordings in tests/fixtures/kubernetes. Nothing here writes to a connection.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes import apianswers
from tests.fakes.apistore import Kind, Params, Selection, Store, selection

Item = bytes | Literal["end", "cut"]
"""A line to say, or how to close the watch: in good or in bad order."""


@dataclass(eq=False)
class Watch:
    """One open watch: what it will say waits in `queue`."""

    kind: Kind
    selection: Selection
    silent: bool
    queue: asyncio.Queue[Item] = field(default_factory=asyncio.Queue)

    def say(self, line: bytes) -> None:
        self.queue.put_nowait(line)


def first_lines(store: Store, kind: Kind, params: Params, *, streams: bool) -> Iterator[Item]:
    """What a watch says before anything new happens; `streams`: it can end the initial events."""
    version = params.get("resourceVersion", "")
    chosen = selection(params)
    if version not in {"", "0"} and int(version) < store.oldest:
        yield apianswers.line("ERROR", apianswers.too_old(version, store.version))
        yield "end"
    elif version in {"", "0"}:
        for thing in store.at(store.version, kind.plural):
            if chosen.matches(thing):
                yield apianswers.line("ADDED", thing)
        if "sendInitialEvents" in params and streams:
            annotations = {"k8s.io/initial-events-end": "true"}
            yield apianswers.bookmark(kind, store.version, annotations)
    else:
        for change in store.since(int(version), kind.plural):
            if event := change.event(chosen):
                yield apianswers.line(event["type"], event["object"])

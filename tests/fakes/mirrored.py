"""A KubernetesSource at work against an API server, and all that it said.

Nothing here decides what is right: the tests ask `objects`, `batches` and `reports`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from skydns_py.batch import Batch, Key
from skydns_py.sources.kubernetes.access import from_endpoint
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.mirror import Timing
from skydns_py.sources.kubernetes.report import Report
from skydns_py.sources.kubernetes.source import KubernetesSource, Selection
from tests.fakes.eventually import eventually

SETTINGS = Selection(name="cluster")

FAST = Timing(pause=0.01, longest_pause=0.02, answer=10.0, silence=10.0, random=lambda: 0.5)
"""Backoff too short to be noticed, limits too long to be met."""


class Mirrored:
    """What a source said: its batches, the objects they add up to, and its reports."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.reports: list[Report] = []
        self.objects: dict[Key, Any] = {}

    def emit(self, batch: Batch) -> None:
        self.batches.append(batch)
        for key, slim in batch.objects.items():
            if slim is None:
                self.objects.pop(key, None)
            else:
                self.objects[key] = slim

    def names(self, kind: str) -> set[str]:
        return {key.name for key in self.objects if key.kind == kind}

    @property
    def synced(self) -> bool:
        return any(batch.synced for batch in self.batches)

    def last(self, resource: str) -> Report | None:
        """The newest report about a resource."""
        return next((r for r in reversed(self.reports) if r.resource == resource), None)

    def states(self, resource: str) -> list[str]:
        return [report.state for report in self.reports if report.resource == resource]

    async def tells(self, count: int) -> None:
        """Wait until there are so many batches."""
        await eventually(lambda: len(self.batches) >= count)

    async def reaches(self, resource: str, state: str) -> Report:
        """Wait until the newest report about a resource has this state."""

        def reached() -> Report | None:
            last = self.last(resource)
            return last if last is not None and last.state == state else None

        found: Report = await eventually(reached)
        return found


@contextlib.asynccontextmanager
async def mirrored(
    url: str,
    *,
    settings: Selection = SETTINGS,
    timing: Timing = FAST,
    into: Mirrored | None = None,
) -> AsyncIterator[Mirrored]:
    """Run a source against `url` for as long as the context lasts."""
    seen = into or Mirrored()
    async with Client(from_endpoint(url)) as client:
        source = KubernetesSource(
            client, settings, emit=seen.emit, report=seen.reports.append, timing=timing
        )
        task = asyncio.create_task(source.run())
        try:
            yield seen
        finally:
            assert not task.done(), "the source ended by itself"
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

"""A Kubernetes cluster as a source: its Services, EndpointSlices, namespaces and pods.

One task per resource, each a `Mirror`; the source is synced when all of them are.
This module decides nothing about DNS, and ends only when it is cancelled.
"""

import asyncio
from collections.abc import Callable

import msgspec

from skydns_py.batch import Batch
from skydns_py.sources.kubernetes.backoff import Backoff
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.mirror import Mirror, Timing
from skydns_py.sources.kubernetes.report import Report, Standing
from skydns_py.sources.kubernetes.resources import (
    ENDPOINTSLICES,
    NAMESPACES,
    PODS,
    RUNNING_PODS,
    SERVICES,
    Resource,
)
from skydns_py.sources.kubernetes.watch import Changes, Reflector


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects are mirrored.

    `name` is the source's own, for its batches.
    `labels` is a label selector for Services, EndpointSlices and pods, `namespace_labels` one for
    namespaces; `endpoints` and `pods` tell whether those two are mirrored at all.
    `credentials` says where the client's credentials come from, for people.
    """

    name: str
    labels: str = ""
    namespace_labels: str = ""
    endpoints: bool = True
    pods: bool = False
    credentials: str = ""


class KubernetesSource:
    """Mirrors a cluster through an open client.

    Calls `emit` with each batch of changes: one per page of a list and one per piece of a watch,
    the first whole picture marked as synced once.
    Calls `report` whenever it stands differently with a resource.
    """

    def __init__(
        self,
        client: Client,
        settings: Selection,
        *,
        emit: Callable[[Batch], None],
        report: Callable[[Report], None] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.name = settings.name
        self._client = client
        self._settings = settings
        self._emit = emit
        self._report = report or _report_nothing
        self._timing = timing or Timing()
        self._mirrors: list[Mirror] = []
        self._synced = False

    async def run(self) -> None:
        """Mirror for ever; nothing but cancellation ends it."""
        self._mirrors = [self._mirror(*selected) for selected in _selected(self._settings)]
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors:
                group.create_task(mirror.run(), name=f"{self.name}: {mirror.resource.name}")

    def _mirror(self, resource: Resource, selectors: dict[str, str]) -> Mirror:
        timing = self._timing
        backoff = Backoff(timing.random, timing.pause, timing.longest_pause)
        return Mirror(
            self._client,
            resource,
            Reflector(resource.kind, selectors, random=timing.random, backoff=backoff),
            tell=self._tell,
            standing=Standing(resource.name, self._report, timing.clock),
            timing=timing,
            credentials=self._settings.credentials,
        )

    def _tell(self, changes: Changes) -> None:
        complete = not self._synced and all(mirror.synced for mirror in self._mirrors)
        if changes.objects or complete:
            self._emit(Batch(self.name, changes.objects, True if complete else None))
        self._synced |= complete


def _selected(settings: Selection) -> list[tuple[Resource, dict[str, str]]]:
    labels = _labels(settings.labels)
    selected = [(SERVICES, labels), (NAMESPACES, _labels(settings.namespace_labels))]
    if settings.endpoints:
        selected.append((ENDPOINTSLICES, labels))
    if settings.pods:
        selected.append((PODS, labels | {"fieldSelector": RUNNING_PODS}))
    return selected


def _labels(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def _report_nothing(_report: Report) -> None:
    """Tell nobody."""

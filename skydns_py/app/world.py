"""A world: one cluster, or one folder of manifests, as a table and the source that feeds it.

The one place where an origin is turned into a source.
This module never answers a question and never listens.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from skydns_py.app.logs import Log
from skydns_py.app.measures import count_request
from skydns_py.batch import Batch
from skydns_py.errors import SourceError
from skydns_py.metrics import Sums
from skydns_py.settings import (
    ApiEndpoint,
    InCluster,
    Kubeconfig,
    KubernetesSettings,
    Manifests,
)
from skydns_py.sources.kubernetes import access
from skydns_py.sources.kubernetes.client import Client
from skydns_py.sources.kubernetes.records import Exposure, KubernetesNaming
from skydns_py.sources.kubernetes.report import Report
from skydns_py.sources.kubernetes.schema import Namespace, Service
from skydns_py.sources.kubernetes.source import KubernetesSource, Selection
from skydns_py.sources.manifests.settings import ManifestSettings
from skydns_py.sources.manifests.source import ManifestsSource
from skydns_py.table import Delta, Table

KUBERNETES = "kubernetes"
"""What /ready and the log call a source of this kind, manifests included."""


class World:
    """What one `kubernetes` directive shows: `table` is live while `run` runs.

    `on_batch` is told of each batch, and `on_delta` of what it changed, before anything else runs.
    `requests` are counts of what was asked of an API server.
    """

    def __init__(self, settings: KubernetesSettings, log: Log) -> None:
        self.settings = settings
        self.reports: dict[str, Report] = {}
        self.requests: Sums = defaultdict(float)
        self.on_batch: list[Callable[[Batch], None]] = []
        self.on_delta: list[Callable[[Delta], None]] = []
        self.synced = asyncio.Event()
        self._log = log
        self._name = "manifests" if isinstance(settings.origin, Manifests) else KUBERNETES
        self.table = Table(KubernetesNaming(_exposure(settings)), [self._name])

    async def run(self) -> None:
        """Feed the table until cancelled.

        Raises:
            SettingsError: the origin cannot be meant, or the first reading of manifests failed.
        """
        origin = self.settings.origin
        if isinstance(origin, Manifests):
            source = ManifestsSource(
                origin.path,
                settings=ManifestSettings(),
                emit=self.apply,
                report=self._log.warning,
                stdin=sys.stdin,
            )
            await source.run()
            return
        reached = _access(origin)
        host = urlsplit(reached.server).netloc
        async with Client(reached, observe=partial(count_request, self.requests, host)) as client:
            selection = Selection(
                name=self._name,
                labels=self.settings.labels,
                namespace_labels=self.settings.namespace_labels,
                endpoints=self.settings.endpoints,
                pods=self.settings.pods == "verified",
                credentials=reached.where,
            )
            await KubernetesSource(
                client, selection, emit=self.apply, report=self._take_report
            ).run()

    def picture(self) -> Iterator[Batch]:
        """Yield all that is known now, as batches that make the same table elsewhere."""
        for source, objects in self.table.by_source().items():
            yield Batch(source, objects, None if source in self.table.unsynced else True)

    def services(self) -> list[Service]:
        """Return every Service, exposed or not: environment maps are no matter of DNS."""
        return [slim for slim in self.table.objects() if isinstance(slim, Service)]

    def namespaces(self) -> set[str]:
        """Return the names of all namespaces."""
        return {slim.name for slim in self.table.objects() if isinstance(slim, Namespace)}

    def apply(self, batch: Batch) -> None:
        """Take a batch into the table, and tell everybody."""
        delta = self.table.apply(batch, int(time.time()))
        for tell in self.on_delta:
            tell(delta)
        for pass_on in self.on_batch:
            pass_on(batch)
        if self.table.is_synced:
            self.synced.set()

    def _take_report(self, report: Report) -> None:
        before = self.reports.get(report.resource)
        self.reports[report.resource] = report
        if report.error and (before is None or report.error != before.error):
            self._log.error(f"plugin/kubernetes: {report.resource}: {report.error}")
        elif before is not None and before.state == "lost" and report.state == "watching":
            self._log.info(f"plugin/kubernetes: {report.resource}: watching again")


async def picture(settings: KubernetesSettings, log: Log, limit: float) -> World:
    """Return a world that was read once and whole, for a command that prints and ends.

    Raises:
        SettingsError: as `World.run`.
        SourceError: it was not read within `limit` seconds; the last error is told.
    """
    world = World(settings, log)
    running = asyncio.create_task(world.run())
    synced = asyncio.create_task(world.synced.wait())
    try:
        done, _ = await asyncio.wait(
            {running, synced}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        if running in done:
            running.result()
        if not world.table.is_synced:
            errors = [report.error for report in world.reports.values() if report.error]
            raise SourceError(
                f"the cluster was not read within {limit:g} seconds"
                + "".join(f"\n{error}" for error in errors),
            )
    finally:
        for task in (running, synced):
            task.cancel()
        await asyncio.gather(running, synced, return_exceptions=True)
    return world


def _exposure(settings: KubernetesSettings) -> Exposure:
    return Exposure(
        ttl=settings.ttl,
        namespaces=settings.namespaces,
        pods=settings.pods,
        endpoints=settings.endpoints,
        endpoint_pod_names=settings.endpoint_pod_names,
        ignore_empty_service=settings.ignore_empty_service,
    )


def _access(origin: InCluster | Kubeconfig | ApiEndpoint) -> access.Access:
    match origin:
        case InCluster():
            return access.in_cluster()
        case Kubeconfig():
            return access.from_kubeconfig(
                [Path(path) for path in origin.paths] or None, origin.context or None
            )
        case ApiEndpoint():
            files = (Path(path) if path else None for path in (origin.cert, origin.key, origin.ca))
            return access.from_endpoint(origin.url, *files)

"""A manifests source at work on real files, for the tests of this folder."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from skydns_py.batch import Batch, Key
from skydns_py.sources.manifests.reader import is_watchable
from skydns_py.sources.manifests.settings import ManifestSettings
from skydns_py.sources.manifests.source import ManifestsSource
from tests.fakes.eventually import eventually

SETTINGS = ManifestSettings()
STAYS = "the last good state stays"


def service(name, *, port=80):
    return (
        "---\napiVersion: v1\nkind: Service\n"
        f"metadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    )


def key(name):
    return Key("Service", "default", name)


class Running:
    """A source at work: its batches, what it reported, and the objects they add up to."""

    def __init__(self, path, **options):
        self.batches: list[Batch] = []
        self.reports: list[str] = []
        self.source = ManifestsSource(
            str(path),
            settings=options.pop("settings", SETTINGS),
            emit=self.batches.append,
            report=self.reports.append,
            **options,
        )

    @property
    def objects(self):
        found: dict[Key, Any] = {}
        for batch in self.batches:
            found |= batch.objects
        return {each: value for each, value in found.items() if value is not None}

    def ports(self):
        return {
            each.name: value.ports[0].port
            for each, value in self.objects.items()
            if each.kind == "Service" and each.name != "kubernetes"
        }

    async def shows(self, ports):
        await eventually(lambda: self.ports() == ports)

    async def reads(self, path, text):
        seen = self.source._marks
        replace(path, text)
        await eventually(lambda: self.source._marks != seen)


def watches():
    """The descriptors by which this process is notified of files."""
    descriptors = Path("/proc/self/fd")
    return [each for each in descriptors.iterdir() if "inotify" in os.path.realpath(each)]


@asynccontextmanager
async def running(path, **options):
    run, before = Running(path, **options), len(watches())
    task = asyncio.create_task(run.source.run())
    try:
        await eventually(lambda: run.batches or task.done())
        if is_watchable(str(path)):
            await eventually(lambda: len(watches()) > before)
        yield run
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()


def replace(path, text):
    """Write a file as editors do, by renaming a new one over it."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text)
    beside.replace(path)

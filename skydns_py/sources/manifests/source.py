"""Manifests on disk as a source: read once, and again whenever they change.

All or nothing: a reading that fails anywhere is reported and changes nothing, and a good one is
compared with the last, so that only what differs is sent.
This module never decides what a manifest means.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
import traceback
from collections.abc import Callable
from typing import Final, TextIO

from skydns_py.batch import Batch, Key
from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes.schema import Slim
from skydns_py.sources.manifests import reader
from skydns_py.sources.manifests.cluster import build
from skydns_py.sources.manifests.documents import parse
from skydns_py.sources.manifests.settings import ManifestSettings
from skydns_py.sources.manifests.stirs import stirs

BEING_WRITTEN: Final = 1.0
"""Seconds for which an emptied file counts as one that is being written: a shell empties
`helm template … > shop.yaml` first, and Helm writes when it has rendered.
"""

SLOW_WRITER: Final = 5.0
"""Seconds after which we say that we wait for the end of standard input: someone may not know."""

ATTEMPTS: Final = 5
"""Readings before we take one during which the files changed; the next look reads again anyway."""

Objects = dict[Key, Slim]


def read(path: str, *, stdin: TextIO | None = None, settings: ManifestSettings) -> Objects:
    """Return what the manifests at a path amount to; `-` is `stdin`.

    Raises:
        SettingsError: nothing is there, or something in it cannot be, with file, line and field.
    """
    files = reader.read_files(path, recursive=settings.recursive, stdin=stdin)
    return build([document for file in files for document in parse(file)], settings)


class ManifestsSource:
    """The manifests at a path, for as long as `run` runs.

    `emit` takes batches: the first is the whole picture and `synced`, later ones are differences.
    `report` takes sentences for the operator: an edit that cannot be, and that it is mended.
    `stdin` is read when the path is `-`.
    """

    def __init__(
        self,
        path: str,
        *,
        settings: ManifestSettings,
        emit: Callable[[Batch], None],
        report: Callable[[str], None],
        stdin: TextIO | None = None,
    ) -> None:
        self.name = "manifests"
        self._path = path
        self._settings = settings
        self._emit = emit
        self._report = report
        self._stdin = stdin
        self._objects: Objects = {}
        self._marks: reader.Marks = {}
        self._problem = ""

    async def run(self) -> None:
        """Send everything once, then what changes, until cancelled.

        Raises:
            SettingsError: the first reading failed; later failures are reported instead.
        """
        if not reader.is_watchable(self._path):
            self._start(await self._read_once())
            await asyncio.Event().wait()  # nothing more can come: until we are cancelled
        outcome, self._marks = await asyncio.to_thread(self._read_settled)
        if isinstance(outcome, SettingsError):
            raise outcome
        self._start(outcome)
        async with contextlib.aclosing(
            stirs(self._path, recursive=self._settings.recursive)
        ) as looks:
            async for _ in looks:
                await self._look()

    async def _read_once(self) -> Objects:
        reading = _in_daemon_thread(self._read)
        await asyncio.wait({reading}, timeout=SLOW_WRITER)
        if not reading.done():
            self._report(f"{self._path}: still waiting for the end of what is being written to it")
        return await reading

    def _start(self, objects: Objects) -> None:
        self._objects = objects
        self._emit(Batch(self.name, dict(objects), synced=True))

    async def _look(self) -> None:
        """Read again if a file is not as it was, and send the difference."""
        if await asyncio.to_thread(self._current_marks) == self._marks:
            return
        await self._wait_for_the_writer()
        try:
            outcome, self._marks = await asyncio.to_thread(self._read_settled)
        except Exception:  # noqa: BLE001  (a source's loop is one of the two doors for bugs)
            self._complain(
                f"{self._path}: this is a bug, please tell us:\n{traceback.format_exc()}"
            )
            return
        if isinstance(outcome, SettingsError):
            self._complain(f"{outcome}; the last good state stays")
        else:
            self._replace(outcome)

    async def _wait_for_the_writer(self) -> None:
        for _ in range(int(BEING_WRITTEN / 0.02)):
            marks = await asyncio.to_thread(self._current_marks)
            if not any(self._is_emptied(name, mark) for name, mark in marks.items()):
                return
            await asyncio.sleep(0.02)

    def _is_emptied(self, name: str, mark: reader.Mark) -> bool:
        before = self._marks.get(name)
        return before is not None and before.size > 0 and mark.size == 0

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._report(problem)
        self._problem = problem

    def _replace(self, objects: Objects) -> None:
        if self._problem:
            self._report(f"{self._path}: the manifests can be read again")
        self._problem = ""
        changes = difference(self._objects, objects)
        self._objects = objects
        if changes:
            self._emit(Batch(self.name, changes))

    def _read(self) -> Objects:
        return read(self._path, stdin=self._stdin, settings=self._settings)

    def _current_marks(self) -> reader.Marks:
        return reader.marks(self._path, recursive=self._settings.recursive)

    def _read_settled(self) -> tuple[Objects | SettingsError, reader.Marks]:
        """Return a reading, or why there is none, during which no file changed, and the marks."""
        outcome: Objects | SettingsError = {}
        for _ in range(ATTEMPTS):
            before = self._current_marks()
            try:
                outcome = self._read()
            except SettingsError as error:
                outcome = error
            if self._current_marks() == before:
                break
        return outcome, before


def difference(old: Objects, new: Objects) -> dict[Key, Slim | None]:
    """Return what is new or other in `new`, and None for what is gone from it."""
    changes: dict[Key, Slim | None] = {
        key: found for key, found in new.items() if old.get(key) != found
    }
    return changes | dict.fromkeys(old.keys() - new.keys())


def _in_daemon_thread(function: Callable[[], Objects]) -> asyncio.Future[Objects]:
    """Run a function that may never return, such as reading a terminal, and can be left behind.

    A thread of the loop's pool would hold up the end of the process until it returns.
    """
    future: concurrent.futures.Future[Objects] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(function())
        except Exception as error:  # noqa: BLE001  (handed on to whoever awaits)
            future.set_exception(error)

    threading.Thread(target=work, name="manifests", daemon=True).start()
    return asyncio.wrap_future(future)

"""The source on standard input and on pipes, which can be read once."""

import asyncio
import io
import os
import threading

from tests.fakes.eventually import eventually
from tests.sources.manifests.running import (
    Running,
    running,
    service,
)


async def test_standard_input_is_read_once():
    """Standard input is sent once, and then there is nothing but to wait."""
    async with running("-", stdin=io.StringIO(service("web"))) as run:
        assert {"web": 80} == run.ports()
        assert run.batches[0].synced


async def test_pipe_is_read_once(tmp_path):
    """A named pipe, or what a shell writes as `<(command)`, is read to its end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(service("web"),))
    writer.start()

    async with running(pipe) as run:
        writer.join(timeout=5)
        assert {"web": 80} == run.ports()


async def test_waiting_for_standard_input_can_be_given_up(monkeypatch):
    """Whoever writes no end to standard input is told that we wait, and can stop us at once."""
    monkeypatch.setattr("skydns_py.sources.manifests.source.SLOW_WRITER", 0.01)
    reading, writing = os.pipe()
    try:
        run = Running("-", stdin=open(reading, closefd=False))  # noqa: SIM115
        task = asyncio.create_task(run.source.run())
        await eventually(lambda: run.reports)
        task.cancel()
        await asyncio.wait({task}, timeout=5)

        assert task.cancelled()
        assert ["-: still waiting for the end of what is being written to it"] == run.reports
    finally:
        os.close(writing)

"""A folder of manifests is live: what is saved is answered."""

import asyncio
import shutil
import time
from pathlib import Path

from tests.processes import EXAMPLES, answers, serving

WITHIN = 0.5
"""Seconds from a save to its answer: the promise itself, not a guess at this machine's speed."""


async def test_a_saved_manifest_is_answered_within_half_a_second(tmp_path: Path):
    """An address that is changed in a file is the one in the answer half a second later."""
    folder = Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))
    ledger = folder / "billing.yaml"
    async with serving("--manifests", folder) as program:
        assert answers(await program.ask("ledger.billing.svc.cluster.local")) == ["10.96.0.80"]

        ledger.write_text(ledger.read_text().replace("10.96.0.80", "10.96.0.81"))
        saved = time.monotonic()
        while answers(await program.ask("ledger.billing.svc.cluster.local")) != ["10.96.0.81"]:
            assert time.monotonic() - saved < WITHIN
            await asyncio.sleep(0.01)
        pointer = await program.ask("81.0.96.10.in-addr.arpa", "PTR")

        assert answers(pointer) == ["ledger.billing.svc.cluster.local."]


async def test_a_mistake_is_told_and_the_last_good_state_is_answered(tmp_path: Path):
    """A file that cannot be meant any more is named with line and field; nothing is lost."""
    folder = Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))
    ledger = folder / "billing.yaml"
    async with serving("--manifests", folder) as program:
        await program.line("[INFO] dns/udp")

        ledger.write_text(ledger.read_text().replace("port: 443", "port: https"))
        told = await program.line("[WARNING]")

        assert "billing.yaml:" in told
        assert "Service billing/ledger" in told
        assert "spec.ports[0].port" in told
        assert answers(await program.ask("ledger.billing.svc.cluster.local")) == ["10.96.0.80"]

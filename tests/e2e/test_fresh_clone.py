"""What a stranger does first: clone, `make demo`, paste the lines it prints, Ctrl-C."""

import contextlib
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.tools import needs, needs_dig
from tests.processes import ROOT, Program, free_port, has_trace, run, started

pytestmark = [
    needs("git", "git"),
    needs("make", "make"),
    needs_dig,
    # pip makes an environment first, and may have to fetch what is in no cache yet.
    pytest.mark.timeout(400),
]


@contextlib.asynccontextmanager
async def demo(clone: Path, port: int) -> AsyncIterator[Program]:
    """Run `make demo` in an empty clone, with pip's cache as the only thing it finds."""
    cache = await run("python3", "-m", "pip", "cache", "dir", env={"HOME": str(Path.home())})
    env = {"PIP_CACHE_DIR": cache.out.strip(), "HOME": str(clone), "PYTHONPATH": ""}
    ready = await run("make", ".venv/.installed", cwd=clone, env=env, within=300)
    assert ready.code == 0, ready.err
    command = ("make", "demo", f"LISTEN=127.0.0.1:{port}")
    async with started(*command, cwd=clone, env=env) as program:
        yield program


async def clone_into(folder: Path) -> None:
    """Copy what git would: all that is tracked, and what is about to be."""
    listed = await run("git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z")
    assert listed.code == 0, listed.err
    for name in filter(None, listed.out.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


async def test_a_fresh_clone_answers_after_one_command(tmp_path: Path):
    """`make demo` in an empty clone serves the examples until Ctrl-C, and ends without a trace."""
    await clone_into(tmp_path)
    port = free_port()
    async with demo(tmp_path, port) as program:
        await program.line("Try in another terminal")
        await program.line("PTR")
        printed = [line.split() for line in program.out if line.startswith("  dig ")]
        assert len(printed) == 5
        for words in printed:
            answer = await run(*words)
            assert answer.out.startswith(words[-2]), (words, answer)
        assert await short(port, "web.shop.svc.cluster.local") == ["10.109.172.153"]
        assert len(await short(port, "db.shop.svc.cluster.local")) == 3
        assert await short(port, "db-0.db.shop.svc.cluster.local") == ["10.244.101.92"]
        assert await short(port, "_http._tcp.web.shop.svc.cluster.local", "SRV") == [
            "0 100 80 web.shop.svc.cluster.local."
        ]
        assert await short(port, "search.shop.svc.cluster.local") == ["search.example.org."]
        assert await short(port, "-x", "10.96.0.80") == ["ledger.billing.svc.cluster.local."]

        code = await program.interrupt()

    # make ends itself with the signal, which a shell shows as 130.
    assert code in {0, 130, -signal.SIGINT}
    assert not has_trace(program.out + program.err)


async def short(port: int, *question: str) -> list[str]:
    answer = await run("dig", "@127.0.0.1", "-p", str(port), "+short", *question)
    return sorted(answer.out.split("\n"))[1:]

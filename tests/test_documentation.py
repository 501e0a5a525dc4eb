"""The documents say what is true: their commands run, their Corefiles load, their links lead on.

A fenced block is `console` (run, with what it prints), `corefile` (loaded; `corefile refused` ends
in comments that are the error), `yaml` (parsed) or `text`.
Programs that are not ours, helm and kubectl, are stood in for by the example manifests.
"""

import asyncio
import contextlib
import re
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from skydns_py import corefile
from skydns_py.corefile.directives import DIRECTIVES
from skydns_py.corefile.kubernetes import _OPTIONS
from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes.resources import (
    ENDPOINTSLICES,
    NAMESPACES,
    PODS,
    SERVICES,
    rule,
)
from tests.documents import (
    Block,
    Command,
    begins_printed,
    blocks,
    commands,
    documents,
    is_printed,
    links,
)
from tests.e2e.tools import needs, needs_dig
from tests.processes import EXAMPLES, LIMIT, ROOT, Program, free_port, run, started

DOCUMENTS = documents()
BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
KNOWN = {"console", "corefile", "yaml", "text"}

DEMO = "skydns-py serve --manifests deploy/examples --listen 127.0.0.1:5353 --http 127.0.0.1:8053"
"""What documents take for granted when they ask without having started anything."""


def named(tag: str) -> list[Block]:
    found = [block for block in BLOCKS if block.tag == tag]
    assert found, f"there is no {tag} block any more: is this file still reading the documents?"
    return found


class Console:
    """A terminal in a copy of the checkout, with the ports of the documents moved to free ones."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.has_server = False
        self._stack = stack
        self._ports = {"5353": str(free_port()), "8053": str(free_port())}
        bin_folder = folder / ".bin"
        self._env = {
            "PATH": f"{bin_folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "MAKEFLAGS": f"-- VENV={folder / '.venv'} LISTEN=127.0.0.1:{self._ports['5353']}",
        }

    async def enter(self, command: Command) -> None:
        """Run a command and check what it prints; one that serves goes on beside the next."""
        if is_server(command.words):
            await self._start(command)
            return
        if not self.has_server:
            await self._start(Command(DEMO, ()))
        words = f"exec 2>&1; {self._moved(command.words)}"
        done = await run("bash", "-c", words, cwd=self.folder, env=self._env)
        actual = self._moved_back(done.out)
        assert done.code == 0, (command.words, actual)
        if command.expected or ">" not in command.words:
            assert is_printed(command.expected or ("...",), actual), actual
            assert actual

    async def _start(self, command: Command) -> None:
        if self.has_server:
            await self._stack.aclose()
        words = command.words
        if "--listen" not in words and not words.startswith("make "):
            words += " --listen 127.0.0.1:5353"
        running = started("bash", "-c", self._moved(words), cwd=self.folder, env=self._env)
        program = await self._stack.enter_async_context(running)
        self.has_server = True
        await program.line("[INFO] dns/tcp")
        await self._wait_for(program, command.expected)

    async def _wait_for(self, program: Program, expected: tuple[str, ...]) -> None:
        printed = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                while not begins_printed(expected, printed):
                    await asyncio.sleep(0.02)
                    printed = self._moved_back("".join(f"{line}\n" for line in program.out))
        assert begins_printed(expected, printed), printed

    def _moved(self, text: str) -> str:
        for said, real in self._ports.items():
            text = text.replace(said, real)
        return text

    def _moved_back(self, text: str) -> str:
        for said, real in self._ports.items():
            text = text.replace(real, said)
        return text


def is_server(words: str) -> bool:
    return "skydns-py serve" in words or words.startswith("make demo")


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """A terminal whose servers end with the test."""
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "Corefile":
            (tmp_path / entry.name).symlink_to(entry)
    ours = f'exec {shlex.quote(sys.executable)} -m skydns_py "$@"'
    manifests = f"for each in {EXAMPLES}/*.yaml; do cat $each; echo ---; done"
    programs = {
        ".bin/skydns-py": ours,
        ".bin/helm": manifests,
        ".bin/kubectl": manifests,
        # `make` finds an environment that is made, and newer than what it was made from.
        ".venv/.created": "",
        ".venv/.installed": "",
        ".venv/bin/skydns-py": ours,
    }
    for name, script in programs.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    async with AsyncExitStack() as stack:
        yield Console(tmp_path, stack)


@needs_dig
@needs("curl", "curl")
@needs("make", "make")
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
async def test_what_a_console_shows_is_what_happens(path: Path, console: Console):
    """Commands print what stands below them; a Corefile shown before them is the one they read."""
    for block in blocks(path):
        if block.tag == "corefile":
            (console.folder / "Corefile").write_text(block.text)
        for command in commands(block) if block.tag == "console" else ():
            await console.enter(command)


@pytest.mark.parametrize("block", named("corefile"), ids=str)
def test_a_corefile_loads_or_is_refused_as_written_below_it(block: Block):
    """A Corefile can be meant without a word of warning, or its last comments are the error."""
    if block.rest != "refused":
        assert block.rest == ""
        assert () == corefile.parse(block.text).warnings
        return
    comments = [line for line in block.text.splitlines() if line.startswith("# Corefile:")]

    with pytest.raises(SettingsError) as caught:
        corefile.parse(block.text)

    assert [line.removeprefix("# ") for line in comments] == str(caught.value).splitlines()


@pytest.mark.parametrize("block", named("yaml"), ids=str)
def test_yaml_parses(block: Block):
    """A block of YAML holds documents, and none of them is empty."""
    assert all(yaml.safe_load_all(block.text))


def test_every_block_is_of_a_kind_that_is_tested():
    """No block has another tag than those that are looked at, and every document is."""
    assert ROOT / "README.md" in DOCUMENTS
    assert [] == [str(block) for block in BLOCKS if block.tag not in KNOWN]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_something(path: Path):
    """A link that is not to the web leads to a file or a folder that is there."""
    assert [] == [target for target in links(path) if not (path.parent / target).exists()]


def test_every_directive_and_option_has_its_row():
    """The manual page of the Corefile has a row for each directive, Kubernetes' for each option."""
    directives = (ROOT / "skydns_py" / "corefile" / "README.md").read_text()
    options = (ROOT / "skydns_py" / "sources" / "kubernetes" / "README.md").read_text()

    assert [] == [name for name in DIRECTIVES if f"\n| `{name}" not in directives]
    assert [] == [name for name in _OPTIONS if f"\n| `{name}" not in options]


def test_the_permissions_shown_are_those_that_are_needed():
    """The role in Kubernetes' manual page has the rule of each resource that is mirrored."""
    page = (ROOT / "skydns_py" / "sources" / "kubernetes" / "README.md").read_text()
    shown = "\n".join(line.removeprefix("  ") for line in page.splitlines())

    for resource in (SERVICES, NAMESPACES, ENDPOINTSLICES, PODS):
        assert rule(resource) in shown


def test_files_that_recipes_name_are_there():
    """Each path in CONTRIBUTING is one of the checkout, but for those of what is to be made."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = set(re.findall(r"`((?:skydns_py|tests)/[\w./-]+)`", text))
    to_be_made = {path for path in paths if "/NAME/" in path}

    assert to_be_made == {path for path in paths if not (ROOT / path).exists()}

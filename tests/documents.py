"""The documents of the project, taken apart into their fenced blocks.

A block says by its tag how it is tested; see `test_documentation`.
Nothing here runs anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT

ANYTHING = "..."
"""In expected output: any text within a line, or any lines when it stands alone."""


@dataclass(frozen=True)
class Block:
    """What stands between two fences: `tag` and `rest` are the words behind the first."""

    path: Path
    line: int
    tag: str
    rest: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a console, and what it is said to print."""

    words: str
    expected: tuple[str, ...]


def documents() -> list[Path]:
    """Return every document, but for those of tools and environments within hidden folders."""
    found = (path for path in ROOT.rglob("*.md") if path.is_file())
    return sorted(path for path in found if not _is_hidden(path.relative_to(ROOT)))


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document, in order."""
    opened: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.lstrip().startswith("```"):
            lines.append(line)
        elif opened is None:
            tag, _, rest = line.strip().removeprefix("```").partition(" ")
            opened, lines = (number, tag, rest), []
        else:
            yield Block(path, *opened, "\n".join(lines) + "\n")
            opened = None
    assert opened is None, f"{path}: a block is never closed"


def links(path: Path) -> list[str]:
    """Return what a document links to, but for the web and for places within itself."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target.partition("#")[0] for target in targets if not re.match(r"https?://|#", target)]


def commands(block: Block) -> list[Command]:
    r"""Return the commands of a console; one that ends in `\` goes on in the next line."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif found and found[-1][0].endswith("\\"):
            words, _ = found.pop()
            found.append((words[:-1] + line.strip(), []))
        else:
            assert found, f"{block}: output stands before the first command"
            found[-1][1].append(line)
    return [Command(words, tuple(expected)) for words, expected in found]


def is_printed(expected: tuple[str, ...], actual: str) -> bool:
    """Tell whether a program printed what was expected, `...` and widths of blanks aside."""
    ended = actual if actual.endswith("\n") else f"{actual}\n"
    return re.fullmatch("".join(map(_pattern, expected)), _squeezed(ended)) is not None


def begins_printed(expected: tuple[str, ...], actual: str) -> bool:
    """Tell whether what a program has printed so far begins as expected."""
    return re.match("".join(map(_pattern, expected)), _squeezed(actual)) is not None


def _pattern(line: str) -> str:
    if line == ANYTHING:
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, _squeezed(line).split(ANYTHING))) + r"\n"


def _squeezed(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)

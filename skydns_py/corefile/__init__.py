"""A Corefile, CoreDNS's own configuration file, read into the program's `Settings`.

The way is text → tokens (`lexer`) → tokens with variables and imports in place (`imports`) →
server blocks and directive lines (`syntax`) → settings (`blocks`, `directives`, `kubernetes`,
`forward`, `cache`).
All that is wrong is told at once, each with file and line.
Only `files.DISK` leads to the disk, and nothing here opens a socket.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from skydns_py.corefile.blocks import read_blocks
from skydns_py.corefile.files import DISK, Files, UnreadableError
from skydns_py.corefile.imports import expand
from skydns_py.corefile.syntax import parse_tree
from skydns_py.settings import Findings, Settings

__all__ = ["load", "parse"]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def load(
    path: str,
    *,
    dns_port: int = 53,
    environ: Mapping[str, str] = _NOTHING,
    files: Files = DISK,
) -> Settings:
    """Return the settings a Corefile on disk leads to.

    `dns_port` is the port of server blocks that name none, `environ` fills `{$NAME}`.

    Raises:
        InvalidSettingsError: the file cannot be read, or not be meant; it has every problem.
    """
    try:
        text = files.read(path)
    except UnreadableError as error:
        message = f"the Corefile cannot be read: {error}"
        raise Findings().giving_up(path, message) from error
    return parse(text, path, dns_port=dns_port, environ=environ, files=files)


def parse(
    text: str,
    path: str = "Corefile",
    *,
    dns_port: int = 53,
    environ: Mapping[str, str] = _NOTHING,
    files: Files = DISK,
) -> Settings:
    """Return the settings the text of a Corefile leads to.

    `path` names the text in messages, and is what its imports are relative to.

    Raises:
        InvalidSettingsError: the text cannot be meant; it has every problem.
    """
    findings = Findings()
    tokens = expand(text, path, environ=environ, files=files, findings=findings)
    tree = parse_tree(tokens, findings)
    if not tree:
        findings.refuse(path, _EMPTY)
    blocks = read_blocks(tree, dns_port, findings, files)
    findings.settle()
    return Settings(blocks=blocks, warnings=tuple(str(warning) for warning in findings.warnings))


_EMPTY: Final = (
    "there is no server block; the smallest useful Corefile is `.:53 { kubernetes cluster.local }`,"
    " each directive on a line of its own"
)

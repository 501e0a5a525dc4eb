"""The text of one file as Kubernetes objects: YAML or JSON, many documents, lists unfolded.

Read as kubectl reads: merge keys apply, `2026-01-01` stays text, null means absent.
Nodes with line numbers are not kept, they are several times the size of the values; `locate` finds
a place again by composing the text anew, which only happens when something is wrong.
This module never opens a file and knows no kind but lists.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from skydns_py.errors import SettingsError

Steps = tuple[str | int, ...]

MAX_DEPTH: Final = 500
"""Levels of mappings and lists in one document; the schemas of large CRDs have about a hundred."""


class File(msgspec.Struct, frozen=True):
    """A text and the name by which the operator knows it."""

    name: str
    text: str


class Document(msgspec.Struct, frozen=True):
    """One object: where it was read and its `content` without nulls.

    `steps` leads to it within the file: which document, then keys and positions in lists.
    """

    file: File
    steps: Steps
    content: dict[str, Any]


class Loader(yaml.CSafeLoader):
    """The C reader of PyYAML, with the scalars of Go's YAML reader, which kubectl uses.

    Without: dates, `1:30` as a number of base 60 (an address such as `1:2:3:4:5:6:7:8` is not one),
    and the `=` type that no reader constructs but some CRDs contain.
    The C reader descends without looking at the stack, and 30,000 brackets would end the process:
    it tells us at each node how deep it is, and we stop it.
    """

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Refuse to go deeper than any manifest does."""
        del current_index
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = current_node.start_mark if current_node else None
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)

    def ascend_resolver(self) -> None:
        """Count back up."""
        self._depth -= 1


def parse(file: File) -> list[Document]:
    """Return the objects in a file, in order; empty documents are left out.

    Raises:
        SettingsError: no YAML and no JSON, or a document that is no mapping, with its line.
    """
    documents: list[Document] = []
    for position, content in enumerate(_contents(file)):
        _remove_nulls(content)
        documents.extend(_unfold(file, (position,), content))
    return documents


def locate(file: File, steps: Steps) -> str:
    """Return `file:line` of what `steps` lead to, or of the nearest thing around it."""
    try:
        nodes = list(yaml.compose_all(file.text, Loader))
        return f"{file.name}:{_walk(nodes[int(steps[0])], steps[1:]).start_mark.line + 1}"
    except (yaml.YAMLError, RecursionError, IndexError, AttributeError):
        # JSON that YAML does not read, such as one object after the other.
        return file.name


def _contents(file: File) -> list[Any]:
    if file.text.lstrip()[:1] in {"{", "["}:
        try:
            return list(_json_values(file.text))
        except (ValueError, RecursionError):
            pass  # a flow mapping is YAML too, and YAML's reader names the place of what is wrong
    try:
        return list(yaml.load_all(file.text, Loader))
    except yaml.YAMLError as error:
        raise _refusal(file, error) from error
    except (RecursionError, ValueError) as error:
        raise SettingsError(f"cannot be read as YAML: {error}", file.name) from error


def _json_values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    position = _skip_blanks(text, 0)
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        position = _skip_blanks(text, position)


def _skip_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _unfold(file: File, steps: Steps, content: Any) -> Iterator[Document]:
    if content is None:
        return
    if not isinstance(content, dict):
        raise SettingsError(
            f"a Kubernetes object is a mapping, this document is a {type(content).__name__}",
            locate(file, steps),
        )
    kind, items = str(content.get("kind", "")), content.get("items")
    if not kind.endswith("List") or not isinstance(items, list):
        yield Document(file, steps, content)
        return
    for position, item in enumerate(items):
        yield from _unfold(file, (*steps, "items", position), _typed(item, content))


def _typed(item: Any, parent: dict[str, Any]) -> Any:
    # The items of `kind: ServiceList`, as the API server sends it, leave their type to the list.
    if parent["kind"] == "List" or not isinstance(item, dict):
        return item
    kind = parent["kind"].removesuffix("List")
    return {"apiVersion": parent.get("apiVersion", ""), "kind": kind} | item


def _remove_nulls(content: Any) -> None:
    # In place and once per container, because aliases may share a part a thousand times.
    seen, waiting = set[int](), [content]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict | list) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, list):
            waiting.extend(part)
            continue
        for key in [key for key, value in part.items() if value is None]:
            del part[key]
        waiting.extend(part.values())


def _refusal(file: File, error: yaml.YAMLError) -> SettingsError:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        reason = getattr(error, "reason", None) or str(error)
        line = file.text.count("\n", 0, getattr(error, "position", 0)) + 1
        return SettingsError(f"cannot be read as YAML: {reason}", f"{file.name}:{line}")
    mark = error.problem_mark
    problem = ", ".join(part for part in (error.problem, error.context) if part)
    lines = file.text.splitlines()[mark.line : mark.line + 1]
    if any("{{" in line for line in lines):
        problem += "; this is a template: render it first, `helm template` writes plain manifests"
    where = f"{file.name}:{mark.line + 1}:{mark.column + 1}"
    return SettingsError(f"cannot be read as YAML: {problem}", where)


def _walk(node: Any, steps: Steps) -> Any:
    for step in steps:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            values = [value for key, value in node.value if key.value == step]
            if not values:
                return node
            node = values[0]
        else:
            return node
    return node


_BLANKS = re.compile(r"[ \t\r\n]*")
_DECIMAL_OR_OTHER_BASE = re.compile(
    r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)\Z",
)
_FLOAT = re.compile(
    r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
)
_REPLACED = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float", "value")}

Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:int", _DECIMAL_OR_OTHER_BASE, list("-+0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))

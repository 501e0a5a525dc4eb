"""Kubeconfig files: read, merged as kubectl merges them, and the one context that is meant.

This module never opens a file that a kubeconfig points to, and never judges how its fields go
together.

Source: Kubernetes documentation, "Organizing Cluster Access Using kubeconfig Files".
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import yaml

from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes.kubeconfig_schema import Cluster, Context, File, User

_T = TypeVar("_T", Cluster, User, Context)


@dataclass(frozen=True)
class Entry(Generic[_T]):
    """A named cluster, user or context, and the file it was taken from."""

    kind: str
    name: str
    value: _T
    file: Path

    def resolve(self, path: str) -> Path:
        """Return a path written in this entry; a relative one starts from the entry's file."""
        return self.file.parent / path


@dataclass(frozen=True)
class Choice:
    """The context that is meant, with its cluster and its user (None: nobody, anonymous)."""

    context: Entry[Context]
    cluster: Entry[Cluster]
    user: Entry[User] | None

    def refuse(self, entry: Entry[Any], field: str, reason: str) -> SettingsError:
        """Return the error for a field of `entry`: it names file, context, entry and field."""
        context = f"context {self.context.name!r}, " if entry is not self.context else ""
        return SettingsError(f"{context}{entry.kind} {entry.name!r}, {field}: {reason}", _at(entry))


def choose(paths: Sequence[Path] | None = None, context: str | None = None) -> Choice:
    """Read the files, merge them, and pick `context` or else their `current-context`.

    The first file to name an entry wins it whole; missing files are skipped unless all are.
    None for `paths` means those of `$KUBECONFIG`, or else `~/.kube/config`.

    Raises:
        SettingsError: no file, one that cannot be read, or a name that leads nowhere.
    """
    return _pick(_read_all(default_paths() if paths is None else paths), context)


def default_paths() -> list[Path]:
    """Return the files kubectl would read: those of `$KUBECONFIG`, or else `~/.kube/config`."""
    listed = [Path(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return listed or [Path.home() / ".kube" / "config"]


def _pick(files: Sequence[tuple[Path, File]], wanted: str | None) -> Choice:
    where = os.pathsep.join(str(path) for path, _ in files)
    contexts = _merge("context", ((path, file.contexts) for path, file in files))
    clusters = _merge("cluster", ((path, file.clusters) for path, file in files))
    users = _merge("user", ((path, file.users) for path, file in files))
    name = wanted or next((file.current_context for _, file in files if file.current_context), "")
    if not name:
        raise SettingsError(
            f"no current-context is set and none was asked for; there are: {_list(contexts)}", where
        )
    if name not in contexts:
        raise SettingsError(f"no context {name!r}; there are: {_list(contexts)}", where)
    context = contexts[name]
    return Choice(
        context=context,
        cluster=_follow(context, "cluster", context.value.cluster, clusters),
        # client-go lets a context go without a user, but not with one that does not exist.
        user=_follow(context, "user", context.value.user, users) if context.value.user else None,
    )


def _follow(context: Entry[Context], kind: str, name: str, entries: dict[str, Any]) -> Any:
    if name not in entries:
        raise SettingsError(
            f"context {context.name!r} wants the {kind} {name!r}, which does not exist; "
            f"there are: {_list(entries)}",
            _at(context),
        )
    return entries[name]


def _merge(kind: str, files: Iterable[tuple[Path, Sequence[Any]]]) -> dict[str, Any]:
    merged: dict[str, Entry[Any]] = {}
    for path, named in files:
        here: dict[str, Entry[Any]] = {}
        for item in named:
            if item.name in here:
                raise SettingsError(f"the {kind} {item.name!r} is written twice", str(path))
            here[item.name] = Entry(kind, item.name, getattr(item, kind), path)
        merged = here | merged
    return merged


def _read_all(paths: Sequence[Path]) -> list[tuple[Path, File]]:
    # kubectl takes a path that is listed twice as listed once.
    read = [(path, _read(path)) for path in dict.fromkeys(paths)]
    found = [(path, file) for path, file in read if file is not None]
    if not found:
        missing = os.pathsep.join(map(str, paths)) or "(no path)"
        raise SettingsError(
            "there is no such kubeconfig file; set KUBECONFIG or write one", missing
        )
    return found


def _read(path: Path) -> File | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"cannot read the kubeconfig: {error.strerror}", str(path)) from error
    try:
        file = msgspec.convert(_without_nulls(_parse(text, path)), File)
    except msgspec.ValidationError as error:
        raise SettingsError(f"this is no kubeconfig: {error}", str(path)) from error
    if (file.kind, file.api_version) != ("Config", "v1"):
        raise SettingsError(
            f"this is {file.kind} of {file.api_version}, a kubeconfig is Config of v1", str(path)
        )
    return file


def _parse(text: bytes, path: Path) -> Any:
    if text.lstrip().startswith(b"{"):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            pass  # YAML may begin with a brace too; its reader also knows the line of a mistake
    try:
        return yaml.load(text, _Loader) or {}  # noqa: S506  (it is the safe one, see below)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"this is no YAML: {error.problem}", f"{path}:{line}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"this is no YAML: {error}", str(path)) from error


def _without_nulls(value: Any) -> Any:
    # To Go a null is a field that is not written; `users: null` is what kubectl itself writes.
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


class _Loader(yaml.CSafeLoader):
    """The safe loader without dates: a token or a name that looks like one is text to kubectl."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own shape)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def _list(entries: Iterable[str]) -> str:
    return ", ".join(sorted(repr(name) for name in entries)) or "none"


def _at(entry: Entry[Any]) -> str:
    return str(entry.file)

"""The documents that matter here as objects: named, placed in a namespace, each defined once.

The one door for refusals: every complaint names the file and line, the object and the field.
This module never acts on what an object says.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import msgspec

from skydns_py.batch import Key
from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes import schema
from skydns_py.sources.manifests import shapes
from skydns_py.sources.manifests.documents import Document, Steps, locate

GROUPS: Final = {
    "Namespace": {""},
    "Service": {""},
    "EndpointSlice": {"discovery.k8s.io"},
    "Endpoints": {""},
    "Pod": {""},
    "Deployment": {"apps", "extensions"},
    "StatefulSet": {"apps"},
    "ReplicaSet": {"apps", "extensions"},
    "DaemonSet": {"apps", "extensions"},
    "ReplicationController": {""},
}
"""The kinds that are read and their API groups: Knative has another `Service`, for one."""

Shape = TypeVar("Shape")


class Object(msgspec.Struct, frozen=True):
    """One object: its key with the namespace filled in, and the document it was read from."""

    key: Key
    document: Document


def collect(documents: Iterable[Document], default_namespace: str) -> dict[Key, Object]:
    """Return the objects of the kinds that are read, sorted by key; other kinds are passed over.

    An object defined twice is refused, where kubectl would let the later one win: which of two
    files is the later is an accident of their names, and one of them would be edited in vain.
    A Namespace may be, since it says nothing but that it is there.

    Raises:
        SettingsError: no name, a name no API server takes, or two objects of one name.
    """
    found: dict[Key, Object] = {}
    for document in documents:
        obj = _object(document, default_namespace)
        if obj is None:
            continue
        first = found.setdefault(obj.key, obj)
        if first is not obj and obj.key.kind != "Namespace":
            there = locate(first.document.file, first.document.steps)
            raise refusal(obj, f"is defined a second time, first at {there}; remove one of them")
    return dict(sorted(found.items()))


def namespaces(documents: Iterable[Document]) -> set[str]:
    """Return the namespaces that any object stands in, of whatever kind: they have to exist."""
    found = set()
    for document in documents:
        metadata = document.content.get("metadata")
        namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
        if isinstance(namespace, str) and re.match(shapes.LABEL, namespace):
            found.add(namespace)
    return found


def of_kind(objects: Mapping[Key, Object], *kinds: str) -> list[Object]:
    """Return the objects of some kinds, in order of kind, namespace and name."""
    return [obj for key, obj in objects.items() if key.kind in kinds]


def shaped(obj: Object, shape: type[Shape]) -> Shape:
    """Return an object in one of the shapes of `shapes`.

    Raises:
        SettingsError: a field that cannot be, with its path and line.
    """
    try:
        return msgspec.convert(obj.document.content, shape)
    except msgspec.ValidationError as error:
        raise _misshapen(obj, error) from error


def slim(obj: Object) -> Any:
    """Return an object as it is kept, in the namespace of its key.

    Raises:
        SettingsError: a field that cannot be, with its path and line.
    """
    try:
        kept = schema.convert(obj.key.kind, obj.document.content).slim
    except msgspec.ValidationError as error:
        raise _misshapen(obj, error) from error
    if isinstance(kept, schema.Namespace):
        return kept
    return msgspec.structs.replace(kept, namespace=obj.key.namespace)


def family_of(obj: Object, address: str, field: str) -> str:
    """Return "IPv4" or "IPv6" for an address written in a field of an object.

    Raises:
        SettingsError: it is no address.
    """
    try:
        return f"IPv{ip_address(address).version}"
    except ValueError:
        raise refusal(obj, f"{address!r} is no IP address", field) from None


def refusal(obj: Object, problem: str, field: str = "") -> SettingsError:
    """Return the error that says what is wrong with an object, at `field` such as `spec.type`."""
    document = obj.document
    where = locate(document.file, (*document.steps, *_field_steps(field)))
    name = "/".join(part for part in obj.key[1:] if part)
    return SettingsError(
        f"{obj.key.kind} {name}{f', {field}' if field else ''}: {problem}",
        where,
    )


def _object(document: Document, default_namespace: str) -> Object | None:
    content = document.content
    kind, version = content.get("kind"), content.get("apiVersion")
    if kind is None and "metadata" in content:
        where = locate(document.file, document.steps)
        raise SettingsError("this object has no `kind`; write for example `kind: Service`", where)
    if not isinstance(kind, str) or kind not in GROUPS:
        return None
    unplaced = Object(Key(kind, "", _name_for_people(content)), document)
    if not isinstance(version, str) or not version:
        raise refusal(unplaced, "has no `apiVersion`")
    if version.rpartition("/")[0] not in GROUPS[kind]:
        return None
    metadata = shaped(unplaced, shapes.Named).metadata
    namespace = "" if kind == "Namespace" else metadata.namespace or default_namespace
    obj = Object(Key(kind, namespace, metadata.name), document)
    if kind in {"Namespace", "Service"} and not re.match(shapes.LABEL, metadata.name):
        raise refusal(obj, _SENTENCES[shapes.LABEL], "metadata.name")
    return obj


def _name_for_people(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return str(name or "without a name")


def _misshapen(obj: Object, error: msgspec.ValidationError) -> SettingsError:
    problem, _, path = str(error).replace(" | null", "").partition(" - at ")
    field = path.replace("`key` in ", "").strip("`").removeprefix("$").removeprefix(".")
    for pattern, sentence in _SENTENCES.items():
        if repr(pattern) in problem:
            problem = sentence
    return refusal(obj, problem[:1].lower() + problem[1:], field)


def _field_steps(field: str) -> Steps:
    steps = re.findall(r"([^.\[\]]+)|\[(\d+)\]", field.partition("[...]")[0])
    return tuple(int(position) if position else name for name, position in steps)


_LABEL_RULE: Final = "must be a DNS label: at most 63 lower case letters, digits and `-`"
_SENTENCES: Final = {
    shapes.LABEL: _LABEL_RULE,
    shapes.OPTIONAL_LABEL: _LABEL_RULE,
    shapes.SUBDOMAIN: "must be DNS labels of lower case letters, digits and `-`, joined by dots",
    "[a-z]": "a port's name has a letter in it; write a number without quotes",
}

"""What a Kubernetes API server remembers: objects, one version for all of them, and a history.

Held to the recordings in tests/fixtures/kubernetes: what is told of an object has their shapes.
Nothing here listens or waits.
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
Params = dict[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind, the plural and the API version it is asked under, and what its zero value has."""

    name: str
    plural: str
    api_version: str
    zero: Object

    @property
    def path(self) -> str:
        root = "/apis" if "/" in self.api_version else "/api"
        return f"{root}/{self.api_version}/{self.plural}"


KINDS = (
    Kind("Namespace", "namespaces", "v1", {"spec": {}, "status": {}}),
    Kind("Service", "services", "v1", {"spec": {}, "status": {"loadBalancer": {}}}),
    Kind("Pod", "pods", "v1", {"spec": {"containers": None}, "status": {}}),
    Kind(
        "EndpointSlice",
        "endpointslices",
        "discovery.k8s.io/v1",
        {"addressType": "", "endpoints": None, "ports": None},
    ),
)


@dataclass(frozen=True)
class Selection:
    """A labelSelector and a fieldSelector, as they stand in a request."""

    labels: str = ""
    fields: str = ""

    def matches(self, thing: Object | None) -> bool:
        if thing is None:
            return False
        labels = thing["metadata"].get("labels") or {}
        return all(_label(term, labels) for term in _terms(self.labels)) and all(
            _field(term, thing) for term in _terms(self.fields)
        )


@dataclass(frozen=True)
class Change:
    """One change: what was there before and after it, and the version it made."""

    kind: Kind
    version: int
    before: Object | None
    after: Object | None

    def event(self, selection: Selection) -> Object | None:
        """The watch event of those who selected so, if it is one for them."""
        was, stays = selection.matches(self.before), selection.matches(self.after)
        if not was and not stays:
            return None
        if stays:
            return {"type": "MODIFIED" if was else "ADDED", "object": self.after}
        assert self.before is not None
        metadata = self.before["metadata"] | {"resourceVersion": str(self.version)}
        return {"type": "DELETED", "object": self.before | {"metadata": metadata}}


@dataclass
class Store:
    """Objects by (namespace, name) below their plural; `oldest` is the last version forgotten."""

    version: int = 1000
    oldest: int = 0
    objects: dict[str, dict[tuple[str, str], Object]] = field(
        default_factory=lambda: {kind.plural: {} for kind in KINDS}
    )
    history: list[Change] = field(default_factory=list)

    def put(self, thing: Object) -> Change:
        kind = next(kind for kind in KINDS if kind.name == thing["kind"])
        key = (thing["metadata"].get("namespace", ""), thing["metadata"]["name"])
        before = self.objects[kind.plural].get(key)
        self.version += 1
        after = _admitted(thing, kind, key, self.version)
        self.objects[kind.plural][key] = after
        return self._remember(Change(kind, self.version, before, after))

    def delete(self, kind_name: str, namespace: str, name: str) -> Change:
        kind = next(kind for kind in KINDS if kind.name == kind_name)
        before = self.objects[kind.plural].pop((namespace, name))
        self.version += 1
        return self._remember(Change(kind, self.version, before, None))

    def compact(self) -> None:
        """Forget the history, as etcd does every few minutes."""
        self.oldest = self.version
        self.history.clear()

    def since(self, version: int, plural: str) -> list[Change]:
        return [c for c in self.history if c.version > version and c.kind.plural == plural]

    def at(self, version: int, plural: str) -> list[Object]:
        """The objects as they were at a version that is remembered, in the order of their keys."""
        then = dict(self.objects[plural])
        for change in reversed(self.since(version, plural)):
            metadata = (change.before or change.after or {})["metadata"]
            key = (metadata.get("namespace", ""), metadata["name"])
            if change.before is None:
                del then[key]
            else:
                then[key] = change.before
        return [then[key] for key in sorted(then)]

    def _remember(self, change: Change) -> Change:
        self.history.append(change)
        return change


def selection(params: Params) -> Selection:
    """What a request selects."""
    return Selection(params.get("labelSelector", ""), params.get("fieldSelector", ""))


def _admitted(thing: Object, kind: Kind, key: tuple[str, str], version: int) -> Object:
    given = thing["metadata"]
    metadata = {
        "name": key[1],
        **({"namespace": key[0]} if key[0] else {}),
        "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind.plural}.{key[0]}.{key[1]}")),
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-23T08:52:22Z",
        **{name: value for name, value in given.items() if name not in {"name", "namespace"}},
        "managedFields": [
            {
                "manager": "tests",
                "operation": "Update",
                "apiVersion": kind.api_version,
                "time": "2026-11-23T08:52:22Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {}},
            }
        ],
    }
    metadata["resourceVersion"] = str(version)
    return {"kind": kind.name, "apiVersion": kind.api_version, **thing, "metadata": metadata}


def _terms(selector: str) -> list[str]:
    return [term.strip() for term in re.split(r",(?![^(]*\))", selector) if term.strip()]


def _label(term: str, labels: dict[str, str]) -> bool:
    if found := re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", term):
        values = {value.strip() for value in found[3].split(",")}
        return (labels.get(found[1]) in values) == (found[2] == "in")
    if found := re.fullmatch(r"([^!=\s]+)\s*(==|=|!=)\s*(\S*)", term):
        return (labels.get(found[1]) == found[3]) == (found[2] != "!=")
    return term[1:].strip() not in labels if term.startswith("!") else term in labels


def _field(term: str, thing: Object) -> bool:
    path, operator, value = re.fullmatch(r"([^!=]+)(==|=|!=)(.*)", term).groups()  # type: ignore[union-attr]
    found: Any = thing
    for part in path.split("."):
        found = (found or {}).get(part, "")
    return bool(found == value) == (operator != "!=")

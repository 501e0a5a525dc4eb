"""The live table: which owner stands at which name, and what it has there.

An *owner* is a name relative to the zone (`web.shop.svc`) with the slim objects that stand at it: a
Service and its EndpointSlices, a Namespace, the Pods of one address.
Owners are put in and taken out by `apply`; records are built by the `Naming` when a question first
reaches an owner, and forgotten when one of its objects changes.
An owner is seen only while the name above it is there too: a Service whose Namespace is gone is
hidden, in whatever order the objects come.

One thread owns a table and changes it between two questions: no locks, no copies.
This module knows no kind of object, packs no message and reads no clock.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Protocol

import msgspec

from skydns_py import names
from skydns_py.batch import Batch, Key
from skydns_py.records import Node, Subtree

Objects = tuple[Any, ...]
"""Slim objects in an order that does not depend on the history of the table."""

Owners = Mapping[bytes, Objects]
"""Objects by the name they stand at."""

MAX_BUILT = 16_384
"""Owners whose records are kept once built; the oldest go first.
An owner of ten endpoints is about 6 kB built, so this bounds the memory at about 100 MB."""

SYNCED = b"\xfe"
"""What an answer hangs on that was given before every source had synced."""

ANY_ADDRESS = b"\xff"
"""What an answer hangs on that depends on whether any address at all starts with some digits."""


class Naming(Protocol):
    """The rules by which objects get names and records: one for each kind of world.

    All methods are pure functions of their arguments. Names are folded and relative to the zone.
    """

    @property
    def roots(self) -> frozenset[bytes]:
        """Names that exist by themselves, under which owners stand."""

    @property
    def depth(self) -> int:
        """How many labels the name of the deepest owner has."""

    def stands_at(self, slim: Any) -> Iterable[bytes]:
        """Return the names an object stands at, each at most once."""

    def addresses(self, slim: Any) -> Iterable[bytes]:
        """Return the packed addresses that are the object's own, for reverse questions."""

    def subtree(self, owner: bytes, objects: Objects, zone: bytes) -> Subtree:
        """Build what the owner has in `zone`, from all objects that stand at its name."""

    def pointers(self, owners: Owners, address: bytes) -> Iterable[bytes]:
        """Return the relative names the PTR of an address points to, given all who have it."""

    def servers(self, owner: bytes, objects: Objects, address: bytes) -> Iterable[bytes]:
        """Return the relative names of this server, when `address` is its own and this owner's."""

    def apex(self, zone: bytes) -> Mapping[bytes, Node]:
        """Return the nodes that stand in a zone by themselves, its own SOA and NS left out."""


class Delta(msgspec.Struct, frozen=True):
    """What one batch changed: answers that hang on any of these keys are no longer right.

    A key is the relative name of an owner, an address behind 0xFF, `ANY_ADDRESS` or `SYNCED`.
    """

    keys: frozenset[bytes]


class Found(msgspec.Struct, frozen=True):
    """A node (None: no such name) and the keys of the table it hangs on."""

    node: Node | None
    keys: tuple[bytes, ...]


class Table:
    """Owners and their objects, fed by one or more sources.

    `sources` are the names that must have synced before the table may deny a name.
    """

    def __init__(self, naming: Naming, sources: Iterable[str]) -> None:
        self.naming = naming
        self.serial = 0
        self._unsynced = set(sources)
        self._objects: dict[str, dict[Key, Any]] = {source: {} for source in self._unsynced}
        self._owners: dict[bytes, tuple[tuple[str, Any], ...]] = {}
        self._addresses: dict[bytes, tuple[bytes, ...]] = {}
        self._digits: dict[int, list[str]] | None = None
        self._built: dict[bytes, dict[bytes, Subtree]] = {}
        self._zones: dict[bytes, Mapping[bytes, Node]] = {}

    @property
    def is_synced(self) -> bool:
        """Whether every source has shown its whole world once."""
        return not self._unsynced

    @property
    def unsynced(self) -> frozenset[str]:
        """The sources that have not."""
        return frozenset(self._unsynced)

    def objects(self) -> Iterator[Any]:
        """Yield every object of every source."""
        for objects in self._objects.values():
            yield from objects.values()

    def by_source(self) -> Mapping[str, Mapping[Key, Any]]:
        """Return the objects of each source by their keys: a view, good until the next change."""
        return self._objects

    def apply(self, batch: Batch, now: int) -> Delta:
        """Put a source's changes in; `now` in Unix seconds becomes the zones' serial.

        An object that is the same as before changes nothing.
        """
        changed: set[bytes] = set()
        known = self._objects.setdefault(batch.source, {})
        for key, slim in batch.objects.items():
            before = known.get(key)
            if before == slim:
                continue
            if slim is None:
                del known[key]
            else:
                known[key] = slim
            self._move(batch.source, before, slim, changed)
        if changed:
            self.serial = max(self.serial, now)
        if batch.synced and batch.source in self._unsynced:
            self._unsynced.remove(batch.source)
            changed.add(SYNCED)
            self.serial = max(self.serial, now)
        return Delta(frozenset(changed))

    def find(self, relative: bytes, zone: bytes) -> Found:
        """Find the node at a folded name relative to `zone`."""
        owner, keys = self._owner_above(relative)
        if owner is None:
            return Found(self.at_apex(relative, zone).node, keys)
        subtree = self._subtree(owner, zone)
        return Found(subtree.find(relative[: len(relative) - len(owner)]), keys)

    def at_apex(self, relative: bytes, zone: bytes) -> Found:
        """Find a node among those that stand in `zone` by themselves."""
        return Found(self._apex(zone).get(relative), ())

    def pointers(self, address: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Return the relative names the PTR of a packed address points to, and the keys."""
        owners, keys = self._owners_of(address)
        seen = {owner: objects for owner, objects in owners.items() if self._is_seen(owner)}
        # In an order of their own: an answer must not show the history of the table.
        return tuple(sorted(set(self.naming.pointers(seen, address)))), keys

    def servers(self, address: bytes, zone: bytes) -> tuple[dict[bytes, Node], tuple[bytes, ...]]:
        """Return names and nodes of this server, when a packed address is its own, and the keys.

        Hidden ones too: a server does not stop being one because its namespace is not shown.
        """
        owners, keys = self._owners_of(address)
        found = {}
        for owner, objects in owners.items():
            for name in self.naming.servers(owner, objects, address):
                node = self._subtree(owner, zone).find(name[: len(name) - len(owner)])
                found[name] = node or ()
        return found, keys

    def has_address_below(self, length: int, digits: str) -> bool:
        """Tell whether an address of `length` octets that is seen starts with these hex digits.

        The order this needs is made when first asked for, and kept up from then on.
        """
        if self._digits is None:
            self._digits = {4: [], 16: []}
            for address in self._addresses:
                self._digits[len(address)].append(address.hex())
            for ordered in self._digits.values():
                ordered.sort()
        ordered = self._digits[length]
        for position in range(bisect_left(ordered, digits), len(ordered)):
            if not ordered[position].startswith(digits):
                return False
            if any(map(self._is_seen, self._addresses[bytes.fromhex(ordered[position])])):
                return True
        return False

    def subtrees(self, zone: bytes) -> Iterator[tuple[bytes, Subtree]]:
        """Yield every owner that is seen with what it has in `zone`, in the order of the names."""
        yield b"", Subtree(self._apex(zone))
        for owner in sorted(self._owners, key=lambda name: tuple(names.labels(name))[::-1]):
            # The listing is read over many turns, and an owner may have gone meanwhile.
            if owner in self._owners and self._is_seen(owner):
                yield owner, self.naming.subtree(owner, self._objects_at(owner), zone)

    def addresses(self) -> Iterator[bytes]:
        """Yield every packed address that some owner has."""
        yield from tuple(self._addresses)

    def _move(self, source: str, before: Any, after: Any, changed: set[bytes]) -> None:
        """Let an object leave the names and addresses it had and take those it has."""
        old = () if before is None else tuple(self.naming.stands_at(before))
        new = () if after is None else tuple(self.naming.stands_at(after))
        old_addresses = set(self.naming.addresses(before)) if old else set()
        new_addresses = set(self.naming.addresses(after)) if new else set()
        there = {owner: owner in self._owners for owner in {*old, *new}}
        for owner in old:
            kept = list(self._owners.pop(owner))
            kept.remove((source, before))
            if kept:
                self._owners[owner] = tuple(kept)
        for owner in new:
            self._owners[owner] = (*self._owners.get(owner, ()), (source, after))
        for owner, was_there in there.items():
            self._forget(owner)
            changed.add(owner)
            if was_there != (owner in self._owners):
                changed.add(ANY_ADDRESS)  # the addresses below it are seen, or no longer
        if old == new:
            shared = old_addresses & new_addresses
            old_addresses -= shared
            new_addresses -= shared
        for address in old_addresses:
            self._leave_address(address, old, changed)
        for address in new_addresses:
            self._take_address(address, new, changed)

    def _objects_at(self, owner: bytes) -> Objects:
        """Return an owner's objects, those of the first source by name first."""
        return tuple(slim for _, slim in sorted(self._owners[owner], key=itemgetter(0)))

    def _take_address(self, address: bytes, owners: tuple[bytes, ...], changed: set[bytes]) -> None:
        held = self._addresses.get(address)
        if held is None and self._digits is not None:
            insort(self._digits[len(address)], address.hex())
        # An owner may hold an address by two of its objects: it then stands here twice.
        self._addresses[address] = (*(held or ()), *owners)
        changed.add(ANY_ADDRESS)
        changed.add(ANY_ADDRESS + address)

    def _leave_address(
        self, address: bytes, owners: tuple[bytes, ...], changed: set[bytes]
    ) -> None:
        held = list(self._addresses[address])
        for owner in owners:
            held.remove(owner)
        if held:
            self._addresses[address] = tuple(held)
        else:
            del self._addresses[address]
            if self._digits is not None:
                ordered = self._digits[len(address)]
                del ordered[bisect_left(ordered, address.hex())]
        changed.add(ANY_ADDRESS)
        changed.add(ANY_ADDRESS + address)

    def _owner_above(self, relative: bytes) -> tuple[bytes | None, tuple[bytes, ...]]:
        """Return the deepest owner that is seen at or above a name, and what that hangs on."""
        owner = None
        keys = []
        tails = names.suffixes(relative)
        if not tails or tails[-1] not in self.naming.roots:
            return None, ()
        for tail in tails[-2 : -1 - self.naming.depth : -1]:
            keys.append(tail)
            if tail not in self._owners:
                break
            owner = tail
        return owner, tuple(keys)

    def _is_seen(self, owner: bytes) -> bool:
        above = names.parent(owner)
        return above in self.naming.roots or (above in self._owners and self._is_seen(above))

    def _owners_of(self, address: bytes) -> tuple[Owners, tuple[bytes, ...]]:
        """Return the owners that have an address, seen or not, and what that hangs on."""
        keys = [ANY_ADDRESS + address]
        owners = sorted(set(self._addresses.get(address, ())))
        for owner in owners:
            keys.extend(names.suffixes(owner)[:-1])
        return {owner: self._objects_at(owner) for owner in owners}, tuple(keys)

    def _apex(self, zone: bytes) -> Mapping[bytes, Node]:
        nodes = self._zones.get(zone)
        if nodes is None:
            nodes = self._zones[zone] = self.naming.apex(zone)
        return nodes

    def _subtree(self, owner: bytes, zone: bytes) -> Subtree:
        built = self._built.setdefault(zone, {})
        subtree = built.get(owner)
        if subtree is None:
            subtree = self.naming.subtree(owner, self._objects_at(owner), zone)
            if len(built) >= MAX_BUILT:
                del built[next(iter(built))]
            built[owner] = subtree
        return subtree

    def _forget(self, owner: bytes) -> None:
        for built in self._built.values():
            built.pop(owner, None)

"""The one message a source sends: what it has now, object by object.

A source never says what a change means for DNS or for an environment map: it sends slim, frozen
objects of its own schema under a key, and whether it has seen its whole world yet.
This module never interprets an object.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec


class Key(NamedTuple):
    """Which object: its kind in the source's own words, its namespace ("" for none), its name."""

    kind: str
    namespace: str
    name: str


class Batch(msgspec.Struct, frozen=True):
    """Changes of one source, to be applied together.

    `objects` maps a key to the slim object as it is now, or to None when it is gone.
    `synced` is True from the batch on that completes the source's first whole picture, None when
    this batch says nothing about it.
    """

    source: str
    objects: Mapping[Key, Any] = {}
    synced: bool | None = None

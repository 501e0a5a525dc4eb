"""Build the responder that a scenario describes: options and objects in, `Responder` out.

What a source would do is done here in one step: objects are slimmed and put into the table.
This module never opens a socket and never shuffles: a scenario has one right reply.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from skydns_py import names
from skydns_py.answers.lookup import Zone
from skydns_py.answers.responder import Block, Responder
from skydns_py.batch import Batch
from skydns_py.sources.kubernetes.records import Exposure, KubernetesNaming
from skydns_py.sources.kubernetes.schema import convert
from skydns_py.table import Table
from tests.scenario import DEFAULT_TTL, Scenario, ScenarioError

SERIAL = 1_700_000_000
"""When everything in a scenario happened, in Unix seconds: the serial of its zones."""

DEFAULT_ZONES = ("cluster.local", "in-addr.arpa", "ip6.arpa")

PodsMode = Literal["disabled", "insecure", "verified"]

OPTIONS = frozenset(
    (
        *("zones", "ttl", "pods", "namespaces", "endpoint_pod_names", "noendpoints", "ignore"),
        *("own", "unsynced", "blocks"),
    ),
)


def responder_of(scenario: Scenario) -> Responder:
    """Return a responder that serves a scenario's cluster.

    Raises:
        ScenarioError: the head has an option that nobody knows, or an address that is none.
    """
    options = scenario.options
    if unknown := options.keys() - OPTIONS:
        raise ScenarioError(f"{scenario.name}: nobody knows the option {', '.join(unknown)}")
    exposure = _exposure(options)
    table = _table(scenario, exposure)
    apexes = [names.from_text(zone) for zone in options.get("zones", DEFAULT_ZONES)]
    pointer_zone = next(apex for apex in apexes if not names.is_reverse(apex))
    own = tuple(_packed(scenario, text) for text in options.get("own", ()))
    zones = {apex: Zone(apex, table, exposure.ttl, pointer_zone, own) for apex in apexes}
    blocks = frozenset(map(names.from_text, options["blocks"])) if "blocks" in options else zones
    block = Block(zones, shuffles=False)
    return Responder(dict.fromkeys(blocks, block), shuffle=_keep_order, report=_raise)


def _table(scenario: Scenario, exposure: Exposure) -> Table:
    table = Table(KubernetesNaming(exposure), ["scenario"])
    decoded = [convert(document["kind"], document) for document in scenario.objects]
    objects = {one.key: one.slim for one in decoded}
    if len(objects) < len(decoded):
        raise ScenarioError(f"{scenario.name}: two objects of one kind have the same name")
    synced = None if "unsynced" in scenario.options else True
    table.apply(Batch("scenario", objects, synced), SERIAL)
    return table


def _exposure(options: Mapping[str, tuple[str, ...]]) -> Exposure:
    return Exposure(
        ttl=int(options.get("ttl", (DEFAULT_TTL,))[0]),
        namespaces=frozenset(options.get("namespaces", ())),
        pods=msgspec.convert(options.get("pods", ("disabled",))[0], PodsMode),
        endpoints="noendpoints" not in options,
        endpoint_pod_names="endpoint_pod_names" in options,
        ignore_empty_service="empty_service" in options.get("ignore", ()),
    )


def _packed(scenario: Scenario, text: str) -> bytes:
    packed = names.pack_address(text)
    if packed is None:
        raise ScenarioError(f"{scenario.name}: {text!r} after `own` is no address")
    return packed


def _keep_order(_items: Any) -> None:
    """Shuffle nothing."""


def _raise(bug: Exception) -> None:
    raise bug

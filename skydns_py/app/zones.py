"""From settings to responders: which zones are answered from which table, at which listener.

This module never runs anything.
"""

import random
from collections.abc import Callable, Iterable, Mapping

from skydns_py import names
from skydns_py.answers.lookup import Zone, Zones
from skydns_py.answers.responder import Block as Served
from skydns_py.answers.responder import Responder
from skydns_py.app.world import World
from skydns_py.settings import Block, KubernetesSettings, Listen

Worlds = Mapping[KubernetesSettings, World]


def zones_of(world: World, own: tuple[bytes, ...]) -> Zones:
    """Return the zones a world is shown in; `own` are the packed addresses of this server."""
    settings = world.settings
    forward = next(zone for zone in settings.zones if not names.is_reverse(zone))
    return {apex: Zone(apex, world.table, settings.ttl, forward, own) for apex in settings.zones}


def by_listen(blocks: Iterable[Block]) -> dict[Listen, list[Block]]:
    """Return the blocks that share each listener, in the order of the Corefile."""
    found: dict[Listen, list[Block]] = {}
    for block in blocks:
        for listen in block.listen:
            found.setdefault(listen, []).append(block)
    return found


def responder_of(
    blocks: Iterable[Block],
    worlds: Worlds,
    own: tuple[bytes, ...],
    report: Callable[[Exception], None],
) -> Responder:
    """Return what answers at one listener, and is told of every change of its worlds."""
    shown = [(block, worlds[block.kubernetes] if block.kubernetes else None) for block in blocks]
    served: dict[bytes, Served] = {}
    for block, world in shown:
        zones = zones_of(world, own) if world else {}
        served |= {apex: Served(zones, shuffles=block.loadbalance) for apex in block.zones}
    responder = Responder(served, shuffle=random.shuffle, report=report)
    for world in dict.fromkeys(world for _, world in shown if world):
        world.on_delta.append(responder.changed)
    return responder

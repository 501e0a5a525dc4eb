"""From settings to responders: which zones are answered from which table, at which listener.

This module never runs anything.
"""

import random
from collections.abc import Callable, Iterable, Mapping

from skydns_py import names
from skydns_py.answers.lookup import Zone, Zones
from skydns_py.answers.responder import Block as Served
from skydns_py.answers.responder import Elsewhere, Responder
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
    blocks: Iterable[tuple[Block, Elsewhere | None]],
    worlds: Worlds,
    own: tuple[bytes, ...],
    report: Callable[[Exception], None],
) -> Responder:
    """Return what answers at one listener, and is told of every change of its worlds.

    Each block comes with whoever is asked for what is not known here.
    """
    served: dict[bytes, Served] = {}
    shown: dict[World, None] = {}
    for block, elsewhere in blocks:
        world = worlds[block.kubernetes] if block.kubernetes else None
        alike = Served(
            zones_of(world, own) if world else {},
            shuffles=block.loadbalance,
            elsewhere=elsewhere,
            fallthrough=frozenset(block.kubernetes.fallthrough if block.kubernetes else ()),
        )
        served |= dict.fromkeys(block.zones, alike)
        if world:
            shown[world] = None
    responder = Responder(served, shuffle=random.shuffle, report=report)
    for world in shown:
        world.on_delta.append(responder.changed)
    return responder

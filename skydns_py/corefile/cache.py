"""The `cache` directive: which replies of upstreams are kept, how many, and how long.

This module never keeps anything.

Source: the manual page of CoreDNS 1.14's plugin cache; RFC 2181 section 8 (TTLs).
"""

import re
from typing import Any, Final, get_args

import msgspec

from skydns_py import names
from skydns_py.corefile.options import Context, OptionReader, arguments, read_options
from skydns_py.corefile.syntax import Line
from skydns_py.settings import CacheSettings, Keep
from skydns_py.settings.upstream_shapes import StaleMode
from skydns_py.settings.values import (
    UNLIMITED,
    RefusedError,
    one_of,
    seconds,
    whole_number,
    zones,
)

MAX_TTL: Final = 2**31 - 1
"""Seconds: the largest TTL there is (RFC 2181 section 8)."""

MAX_SERVFAIL: Final = 300.0
"""Seconds for which a failure may be remembered: RFC 9520 section 3.2 allows no more."""

DEFAULT_STALE: Final = 3600.0
"""Seconds that `serve_stale` means when it names none."""


def read_cache(line: Line, context: Context) -> CacheSettings:
    """Read `cache [TTL] [ZONES...] { options }`; without zones, the server block's are meant."""
    words, of_all = line.arguments, dict[str, int]()
    if words and re.fullmatch(r"[+-]?[0-9]+", words[0]):
        with context.findings.at(line.place):
            of_all = {"max_ttl": _ttl(words[0], 1)}
        words = words[1:]
    own_zones: dict[bytes, None] = {}
    for word in words:
        with context.findings.at(line.place):
            own_zones |= dict.fromkeys(_zones(word))
    fields = read_options(line, _OPTIONS, context.findings, {"no_success", "no_denial"})
    for kind in ("success", "denial"):
        default: Keep = getattr(_DEFAULTS, kind)
        fields[kind] = msgspec.structs.replace(default, **(of_all | fields.get(kind, {})))
    return CacheSettings(zones=tuple(own_zones) or context.zones or (names.ROOT,), **fields)


def _ttl(text: str, least: int) -> int:
    return whole_number(text, least, MAX_TTL)


def _zones(word: str) -> tuple[bytes, ...]:
    # `cache 30s` is read as a zone by CoreDNS, and then keeps nothing at all.
    if re.fullmatch(r"[0-9]+(?:ms|[smh])", word):
        raise RefusedError(
            f"`{word[:80]}` is no TTL; a TTL stands first, in whole seconds: `cache 30`"
        )
    return zones(word)


def _read_keep(option: Line) -> dict[str, Any]:
    capacity, *ttls = arguments(option, 1, 3, f"{option.name} CAPACITY [TTL] [MINTTL]")
    keep = {"capacity": whole_number(capacity, 1, UNLIMITED)}
    for field, text, least in zip(("max_ttl", "min_ttl"), ttls, (1, 0), strict=False):
        keep[field] = _ttl(text, least)
    if keep.get("min_ttl", 0) > keep.get("max_ttl", MAX_TTL):
        raise RefusedError(f"the least TTL is above the largest: {ttls[1]} is more than {ttls[0]}")
    return {option.name: keep}


def _read_prefetch(option: Line) -> dict[str, Any]:
    amount, *rest = arguments(option, 1, 3, "prefetch AMOUNT [DURATION] [PERCENTAGE%]")
    fields: dict[str, Any] = {"prefetch": whole_number(amount, 0, UNLIMITED)}
    if rest:
        fields["prefetch_pause"] = seconds(rest[0])
    if rest[1:]:
        fields["prefetch_share"] = _share(rest[1])
    return fields


def _share(text: str) -> float:
    if not text.endswith("%"):
        raise RefusedError(f"`{text[:80]}` is no percentage; write for example `20%`")
    return whole_number(text[:-1], 10, 90) / 100


def _read_serve_stale(option: Line) -> dict[str, Any]:
    if len(option.arguments) > 2:
        raise RefusedError(
            "what follows the mode of `serve_stale` is known, but not built yet; it is written"
            " `serve_stale [DURATION] [immediate|verify]`"
        )
    stale, *mode = option.arguments or (None,)
    fields: dict[str, Any] = {"stale": DEFAULT_STALE if stale is None else seconds(stale)}
    if mode:
        fields["stale_mode"] = one_of(str(mode[0]).lower(), get_args(StaleMode))
    return fields


def _read_servfail(option: Line) -> dict[str, Any]:
    (text,) = arguments(option, 1, 1, "servfail DURATION")
    found = seconds(text)
    if found > MAX_SERVFAIL:
        raise RefusedError(f"`{text[:80]}` is too long to remember a failure; `5m` is the most")
    return {"servfail": found}


def _read_disable(option: Line) -> dict[str, Any]:
    kind, *texts = arguments(option, 1, None, "disable success|denial [ZONES...]")
    one_of(kind, ("success", "denial"))
    found = dict.fromkeys(zone for text in texts for zone in zones(text))
    return {f"no_{kind}": tuple(found) or (names.ROOT,)}


def _read_keepttl(option: Line) -> dict[str, Any]:
    arguments(option, 0, 0, "keepttl")
    return {"keep_ttl": True}


def _refuse_unbuilt(option: Line) -> dict[str, Any]:
    raise RefusedError(f"the option `{option.name}` of `cache` is known, but not built yet")


_DEFAULTS: Final = CacheSettings()
_OPTIONS: Final[dict[str, OptionReader]] = {
    "denial": _read_keep,
    "disable": _read_disable,
    "keepttl": _read_keepttl,
    "prefetch": _read_prefetch,
    "serve_stale": _read_serve_stale,
    "serve_stale_policy": _refuse_unbuilt,
    "servfail": _read_servfail,
    "success": _read_keep,
}

"""Judge the rdata of one record: is it what its type says, as far as a client would trip over it?

Types that may hold compressed names (RFC 1035 section 3.3, RFC 3597 section 4) and those that every
client reads are judged; all others are opaque, as RFC 3597 wants them.
This module never says what rdata means, and never raises.
"""

from collections.abc import Callable
from typing import Final

NameAt = Callable[[int], int | None]
"""Where the name at a position ends, None when there is none."""

_SIZES: Final = {1: 4, 28: 16}
"""A and AAAA: octets of an address."""

NAMES: Final = {
    2: (0, 1, 0),  # NS
    3: (0, 1, 0),  # MD
    4: (0, 1, 0),  # MF
    5: (0, 1, 0),  # CNAME
    6: (0, 2, 20),  # SOA
    7: (0, 1, 0),  # MB
    8: (0, 1, 0),  # MG
    9: (0, 1, 0),  # MR
    12: (0, 1, 0),  # PTR
    14: (0, 2, 0),  # MINFO
    15: (2, 1, 0),  # MX
    17: (0, 2, 0),  # RP
    18: (2, 1, 0),  # AFSDB
    21: (2, 1, 0),  # RT
    26: (2, 2, 0),  # PX
    33: (6, 1, 0),  # SRV
    36: (2, 1, 0),  # KX
    39: (0, 1, 0),  # DNAME
}
"""Octets before the names, how many names, and octets behind them."""

_STRINGS: Final = {13: (2, 2), 16: (1, 65_535), 19: (1, 1), 20: (1, 2), 99: (1, 65_535)}
"""HINFO, TXT, X25, ISDN, SPF: how many character strings there are, at least and at most."""

_NAPTR: Final = 35
_OPT: Final = 41


def is_rdata(packet: bytes, rtype: int, start: int, end: int, name_at: NameAt) -> bool:
    """Tell whether the octets from `start` to `end` are rdata of a type."""
    if rtype in _SIZES:
        return end - start == _SIZES[rtype]
    if rtype in NAMES:
        return _are_names(start, end, *NAMES[rtype], name_at)
    if rtype in _STRINGS:
        least, most = _STRINGS[rtype]
        return least <= _strings(packet, start, end) <= most
    if rtype == _NAPTR:
        return _is_naptr(packet, start, end, name_at)
    if rtype == _OPT:
        return _are_options(packet, start, end)
    return True


def _are_names(start: int, end: int, before: int, count: int, behind: int, name_at: NameAt) -> bool:
    position: int | None = start + before
    for _ in range(count):
        if position is None or position >= end:
            return False
        position = name_at(position)
    return position is not None and position + behind == end


def _strings(packet: bytes, start: int, end: int) -> int:
    """Return how many character strings fill the octets, -1 when they do not."""
    count = 0
    while start < end:
        start += 1 + packet[start]
        count += 1
    return count if start == end else -1


def _is_naptr(packet: bytes, start: int, end: int, name_at: NameAt) -> bool:
    """Order, preference, three character strings and a name (RFC 3403 section 4.1)."""
    position = start + 4
    for _ in range(3):
        if position >= end:
            return False
        position += 1 + packet[position]
    return position < end and name_at(position) == end


def _are_options(packet: bytes, start: int, end: int) -> bool:
    """Tell whether the octets are whole EDNS options; what they say is not ours (RFC 6891)."""
    while start + 4 <= end:
        start += 4 + int.from_bytes(packet[start + 2 : start + 4], "big")
    return start == end

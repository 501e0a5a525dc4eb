"""Domain names as wire bytes: made, compared, taken apart and written as text.

A name here is always its uncompressed wire form, as RFC 1035 section 3.1 draws it, mostly without
the root's closing zero octet when it stands relative to a zone.
Everything the table and the answers compare is folded (`fold`): ASCII letters in lower case, every
other octet as it is (RFC 4343).
This module never decodes a name into `str` to compare it, and never touches a packet.
"""

import ipaddress
from collections.abc import Iterable, Iterator

MAX_LABEL = 63
"""Octets in one label, RFC 1035 section 2.3.4."""

MAX_NAME = 255
"""Octets in one name with its length octets and the root, RFC 1035 section 2.3.4."""

ROOT = b"\x00"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IN_ADDR = b"\x07in-addr\x04arpa\x00"
_IP6 = b"\x03ip6\x04arpa\x00"
_TREES = frozenset((_IN_ADDR, _IP6))
_OCTETS = frozenset(b"%d" % octet for octet in range(256))
_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b'.\\"();@$')


class InvalidNameError(ValueError):
    """Text that is no domain name; the message says why."""


def fold(name: bytes) -> bytes:
    """Return `name` with ASCII letters in lower case and nothing else changed (RFC 4343).

    `bytes.lower` does exactly this, and length octets (at most 63) lie below the letter A.
    """
    return name.lower()


def from_text(text: str) -> bytes:
    r"""Return the absolute wire name for presentation text, in the spelling given.

    The closing dot is optional; `\.` and `\DDD` escapes are read (RFC 1035 section 5.1).

    Raises:
        InvalidNameError: an empty or overlong label, an overlong name, a bad escape.
    """
    if text in {"", "."}:
        return ROOT
    wire = b"".join(pack_label(label) for label in _labels_from_text(text)) + ROOT
    if len(wire) > MAX_NAME:
        raise InvalidNameError(
            f"the name {text[:80]!r} is {len(wire)} octets long, 255 are allowed"
        )
    return wire


def relative(*labels: str) -> bytes:
    """Return labels as a folded relative name: `relative("web", "shop", "svc")`.

    Raises:
        InvalidNameError: a label is empty or longer than 63 octets.
    """
    return fold(b"".join(pack_label(_octets(label)) for label in labels))


def pack_label(label: bytes) -> bytes:
    """Return one label with its length octet.

    Raises:
        InvalidNameError: the label is empty or longer than 63 octets.
    """
    if not 0 < len(label) <= MAX_LABEL:
        raise InvalidNameError(
            f"the label {label[:80]!r} is {len(label)} octets long, 1 to 63 are allowed",
        )
    return bytes((len(label),)) + label


def to_text(name: bytes) -> str:
    """Return presentation text with a closing dot, escaped as RFC 1035 section 5.1 asks."""
    return "".join(f"{_label_text(label)}." for label in labels(name)) or "."


def labels(name: bytes) -> Iterator[bytes]:
    """Yield the labels of a name, absolute or relative, leftmost first, without the root."""
    position = 0
    while position < len(name) and (length := name[position]):
        yield name[position + 1 : position + 1 + length]
        position += 1 + length


def parent(name: bytes) -> bytes:
    """Return the name without its leftmost label."""
    return name[1 + name[0] :]


def suffixes(name: bytes) -> list[bytes]:
    """Return the name and every name above it, longest first, down to the last label."""
    found = []
    while name and name[0]:
        found.append(name)
        name = name[1 + name[0] :]
    return found


def is_at_or_below(name: bytes, zone: bytes) -> bool:
    """Tell whether a folded absolute name equals `zone` or lies below it, at a label boundary."""
    return closest(name, (zone,)) is not None


def closest(name: bytes, zones: Iterable[bytes]) -> bytes | None:
    """Return the longest of `zones` that a folded absolute name lies in, or None.

    Pass a set or a dictionary: each label of `name` costs one lookup.
    """
    found = zones if isinstance(zones, dict | set | frozenset) else frozenset(zones)
    while name not in found:
        if name[0] == 0:
            return None
        name = name[1 + name[0] :]
    return name


def reverse(address: bytes) -> bytes:
    """Return the name at which the PTR of a packed address stands (RFC 1035 3.5, RFC 3596 2.5)."""
    if len(address) == 4:
        return b"".join(pack_label(b"%d" % octet) for octet in reversed(address)) + _IN_ADDR
    digits = address.hex().encode()
    return b"".join(b"\x01%c" % digit for digit in reversed(digits)) + _IP6


def reverse_prefix(name: bytes) -> tuple[int, str] | None:
    """Read a folded reverse name back: address length in octets, and its leading hex digits.

    A whole address has all of its digits (8 or 32); a name on the way to one has fewer.
    None when no address can stand at or below the name: an octet that is not 0..255, one written
    with a leading zero, a label too many, another tree.
    """
    tree = closest(name, _TREES)
    if tree == _IN_ADDR:
        octets = list(labels(name[: -len(_IN_ADDR)]))
        if len(octets) > 4 or not all(_is_octet(octet) for octet in octets):
            return None
        return 4, "".join(f"{int(octet):02x}" for octet in reversed(octets))
    if tree == _IP6:
        nibbles = list(labels(name[: -len(_IP6)]))
        if len(nibbles) > 32 or not all(_is_nibble(nibble) for nibble in nibbles):
            return None
        return 16, b"".join(reversed(nibbles)).decode()
    return None


def is_reverse(zone: bytes) -> bool:
    """Tell whether a folded absolute name lies in one of the two reverse trees."""
    return closest(zone, _TREES) is not None


def reverse_zones(network: Network) -> list[bytes]:
    """Return the reverse zones that together cover a network, cut at octets or at nibbles.

    `10.96.0.0/12` is no single zone: sixteen `N.10.in-addr.arpa` cover it.
    """
    step, per_label, tree = (8, 2, _IN_ADDR) if network.version == 4 else (4, 1, _IP6)
    length = max(step, -(-network.prefixlen // step) * step)
    if network.prefixlen == 0:
        return [tree]
    found = []
    for subnet in network.subnets(new_prefix=length):
        digits = subnet.network_address.packed.hex()[: length // 4]
        parts = [digits[i : i + per_label] for i in range(0, len(digits), per_label)]
        texts = [str(int(part, 16)) for part in parts] if per_label == 2 else parts
        found.append(b"".join(pack_label(text.encode()) for text in reversed(texts)) + tree)
    return found


def pack_address(text: str) -> bytes | None:
    """Return 4 or 16 octets for the text of an address, None when it is none.

    An IPv6 address with a scope (`fe80::1%eth0`) is none: a record cannot hold it.
    """
    if not text.isascii():
        return None
    octets = text.split(".")
    if len(octets) == 4 and all(_is_octet(octet.encode()) for octet in octets):
        return bytes(map(int, octets))
    try:
        return None if "%" in text else ipaddress.IPv6Address(text).packed
    except ValueError:
        return None


def address_text(address: bytes) -> str:
    """Return the text of 4 or 16 packed octets, IPv6 as RFC 5952 writes it."""
    return str(ipaddress.ip_address(address))


def _is_octet(label: bytes) -> bool:
    return label in _OCTETS


def _is_nibble(label: bytes) -> bool:
    return len(label) == 1 and label in b"0123456789abcdef"


def _labels_from_text(text: str) -> Iterator[bytes]:
    label = bytearray()
    is_closed = False
    characters = iter(text)
    for character in characters:
        is_closed = character == "."
        if is_closed:
            yield bytes(label)
            label.clear()
        else:
            label += _escape(characters, text) if character == "\\" else _octets(character)
    if not is_closed:
        yield bytes(label)


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidNameError(
            f"{text[:80]!a} holds half a character, which has no octets"
        ) from error


def _escape(characters: Iterator[str], text: str) -> bytes:
    first = next(characters, "")
    if not first:
        raise InvalidNameError(f"the name {text[:80]!r} ends within an escape")
    if not first.isdigit():
        return _octets(first)
    digits = first + next(characters, "") + next(characters, "")
    if not (len(digits) == 3 and digits.isascii() and digits.isdigit() and int(digits) < 256):
        raise InvalidNameError(
            f"the name {text[:80]!r} has the escape \\{digits}, not \\000..\\255"
        )
    return bytes((int(digits),))


def _label_text(label: bytes) -> str:
    return "".join(
        chr(octet)
        if octet in _PLAIN
        else f"\\{chr(octet)}"
        if octet in b'.\\"();@$'
        else f"\\{octet:03d}"
        for octet in label
    )

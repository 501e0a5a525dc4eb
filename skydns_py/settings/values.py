"""Single values read from the words an operator writes: zones, addresses, durations, numbers.

Each function takes text and returns the value, or refuses with a sentence that can stand after
"Corefile:12: ".
This module never looks anything up: a host name is no address here, and a file is only a path.
"""

import ipaddress
import math
import re
from collections.abc import Sequence
from typing import Final

from skydns_py import names


class RefusedError(ValueError):
    """What was written cannot be meant; the place is added by whoever knows it."""


def zones(text: str) -> tuple[bytes, ...]:
    """Return the folded wire names of a zone, or the reverse zones of a network in CIDR form.

    Raises:
        RefusedError: the text is neither.
    """
    network = _network(text)
    if network is not None:
        return tuple(names.reverse_zones(network))
    # A slash may stand in a name (RFC 2317 does it), but not as the end of a network.
    if ":" in text or re.search(r"/[0-9]*$", text):
        raise RefusedError(
            f"`{_short(text)}` is neither a zone nor a network; write `example.org` or"
            " `10.96.0.0/12`",
        )
    if not text.isascii():
        raise RefusedError(f"the zone `{_short(text)}` is not ASCII; write it in its xn-- form")
    try:
        return (names.fold(names.from_text(text)),)
    except names.InvalidNameError as error:
        raise RefusedError(f"`{_short(text)}` is no zone: {error}") from error


def split_port(text: str) -> tuple[str, int | None]:
    """Split a port off the end of a zone or a network: `example.org:1053`, `10.0.0.0/24`.

    Raises:
        RefusedError: nothing or too large a number follows the last colon.
    """
    head, colon, tail = text.rpartition(":")
    if colon and not tail:
        raise RefusedError(f"a port is missing after the last colon of `{_short(text)}`")
    if not colon or not _is_digits(tail):
        return text, None
    return head, port(tail)


def address_and_port(text: str) -> tuple[str, int]:
    """Read `192.0.2.1:53`, `[2001:db8::1]:53` or `:53`; the address is "" for every address.

    `localhost` stands for 127.0.0.1, other host names are refused: an answer to "what is the
    address of this name" is what we are about to give, not to need.

    Raises:
        RefusedError: the text has another form.
    """
    host, colon, tail = text.rpartition(":")
    if not colon or not _is_digits(tail):
        raise RefusedError(f"`{_short(text)}` has no port; {_ADDRESS_FORMS}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise RefusedError(f"`{_short(text)}`: brackets are for IPv6; {_ADDRESS_FORMS}")
    elif ":" in host:
        raise RefusedError(f"`{_short(text)}`: an IPv6 address needs brackets; {_ADDRESS_FORMS}")
    if host and host != "localhost" and not is_address(host):
        raise RefusedError(f"`{_short(host)}` is no IP address; {_ADDRESS_FORMS}")
    return "127.0.0.1" if host == "localhost" else host, port(tail)


def is_address(text: str) -> bool:
    """Tell whether the text is an IPv4 or IPv6 address, the latter with or without a scope."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def port(text: str) -> int:
    """Return a port of 0..65535.

    Raises:
        RefusedError: the text is no such number.
    """
    if not _is_digits(text) or len(text) > 5 or int(text) > 65535:
        raise RefusedError(f"`{_short(text)}` is no port; ports are 0 to 65535")
    return int(text)


def whole_number(text: str, least: int, most: int) -> int:
    """Return a whole number of a range.

    Raises:
        RefusedError: the text is no such number.
    """
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text) and least <= int(text) <= most:
        return int(text)
    bounds = f"from {least} to {most}" if most < UNLIMITED else f"of at least {least}"
    raise RefusedError(f"`{_short(text)}` is not a whole number {bounds}")


def rate(text: str) -> float:
    """Return a number that is not negative.

    Raises:
        RefusedError: the text is no such number.
    """
    if re.fullmatch(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise RefusedError(f"`{_short(text)}` is not a number of at least 0")


def seconds(text: str) -> float:
    """Return the seconds of a Go duration such as `5s`, `1m30s` or `250ms`.

    Source: the format of Go's time.ParseDuration, which Corefiles are written in.

    Raises:
        RefusedError: the text is no duration, or a negative one, or beyond 290 years.
    """
    if text == "0":
        return 0.0
    if _is_digits(text):
        raise RefusedError(f"`{_short(text)}` has no unit; write for example `{_short(text)}s`")
    if not re.fullmatch(rf"\+?(?:{_DURATION})+", text):
        raise RefusedError(f"`{_short(text)}` is no duration; write for example `5s` or `1m30s`")
    found = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_DURATION, text))
    if found > _LONGEST:
        raise RefusedError(f"the duration `{_short(text)}` is too long")
    return found


def one_of(text: str, words: Sequence[str]) -> str:
    """Return the text when it is one of the words.

    Raises:
        RefusedError: it is none of them.
    """
    if text not in words:
        raise RefusedError(f"`{_short(text)}` is not one of: {', '.join(words)}")
    return text


def _network(text: str) -> names.Network | None:
    bare = re.sub(r"^\[(.*)\](/[0-9]+)$", r"\1\2", text)
    # Without a prefix length an address is taken for a name, as CoreDNS takes it.
    if not re.fullmatch(r"[^/]+/[0-9]{1,3}", bare):
        return None
    try:
        return ipaddress.ip_network(bare, strict=False)
    except ValueError:
        return None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


UNLIMITED: Final = 2**63 - 1
"""The most a whole number may be when nothing else limits it: Go's int."""

_LONGEST: Final = (2**63 - 1) / 1e9  # Go counts nanoseconds in 64 bits
_ADDRESS_FORMS: Final = "write `192.0.2.1:53`, `[2001:db8::1]:53` or `:53`"
_DURATION: Final = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}

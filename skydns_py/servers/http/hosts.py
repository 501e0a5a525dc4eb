"""Which names an HTTP request may call this server by.

A page of a stranger can make a browser ask us under the stranger's own name, once that name points
to our address (DNS rebinding, CWE-350); the Host field then tells on it.
So names are accepted only where no stranger decides what they point to.
This module never resolves a name.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

_HOST_FIELD: Final = re.compile(r"(\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]\s]*))(:[0-9]*)?")


def host_of(field: str) -> str:
    """Return the host of a Host field in lower case, without port, brackets and closing dot.

    Returns "" for a field that is malformed (RFC 9110 section 7.2).
    """
    if _is_address(field):
        # As aiohttp tells the host of an absolute target.
        return field
    match = _HOST_FIELD.fullmatch(field.strip())
    if not match:
        return ""
    address, name = match["address"], match["name"]
    if address is not None:
        return address.lower() if _is_address(address) else ""
    return name.lower().removesuffix(".")


def is_trusted(host: str, names: Iterable[str]) -> bool:
    """Tell whether a stranger cannot have made up `host`, as `host_of` returns it.

    That holds for addresses, for localhost (RFC 6761 section 6.3), for names ending in `.svc`,
    which no public zone has, and for `names`: a name, or `*.example.org` for all below it.
    """
    if _is_address(host) or f".{host}".endswith((".localhost", ".svc")):
        return True
    return any(_matches(host, name.lower().removesuffix(".")) for name in names)


def _matches(host: str, name: str) -> bool:
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

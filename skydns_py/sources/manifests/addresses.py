"""Addresses for what a manifest leaves without one: the same name gets the same address again.

An address is found by hashing the owner's name into the range and probing onwards while it is
taken, so that it outlives restarts, is alike on every machine, and stays when others come or go
(unless two names hash to the same place: then the later in order moves on).
This module never hands out an address twice.
"""

import hashlib
from ipaddress import IPv4Network, IPv6Network, ip_address

from skydns_py.errors import SettingsError

Network = IPv4Network | IPv6Network


class AddressRange:
    """A network and the addresses in it that are taken; `skip` lowest ones are never chosen."""

    def __init__(self, network: Network, skip: int) -> None:
        self._network = network
        # The highest address of an IPv4 network is its broadcast, the lowest its own name.
        self._first = skip if skip < network.num_addresses - 1 else 1
        self._span = network.num_addresses - self._first - 1
        self._taken: set[int] = set()

    def take(self, address: str) -> None:
        """Keep an address from being chosen; one outside the network changes nothing."""
        found = ip_address(address)
        if found in self._network:
            self._taken.add(int(found) - int(self._network.network_address))

    def choose(self, owner: str) -> str:
        """Return a free address for `owner`, which is taken from now on.

        Raises:
            SettingsError: the range is full.
        """
        start = digest(owner)
        for step in range(self._span):
            offset = self._first + (start + step) % self._span
            if offset not in self._taken:
                self._taken.add(offset)
                return str(self._network[offset])
        raise SettingsError(
            f"no address is free in {self._network} for {owner}; choose a wider range",
        )


def static_band(network: Network) -> int:
    """Return how many low addresses of a service range are left to those who choose their own.

    The API server allocates above this band while it can (KEP-3070), so that a fixed address such
    as the tenth, for DNS, is not given away.
    """
    return min(max(16, network.num_addresses // 16), 256)


def digest(text: str) -> int:
    """Return 64 bits that are the same for the same text on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def suffix(owner: str, position: int, length: int) -> str:
    """Return the ending of a generated name, different for each `position` of one owner.

    Random-looking but a permutation: the alphabet has 27 letters and the step is no multiple of 3.
    """
    number = digest(owner) + position * _STEP
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


# No vowels and nothing that looks like another letter: no generated name spells a word.
# Kubernetes chooses from the same (apimachinery, util/rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_STEP = 7_368_787

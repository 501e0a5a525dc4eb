"""Finished replies, kept under the packets they answer until a Delta touches what they hang on.

Two ways lead to a reply: the exact packet but for its id (`hits`: one dictionary lookup, which a
server may do itself before anything else), and the meaning of the question, its letters folded and
its options left out (`recall`), for spellings and cookies that never come twice.
Nothing is kept by time: a reply is right until `forget` says otherwise.
The serial of its SOA, which every change moves, is written when the reply is next wanted.

A reply is kept when it is asked for the second time: a flood of random names never is.
And there are two shelves, so that denials cannot push out replies about names that exist.
How often each was given is counted by the iterator that gives it, which costs nothing more.
This module never looks anything up, packs nothing and reads no clock.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from operator import length_hint
from typing import Any, Final

import msgspec

from skydns_py.answers.query import Query
from skydns_py.records import Type

Kept = bytes | Iterator[bytes]
"""A reply without its id; or something that yields one each time, where addresses take turns or a
serial has to be the table's own."""

Meaning = tuple[bytes, int, int, int]
"""Folded name, type, octets that may be sent, and the OPT: 0 none, 1 one, 2 one with DO."""

Key = bytes | Meaning

MAX_ENTRIES: Final = 32_768
"""Replies on one shelf."""

MAX_OCTETS: Final = 12 * 2**20
"""Octets on one shelf: replies with all their turns, and what it takes to keep them."""

KEEPING: Final = 900
"""Octets that it takes to keep a reply: the packet, its places in six tables, two iterators."""

TURNING: Final = 100
"""Octets that each further turn, and each record to make it from, takes besides its reply."""

MAX_ASKED_ONCE: Final = 65_536
"""Questions that are remembered, by their hash, as asked once; then all of them are forgotten."""

MAX_TURNS: Final = 128
"""Replies that are kept for one question whose addresses rotate."""

REFRESHED: Final = 16
"""Turns of a rotation that are made anew in each round, where there are more than are kept."""

_OPT: Final = 11
"""Octets of the OPT at the end of a kept reply."""

_SOA_NUMBERS: Final = 20
"""Octets from the serial to the end of a SOA record (RFC 1035 section 3.3.13)."""


MANY: Final = sys.maxsize
"""Times that a reply can be given: an iterator counts them down."""

Given = Callable[[bytes, int, int, int], None]
"""Told of replies that were given: the packet but for its id, the code, octets, and how often."""


class Facts(msgspec.Struct, frozen=True):
    """What a reply is, for whoever keeps it.

    `keys` are what it hangs on; `denies` tells that it says no; `serial` gives that of the SOA at
    its end, None when there is no SOA.
    `pack` packs it for a query and a turn; `turns` is how many there are (1: it does not rotate).
    """

    keys: tuple[bytes, ...]
    denies: bool
    serial: Callable[[], int] | None
    pack: Callable[[Query, int], bytes]
    turns: int = 1

    @property
    def octets(self) -> int:
        """About what it takes to keep the reply, the octets of its turns left out."""
        return KEEPING + 8 * len(self.keys) + 2 * TURNING * self.turns * (self.turns > 1)


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """What has to be undone when a kept reply goes."""

    keys: tuple[bytes, ...]
    octets: int
    denies: bool


class _Counter(msgspec.Struct, gc=False):
    """How often a reply may still be given, and how often it was when that was last told.

    Of a rotation, whose replies differ in size only where they are cut, `size` is that of one.
    """

    left: "repeat[Any]"  # generic for the type checker only
    rcode: int
    size: int
    told: int = 0


class Memo:
    """The kept replies of one transport; `shuffle` puts a list into a random order in place.

    `given` is told what was given out of `hits`: of all when `tell` is called, and of a reply that
    is dropped.
    """

    def __init__(
        self,
        shuffle: Callable[[list[Any]], None],
        *,
        max_entries: int = MAX_ENTRIES,
        max_octets: int = MAX_OCTETS,
    ) -> None:
        self.hits: dict[bytes, Iterator[bytes]] = {}
        self.given: Given | None = None
        self._counters: dict[bytes, _Counter] = {}
        self._meanings: dict[Meaning, Kept] = {}
        self._shuffle = shuffle
        self._max = (max_entries, max_octets)
        self._shelves: dict[bool, dict[Key, _Entry]] = {False: {}, True: {}}
        self._octets = {False: 0, True: 0}
        self._by_key: dict[bytes, set[Key]] = {}
        self._asked_once: set[int] = set()

    def recall(self, query: Query, limit: int, packet: bytes) -> bytes | None:
        """Return the reply to what a query means, None when none is kept.

        A plain packet is found by `hits` from then on.
        """
        if query.type == Type.SRV and query.asked != query.name:
            return None  # SRV targets spell the zone as it was asked (see wire.py)
        meaning = _meaning(query, limit)
        kept = self._meanings.get(meaning)
        if kept is None:
            return None
        reply = _spelled(query, kept if isinstance(kept, bytes) else next(kept))
        if isinstance(kept, bytes) and _is_plain(query, packet):
            shelf = next(shelf for shelf in self._shelves.values() if meaning in shelf)
            self._put(packet[2:], reply[2:], shelf[meaning], reply)
        return reply

    def keep(self, packet: bytes, query: Query, limit: int, reply: bytes, facts: Facts) -> None:
        """Keep the reply to a packet, if the same was asked before.

        A truncated one depends on the query's size: it is kept for that very packet alone.
        """
        meaning = _meaning(query, limit)
        if not self._asked_before(hash(meaning)):
            return
        octets = facts.octets + len(reply) * min(facts.turns, MAX_TURNS)
        entry = _Entry(facts.keys, octets, facts.denies)
        if _is_plain(query, packet):
            self._put(packet[2:], self._kept(query, reply, facts), entry, reply)
        if not _is_cut(reply) and not (query.type == Type.SRV and query.asked != query.name):
            bare = _bare(query, limit)
            # Compression sees spelling: what is kept is as small letters would have got it.
            anew = facts.pack(bare, 0) if query.asked != query.name else _unflagged(query, reply)
            self._put(meaning, self._kept(bare, anew, facts), entry, anew)

    def forget(self, keys: Iterable[bytes]) -> None:
        """Drop every reply that hangs on one of `keys`."""
        for key in keys:
            for kept in tuple(self._by_key.get(key, ())):
                self._drop(kept)

    def tell(self) -> None:
        """Tell `given` how often each reply was given since that was last told."""
        for packet, counter in self._counters.items():
            if MANY - length_hint(counter.left) != counter.told:
                self._tell(packet, counter)

    def _tell(self, packet: bytes, counter: _Counter) -> None:
        times = MANY - length_hint(counter.left)
        if self.given is not None and times != counter.told:
            self.given(packet, counter.rcode, counter.size, times - counter.told)
        counter.told = times

    def _asked_before(self, asked: int) -> bool:
        if asked in self._asked_once:
            return True
        if len(self._asked_once) >= MAX_ASKED_ONCE:
            self._asked_once.clear()
        self._asked_once.add(asked)
        return False

    def _put(self, key: Key, kept: Kept, entry: _Entry, reply: bytes) -> None:
        self._drop(key)
        if isinstance(key, bytes):
            left: repeat[Any] = repeat(kept, MANY)
            self._counters[key] = _Counter(left, reply[3] & 0x0F, len(reply))
            self.hits[key] = left if isinstance(kept, bytes) else map(next, left)
        else:
            self._meanings[key] = kept
        shelf = self._shelves[entry.denies]
        shelf[key] = entry
        self._octets[entry.denies] += entry.octets
        for each in entry.keys:
            self._by_key.setdefault(each, set()).add(key)
        entries, octets = self._max
        while len(shelf) > entries or (self._octets[entry.denies] > octets and len(shelf) > 1):
            self._drop(next(iter(shelf)))

    def _drop(self, key: Key) -> None:
        for shelf in self._shelves.values():
            entry = shelf.pop(key, None)
            if entry is None:
                continue
            self._octets[entry.denies] -= entry.octets
            if isinstance(key, bytes):
                del self.hits[key]
                self._tell(key, self._counters.pop(key))
            else:
                del self._meanings[key]
            for each in set(entry.keys):
                _discard(self._by_key, each, key)

    def _kept(self, query: Query, reply: bytes, facts: Facts) -> Kept:
        """Return a reply in the form in which it is kept."""
        if facts.turns > 1:
            return self._turns(query, facts)
        if facts.serial is not None and not _is_cut(reply):
            return _with_serial(reply[2:], facts.serial, _OPT * (query.edns is not None))
        return reply[2:]

    def _turns(self, query: Query, facts: Facts) -> Iterator[bytes]:
        """Yield replies in turn, each packed when it is first due, in a new order each round.

        Where there are more turns than are kept, some of the kept ones make room in each round, so
        that every turn comes as often as any other.
        """
        order = list(range(facts.turns))
        self._shuffle(order)
        waiting = deque(order)
        made: deque[bytes] = deque(maxlen=MAX_TURNS)
        while len(made) < min(facts.turns, MAX_TURNS):
            made.append(self._next_turn(query, facts, waiting))
            yield made[-1]
        while True:
            if facts.turns > MAX_TURNS:
                made.extend(self._next_turn(query, facts, waiting) for _ in range(REFRESHED))
            replies = list(made)
            self._shuffle(replies)
            yield from replies

    @staticmethod
    def _next_turn(query: Query, facts: Facts, waiting: deque[int]) -> bytes:
        waiting.rotate(-1)
        return facts.pack(query, waiting[-1])[2:]


def _is_cut(reply: bytes) -> bool:
    return bool(reply[2] & 0x02)


def _meaning(query: Query, limit: int) -> Meaning:
    return query.name, query.type, limit, _opt_kind(query)


def _opt_kind(query: Query) -> int:
    return 0 if query.edns is None else 1 + query.edns.dnssec_ok


def _is_plain(query: Query, packet: bytes) -> bool:
    """Tell whether a packet is one of few for its question: small letters, no options."""
    options = _OPT if query.edns else 0
    return query.asked == query.name and len(packet) == 12 + len(query.asked) + 4 + options


def _bare(query: Query, limit: int) -> Query:
    """Return the query that a meaning stands for, as large as can be: nothing is cut for it."""
    return msgspec.structs.replace(query, asked=query.name, flags=0, size=limit)


def _unflagged(query: Query, reply: bytes) -> bytes:
    """Return a reply without the flags it repeats from its query."""
    flags = int.from_bytes(reply[2:4], "big") & ~query.flags
    return reply[:2] + flags.to_bytes(2, "big") + reply[4:]


def _with_serial(kept: bytes, serial: Callable[[], int], behind: int) -> Iterator[bytes]:
    """Yield a reply that ends with a SOA, `behind` octets after it, always with today's serial."""
    at = len(kept) - _SOA_NUMBERS - behind
    written = -1
    while True:
        number = serial()
        if number != written:
            kept = kept[:at] + (number % 2**32).to_bytes(4, "big") + kept[at + 4 :]
            written = number
        yield kept


def _spelled(query: Query, kept: bytes) -> bytes:
    """Return a kept reply with a query's id, flags and spelling."""
    flags = int.from_bytes(kept[:2], "big") | query.flags
    end = 10 + len(query.asked)
    return query.id + flags.to_bytes(2, "big") + kept[2:10] + query.asked + kept[end:]


def _discard(sets: dict[Any, set[Key]], name: Any, key: Key) -> None:
    found = sets.get(name)
    if found is not None:
        found.discard(key)
        if not found:
            del sets[name]

"""Replies of upstreams, for as long as they said: RFC 2308 for denials, RFC 9520 for failures.

Whole replies are kept under the question they answer, and no record is ever taken out of one: what
an upstream says besides can answer nobody else (RFC 2181 section 5.4.1).
What has expired may still be used while nothing better is to be had (RFC 8767).
This module waits for nothing; the time is handed in with each call, in seconds of any one clock.
"""

import math
from typing import Final

import msgspec

from skydns_py import names
from skydns_py.answers.query import Rcode
from skydns_py.settings.upstream_shapes import CacheSettings, Keep
from skydns_py.upstream.question import Question
from skydns_py.upstream.relay import EDE_STALE, TC, Kept, aged, at_least, capped
from skydns_py.upstream.reply import Reply
from skydns_py.upstream.shelf import Shelf

MAX_SUCCESS_OCTETS: Final = 16 * 2**20
MAX_DENIAL_OCTETS: Final = 8 * 2**20
MAX_FAILURE_OCTETS: Final = 2**20
"""Memory of each kind, whatever the capacity says: replies may be 64 KiB long."""

MAX_FAILURES: Final = 4096

SILENCE: Final = 1.0
"""Seconds for which the lack of any reply is remembered: the least of RFC 9520 section 3.2.

So an upstream which is back is asked again at once.
"""

STALE_TTL: Final = 30
"""Seconds that an expired reply is given out for, at most (RFC 8767 section 4)."""


class Found(msgspec.Struct, frozen=True):
    """What is remembered: the reply as of now, the extended error that belongs to it, and more.

    `is_stale` says that it has expired, `refresh` that it should be asked for again now.
    """

    reply: Kept
    ede: int = 0
    is_stale: bool = False
    refresh: bool = False


class _Entry:
    """A kept reply, and how often it was asked for lately."""

    __slots__ = ("hits", "last", "refreshing", "reply", "since", "ttl")

    def __init__(self, reply: Kept, now: float, ttl: int) -> None:
        self.reply = reply
        self.since = now
        self.ttl = ttl
        self.hits = 0
        self.last = now
        self.refreshing = False


class _Failure(msgspec.Struct, frozen=True, gc=False):
    """That a question could not be answered, until when, and why (an extended error's code)."""

    until: float
    reply: Kept
    ede: int


class Cache:
    """The replies that one `cache` remembers."""

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._zones = frozenset(settings.zones)
        self._disabled = {
            False: frozenset(settings.no_success),
            True: frozenset(settings.no_denial),
        }
        self._success: Shelf[Question, _Entry] = Shelf(
            settings.success.capacity, MAX_SUCCESS_OCTETS
        )
        self._denial: Shelf[Question, _Entry] = Shelf(settings.denial.capacity, MAX_DENIAL_OCTETS)
        self._failures: Shelf[Question, _Failure] = Shelf(MAX_FAILURES, MAX_FAILURE_OCTETS)

    def __len__(self) -> int:
        return len(self._success) + len(self._denial) + len(self._failures)

    @property
    def octets(self) -> int:
        """About how much memory the replies take."""
        return self._success.octets + self._denial.octets + self._failures.octets

    def find(self, question: Question, now: float) -> Found | None:
        """Return what is remembered for a question: good, else failed just now, else expired."""
        entry = self._entry(question)
        left = 0.0 if entry is None else entry.since + entry.ttl - now
        if entry is not None and left > 0:
            return Found(self._shown(entry, now), refresh=self._is_popular(entry, left, now))
        stale = self.stale(question, now)
        failure = self._failures.get(question)
        if failure is not None and failure.until > now:
            return stale or Found(failure.reply, failure.ede)
        if stale is None or entry is None or self._settings.stale_mode == "verify":
            return None
        refresh, entry.refreshing = not entry.refreshing, True
        return msgspec.structs.replace(stale, refresh=refresh)

    def stale(self, question: Question, now: float) -> Found | None:
        """Return an expired reply that may still be used where the upstream failed."""
        entry = self._success.peek(question) or self._denial.peek(question)
        if entry is None or now >= entry.since + entry.ttl + self._settings.stale:
            return None
        shown = capped(entry.reply, STALE_TTL)
        return Found(shown, EDE_STALE, is_stale=True)

    def keep(self, question: Question, reply: Reply, kept: Kept, now: float) -> Kept:
        """Remember a reply if it may be, and return it as it is to be given out.

        `kept` is the same reply as `relay.strip` made it; TTLs above what it is kept for are cut.
        """
        if reply.rcode == Rcode.SERVFAIL:
            self._note(question, kept, now + self._settings.servfail, 0)
            return kept
        limits = self._settings.denial if reply.denies else self._settings.success
        ttl = self._time(question, reply, limits)
        if ttl is None:
            return kept
        given = capped(at_least(kept, limits.min_ttl), limits.max_ttl)
        if reply.denies:
            given = capped(given, ttl)  # RFC 2308 section 3: the SOA's TTL is how long it holds
        shelves = (self._denial, self._success)
        shelf, other = shelves if reply.denies else reversed(shelves)
        shelf.put(question, _Entry(given, now, ttl), given.octets + len(question.name))
        for former in (other, self._failures):
            former.drop(question)
        return given

    def fail(self, question: Question, reply: Kept, ede: int, now: float) -> None:
        """Remember that no reply came at all; it is not asked for again at once."""
        self._note(question, reply, now + min(SILENCE, self._settings.servfail), ede)

    def refreshed(self, question: Question) -> None:
        """Note that a refresh is over, whatever came of it; the next may be wanted."""
        entry = self._success.peek(question) or self._denial.peek(question)
        if entry is not None:
            entry.refreshing = False

    def _entry(self, question: Question) -> _Entry | None:
        return self._success.get(question) or self._denial.get(question)

    def _time(self, question: Question, reply: Reply, limits: Keep) -> int | None:
        """Return the seconds to keep a reply for, None when it is not to be kept at all."""
        if reply.rcode not in {Rcode.NOERROR, Rcode.NXDOMAIN} or reply.flags & TC:
            return None
        if names.closest(question.name, self._zones) is None or self._is_disabled(question, reply):
            return None
        ttl = reply.least
        if reply.denies:
            # RFC 2308 section 5: without SOA it must not be kept; with, for the least of both.
            ttl = None if reply.denial_ttl is None else min(reply.denial_ttl, reply.least or 0)
        if not ttl:
            return None
        return max(min(ttl, limits.max_ttl), min(limits.min_ttl, limits.max_ttl))

    def _is_disabled(self, question: Question, reply: Reply) -> bool:
        return names.closest(question.name, self._disabled[reply.denies]) is not None

    def _shown(self, entry: _Entry, now: float) -> Kept:
        return entry.reply if self._settings.keep_ttl else aged(entry.reply, int(now - entry.since))

    def _is_popular(self, entry: _Entry, left: float, now: float) -> bool:
        """Count one more question, and tell whether to refresh now; once, until that is over."""
        if not self._settings.prefetch:
            return False
        entry.hits = entry.hits + 1 if now - entry.last < self._settings.prefetch_pause else 1
        entry.last = now
        wanted = (
            not entry.refreshing
            and entry.hits >= self._settings.prefetch
            # Rounded up: what lives for some seconds only has a last part too.
            and left <= math.ceil(entry.ttl * self._settings.prefetch_share)
        )
        entry.refreshing = entry.refreshing or wanted
        return wanted

    def _note(self, question: Question, reply: Kept, until: float, ede: int) -> None:
        """Remember a failure beside what expired: that may be used while the failure lasts."""
        if self._settings.servfail > 0:
            self._failures.put(question, _Failure(until, reply, ede), reply.octets)

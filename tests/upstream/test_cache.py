"""How long replies are remembered, and what is said of them meanwhile; the time is a number."""

import dns.flags
import pytest

from skydns_py import names
from skydns_py.settings.upstream_shapes import CacheSettings, Keep
from skydns_py.upstream.cache import Cache
from skydns_py.upstream.question import Question
from skydns_py.upstream.relay import EDE_STALE, Kept, strip
from skydns_py.upstream.reply import Reply
from tests.upstream.messages import SOA, ask, made

GOOD = made("www.example.org. 300 IN A 192.0.2.80\nwww.example.org. 100 IN A 192.0.2.81")
NOTHING = made(authority=SOA)
UNKNOWN = made(authority=SOA, rcode="NXDOMAIN")
SERVFAIL = made(rcode="SERVFAIL")
STALE = CacheSettings(stale=3600)


def keep(cache: Cache, reply: Reply, now: float = 0, question: Question | None = None) -> Kept:
    return cache.keep(question or ask(), reply, strip(reply), now)


def ttls(kept: Kept) -> list[int]:
    return [ttl for _, ttl in kept.ttls]


def life(cache: Cache, question: Question | None = None) -> int:
    """Return the seconds until nothing is found any more."""
    return next(now for now in range(100_000) if cache.find(question or ask(), now) is None)


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (GOOD, 100),
        (NOTHING, 60),
        (UNKNOWN, 60),
        (made("www.example.org. 7 IN CNAME web.example.org.", authority=SOA), 7),
        (made(authority=SOA.replace("300 IN", "20 IN"), rcode="NXDOMAIN"), 20),
        (made("www.example.org. 86400 IN A 192.0.2.80"), 3600),
        (made(authority=SOA.replace(" 60", " 86400").replace("300", "86400")), 1800),
        (made("www.example.org. 2 IN A 192.0.2.80"), 2),
        (SERVFAIL, 5),
        (made("www.example.org. 0 IN A 192.0.2.80"), 0),
        (made(rcode="NXDOMAIN"), 0),
        (made(authority="example.org. 300 IN NS ns.example.org."), 0),
        (made(rcode="REFUSED"), 0),
        (made(rcode="FORMERR"), 0),
        (made("www.example.org. 300 IN A 192.0.2.80", flags=dns.flags.TC), 0),
    ],
)
def test_times(reply, seconds):
    """A reply is remembered for its smallest TTL, a denial for that of its SOA (RFC 2308)."""
    cache = Cache(CacheSettings())
    keep(cache, reply)

    assert seconds == life(cache)


def test_limits():
    """A longest time cuts what is told from the first reply on; a shortest time lengthens it."""
    keeping = Keep(max_ttl=30, min_ttl=20)
    cache = Cache(CacheSettings(success=keeping, denial=keeping))

    assert [30, 30] == ttls(keep(cache, GOOD))
    assert 30 == life(cache)
    assert [20] == ttls(keep(cache, made("www.example.org. 3 IN A 192.0.2.80")))
    assert 20 == life(cache)
    assert [0] == ttls(keep(cache, made("www.example.org. 0 IN A 192.0.2.80")))


def test_counted_down():
    """Every TTL counts down by itself, and a denial's SOA from the time it holds."""
    cache = Cache(CacheSettings())
    keep(cache, GOOD)
    found = cache.find(ask(), 99.9)
    assert found is not None
    assert [201, 1] == ttls(found.reply)

    assert [60] == ttls(keep(cache, UNKNOWN))
    found = cache.find(ask(), 10)
    assert found is not None
    assert (3, [50]) == (found.reply.rcode, ttls(found.reply))


def test_keep_ttl():
    """With `keepttl` TTLs are shown as they came, and hold no longer for that."""
    cache = Cache(CacheSettings(keep_ttl=True))
    keep(cache, GOOD)
    found = cache.find(ask(), 99)

    assert found is not None
    assert [300, 100] == ttls(found.reply)
    assert 100 == life(cache)


def test_each_question_for_itself():
    """Type, DO, CD and RD change the reply, so none is found for another question."""
    cache = Cache(CacheSettings())
    keep(cache, GOOD)
    name = ask().name
    others = [
        Question(name, 28),
        Question(name, 1, 0x0110),
        Question(name, 1, 0),
        Question(name, 1, dnssec_ok=True),
        ask("ftp.example.org"),
    ]

    assert [None] * 5 == [cache.find(other, 1) for other in others]


def test_nothing_foreign_is_remembered():
    """What a reply says of other names answers nobody who asks for those."""
    cache = Cache(CacheSettings())
    lie = made(
        "www.example.org. 300 IN A 192.0.2.80",
        authority="example.net. 300 IN NS ns.example.net.",
        additional="ns.example.net. 300 IN A 203.0.113.66\nwww.example.net. 300 IN A 203.0.113.66",
    )
    keep(cache, lie)

    foreign = [ask("www.example.net"), ask("ns.example.net"), ask("example.net", 2)]
    assert [None] * 3 == [cache.find(question, 1) for question in foreign]
    assert 1 == len(cache)


def test_zones():
    """Only names in the zones of `cache` are remembered, and not those of `disable`."""
    org, www = names.from_text("example.org"), names.from_text("www.example.org")
    elsewhere = Cache(CacheSettings(zones=(names.from_text("example.net"),)))
    without = Cache(CacheSettings(zones=(org,), no_success=(www,), no_denial=(names.ROOT,)))
    for cache in (elsewhere, without):
        keep(cache, GOOD)
        keep(cache, UNKNOWN, question=ask("ftp.example.org"))
    keep(without, GOOD, question=ask("mail.example.org"))

    assert (0, 1) == (len(elsewhere), len(without))


def test_silence():
    """That no reply came is remembered for a second only, with its reason."""
    cache = Cache(CacheSettings())
    cache.fail(ask(), strip(SERVFAIL), 22, 0)
    found = cache.find(ask(), 0.9)

    assert found is not None
    assert (2, 22) == (found.reply.rcode, found.ede)
    assert cache.find(ask(), 1) is None


def test_servfail_off():
    """With `servfail 0` no failure is remembered."""
    cache = Cache(CacheSettings(servfail=0))
    keep(cache, SERVFAIL)
    cache.fail(ask(), strip(SERVFAIL), 22, 0)

    assert cache.find(ask(), 0) is None


def test_failure_hides_nothing_good():
    """A failure does not take the place of a reply that still holds, and a reply ends a failure."""
    cache = Cache(CacheSettings())
    keep(cache, GOOD)
    keep(cache, SERVFAIL, 1)
    found = cache.find(ask(), 2)
    assert found is not None
    assert 0 == found.reply.rcode

    keep(cache, UNKNOWN, 3)
    found = cache.find(ask(), 4)
    assert found is not None
    assert (3, 1) == (found.reply.rcode, len(cache))


def test_stale_at_once():
    """An expired reply is given at once with a short TTL, and one refresh is wanted at a time."""
    cache = Cache(STALE)
    keep(cache, GOOD)
    first, second = cache.find(ask(), 100), cache.find(ask(), 101)

    assert first is not None
    assert second is not None
    assert ([30, 30], EDE_STALE) == (ttls(first.reply), first.ede)
    assert [True, False] == [first.refresh, second.refresh]
    cache.refreshed(ask())
    third = cache.find(ask(), 102)
    assert third is not None
    assert third.refresh
    assert cache.find(ask(), 3700) is None


def test_stale_while_failing():
    """While a failure is remembered the expired reply is given, and nothing is asked."""
    for mode in ("immediate", "verify"):
        cache = Cache(CacheSettings(stale=3600, stale_mode=mode))
        keep(cache, GOOD)
        keep(cache, SERVFAIL, 100)
        found = cache.find(ask(), 101)

        assert found is not None
        assert (True, False, 0) == (found.is_stale, found.refresh, found.reply.rcode)


def test_stale_after_verifying():
    """With `verify` an expired reply is none until the upstream has failed."""
    cache = Cache(CacheSettings(stale=3600, stale_mode="verify"))
    keep(cache, GOOD)

    assert cache.find(ask(), 100) is None
    assert cache.stale(ask(), 100) is not None


def test_prefetch():
    """What is asked often is refreshed once, when little of its time is left."""
    cache = Cache(CacheSettings(prefetch=3, prefetch_pause=10))
    keep(cache, GOOD)
    wanted = [
        (now, found.refresh)
        for now in (1, 50, 85, 89, 90.5, 91, 92)
        if (found := cache.find(ask(), now)) is not None
    ]

    assert [90.5] == [now for now, refresh in wanted if refresh]


def test_prefetch_of_what_lives_for_seconds():
    """The last part is a second at least, so that a short TTL has one."""
    cache = Cache(CacheSettings(prefetch=1))
    keep(cache, made("www.example.org. 5 IN A 192.0.2.1"))
    wanted = [
        now
        for now in (1, 3.5, 4)
        if (found := cache.find(ask(), now)) is not None and found.refresh
    ]

    assert [4] == wanted


def test_flood():
    """A flood of random names stays in bounds and pushes out nothing that is asked often."""
    cache = Cache(CacheSettings())
    keep(cache, GOOD)
    keep(cache, UNKNOWN, question=ask("no.example.org"))
    for question in (ask(), ask("no.example.org")):
        cache.find(question, 1)
    for number in range(30_000):
        keep(cache, UNKNOWN, 1, ask(f"r{number}.example.org"))
        keep(cache, GOOD, 1, ask(f"w{number}.example.org"))

    assert cache.find(ask(), 2) is not None
    assert cache.find(ask("no.example.org"), 2) is not None
    assert 2 * 9984 == len(cache)
    assert cache.octets < 30 * 2**20

"""The directive `cache`: what is kept, how many and how long, and what is refused."""

from pathlib import Path

import msgspec
import pytest

from skydns_py import corefile, names
from skydns_py.corefile.cache import _OPTIONS
from skydns_py.settings import CacheSettings, InvalidSettingsError, Keep

PAGE = Path(corefile.__file__).with_name("README.md")


def cache(*lines: str, zone: str = ".") -> CacheSettings:
    """Return what `cache` on line 2 of a block of `zone` leads to."""
    text = "\n".join((f"{zone} {{", *lines, "forward . 192.0.2.1", "}"))
    (block,) = corefile.parse(text).blocks
    assert block.cache is not None
    return block.cache


def refusal(*lines: str) -> str:
    with pytest.raises(InvalidSettingsError) as caught:
        cache(*lines)
    return str(caught.value)


ORG = names.from_text("example.org")
NET = names.from_text("example.net")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", CacheSettings()),
        ("30", CacheSettings(success=Keep(max_ttl=30), denial=Keep(max_ttl=30))),
        ("Example.ORG example.net", CacheSettings(zones=(ORG, NET))),
        (
            "30 example.org",
            CacheSettings(zones=(ORG,), success=Keep(max_ttl=30), denial=Keep(max_ttl=30)),
        ),
        ("192.0.2.0/24", CacheSettings(zones=(names.from_text("2.0.192.in-addr.arpa"),))),
    ],
)
def test_a_ttl_and_zones_may_follow(words, expected):
    """A number that stands first is the longest TTL of both kinds, what follows are zones."""
    assert expected == cache(f"cache {words}")


def test_without_zones_those_of_the_server_block_are_kept():
    """The names of the server block are meant where `cache` names none."""
    assert (ORG,) == cache("cache 30", zone="example.org").zones


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("success 5000", {"success": Keep(5000, 3600)}),
        ("success 5000 300", {"success": Keep(5000, 300)}),
        ("success 5000 300 5", {"success": Keep(5000, 300, 5)}),
        ("denial 2500", {"denial": Keep(2500, 1800)}),
        ("denial 2500 60 0", {"denial": Keep(2500, 60, 0)}),
        ("prefetch 10", {"prefetch": 10}),
        ("prefetch 10 2m", {"prefetch": 10, "prefetch_pause": 120.0}),
        ("prefetch 10 2m 20%", {"prefetch": 10, "prefetch_pause": 120.0, "prefetch_share": 0.2}),
        ("serve_stale", {"stale": 3600.0}),
        ("serve_stale 5m", {"stale": 300.0}),
        ("serve_stale 5m immediate", {"stale": 300.0, "stale_mode": "immediate"}),
        ("serve_stale 5m VERIFY", {"stale": 300.0, "stale_mode": "verify"}),
        ("servfail 0", {"servfail": 0.0}),
        ("servfail 5m", {"servfail": 300.0}),
        ("disable success", {"no_success": (names.ROOT,)}),
        ("disable denial Example.ORG", {"no_denial": (ORG,)}),
        ("disable success example.org\ndisable success example.net", {"no_success": (ORG, NET)}),
        ("keepttl", {"keep_ttl": True}),
    ],
)
def test_options_set_their_fields(option, expected):
    """Each option changes the fields it is about and no other."""
    found = msgspec.structs.asdict(cache("cache {", option, "}"))

    assert msgspec.structs.asdict(CacheSettings()) | expected == found


def test_a_kind_keeps_the_ttl_of_all_until_it_has_its_own():
    """The TTL behind `cache` holds for a kind whose option names a capacity alone."""
    found = cache("cache 30 {", "success 5000", "denial 2500 10", "}")

    assert (Keep(5000, 30), Keep(2500, 10)) == (found.success, found.denial)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["cache 0"], "2: `0` is not a whole number from 1 to 2147483647"),
        (["cache -5"], "2: `-5` is not a whole number from 1 to 2147483647"),
        (
            ["cache 30s"],
            "2: `30s` is no TTL; a TTL stands first, in whole seconds: `cache 30`",
        ),
        (
            ["cache a..b"],
            "2: `a..b` is no zone: the label b'' is 0 octets long, 1 to 63 are allowed",
        ),
        (
            ["cache", "cache 30"],
            "3: `cache` may stand once in a server block; the first is at Corefile:2",
        ),
        (
            ["cache {", "success", "}"],
            "3: `success` has 0 arguments here; it is written `success CAPACITY [TTL] [MINTTL]`",
        ),
        (["cache {", "success 0", "}"], "3: `0` is not a whole number of at least 1"),
        (
            ["cache {", "denial 10 2147483648", "}"],
            "3: `2147483648` is not a whole number from 1 to 2147483647",
        ),
        (
            ["cache {", "denial 10 5 10", "}"],
            "3: the least TTL is above the largest: 10 is more than 5",
        ),
        (["cache {", "prefetch 10 5", "}"], "3: `5` has no unit; write for example `5s`"),
        (
            ["cache {", "prefetch 10 5s 20", "}"],
            "3: `20` is no percentage; write for example `20%`",
        ),
        (["cache {", "prefetch 10 5s 95%", "}"], "3: `95` is not a whole number from 10 to 90"),
        (["cache {", "serve_stale 1h first", "}"], "3: `first` is not one of: immediate, verify"),
        (
            ["cache {", "serve_stale 1h verify 1s", "}"],
            (
                "3: what follows the mode of `serve_stale` is known, but not built yet; it is"
                " written `serve_stale [DURATION] [immediate|verify]`"
            ),
        ),
        (
            ["cache {", "serve_stale_policy prefer_positive", "}"],
            "3: the option `serve_stale_policy` of `cache` is known, but not built yet",
        ),
        (
            ["cache {", "servfail 301s", "}"],
            "3: `301s` is too long to remember a failure; `5m` is the most",
        ),
        (["cache {", "disable servfail", "}"], "3: `servfail` is not one of: success, denial"),
        (
            ["cache {", "disable", "}"],
            "3: `disable` has 0 arguments here; it is written `disable success|denial [ZONES...]`",
        ),
        (
            ["cache {", "keepttl 5", "}"],
            "3: `keepttl` has 1 arguments here; it is written `keepttl`",
        ),
        (
            ["cache {", "sucess 100", "}"],
            "3: unknown option `sucess` of `cache`; did you mean `success`?",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(lines, message):
    """A word that cannot be meant is told with its line, and with what would be right."""
    assert f"Corefile:{message}" == refusal(*lines)


def test_every_option_has_its_row():
    """The manual page has a row for each option of `cache`, or names it among the refused."""
    section = PAGE.read_text().partition("## Options of cache")[2].partition("\n## ")[0]
    rows, _, refused = section.partition("Refused")
    unbuilt = {"serve_stale_policy"}

    assert set(_OPTIONS) - unbuilt == {name for name in _OPTIONS if f"\n| `{name}" in rows}
    assert all(f"`{name}" in refused for name in unbuilt)

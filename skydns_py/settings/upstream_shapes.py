"""The shapes of what is asked elsewhere: where to, how, and how long a reply is remembered.

Zones and names are folded absolute wire names (`skydns_py.names`), times are seconds, paths are as
written, and a default is what holds when nothing was written.
This module never checks: what reaches a shape has been read by whoever reads the directive.
"""

from typing import Literal

import msgspec

from skydns_py.names import ROOT

Policy = Literal["random", "round_robin", "sequential"]
StaleMode = Literal["immediate", "verify"]


class Upstream(msgspec.Struct, frozen=True):
    """One server to ask: an address in text (IPv6 may have a scope) and a port.

    `line` is the place where it was written, such as `/etc/resolv.conf:3`, "" when there is none.
    """

    host: str
    port: int = 53
    tls: bool = False
    line: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{host}:{self.port}"


class ForwardSettings(msgspec.Struct, frozen=True):
    """The `forward` directive: names at or below `zone` are asked of `to`, in the order given.

    `except_` are names at and below which nothing is asked.
    `policy` says who is asked first: `random` (default), `round_robin`, `sequential`.
    `max_fails` is how many failures in a row are forgiven before an upstream counts as down (2);
    with 0 none ever does, and none is checked.
    `health_check` is the pause between two checks after a failure (0.5 s); a check asks for the NS
    of `health_domain` (the root), without RD when `health_no_rec`.
    `expire` is how long an idle connection is kept (10 s).
    `force_tcp` asks over TCP always; `prefer_udp` asks over UDP first even for who came by TCP.
    `max_concurrent` bounds the questions under way, above it they are refused; with 0 (default)
    the only bound is `skydns_py.upstream.forward.MAX_CONCURRENT`.
    `failover` are response codes after which the next upstream is asked (none).
    `failfast_all_unhealthy` answers SERVFAIL at once while all are down, instead of trying.
    `tls_cert`, `tls_key`, `tls_ca` are PEM files ("" for none, and the system's authorities);
    `tls_servername` is the name in the certificate, "" for the upstream's address.
    `mixed_case` spells questions at random as a further secret; off, as some servers break it.
    """

    to: tuple[Upstream, ...]
    zone: bytes = ROOT
    except_: tuple[bytes, ...] = ()
    policy: Policy = "random"
    max_fails: int = 2
    health_check: float = 0.5
    health_no_rec: bool = False
    health_domain: bytes = ROOT
    expire: float = 10.0
    force_tcp: bool = False
    prefer_udp: bool = False
    max_concurrent: int = 0
    failover: frozenset[int] = frozenset()
    failfast_all_unhealthy: bool = False
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    tls_servername: str = ""
    mixed_case: bool = False


class Keep(msgspec.Struct, frozen=True):
    """How replies of one kind are kept: so many, so long at most, so long at least.

    `min_ttl` 0 keeps nothing longer than its TTL allows; what has TTL 0 is not kept at all,
    whatever `min_ttl` says (RFC 1035 section 3.2.1).
    """

    capacity: int = 9984
    max_ttl: int = 3600
    min_ttl: int = 0


class CacheSettings(msgspec.Struct, frozen=True):
    """The `cache` directive, for names at or below one of `zones` (default: all).

    `success` and `denial` keep 9984 replies each, for at most 3600 s and 1800 s; a single TTL
    written behind `cache` is the `max_ttl` of both.
    `servfail` is how long a failure is remembered (5 s, RFC 9520 wants 1 s at least; 0 to 300).
    `prefetch` refreshes what was asked so often (0: never) with no pause of `prefetch_pause`
    (60 s), once less than `prefetch_share` (0.1) of its time is left.
    `stale` is how long an expired reply may still be used (0: never; `serve_stale` alone: 3600);
    at once while it is refreshed (`immediate`), or only where the upstream failed (`verify`).
    `no_success` and `no_denial` are the zones of `disable`; the root disables for all.
    `keep_ttl` shows TTLs as they came instead of counting them down.
    """

    zones: tuple[bytes, ...] = (ROOT,)
    success: Keep = Keep()
    denial: Keep = Keep(max_ttl=1800)
    servfail: float = 5.0
    prefetch: int = 0
    prefetch_pause: float = 60.0
    prefetch_share: float = 0.1
    stale: float = 0.0
    stale_mode: StaleMode = "immediate"
    no_success: tuple[bytes, ...] = ()
    no_denial: tuple[bytes, ...] = ()
    keep_ttl: bool = False

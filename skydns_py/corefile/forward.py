"""The `forward` directive: which names are asked elsewhere, whom, and how.

A resolv.conf among the upstreams is read here, once; that an upstream replies is found out by who
asks it.

Source: the manual page of CoreDNS 1.14's plugin forward; the response codes of IANA.
"""

from typing import Any, Final, get_args

from skydns_py import names
from skydns_py.corefile.options import Context, OptionReader, arguments, read_options
from skydns_py.corefile.syntax import Line
from skydns_py.settings import ForwardSettings, Upstream
from skydns_py.settings.upstream_shapes import Policy
from skydns_py.settings.upstreams import read_upstreams
from skydns_py.settings.values import (
    UNLIMITED,
    RefusedError,
    is_address,
    one_of,
    seconds,
    whole_number,
    zones,
)


def read_forward(line: Line, context: Context) -> tuple[ForwardSettings, ...]:
    """Read `forward FROM TO... { options }`; a network may be several zones, and settings."""
    origin, *words = arguments(line, 2, None, "forward FROM TO...")
    own_zones: tuple[bytes, ...] = ()
    with context.findings.at(line.place):
        own_zones = zones(origin)
    if is_address(origin):
        context.findings.warn(
            line.place,
            f"`{origin}` is taken for a zone's name; to ask it for everything write"
            f" `forward . {origin}`",
        )
    to = read_upstreams(words, line.place, context.files.read, context.findings)
    fields = read_options(line, _OPTIONS, context.findings, {"except_", "failover"})
    _warn_of_idle(fields, to, line, context)
    fields["failover"] = frozenset(fields.get("failover", ()))
    return tuple(ForwardSettings(to=to, zone=zone, **fields) for zone in own_zones)


def _warn_of_idle(
    fields: dict[str, Any], to: tuple[Upstream, ...], line: Line, context: Context
) -> None:
    if fields.get("force_tcp") and fields.get("prefer_udp"):
        context.findings.warn(line.place, "`prefer_udp` changes nothing beside `force_tcp`")
    about_tls = sorted({option.name for option in line.body} & {"tls", "tls_servername"})
    if about_tls and not any(upstream.tls for upstream in to):
        context.findings.warn(
            line.place,
            f"no upstream is written `tls://…`: whatever `{'` and `'.join(about_tls)}` may say, all"
            " are asked without TLS",
        )


def _read_except(option: Line) -> dict[str, Any]:
    texts = arguments(option, 1, None, "except NAME...")
    return {"except_": tuple(dict.fromkeys(zone for text in texts for zone in zones(text)))}


def _read_expire(option: Line) -> dict[str, Any]:
    return {"expire": seconds(*arguments(option, 1, 1, "expire DURATION"))}


def _read_failover(option: Line) -> dict[str, Any]:
    words = arguments(option, 1, None, "failover RCODE...")
    return {"failover": tuple(_rcode(word) for word in words)}


def _rcode(word: str) -> int:
    code = _RCODES.get(word.upper())
    if code is not None:
        return code
    if word.upper() == "NOERROR":
        raise RefusedError("`failover NOERROR` would ask again after every good answer; delete it")
    raise RefusedError(f"unknown response code `{word[:80]}`; there are: {', '.join(_RCODES)}")


def _read_health_check(option: Line) -> dict[str, Any]:
    form = "health_check DURATION [no_rec] [domain NAME]"
    period, *rest = arguments(option, 1, 4, form)
    fields: dict[str, Any] = {"health_check": seconds(period)}
    while rest:
        word = rest.pop(0)
        if word == "no_rec":
            fields["health_no_rec"] = True
        elif word == "domain" and rest:
            fields["health_domain"] = _name(rest.pop(0))
        else:
            raise RefusedError(f"`{word[:80]}` is not understood here; it is written `{form}`")
    return fields


def _name(text: str) -> bytes:
    found = zones(text)
    if "/" in text or len(found) != 1:
        raise RefusedError(f"`{text[:80]}` is a network; write a name, such as `example.org`")
    return found[0]


def _read_max_concurrent(option: Line) -> dict[str, Any]:
    (text,) = arguments(option, 1, 1, "max_concurrent NUMBER")
    return {"max_concurrent": whole_number(text, 0, UNLIMITED)}


def _read_max_fails(option: Line) -> dict[str, Any]:
    (text,) = arguments(option, 1, 1, "max_fails NUMBER")
    return {"max_fails": whole_number(text, 0, 2**32 - 1)}


def _read_policy(option: Line) -> dict[str, Any]:
    (policy,) = arguments(option, 1, 1, "policy random|round_robin|sequential")
    return {"policy": one_of(policy, get_args(Policy))}


def _read_switch(option: Line) -> dict[str, Any]:
    arguments(option, 0, 0, option.name)
    return {option.name.removesuffix("_upstreams"): True}


def _read_tls(option: Line) -> dict[str, Any]:
    files = arguments(option, 0, 3, "tls [CERT KEY] [CA]")
    cert, key = files[:2] if len(files) > 1 else ("", "")
    authorities = "" if len(files) in {0, 2} else files[-1]
    return {"tls_cert": cert, "tls_key": key, "tls_ca": authorities}


def _read_tls_servername(option: Line) -> dict[str, Any]:
    (text,) = arguments(option, 1, 1, "tls_servername NAME")
    if _name(text) == names.ROOT:
        raise RefusedError(
            "`tls_servername` is the name in the upstream's certificate, not the root"
        )
    return {"tls_servername": text}


def _refuse_unbuilt(option: Line) -> dict[str, Any]:
    raise RefusedError(f"the option `{option.name}` of `forward` is known, but not built yet")


# NOERROR is 0; what an upstream means by a code of its EDNS is never an answer to pass on.
_RCODES: Final = {
    "FORMERR": 1,
    "SERVFAIL": 2,
    "NXDOMAIN": 3,
    "NOTIMP": 4,
    "REFUSED": 5,
    "YXDOMAIN": 6,
    "YXRRSET": 7,
    "NXRRSET": 8,
    "NOTAUTH": 9,
    "NOTZONE": 10,
}
_OPTIONS: Final[dict[str, OptionReader]] = {
    "doh_method": _refuse_unbuilt,
    "except": _read_except,
    "expire": _read_expire,
    "failfast_all_unhealthy_upstreams": _read_switch,
    "failover": _read_failover,
    "force_tcp": _read_switch,
    "health_check": _read_health_check,
    "max_age": _refuse_unbuilt,
    "max_concurrent": _read_max_concurrent,
    "max_connect_attempts": _refuse_unbuilt,
    "max_fails": _read_max_fails,
    "max_idle_conns": _refuse_unbuilt,
    "next": _refuse_unbuilt,
    "next_on_nodata": _refuse_unbuilt,
    "policy": _read_policy,
    "prefer_udp": _read_switch,
    "read_timeout": _refuse_unbuilt,
    "resolver": _refuse_unbuilt,
    "source_address": _refuse_unbuilt,
    "tls": _read_tls,
    "tls_servername": _read_tls_servername,
}

"""The directives of a server block that need no file of their own: a line in, its value out.

`DIRECTIVES` is the list of what is built.
Options are read through tables, so that one that cannot be meant never hides the next.
This module never opens what it names: files, interfaces and ports are only written down.

Source: the manual pages of CoreDNS 1.14's plugins bind, errors, health, loadbalance, log, loop,
metrics, ready.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import msgspec

from skydns_py.corefile.cache import read_cache
from skydns_py.corefile.forward import read_forward
from skydns_py.corefile.kubernetes import read_kubernetes
from skydns_py.corefile.options import Context, arguments, read_options
from skydns_py.corefile.syntax import Line
from skydns_py.settings import (
    Consolidation,
    ErrorsSettings,
    HealthSettings,
    Listen,
    LogRule,
    PrometheusSettings,
    ReadySettings,
)
from skydns_py.settings.shapes import COMBINED_LOG_FORMAT, COMMON_LOG_FORMAT, LogClass, LogLevel
from skydns_py.settings.values import (
    RefusedError,
    address_and_port,
    is_address,
    one_of,
    seconds,
    zones,
)

MAX_PATTERN: Final = 10_000
"""Characters in a regular expression, as in CoreDNS: longer ones only cost memory."""


def read_bind(line: Line, context: Context) -> tuple[Listen, ...]:
    """Read `bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }`, ports left open."""
    hosts = arguments(line, 1, None, "bind ADDRESS|INTERFACE...")
    options = read_options(line, {"except": _read_except}, context.findings)
    but_not = options.get("but_not", ())
    for host in hosts:
        _check_host(host)
    found = tuple(
        Listen(host if is_address(host) else "", 53, "" if is_address(host) else host, but_not)
        for host in dict.fromkeys(hosts)
        if host not in but_not
    )
    if not found:
        raise RefusedError("`bind` leaves out every address it names")
    return found


def read_errors(line: Line, context: Context) -> ErrorsSettings:
    """Read `errors [stdout] { consolidate DURATION REGEXP [LEVEL] [show_first]; stacktrace }`."""
    target = arguments(line, 0, 1, "errors")
    if target not in {(), ("stdout",)}:
        raise RefusedError(f"`errors` writes to the standard output only, not to `{target[0]}`")
    readers = {"consolidate": _read_consolidate, "stacktrace": _read_stacktrace}
    return ErrorsSettings(**read_options(line, readers, context.findings, {"consolidate"}))


def read_health(line: Line, context: Context) -> HealthSettings:
    """Read `health [ADDRESS]:PORT { lameduck DURATION }`."""
    listen = _read_listen(line) or HealthSettings().listen
    options = read_options(line, {"lameduck": _read_lameduck}, context.findings)
    return HealthSettings(listen, **options)


def read_prometheus(line: Line, context: Context) -> PrometheusSettings:
    """Read `prometheus [ADDRESS]:PORT`, which has no options."""
    listen = _read_listen(line) or PrometheusSettings().listen
    read_options(line, {}, context.findings)
    return PrometheusSettings(listen)


def read_ready(line: Line, context: Context) -> ReadySettings:
    """Read `ready [ADDRESS]:PORT { monitor until-ready|continuously }`."""
    listen = _read_listen(line) or ReadySettings().listen
    options = read_options(line, {"monitor": _read_monitor}, context.findings)
    return ReadySettings(listen, **options)


def read_loadbalance(line: Line, context: Context) -> bool:
    """Read `loadbalance [round_robin]`."""
    policy = arguments(line, 0, None, "loadbalance [round_robin]")[:1]
    if policy == ("weighted",):
        raise RefusedError("`loadbalance weighted` is known, but not built yet; use `round_robin`")
    arguments(line, 0, 1, "loadbalance [round_robin]")
    if policy not in {(), ("round_robin",)}:
        raise RefusedError(f"unknown policy `{policy[0]}` of `loadbalance`; use `round_robin`")
    read_options(line, {"prefer": _refuse_prefer}, context.findings)
    return True


def read_log(line: Line, context: Context) -> tuple[LogRule, ...]:
    """Read `log [NAME...] [FORMAT] { class all|denial|error|success... }`: a rule a name."""
    scopes, log_format = line.arguments, COMMON_LOG_FORMAT
    if scopes and "{" in scopes[-1]:
        scopes, log_format = scopes[:-1], _expand_format(scopes[-1])
    classes = read_options(line, {"class": _read_class}, context.findings, {"classes"})
    chosen: frozenset[LogClass] = frozenset(classes.get("classes", ("all",)))
    found = []
    for scope in scopes or (".",):
        with context.findings.at(line.place):
            found += [LogRule(zone, log_format, chosen) for zone in zones(scope)]
    return tuple(found)


def read_loop(line: Line, context: Context) -> bool:
    """Read `loop`, which has neither arguments nor options."""
    arguments(line, 0, 0, "loop")
    read_options(line, {}, context.findings)
    return True


def _read_listen(line: Line) -> Listen | None:
    given = arguments(line, 0, 1, f"{line.name} [ADDRESS:PORT]")
    return Listen(*address_and_port(given[0])) if given else None


def _read_except(option: Line) -> dict[str, Any]:
    hosts = arguments(option, 1, None, "except ADDRESS|INTERFACE...")
    for host in hosts:
        _check_host(host)
    return {"but_not": hosts}


def _check_host(host: str) -> None:
    # What is no address must be an interface; Linux allows its name 15 octets (IFNAMSIZ).
    if not is_address(host) and not re.fullmatch(r"[^\s/:]{1,15}", host):
        raise RefusedError(f"`{host[:80]}` is neither an IP address nor an interface's name")


def _read_consolidate(option: Line) -> dict[str, Any]:
    form = "consolidate DURATION REGEXP [LEVEL] [show_first]"
    period, pattern, *rest = arguments(option, 2, 4, form)
    _check_pattern(pattern)
    show_first = rest[-1:] == ["show_first"]
    levels = rest[:-1] if show_first else rest
    if len(levels) > 1 or not set(levels) <= set(get_args(LogLevel)):
        raise RefusedError(f"`{' '.join(rest)}` is not understood; it is written `{form}`")
    level: LogLevel = msgspec.convert((levels or ["error"])[0], LogLevel)
    return {"consolidate": (Consolidation(seconds(period), pattern, level, show_first),)}


def _check_pattern(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise RefusedError(f"the regular expression is longer than {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"`{pattern[:80]}` is no regular expression: {error}"
        raise RefusedError(message) from error


def _read_stacktrace(option: Line) -> dict[str, Any]:
    arguments(option, 0, 0, "stacktrace")
    return {"stacktrace": True}


def _read_lameduck(option: Line) -> dict[str, Any]:
    return {"lameduck": seconds(*arguments(option, 1, 1, "lameduck DURATION"))}


def _read_monitor(option: Line) -> dict[str, Any]:
    (mode,) = arguments(option, 1, 1, "monitor until-ready|continuously")
    return {"monitor": one_of(mode, ("until-ready", "continuously"))}


def _refuse_prefer(_option: Line) -> dict[str, Any]:
    raise RefusedError("`prefer` of `loadbalance` is known, but not built yet")


def _read_class(option: Line) -> dict[str, Any]:
    classes = arguments(option, 1, None, "class all|denial|error|success...")
    return {"classes": tuple(one_of(word, get_args(LogClass)) for word in classes)}


def _expand_format(text: str) -> str:
    named = {"{common}": COMMON_LOG_FORMAT, "{combined}": COMBINED_LOG_FORMAT}
    return re.sub(r"\{common\}|\{combined\}", lambda match: named[match.group()], text)


DIRECTIVES: Final[Mapping[str, Callable[[Line, Context], Any]]] = {
    "bind": read_bind,
    "cache": read_cache,
    "errors": read_errors,
    "forward": read_forward,
    "health": read_health,
    "kubernetes": read_kubernetes,
    "loadbalance": read_loadbalance,
    "log": read_log,
    "loop": read_loop,
    "prometheus": read_prometheus,
    "ready": read_ready,
}
"""What is built: the name of a directive is that of its field in `Block`, but for `bind`."""

ONCE: Final = frozenset({"cache", "errors", "kubernetes", "loop", "prometheus", "ready"})
"""Directives CoreDNS refuses to read twice in a server block; of others the last counts."""

REPEATED: Final = frozenset({"bind", "forward", "log"})
"""Directives whose values add up."""

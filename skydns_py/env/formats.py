"""Variables written down for the programs that read them: env-files, shells, JSON.

The rule of every format: what is written is read back by its consumer byte for byte, or it is
refused with the variable named.
Nothing is ever left out, shortened or changed to make it fit, and a refusal never shows a value,
which may be a secret.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

Variables = Mapping[str, str]
Objection = Callable[[str, str], str]
"""Why a format cannot hold a name and a value, "" when it can."""

DOCKER_LINE_LIMIT: Final = 65_535
"""Octets of one env-file line: Docker reads with Go's bufio.Scanner, whose buffer is 64 KiB."""

STRING_LIMIT: Final = 128 * 1024
"""Octets of one `NAME=value` with its closing zero: Linux's MAX_ARG_STRLEN, 32 pages of 4 KiB."""

ENVIRONMENT_LIMIT: Final = 2 * 1024 * 1024
"""Octets of environment and arguments together: a quarter of the usual stack limit of 8 MiB."""


class FormatError(ValueError):
    """A format cannot hold a variable; the message says which one, why, and which formats can.

    `variable` is its name as given, `reason` the sentence about it without the value.
    """

    def __init__(self, variable: str, form: str, reason: str, able: list[str]) -> None:
        hint = f"{' and '.join(able)} can hold it" if able else "no format can hold it"
        super().__init__(f"the variable {_shown(variable)} has no {form} form: {reason}; {hint}")
        self.variable = variable
        self.reason = reason


def render(form: str, variables: Variables) -> str:
    """Return the whole text of `variables` in the format called `form`, to be encoded as UTF-8.

    Raises:
        FormatError: a name or a value cannot be written so that it is read back the same.
        ValueError: there is no such format.
    """
    if form not in FORMATS:
        raise ValueError(f"there is no format {form[:80]!r}; there are {', '.join(FORMATS)}")
    return FORMATS[form](variables)


def size_warnings(variables: Variables) -> list[str]:
    """Return a sentence for each limit of Linux that a process with this environment meets.

    The whole is measured as execve measures it, 8 octets of pointer for each string included, and
    128 KiB are set aside for the arguments.
    """
    sizes = {name: _octets(name) + _octets(value) + 2 for name, value in variables.items()}
    found = [
        f"{_shown(name)} takes {size:,} bytes and a process is given at most {STRING_LIMIT:,} in "
        "one variable: hand it over in a file instead"
        for name, size in sizes.items()
        if size > STRING_LIMIT
    ]
    total = sum(sizes.values()) + 8 * len(sizes)
    if total > ENVIRONMENT_LIMIT - STRING_LIMIT:
        found.append(
            f"the {len(sizes):,} variables take {total:,} bytes and a process is given about "
            f"{ENVIRONMENT_LIMIT:,} with its arguments: hand them over in a file, or choose fewer",
        )
    return found


def _docker(variables: Variables) -> str:
    """Write `docker run --env-file`: everything after `=` is the value, nothing is quoted."""
    _check("docker", variables)
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def _sh(variables: Variables) -> str:
    """Write lines for `.` of a POSIX shell (POSIX.1-2024, Shell, 2.2.2 Single-Quotes)."""
    _check("sh", variables)
    quote = "'\\''"
    return "".join(
        f"export {name}='{value.replace(chr(39), quote)}'\n" for name, value in variables.items()
    )


def _json(variables: Variables) -> str:
    """Write one object of strings.

    Nothing beyond ASCII is escaped: readers of YAML know no surrogate pairs.
    """
    _check("json", variables)
    return json.dumps(dict(variables), ensure_ascii=False, indent=2) + "\n"


FORMATS: Final[Mapping[str, Callable[[Variables], str]]] = {
    "docker": _docker,
    "sh": _sh,
    "json": _json,
}
"""Every format by its name; each takes variables and raises FormatError as `render` does."""


def _docker_objection(name: str, value: str) -> str:
    if not _DOCKER_NAME.fullmatch(name):
        return "an env-file name may not be empty, begin with '#', or have '=' or white space in it"
    if "\n" in value or "\r" in value:
        return "its value has a line break, and an env-file has no way to write one"
    if "\0" in name or "\0" in value:
        return "it has a NUL character, which no environment can hold"
    size = _octets(name) + 1 + _octets(value)
    if size > DOCKER_LINE_LIMIT:
        return f"its line takes {size:,} bytes, and Docker reads at most {DOCKER_LINE_LIMIT:,}"
    return _unicode_objection(name, value)


def _sh_objection(name: str, value: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        return "a shell name has ASCII letters, digits and '_' alone and begins with no digit"
    if _SHELLS_OWN.fullmatch(name):
        return "a shell keeps this name for itself"
    if "\0" in value:
        return "it has a NUL character, which no environment can hold"
    return _unicode_objection(name, value)


def _unicode_objection(name: str, value: str) -> str:
    if _SURROGATE.search(name) or _SURROGATE.search(value):
        return "it has a lone surrogate, which is no character and has no UTF-8"
    return ""


_OBJECTIONS: Final[Mapping[str, Objection]] = {
    "docker": _docker_objection,
    "sh": _sh_objection,
    "json": _unicode_objection,
}

_DOCKER_NAME: Final = re.compile(r"[^\s=#\ufeff][^\s=]*")
"""docker/cli, pkg/kvfile: white space and a byte order mark before a name are trimmed, and lines
that begin with "#" are skipped."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

_SHELLS_OWN: Final = re.compile(
    r"_|BASH(OPTS|PID|_(ALIASES|ARG[CV]|ARGV0|CMDS|COMMAND|LINENO|MONOSECONDS|SOURCE|SUBSHELL"
    r"|TRAPSIG|VERSINFO))|DIRSTACK|EPOCH(REALTIME|SECONDS)|E?UID|FUNCNAME|GROUPS|HISTCMD|LINENO"
    r"|OPTIND|PPID|S?RANDOM|SECONDS|SHELLOPTS|SHLVL",
)
"""Read-only in bash or dash, checked by them, or changed by themselves: no value comes through."""


def _check(form: str, variables: Variables) -> None:
    objection = _OBJECTIONS[form]
    for name, value in variables.items():
        if reason := objection(name, value):
            able = [other for other, objects in _OBJECTIONS.items() if not objects(name, value)]
            raise FormatError(name, form, reason, able)


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _shown(name: str) -> str:
    """Return a name as it can stand in a message: in quotes and escaped unless it is plain."""
    plain = re.fullmatch(r"[\w.-]{1,200}", name, re.ASCII)
    return name if plain else ascii(name[:200])

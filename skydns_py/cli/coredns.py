"""CoreDNS's own arguments, so that a Deployment's `args` need no change.

Go's flags: `-name value` or `-name=value`, with one dash or two.
This module never reads a Corefile itself.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click
import msgspec

from skydns_py import __version__, corefile
from skydns_py.cli import serve
from skydns_py.corefile.directives import DIRECTIVES
from skydns_py.errors import SettingsError

_WITH_VALUE: Final = {"conf": "conf", "dns.port": "port", "p": "port", "pidfile": "pidfile"}
_SWITCHES: Final = frozenset({"plugins", "quiet", "version"})
_OURS: Final = frozenset({"-h", "--help", "--version"})


class Arguments(msgspec.Struct):
    """What CoreDNS's command line says."""

    conf: str = "Corefile"
    port: str = "53"
    pidfile: str = ""
    plugins: bool = False
    quiet: bool = False
    version: bool = False


def is_meant(words: Sequence[str]) -> bool:
    """Tell whether a command line is CoreDNS's: it begins with a flag that is not ours."""
    return bool(words) and words[0].startswith("-") and words[0] not in _OURS


def run(words: Sequence[str]) -> int:
    """Do what CoreDNS would with these arguments; return the exit code.

    Raises:
        SettingsError: there is no such argument, or the Corefile cannot be meant.
    """
    arguments = parse(words)
    if arguments.version:
        python = ".".join(map(str, sys.version_info[:3]))
        click.echo(f"skydns-py-{__version__}\n{sys.platform}, python{python}")
    elif arguments.plugins:
        click.echo("\n".join(f"dns.{name}" for name in sorted(DIRECTIVES)))
    else:
        if not arguments.port.isdigit() or not 0 < int(arguments.port) < 2**16:
            raise SettingsError(f"-dns.port {arguments.port}: a port is a number from 1 to 65535")
        settings = corefile.load(arguments.conf, dns_port=int(arguments.port), environ=os.environ)
        serve.run(settings, quiet=arguments.quiet, pidfile=arguments.pidfile or None)
    return 0


def parse(words: Sequence[str]) -> Arguments:
    """Return what the words of a command line mean.

    Raises:
        SettingsError: a word is no argument of CoreDNS, or a value is missing.
    """
    arguments = Arguments()
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in _WITH_VALUE:
            setattr(arguments, _WITH_VALUE[name], value if has_value else _next(word, rest))
        elif word.startswith("-") and name in _SWITCHES:
            setattr(arguments, name, value.lower() not in {"false", "0", "f"})
        else:
            known = ", ".join(sorted(f"-{each}" for each in (*_WITH_VALUE, *_SWITCHES)))
            raise SettingsError(f"no argument {word!r}; of CoreDNS's there are {known}")
    return arguments


def _next(word: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise SettingsError(f"{word} needs a value")
    return value

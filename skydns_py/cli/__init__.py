"""The command line: a file a command, and CoreDNS's own arguments for those who bring them.

What the operator can mend is said in one sentence, without a trace; exit codes are 0 done,
1 something outside failed, 2 what was asked for cannot be meant.
"""

import sys
from collections.abc import Sequence

import click

from skydns_py import __version__
from skydns_py.cli import check, coredns, env, names, query, serve
from skydns_py.errors import SettingsError, SourceError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skydns-py")
def cli() -> None:
    """Service discovery for Kubernetes, Docker and a laptop.

    Called with CoreDNS's own arguments, as in `skydns-py -conf Corefile`, it does what CoreDNS
    would.
    """


for command in (
    serve.command,
    check.command,
    env.command,
    names.command,
    query.command,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if coredns.is_meant(words):
            sys.exit(coredns.run(words))
        cli.main(words, prog_name="skydns-py")
    except SettingsError as error:
        click.echo(f"skydns-py: {error}", err=True)
        sys.exit(2)
    except SourceError as error:
        click.echo(f"skydns-py: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # `skydns-py names | head` is nobody's error.
        sys.stderr.close()
        sys.exit(0)

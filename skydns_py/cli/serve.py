"""`skydns-py serve`: answer DNS, and HTTP where asked for, until SIGTERM or Ctrl-C."""

import asyncio
import os
from pathlib import Path

import click

from skydns_py import corefile
from skydns_py.app import serve
from skydns_py.app.logs import open_log
from skydns_py.app.serving import Serving, stopping_on_signals
from skydns_py.app.workers import default_count
from skydns_py.cli.examples import examples_of
from skydns_py.cli.origin import origin_options
from skydns_py.errors import SettingsError
from skydns_py.settings import Flags, Settings, from_flags


@click.command("serve")
@click.option("--conf", metavar="FILE", help="A CoreDNS Corefile; then no other flag is needed.")
@click.option("--dns-port", type=int, default=53, help="Port of server blocks that name none.")
@origin_options
@click.option("--listen", multiple=True, metavar="ADDR:PORT", help="Where to answer DNS.")
@click.option("--zone", "zones", multiple=True, help="Zone to serve; default cluster.local.")
@click.option("--http", multiple=True, metavar="ADDR:PORT", help="Where to serve the HTTP API.")
@click.option("--forward", multiple=True, metavar="ADDR|FILE", help="Whom to ask for other names.")
@click.option("--ttl", type=int, default=5, show_default=True, help="Seconds.")
@click.option("--pods", default="disabled", help="disabled, insecure or verified.")
@click.option("--workers", type=click.IntRange(0, 64), help="Processes that answer; 0: this one.")
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
@click.option("--pidfile", metavar="FILE", help="Write the process id there.")
@click.option("--try", "shows_examples", is_flag=True, help="Print questions to try.")
def command(
    conf: str | None,
    dns_port: int,
    *,
    workers: int | None,
    quiet: bool,
    pidfile: str | None,
    shows_examples: bool,
    **flags: object,
) -> None:
    """Answer DNS from a cluster, or from manifests on disk.

    With neither a Corefile nor an origin, the cluster this runs in is served, or else the one of
    $KUBECONFIG.
    """
    if conf:
        given = sorted(f"--{name}" for name, value in flags.items() if value and name in _ORIGIN)
        if given:
            raise SettingsError(f"{', '.join(given)}: a Corefile says it all, or flags do")
        settings = corefile.load(conf, dns_port=dns_port, environ=os.environ)
    else:
        settings = from_flags(Flags(**flags), environ=os.environ)  # type: ignore[arg-type]
    run(settings, workers=workers, quiet=quiet, pidfile=pidfile, shows_examples=shows_examples)


def run(
    settings: Settings,
    *,
    workers: int | None = None,
    quiet: bool = False,
    pidfile: str | None = None,
    shows_examples: bool = False,
) -> None:
    """Serve settings until a signal; without a number, workers are counted by the machine.

    Raises:
        SettingsError: as `app.serve`, or the pidfile cannot be written.
    """
    _write_pid(pidfile)

    def started(serving: Serving) -> None:
        if shows_examples:
            click.echo(_examples(serving))

    async def serve_until_told() -> None:
        stop, log = asyncio.Event(), open_log(quiet=quiet)
        with stopping_on_signals(stop, log):
            await serve(
                settings,
                log,
                stop=stop,
                workers=default_count() if workers is None else workers,
                quiet=quiet,
                started=started,
            )

    asyncio.run(serve_until_told())


_ORIGIN = (
    "kubeconfig",
    "context",
    "in_cluster",
    "manifests",
    "listen",
    "zones",
    "http",
    "forward",
)


def _write_pid(path: str | None) -> None:
    if path:
        try:
            Path(path).write_text(f"{os.getpid()}\n")
        except OSError as error:
            raise SettingsError(f"the pidfile cannot be written: {error}", path) from error


def _examples(serving: Serving) -> str:
    """Return dig lines for a few names that this server can answer."""
    found = (address for protocol, *address in serving.addresses if protocol == "dns/udp")
    host, port = next(found, ("127.0.0.1", 53))
    asked = [line for world in serving.worlds.values() for line in examples_of(world)]
    lines = [f"  dig @{host} -p {port} +noall +answer {each}" for each in asked]
    return "\n".join(("Try in another terminal (Ctrl-C stops):", *lines))

"""`skydns-py names`: every name and every variable, as a listing, before or after installation."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import click

from skydns_py.app import World
from skydns_py.app.http import lines_of
from skydns_py.cli.origin import origin_options, read_world
from skydns_py.cli.remote import fetch
from skydns_py.env.env_map import EnvMap
from skydns_py.env.kubernetes import service_environment
from skydns_py.errors import SettingsError
from skydns_py.settings import Flags


@click.command("names")
@click.argument("path", required=False)
@origin_options
@click.option("--server", default="", metavar="URL", help="A running server's HTTP address.")
@click.option("--zone", "zones", multiple=True, help="Zone to list; default cluster.local.")
@click.option("--ttl", type=int, default=5, show_default=True, help="Seconds.")
@click.option("--pods", default="disabled", help="disabled, insecure or verified.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text")
def command(path: str | None, *, server: str, form: str, **flags: Any) -> None:
    """List what would be answered: names as zone-file lines, variables as comments below.

    PATH is short for `--manifests PATH`: `helm template . | skydns-py names -` shows what a chart
    will have before it is installed.
    """
    if server:
        if path or any(flags[each] for each in ("kubeconfig", "in_cluster", "manifests")):
            raise SettingsError("--server is an origin of its own; leave the others out")
        click.echo(fetch(server, "/v1/names", {"format": form})[0], nl=False)
        return
    if path:
        if flags["manifests"]:
            raise SettingsError(f"{path} and --manifests {flags['manifests']}: name one of them")
        flags["manifests"] = path
    world = read_world(Flags(**flags))
    if form == "json":
        click.echo(json.dumps(_document(world), indent=2, ensure_ascii=False))
    else:
        for line in _text(world):
            click.echo(line)


def _document(world: World) -> dict[str, Any]:
    variables = {name: env_map.variables for name, env_map in _environments(world)}
    return {"records": [line._asdict() for line in lines_of(world)], "environment": variables}


def _text(world: World) -> Iterator[str]:
    for line in lines_of(world):
        yield f"{line.name} {line.ttl} IN {line.type} {line.rdata}"
    for namespace, env_map in _environments(world):
        yield f"; environment of a pod in namespace {namespace}"
        yield from _comments(env_map)


def _comments(env_map: EnvMap) -> Iterable[str]:
    # A value is the text of an address, a port or a URL: nothing in it can end a comment.
    return (f";   {name}={value}" for name, value in env_map.variables.items())


def _environments(world: World) -> Iterator[tuple[str, EnvMap]]:
    """Yield the variables of each namespace that has Services of its own."""
    services = world.services()
    for namespace in sorted({service.namespace for service in services}):
        yield namespace, service_environment(services, namespace)

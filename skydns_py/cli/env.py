"""`skydns-py env`: the service variables a pod of a namespace gets, in a format of choice."""

import sys

import click

from skydns_py.cli.origin import origin_options, read_world
from skydns_py.cli.remote import fetch
from skydns_py.env.formats import FORMATS, FormatError, render, size_warnings
from skydns_py.env.kubernetes import service_environment
from skydns_py.errors import SettingsError, SourceError
from skydns_py.settings import Flags


@click.command("env")
@click.option("-n", "--namespace", required=True, help="The namespace of the pod.")
@click.option("--no-service-links", is_flag=True, help="As with enableServiceLinks: false.")
@click.option(
    "--format", "form", type=click.Choice(tuple(FORMATS)), default="docker", show_default=True
)
@origin_options
@click.option("--server", default="", metavar="URL", help="A running server's HTTP address.")
def command(
    namespace: str, *, no_service_links: bool, form: str, server: str, **origin: object
) -> None:
    """Print the variables that a pod of a namespace gets for the cluster's Services.

    `docker run --env-file <(skydns-py env -n shop)` gives them to a container; with `--format sh`,
    `eval "$(skydns-py env -n shop --format sh)"` gives them to a shell.
    """
    if server:
        if any(origin.values()):
            raise SettingsError("--server is an origin of its own; leave the others out")
        links = str(not no_service_links).lower()
        text, warnings = fetch(
            server, f"/v1/env/{namespace}", {"format": form, "service_links": links}
        )
        if warnings:
            click.echo(f"{warnings} warnings: see {server}/v1/env/{namespace}/warnings", err=True)
        click.echo(text, nl=False)
        return
    world = read_world(Flags(**origin), endpoints=False)  # type: ignore[arg-type]
    if namespace not in world.namespaces():
        known = ", ".join(sorted(world.namespaces()))
        raise SettingsError(f"there is no namespace {namespace!r}; there are: {known}")
    links_wanted = not no_service_links
    env_map = service_environment(world.services(), namespace, service_links=links_wanted)
    for warning in (*env_map.collisions, *size_warnings(env_map.variables)):
        click.echo(f"warning: {warning}", err=True)
    try:
        sys.stdout.write(render(form, env_map.variables))
    except FormatError as error:
        raise SourceError(str(error)) from error

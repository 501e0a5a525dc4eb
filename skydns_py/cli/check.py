"""`skydns-py check`: would this Corefile start? Everything that is wrong, with file and line."""

import os

import click

from skydns_py import corefile


@click.command("check")
@click.argument("path", metavar="[COREFILE]", default="Corefile")
@click.option("--dns-port", type=int, default=53, help="Port of server blocks that name none.")
def command(path: str, dns_port: int) -> None:
    """Read a Corefile as `serve --conf` would, without starting anything."""
    settings = corefile.load(path, dns_port=dns_port, environ=os.environ)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{path}: {len(settings.blocks)} server blocks, ready to serve")

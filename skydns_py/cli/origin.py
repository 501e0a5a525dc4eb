"""The options that say where objects come from, alike for every command that reads them.

This module never reads anything itself.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec

from skydns_py.app import World, picture
from skydns_py.app.logs import open_log
from skydns_py.settings import Flags, KubernetesSettings, from_flags

LIMIT = 30.0
"""Seconds in which a cluster has to be read whole by a command that prints and ends."""


def origin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--kubeconfig`, `--context`, `--in-cluster` and `--manifests` to a command."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.option("--kubeconfig", default="", metavar="FILE", help="The cluster it names."),
        click.option("--context", default="", help="Context of the kubeconfig."),
        click.option("--in-cluster", is_flag=True, help="The cluster this pod runs in."),
        click.option(
            "--manifests",
            default="",
            metavar="PATH",
            help="Kubernetes YAML or JSON: a file, a directory, or - for standard input.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_world(flags: Flags, *, endpoints: bool = True) -> World:
    """Return the world that flags mean, read once and whole.

    Raises:
        SettingsError: the flags cannot be meant.
        SourceError: the cluster could not be read in `LIMIT` seconds.
    """
    settings = from_flags(flags, environ=os.environ)
    kubernetes = settings.blocks[0].kubernetes or KubernetesSettings(zones=())
    kubernetes = msgspec.structs.replace(kubernetes, endpoints=endpoints)
    log = open_log(sys.stderr, quiet=True)
    return asyncio.run(picture(kubernetes, log, LIMIT))

"""The shape of a kubeconfig file, as far as we read it.

A field that is not written is empty, as in Go; unknown fields are skipped, as kubectl skips them.
This module never reads a file and never judges a value.

Source: reference of `client-go/tools/clientcmd/api/v1`, Kubernetes v1.36.
"""

from typing import Any

import msgspec

EXEC_EXTENSION = "client.authentication.k8s.io/exec"
"""Name of the cluster extension that is handed to an exec plugin as its `config`."""


class Extension(msgspec.Struct, frozen=True):
    """Anything, under a name."""

    name: str = ""
    extension: Any = None


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    """How an API server is reached and known; "" where nothing is written."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    proxy_url: str = ""
    extensions: tuple[Extension, ...] = ()


class Variable(msgspec.Struct, frozen=True):
    """One environment variable of an exec plugin."""

    name: str = ""
    value: str = ""


class Exec(msgspec.Struct, frozen=True, rename="camel"):
    """A program that prints credentials (KEP-541)."""

    api_version: str = ""
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class AuthProvider(msgspec.Struct, frozen=True):
    """A login built into old clients; gone since Kubernetes 1.26."""

    name: str = ""


class User(msgspec.Struct, frozen=True, rename="kebab"):
    """Who asks; "" where nothing is written."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    username: str = ""
    password: str = ""
    exec: Exec | None = None
    auth_provider: AuthProvider | None = None
    impersonate: str = msgspec.field(name="as", default="")
    impersonate_uid: str = msgspec.field(name="as-uid", default="")
    impersonate_groups: tuple[str, ...] = msgspec.field(name="as-groups", default=())
    impersonate_extra: dict[str, tuple[str, ...]] = msgspec.field(
        name="as-user-extra", default_factory=dict
    )


class Context(msgspec.Struct, frozen=True):
    """Which user asks which cluster."""

    cluster: str = ""
    user: str = ""


class NamedCluster(msgspec.Struct, frozen=True):
    """An item of `clusters`."""

    name: str = ""
    cluster: Cluster = Cluster()


class NamedUser(msgspec.Struct, frozen=True):
    """An item of `users`."""

    name: str = ""
    user: User = User()


class NamedContext(msgspec.Struct, frozen=True):
    """An item of `contexts`."""

    name: str = ""
    context: Context = Context()


class File(msgspec.Struct, frozen=True, rename="kebab"):
    """One whole file."""

    kind: str = "Config"
    api_version: str = msgspec.field(name="apiVersion", default="v1")
    current_context: str = ""
    clusters: tuple[NamedCluster, ...] = ()
    users: tuple[NamedUser, ...] = ()
    contexts: tuple[NamedContext, ...] = ()

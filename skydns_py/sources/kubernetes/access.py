"""Everything needed to reach one API server, from wherever the operator put it.

Three ways lead to an `Access`: the service account of a pod, a kubeconfig, or an address with
files beside it.
What can be wrong is found out here, before the first connection, and said with file and field.
This module never opens a connection and never runs a plugin.
"""

import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import yarl

from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes import kubeconfig, kubeconfig_fields, tls
from skydns_py.sources.kubernetes.content import RotatedFile
from skydns_py.sources.kubernetes.credentials import Credentials, Stated

_T = TypeVar("_T")

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts a pod's token and the cluster's authority."""


@dataclass(frozen=True)
class Access:
    """One API server and all it takes to be let in.

    `server` is a URL without a closing slash, perhaps with a path; `where` says for messages where
    all this was written.
    `proxy` is a URL, "" for none; `headers` go with every request.
    """

    server: str
    where: str
    trust: tls.Trust
    credentials: Credentials
    proxy: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def in_cluster(
    folder: Path = SERVICE_ACCOUNT, environment: Mapping[str, str] = os.environ
) -> Access:
    """Return the access every pod has: its service account (Kubernetes "Accessing the API").

    The token is read again whenever the kubelet replaces it.

    Raises:
        SettingsError: this is no pod, or its service account is not mounted.
    """
    if not in_cluster_available(folder, environment):
        raise SettingsError(
            "this does not run in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT "
            f"are not both set, or there is no {folder / 'token'}; inside a pod, see that "
            "automountServiceAccountToken is not false; elsewhere, name a kubeconfig or an endpoint"
        )
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
    where = f"service account {folder}"
    token = _read(folder / "token", where, "token")
    authority = _read(folder / "ca.crt", where, "ca.crt")
    stated = Stated(token=token)
    _try("token", where, stated.identity)
    _try("ca.crt", where, lambda: tls.believe(_bare(), authority.read()))
    return Access(
        server=_try("KUBERNETES_SERVICE_HOST/PORT", where, lambda: _joined(host, port)),
        where=where,
        trust=tls.Trust(authority),
        credentials=stated,
    )


def in_cluster_available(
    folder: Path = SERVICE_ACCOUNT, environment: Mapping[str, str] = os.environ
) -> bool:
    """Tell whether this runs in a pod with a service account."""
    names = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    return all(environment.get(name) for name in names) and (folder / "token").is_file()


def from_kubeconfig(paths: Sequence[Path] | None = None, context: str | None = None) -> Access:
    """Return the access that `context` of these kubeconfig files means, merged as by kubectl.

    None for `paths` means those of `$KUBECONFIG`, or else `~/.kube/config`; None for `context`
    means their `current-context`.
    Certificates and token files are read again when they change, a plugin is run when first needed.

    Raises:
        SettingsError: something is missing, unreadable or contradictory; it names file, context,
            entry and field.
    """
    choice = kubeconfig.choose(paths, context)
    cluster = choice.cluster
    has_tls = bool(
        cluster.value.certificate_authority
        or cluster.value.certificate_authority_data
        or cluster.value.insecure_skip_tls_verify
    )
    try:
        server = _server(cluster.value.server, has_tls=has_tls)
    except ValueError as error:
        raise choice.refuse(cluster, "server", str(error)) from error
    return Access(
        server=server,
        where=f"kubeconfig {cluster.file}, context {choice.context.name!r}",
        trust=kubeconfig_fields.trust(choice),
        credentials=kubeconfig_fields.credentials(choice),
        proxy=kubeconfig_fields.proxy(choice),
        headers=kubeconfig_fields.headers(choice),
    )


def from_endpoint(
    url: str, cert: Path | None = None, key: Path | None = None, ca: Path | None = None
) -> Access:
    """Return the access to an API server by its address, with PEM files or without.

    Raises:
        SettingsError: the address is none, or a file cannot be read or used.
    """
    where = f"endpoint {url}"
    if (cert is None) != (key is None):
        absent = "tls KEY" if key is None else "tls CERT"
        raise SettingsError(
            f"{absent}: missing; a client certificate and its key go together", where
        )
    authority = _read(ca, where, "tls CACERT") if ca else None
    stated = Stated(
        chain=_read(cert, where, "tls CERT") if cert else None,
        key=_read(key, where, "tls KEY") if key else None,
    )
    if authority:
        _try("tls CACERT", where, lambda: tls.believe(_bare(), authority.read()))
    if certificate := stated.certificate():
        _try("tls CERT KEY", where, lambda: tls.show(_bare(), certificate))
    return Access(
        server=_try("endpoint", where, lambda: _server(url, has_tls=bool(ca or cert))),
        where=where,
        trust=tls.Trust(authority),
        credentials=stated,
    )


def _server(text: str, *, has_tls: bool) -> str:
    # An address without a scheme is HTTPS exactly when TLS files come with it: client-go's rule.
    if not text:
        raise ValueError("missing; write the address of the API server, https://HOST:PORT")
    url = yarl.URL(text if "://" in text else f"{'https' if has_tls else 'http'}://{text}")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"{text!r} is no address of an API server; write https://HOST:PORT")
    if url.user or url.password or url.query_string or url.fragment:
        raise ValueError("an API server's address has no user, no query and no fragment")
    return str(url).rstrip("/")


def _joined(host: str, port: str) -> str:
    try:
        bracketed = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        bracketed = host  # a name will do too
    return _server(f"https://{bracketed}:{port}", has_tls=True)


def _read(path: Path, where: str, field: str) -> RotatedFile:
    try:
        return RotatedFile(path)
    except OSError as error:
        raise SettingsError(f"{field}: cannot read {path}: {error.strerror}", where) from error


def _try(field: str, where: str, attempt: Callable[[], _T]) -> _T:
    try:
        return attempt()
    except ValueError as error:
        raise SettingsError(f"{field}: {error}", where) from error


def _bare() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

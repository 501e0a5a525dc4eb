"""What the fields of the chosen cluster and user mean: trust, credentials, proxy, headers.

Which field wins and which contradict each other is as in kubectl; where kubectl refuses, so do we,
with the file, the entry and the field.
This module never chooses a context and never runs a plugin.
"""

import base64
import binascii
import ssl
import urllib.parse
from collections.abc import Callable
from typing import Any, Final

from skydns_py.sources.kubernetes import tls
from skydns_py.sources.kubernetes.content import Content, Inline, RotatedFile
from skydns_py.sources.kubernetes.credentials import Credentials, Stated, basic
from skydns_py.sources.kubernetes.exec_plugin import VERSIONS, ExecCredentials, Plugin
from skydns_py.sources.kubernetes.kubeconfig import Choice, Entry
from skydns_py.sources.kubernetes.kubeconfig_schema import EXEC_EXTENSION, Cluster, Exec, User

_INTERACTIVE_MODES: Final = ("Never", "IfAvailable", "Always")


def trust(choice: Choice) -> tls.Trust:
    """Return whom to trust; the authority has been tried.

    Raises:
        SettingsError: the authority cannot be read or used, or contradicts another field.
    """
    entry = choice.cluster
    cluster = entry.value
    authority = _content(choice, entry, "certificate-authority")
    if authority and cluster.insecure_skip_tls_verify:
        raise choice.refuse(
            entry,
            "insecure-skip-tls-verify",
            "contradicts the certificate authority beside it; remove one of the two",
        )
    if authority:
        _try(choice, entry, "certificate-authority", lambda made: _believe(made, authority))
    return tls.Trust(authority, cluster.tls_server_name, cluster.insecure_skip_tls_verify)


def proxy(choice: Choice) -> str:
    """Return the URL of the proxy, "" for none.

    Raises:
        SettingsError: it is no URL, or a proxy of a kind we do not speak.
    """
    url = choice.cluster.value.proxy_url
    if not url:
        return ""
    scheme, host = _split(url)
    if scheme == "socks5":
        reason = "SOCKS proxies are not supported; give the http:// or https:// address of a proxy"
    elif scheme not in {"http", "https"} or not host:
        reason = f"{scheme or 'this'} is no proxy URL; write http://HOST:PORT or https://HOST:PORT"
    else:
        return url
    raise choice.refuse(choice.cluster, "proxy-url", reason)


def credentials(choice: Choice) -> Credentials:
    """Return where the user's identities come from; what is written down has been tried.

    Raises:
        SettingsError: something cannot be read or used, is missing, or contradicts another field.
    """
    if choice.user is None:
        return Stated()
    stated = _stated(choice, choice.user)
    plugin = choice.user.value.exec
    if choice.user.value.auth_provider:
        raise choice.refuse(
            choice.user,
            "auth-provider",
            f"{choice.user.value.auth_provider.name!r} was built into old clients and is gone "
            "since Kubernetes 1.26; use `exec` with that provider's credential plugin instead",
        )
    if plugin is None:
        return stated
    made = _plugin(choice, choice.user, plugin)
    # As in client-go: a plugin is not asked for what is already there.
    return stated if stated.authorizes else ExecCredentials(made, stated)


def headers(choice: Choice) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask to act as somebody else (Kubernetes "User impersonation").

    Raises:
        SettingsError: groups, a UID or extras are given without a user to act as.
    """
    if choice.user is None:
        return ()
    user = choice.user.value
    groups = [("Impersonate-Group", group) for group in user.impersonate_groups]
    uid = [("Impersonate-Uid", user.impersonate_uid)] if user.impersonate_uid else []
    extra = [
        (f"Impersonate-Extra-{urllib.parse.quote(key.lower(), safe='')}", value)
        for key, values in user.impersonate_extra.items()
        for value in values
    ]
    found = groups + uid + extra
    if found and not user.impersonate:
        raise choice.refuse(choice.user, "as", "groups, a UID or extras need a user to act as")
    return (("Impersonate-User", user.impersonate), *found) if user.impersonate else ()


def _stated(choice: Choice, entry: Entry[User]) -> Stated:
    user = entry.value
    if (user.token or user.token_file) and (user.username or user.password):
        raise choice.refuse(entry, "token", "contradicts username/password; keep one of the two")
    stated = Stated(
        token=_token(choice, entry),
        basic=basic(user.username, user.password) if user.username or user.password else "",
        chain=_content(choice, entry, "client-certificate"),
        key=_content(choice, entry, "client-key"),
    )
    if bool(stated.chain) != bool(stated.key):
        absent = "client-key" if stated.chain else "client-certificate"
        raise choice.refuse(entry, absent, "missing; a client certificate and its key go together")
    _try(choice, entry, "token", lambda _: stated.identity())
    if certificate := stated.certificate():
        _try(choice, entry, "client-certificate", lambda made: tls.show(made, certificate))
    return stated


def _token(choice: Choice, entry: Entry[User]) -> Content | None:
    # client-go reads the file for as long as it can, and falls back to the text beside it.
    if entry.value.token_file:
        return _rotated(choice, entry, "tokenFile", entry.value.token_file)
    return Inline(entry.value.token.encode()) if entry.value.token else None


def _plugin(choice: Choice, entry: Entry[User], wanted: Exec) -> Plugin:
    _check_exec(choice, entry, wanted)
    written = wanted.command
    plugin = Plugin(
        label=f"exec plugin of user {entry.name!r}",
        api_version=wanted.api_version,
        # A bare name is looked up in PATH; one with a slash starts from the kubeconfig's folder.
        command=str(entry.resolve(written).absolute()) if "/" in written else written,
        args=wanted.args,
        env={variable.name: variable.value for variable in wanted.env},
        install_hint=wanted.install_hint,
        cluster=_cluster_info(choice) if wanted.provide_cluster_info else None,
    )
    if missing := plugin.missing():
        raise choice.refuse(entry, "exec.command", missing)
    return plugin


def _check_exec(choice: Choice, entry: Entry[User], wanted: Exec) -> None:
    if not wanted.command:
        raise choice.refuse(entry, "exec.command", "missing")
    if wanted.api_version not in VERSIONS:
        known = " or ".join(VERSIONS)
        raise choice.refuse(
            entry, "exec.apiVersion", f"{wanted.api_version!r} is not spoken here; write {known}"
        )
    if not all(variable.name for variable in wanted.env):
        raise choice.refuse(entry, "exec.env", "a variable has no name")
    # v1 wants it written, v1beta1 takes IfAvailable for granted.
    default = "" if wanted.api_version == VERSIONS[0] else "IfAvailable"
    mode = wanted.interactive_mode or default
    if mode not in _INTERACTIVE_MODES:
        names = ", ".join(_INTERACTIVE_MODES)
        raise choice.refuse(entry, "exec.interactiveMode", f"{mode!r} is not one of {names}")
    if mode == "Always":
        raise choice.refuse(
            entry, "exec.interactiveMode", "Always wants a terminal, and a server has none"
        )


def _cluster_info(choice: Choice) -> dict[str, Any]:
    cluster = choice.cluster.value
    authority = _content(choice, choice.cluster, "certificate-authority")
    config = [item.extension for item in cluster.extensions if item.name == EXEC_EXTENSION]
    info: dict[str, Any] = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": authority and base64.b64encode(authority.read()).decode(),
        "proxy-url": cluster.proxy_url,
        "config": config[0] if config else None,
    }
    return {name: value for name, value in info.items() if value}


def _content(choice: Choice, entry: Entry[Cluster] | Entry[User], field: str) -> Content | None:
    """Return what `field` (a path) or `field-data` (base64) gives; both at once are refused."""
    attribute = field.replace("-", "_")
    path: str = getattr(entry.value, attribute)
    data: str = getattr(entry.value, f"{attribute}_data")
    if path and data:
        raise choice.refuse(entry, field, f"contradicts {field}-data; keep one of the two")
    if path:
        return _rotated(choice, entry, field, path)
    return Inline(_decoded(choice, entry, f"{field}-data", data)) if data else None


def _rotated(choice: Choice, entry: Entry[Any], field: str, path: str) -> RotatedFile:
    try:
        return RotatedFile(entry.resolve(path))
    except OSError as error:
        reason = f"cannot read {entry.resolve(path)}: {error.strerror}"
        raise choice.refuse(entry, field, reason) from error


def _decoded(choice: Choice, entry: Entry[Any], field: str, data: str) -> bytes:
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error as error:
        raise choice.refuse(entry, field, f"this is no base64: {error}") from error


def _believe(made: ssl.SSLContext, authority: Content) -> None:
    tls.believe(made, authority.read())


def _try(
    choice: Choice, entry: Entry[Any], field: str, attempt: Callable[[ssl.SSLContext], object]
) -> None:
    try:
        attempt(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except ValueError as error:
        raise choice.refuse(entry, field, str(error)) from error


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""

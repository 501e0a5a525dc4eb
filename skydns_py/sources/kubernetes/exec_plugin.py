"""Exec plugins: programs that print the credentials of the moment (KEP-541).

Protocol: `ExecCredential` of `client.authentication.k8s.io/v1` and `/v1beta1`, as the Kubernetes
documentation describes it under "client-go credential plugins".
This module never gives a plugin a terminal, never shows what it printed on its standard output
(that is a secret), and never lets it outlive the question.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.credentials import Certificate, Identity, Stated, bearer

VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

TIME_LIMIT = 30.0
"""Seconds a plugin may take: cloud logins need 1 to 5, and give up on a dead network after 20."""

AHEAD = timedelta(seconds=30)
"""How long before their end credentials are renewed; less for those that live shorter."""


@dataclass(frozen=True)
class Plugin:
    """A program to run; `cluster` is what it is told about the API server, None for nothing.

    `label` names it in messages, `install_hint` is the operator's advice for when it is missing.
    """

    label: str
    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None

    def missing(self) -> str:
        """Return a sentence when the command is not there, "" when it is."""
        if shutil.which(self.command):
            return ""
        hint = f"; {self.install_hint.strip()}" if self.install_hint.strip() else ""
        return f"the command {self.command!r} is not there or cannot be run{hint}"


class ExecCredentials:
    """Credentials that a plugin prints, kept until shortly before they end or are refused.

    `stated` supplies the certificate when the plugin prints none.
    `limit` is in seconds; `now` tells the time of day.
    """

    def __init__(
        self,
        plugin: Plugin,
        stated: Stated | None = None,
        *,
        limit: float = TIME_LIMIT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._plugin = plugin
        self._stated = stated or Stated()
        self._limit = limit
        self._now = now
        self._kept: Identity | None = None
        self._renew_at: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def current(self) -> Identity:
        """Return the kept identity, or run the plugin for a new one; many waiters, one run.

        Raises:
            SourceError: the plugin is missing, failed, took too long or printed nonsense.
        """
        async with self._one_at_a_time:
            kept = self._kept
            if kept is None or (self._renew_at and self._now() >= self._renew_at):
                kept = self._keep(_read(self._plugin, await _run(self._plugin, self._limit)))
            return self._completed(kept)

    def forget(self, rejected: Identity) -> None:
        """Run the plugin at the next `current`, unless somebody already got something newer."""
        if self._kept is not None and rejected == self._completed(self._kept):
            self._kept = None
        self._stated.forget(rejected)

    def _completed(self, printed: Identity) -> Identity:
        certificate = printed.certificate or self._stated.certificate()
        return Identity(printed.authorization, certificate)

    def _keep(self, printed: "_Status") -> Identity:
        self._kept = kept = _identity(self._plugin, printed)
        self._renew_at = None
        if end := printed.expiration_timestamp:
            self._renew_at = end - min(AHEAD, (end - self._now()) / 10)
        return kept


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _Printed(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = ""
    api_version: str = ""
    status: _Status | None = None


async def _run(plugin: Plugin, limit: float) -> bytes:
    try:
        process = await _start(plugin)
    except OSError as error:
        reason = plugin.missing() or f"cannot start {plugin.command!r}: {error.strerror}"
        raise SourceError(f"{plugin.label}: {reason}") from error
    return await _printed_by(process, plugin, limit)


async def _start(plugin: Plugin) -> asyncio.subprocess.Process:
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            env={**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": _exec_info(plugin)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # so that its children can be ended with it
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Cancelled between fork and return, asyncio would end the program but not its children,
        # and wait for those. Starting takes no longer than a fork.
        with contextlib.suppress(OSError):
            await _kill(await starting)
        raise


async def _printed_by(process: asyncio.subprocess.Process, plugin: Plugin, limit: float) -> bytes:
    try:
        printed, complaint = await _communicate(process, limit)
    except TimeoutError as error:
        raise SourceError(
            f"{plugin.label}: {plugin.command!r} did not end within {limit:g} s and was killed; "
            "run it by hand to see what it waits for"
        ) from error
    if process.returncode:
        raise SourceError(
            f"{plugin.label}: {plugin.command!r} ended with {process.returncode}{_quote(complaint)}"
        )
    return printed


async def _communicate(process: asyncio.subprocess.Process, limit: float) -> tuple[bytes, bytes]:
    try:
        async with asyncio.timeout(limit):
            return await process.communicate()
    except BaseException:  # cancelled or out of time: nobody will read what it prints
        await _kill(process)
        raise


async def _kill(process: asyncio.subprocess.Process) -> None:
    # Its children too: one of them may be what hangs. The session has the plugin's number.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await process.wait()


def _exec_info(plugin: Plugin) -> str:
    specification: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        specification["cluster"] = plugin.cluster
    return msgspec.json.encode(
        {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": specification}
    ).decode()


def _read(plugin: Plugin, printed: bytes) -> _Status:
    try:
        answer = msgspec.json.decode(printed, type=_Printed)
    except msgspec.DecodeError as error:
        raise _nonsense(plugin, f"no ExecCredential: {error}") from error
    if (answer.kind, answer.api_version) != ("ExecCredential", plugin.api_version):
        raise _nonsense(
            plugin, f"{answer.kind!r} of {answer.api_version!r}, asked for {plugin.api_version!r}"
        )
    if answer.status is None:
        raise _nonsense(plugin, "an ExecCredential without status")
    return answer.status


def _identity(plugin: Plugin, printed: _Status) -> Identity:
    chain, key = printed.client_certificate_data, printed.client_key_data
    if not (printed.token or chain or key):
        raise _nonsense(plugin, "neither a token nor a client certificate")
    if bool(chain) != bool(key):
        raise _nonsense(plugin, "only one of clientCertificateData and clientKeyData")
    try:
        authorization = bearer(printed.token.encode()) if printed.token else ""
    except ValueError as error:
        raise _nonsense(plugin, f"a token that cannot be sent: {error}") from error
    certificate = Certificate(chain.encode(), key.encode()) if chain and key else None
    return Identity(authorization, certificate)


def _nonsense(plugin: Plugin, what: str) -> SourceError:
    return SourceError(f"{plugin.label}: {plugin.command!r} printed {what}")


def _quote(complaint: bytes) -> str:
    # The last lines say what went wrong; the first of many are a stack trace.
    text = complaint.decode(errors="replace").strip()[-1000:]
    return f" and said: {text}" if text else " and said nothing"

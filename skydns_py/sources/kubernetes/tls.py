"""TLS contexts for one API server: whom we trust, and which certificate we show.

The rules are those of Go's `crypto/tls`, so that what works with kubectl works here.
This module never opens a connection, and leaves no private key on a disk.
"""

import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from skydns_py.sources.kubernetes.content import Content
from skydns_py.sources.kubernetes.credentials import Certificate


@dataclass(frozen=True)
class Trust:
    """What makes a server the right one.

    `authority` holds PEM certificates, None for the system's own; `server_name` is asked for and
    expected instead of the host in the URL when it is not empty; `insecure` believes anyone.
    """

    authority: Content | None = None
    server_name: str = ""
    insecure: bool = False


class Contexts:
    """The newest TLS context: kept while the certificates stay, made anew when one is rotated.

    Connections that stand keep theirs; a new context means new connections.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._made_of: tuple[bytes | None, Certificate | None] | None = None
        self._context: ssl.SSLContext | None = None

    def current(self, certificate: Certificate | None) -> ssl.SSLContext:
        """Return the context that shows `certificate` and trusts today's authority.

        Raises:
            ValueError: a certificate or key cannot be used; the sentence says which and why.
        """
        authority = self._trust.authority.read() if self._trust.authority else None
        if self._context is None or self._made_of != (authority, certificate):
            self._context = context(authority, certificate, insecure=self._trust.insecure)
            self._made_of = (authority, certificate)
        return self._context


def context(
    authority: bytes | None, certificate: Certificate | None, *, insecure: bool
) -> ssl.SSLContext:
    """Make one context; `authority` is PEM, None for the system's own.

    Raises:
        ValueError: a certificate or key cannot be used; the sentence says which and why.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Go takes every certificate it is given for a root, also one that another has signed.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif authority is None:
        made.load_default_certs()
    else:
        believe(made, authority)
    if certificate is not None:
        show(made, certificate)
    return made


def believe(made: ssl.SSLContext, authority: bytes) -> None:
    """Let a context trust the PEM certificates of an authority.

    Raises:
        ValueError: there are none, or they are damaged.
    """
    # Comments between the blocks may be in any language; the blocks themselves are ASCII.
    text = authority.decode("ascii", errors="replace")
    try:
        made.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"the certificate authority cannot be used ({_reason(error)})") from error


def show(made: ssl.SSLContext, certificate: Certificate) -> None:
    """Let a context show a client certificate.

    Raises:
        ValueError: it does not fit its key, the key is encrypted, or one of them is no PEM.
    """
    # Two files, for a chain file may hold a key too and a key file a chain (the kubelet's do).
    with _private_file(certificate.chain) as chain, _private_file(certificate.key) as key:
        try:
            made.load_cert_chain(chain, key, password=_refuse_password)
        except ssl.SSLError as error:
            raise ValueError(
                f"the client certificate and its key cannot be used together ({_reason(error)})"
            ) from error


@contextlib.contextmanager
def _private_file(pem: bytes) -> Iterator[str]:
    # OpenSSL reads a chain and a key from files only. This one is readable by us alone (mode 0600)
    # and gone when the block ends.
    with tempfile.NamedTemporaryFile(prefix="skydns-py-", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        yield file.name


def _refuse_password() -> str:
    # Without this OpenSSL would ask at the terminal, and the server would wait for ever.
    raise ValueError("the client key is encrypted; write it without a passphrase")


def _reason(error: Exception) -> str:
    # For what is no PEM at all OpenSSL has no reason, only a line of its own source.
    reason = getattr(error, "reason", None)
    return reason.replace("_", " ").lower() if reason else "no PEM block that can be read"

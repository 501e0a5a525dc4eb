"""What a request says about who asks: a bearer token, a password, a client certificate.

`Identity` is one such statement, `Credentials` where the newest one comes from.
This module never talks to a network, runs no program, and shows no secret in a `repr`.
"""

import base64
from dataclasses import dataclass, field
from typing import Protocol

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.content import Content


@dataclass(frozen=True)
class Certificate:
    """A client certificate with its chain, and its private key, both in PEM."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Identity:
    """Who asks: the value of the `Authorization` header ("" for none) and a certificate."""

    authorization: str = field(default="", repr=False)
    certificate: Certificate | None = None


class Credentials(Protocol):
    """Where identities come from."""

    async def current(self) -> Identity:
        """Return the identity to ask with now.

        Raises:
            SourceError: none can be had at the moment.
        """

    def forget(self, rejected: Identity) -> None:
        """Take note that the server did not know `rejected`: `current` must look again."""


@dataclass(frozen=True)
class Stated:
    """Credentials that are written down: inline, or in files that are read again.

    A token wins over `basic`, which is a complete `Authorization` value.
    """

    token: Content | None = None
    basic: str = field(default="", repr=False)
    chain: Content | None = None
    key: Content | None = None

    @property
    def authorizes(self) -> bool:
        """Whether a token or a password is stated."""
        return self.token is not None or self.basic != ""

    async def current(self) -> Identity:
        """Return the identity as the inline values and files have it now.

        Raises:
            SourceError: a rotated token file holds no token.
        """
        try:
            return self.identity()
        except ValueError as error:
            raise SourceError(f"{error}; waiting for the file to be written again") from error

    def identity(self) -> Identity:
        """Return the identity as it stands now.

        Raises:
            ValueError: what should be a token is none; the sentence does not show it.
        """
        return Identity(bearer(self.token.read()) if self.token else self.basic, self.certificate())

    def certificate(self) -> Certificate | None:
        """Return the client certificate as it stands now, None when none is stated."""
        if self.chain is None or self.key is None:
            return None
        return Certificate(self.chain.read(), self.key.read())

    def forget(self, rejected: Identity) -> None:  # noqa: ARG002  (one file, one reader: cheap)
        """Open every file again at the next `current`."""
        for content in (self.token, self.chain, self.key):
            if content is not None:
                content.forget()


def bearer(token: bytes) -> str:
    """Return the `Authorization` value for a token (RFC 6750 section 2.1), trimmed.

    Raises:
        ValueError: the token is empty or cannot stand in a header; the sentence does not show it.
    """
    trimmed = token.strip()
    if not trimmed:
        raise ValueError("the token is empty")
    if not all(0x20 < octet < 0x7F for octet in trimmed):
        raise ValueError("the token has blanks, line breaks or other octets no header may have")
    return f"Bearer {trimmed.decode('ascii')}"


def basic(username: str, password: str) -> str:
    """Return the `Authorization` value for a user name and password (RFC 7617 section 2)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")

"""What went wrong on the way to an API server, in a sentence that says what to do.

This module never retries and never judges an HTTP status: an answered request did not fail.
"""

import os
import ssl
from collections.abc import Iterator

import aiohttp
import yarl

from skydns_py.errors import SourceError
from skydns_py.sources.kubernetes.access import Access

_WRONG_NAME = frozenset((62, 64))
"""OpenSSL's verify codes for a certificate of another host name, and of another address."""

_UNKNOWN_AUTHORITY = frozenset((2, 18, 19, 20, 21))
"""OpenSSL's verify codes for a chain that does not end at a certificate we trust."""

_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING"))
"""OpenSSL's reasons when the other side does not speak TLS."""


def failure(error: Exception, access: Access, host: str, silence: float) -> SourceError:
    """Return the error to raise `from` what aiohttp or OpenSSL raised.

    `silence` is the read limit in seconds that applied.
    """
    return SourceError(f"API server {host}: {_sentence(error, access, silence)}")


def _sentence(error: Exception, access: Access, silence: float) -> str:
    if tls_error := _tls_error(error):
        return _tls_sentence(tls_error, access)
    match error:
        case aiohttp.SocketTimeoutError():
            return f"silent for {silence:g} s"
        case TimeoutError():
            return f"no connection in time; {_way(access)}"
        case aiohttp.ClientConnectorError():
            return _unreachable(error, access)
        case aiohttp.ClientHttpProxyError():
            return f"the proxy {_proxy(access)} refused: {error.status} {error.message}"
        case aiohttp.ClientResponseError():
            return f"what it answered is not HTTP: {_first_line(error.message)}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
    return f"the connection broke: {_first_line(error)}"


def _unreachable(error: aiohttp.ClientConnectorError, access: Access) -> str:
    reason = _reason(error.os_error)
    match error:
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy {_proxy(access)} cannot be reached: {reason}; {_way(access)}"
        case aiohttp.ClientConnectorDNSError() if access.proxy:
            return f"the name of the proxy {_proxy(access)} does not resolve: {reason}"
        case aiohttp.ClientConnectorDNSError():
            return f"its name does not resolve: {reason}; {_way(access)}"
    return f"{reason}; {_way(access)}"


def _tls_sentence(error: ssl.SSLError, access: Access) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _mistrust(error, access)
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if error.reason in _NO_TLS:
        return f"does not speak TLS ({reason}); see the scheme of the address in {access.where}"
    if "alert" in reason:
        return f"refused our side of TLS ({reason}); see the client certificate in {access.where}"
    return f"TLS failed: {reason}"


def _mistrust(error: ssl.SSLCertVerificationError, access: Access) -> str:
    reason = f"its certificate is not trusted: {error.verify_message}"
    if error.verify_code in _WRONG_NAME:
        asked = access.trust.server_name or yarl.URL(access.server).host
        return f"{reason} (asked for {asked}); set tls-server-name to a name it has"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return f"{reason}; see the certificate authority in {access.where}"
    return reason


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    # aiohttp's own errors are SSLErrors too, but without OpenSSL's reason.
    return next(
        (
            cause
            for cause in _causes(error)
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, aiohttp.ClientError)
        ),
        None,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _reason(error: OSError) -> str:
    # asyncio writes its own "Connect call failed"; the number knows better. Failures of names have
    # negative numbers and their own text, several addresses at once have no number.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or _first_line(error)


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _way(access: Access) -> str:
    return f"the address is from {access.where}"


def _proxy(access: Access) -> str:
    # Never the user and password that may stand before the host.
    return access.proxy.rpartition("@")[2].rpartition("//")[2]

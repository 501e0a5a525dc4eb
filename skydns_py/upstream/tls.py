"""The TLS side of asking an upstream: whom to trust, and what to show.

Never trusts without a certificate: a resolver that anybody can be is none (RFC 8310 strict).
"""

import ssl

from skydns_py.errors import SettingsError
from skydns_py.settings.upstream_shapes import ForwardSettings


def client_context(settings: ForwardSettings) -> ssl.SSLContext:
    """Return the context for `tls CERT KEY CA`, for the system's authorities when there is no CA.

    Raises:
        SettingsError: a file cannot be read, or is not what it should be.
    """
    where = next((upstream.line for upstream in settings.to if upstream.tls), "")
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca or None)
    except OSError as error:
        raise SettingsError(
            f"the authorities in {settings.tls_ca} cannot be used: {error};"
            " name a PEM file with at least one certificate",
            where,
        ) from error
    if settings.tls_cert:
        try:
            context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
        except OSError as error:
            raise SettingsError(
                f"the certificate {settings.tls_cert} with the key {settings.tls_key} cannot be"
                f" used: {error}; name a PEM certificate and the key that belongs to it",
                where,
            ) from error
    return context

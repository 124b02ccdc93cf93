"""TLS of the relay's own socket: the certificate from PEM files, again when they were renewed."""

from __future__ import annotations

import ssl
from pathlib import Path

from syncchat.errors import ValidationError

from .config import Config


class Tls:
    """Holds the certificate that new connections see."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Load both files; raises ``ValidationError`` when they cannot serve."""
        self._cert = cert
        self._key = key
        self.context = self._load()

    def reload(self) -> None:
        """Load the files again, for connections from now on; on an error all stays as it was."""
        self._load()  # a half-loaded pair must not get into the context that is in use
        self.context.load_cert_chain(self._cert, self._key, password=_no_password)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._cert, self._key, password=_no_password)
        except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
            reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or exc
            raise ValidationError(
                f"the certificate {self._cert} with the key {self._key} cannot be used: {reason}; "
                "both are PEM files that belong together, the key without a password"
            ) from exc
        return context


def tls_of(config: Config) -> Tls | None:
    """Return a relay's own TLS, None where it has none; raises ``ValidationError``."""
    if config.tls_cert is None or config.tls_key is None:
        return None
    return Tls(config.tls_cert, config.tls_key)


def _no_password() -> str:
    """Answer for an encrypted key, about which OpenSSL would ask at the terminal."""
    return ""

"""The operator's secret: made once, kept in the data folder for its owner's eyes only."""

from __future__ import annotations

import os
from pathlib import Path

from syncchat.errors import StorageError
from syncchat.ports import Random
from syncchat.wire.operator_link import SECRET_BYTES, encode_operator_link

from .config import Config

FILE_NAME = "operator.key"


def load_or_make(folder: Path, *, random: Random) -> tuple[bytes, bool]:
    """Return the secret of a data folder, and whether it was made just now."""
    path = folder / FILE_NAME
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return load(folder), False
    except OSError as exc:
        raise StorageError(f"{path} cannot be written: {exc.strerror or exc}") from exc
    secret = random.bytes(SECRET_BYTES)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return secret, True


def load(folder: Path) -> bytes:
    """Return the secret of a data folder; raises ``StorageError`` where there is none."""
    path = folder / FILE_NAME
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as exc:
        raise StorageError(
            f"{path} cannot be read: {exc.strerror or exc}; a relay with admission 'rooms' makes it"
        ) from exc
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise StorageError(f"{path} holds no operator secret: remove it, and a new one is made")
    return secret


def link_of(config: Config, port: int, secret: bytes) -> str:
    """Return the operator link of a relay, at the address that peers most likely dial."""
    return encode_operator_link(address_of(config, port), secret)


def address_of(config: Config, port: int) -> str:
    """Return the address that peers most likely dial: behind a proxy, the standard port."""
    name = config.names[0] if config.names else config.host
    host = f"[{name}]" if ":" in name else name
    if config.behind_proxy:
        return f"wss://{host}"
    if config.tls_cert is not None:
        return f"wss://{host}" if port == 443 else f"wss://{host}:{port}"
    return f"ws://{host}:{port}"

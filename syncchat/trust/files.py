"""Files: cut into chunks, sealed under a key of the file's own, and named by what comes out.

A file has a random key, which stands in the message that it belongs to, sealed as the message is. A
relay gets *blobs*: the sealed chunks, and the sealed *manifest*, which lists the chunks' names. The
manifest's name is the file's *root*, and stands in the message as well. So who has the message can
tell whether what a relay gives is what was sent, chunk by chunk and to the byte, and a relay learns
of a file how long about it is.

Every chunk but the last holds ``CHUNK_BYTES``; the last is padded as bodies are (``seal``). A
chunk's nonce is its number, so chunks cannot change places. XChaCha20-Poly1305 and BLAKE2b, as
everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated

import msgspec
import nacl.bindings as sodium
from msgspec import Meta, Struct
from nacl.exceptions import CryptoError

from ..errors import DecodeError, SealBroken
from ..wire.limits import BLOB_BYTES_MAX
from .seal import TAG_BYTES, padded_length

FILE_KEY_BYTES = 32
NAME_BYTES = 32

CHUNK_BYTES = BLOB_BYTES_MAX - TAG_BYTES
"""Bytes of a file in each chunk but the last, so that a sealed one fills a blob."""

CHUNKS_MAX = 8_000
"""Chunks of one file: their names fill one manifest, which is one blob."""

FORMAT = 1
_MANIFEST = 2**64 - 1
"""The number of a file's manifest in nonces; no chunk has it."""


class _Manifest(Struct, frozen=True, array_like=True):
    """Is what a manifest says: its format, the file's size, and the chunks' names in a row."""

    format: Annotated[int, Meta(ge=0, lt=2**31)]
    size: Annotated[int, Meta(ge=0, lt=2**53)]
    names: Annotated[bytes, Meta(max_length=CHUNKS_MAX * NAME_BYTES)]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Manifest)


def blob_name(blob: bytes) -> bytes:
    """Return the name of a blob: the hash of its bytes."""
    return hashlib.blake2b(blob, digest_size=NAME_BYTES, person=b"syncchat blob 1").digest()


def chunk_bytes() -> int:
    """Return how many bytes of a file each chunk but the last holds."""
    return CHUNK_BYTES


def sealed_bytes() -> int:
    """Return how many bytes each sealed chunk but the last has."""
    return CHUNK_BYTES + TAG_BYTES


def file_bytes_max() -> int:
    """Return the size of the largest file."""
    return CHUNKS_MAX * CHUNK_BYTES


def chunk_count(size: int) -> int:
    """Return how many chunks a file of ``size`` bytes has."""
    return -(-size // CHUNK_BYTES)


def chunk_size(size: int, number: int) -> int:
    """Return how many bytes of a file of ``size`` bytes its chunk ``number`` holds."""
    return min(CHUNK_BYTES, size - number * CHUNK_BYTES)


def sealed_size(size: int, number: int) -> int:
    """Return how many bytes the same chunk has when it is sealed."""
    return _padded(chunk_size(size, number)) + TAG_BYTES


class FileSeal:
    """Seals and opens one file's chunks and manifest; ``key`` is the file's random key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(
            key=key, digest_size=FILE_KEY_BYTES, person=b"syncchat file 1"
        ).digest()

    def chunk(self, number: int, content: bytes) -> bytes:
        """Return the blob of a chunk."""
        padding = bytes(_padded(len(content)) - len(content))
        return self._seal(number, content + padding if padding else content)

    def open_chunk(self, blob: bytes, *, number: int, size: int) -> bytes:
        """Return what chunk ``number`` of a file of ``size`` bytes holds; raises ``SealBroken``."""
        content = self._open(number, blob)
        length = chunk_size(size, number)
        if len(content) != _padded(length):
            raise SealBroken(f"chunk {number} of the file has {len(content)} bytes")
        return content if len(content) == length else content[:length]

    def manifest(self, names: Sequence[bytes], *, size: int) -> bytes:
        """Return the blob of a file's manifest."""
        return self._seal(_MANIFEST, _encoder.encode(_Manifest(FORMAT, size, b"".join(names))))

    def open_manifest(self, blob: bytes, *, size: int) -> list[bytes]:
        """Return the names of a file's chunks.

        Raises ``SealBroken``, and ``DecodeError`` for a manifest that is none of a file of
        ``size`` bytes.
        """
        content = self._open(_MANIFEST, blob)
        try:
            found = _decoder.decode(content)
        except (msgspec.MsgspecError, RecursionError) as exc:
            raise DecodeError(f"the file's manifest cannot be read: {exc}") from exc
        if found.format != FORMAT:
            raise DecodeError(f"the file's manifest has format {found.format}; update syncchat")
        if found.size != size:
            raise DecodeError("the file has another size than the message says")
        if len(found.names) != chunk_count(size) * NAME_BYTES:
            raise DecodeError("the file's manifest does not name as many chunks as the file has")
        return split_names(found.names)

    def _seal(self, number: int, content: bytes) -> bytes:
        return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
            content, None, _nonce(number), self._key
        )

    def _open(self, number: int, blob: bytes) -> bytes:
        try:
            return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                blob, None, _nonce(number), self._key
            )
        except (CryptoError, ValueError, TypeError) as exc:
            raise SealBroken("a part of the file does not open under the file's key") from exc


def split_names(names: bytes) -> list[bytes]:
    """Return names that stand in a row, one by one."""
    return [names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)]


def _padded(length: int) -> int:
    return min(CHUNK_BYTES, padded_length(length)) if length < CHUNK_BYTES else length


def _nonce(number: int) -> bytes:
    return bytes(16) + number.to_bytes(8)

"""Seals: bodies are compressed, padded and encrypted under the room key of an epoch.

XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random 24-byte nonce; the whole header,
the room and the previous link are the associated data, so a body opens only in its own place.
Padding follows Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS
2019): at most 12 % more bytes, and a length tells O(log log n) bits. Each body is compressed alone
against a fixed dictionary, so its length depends on nothing but what its writer wrote in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import nacl.bindings as sodium
import zstandard
from nacl.exceptions import CryptoError

from ..errors import DecodeError, SealBroken
from ..wire.limits import UPDATE_BYTES_MAX
from .phrases import DICTIONARY

ROOM_KEY_BYTES = 32
TAG_BYTES = 16
_PLAIN, _ZSTD, _PHRASES = 0, 1, 2
_LEVEL = 9
_FLOOR = 32
_PAD_MARK = 0x80
_WINDOW_MAX = 2**21
_T = TypeVar("_T")


def body_key(room_key: bytes, room: bytes, device: bytes) -> bytes:
    """Return the key that one device's bodies in one room are sealed with."""
    return hashlib.blake2b(
        room + device, key=room_key, digest_size=ROOM_KEY_BYTES, person=b"syncchat body 1"
    ).digest()


def seal(key: bytes, nonce: bytes, authenticated: bytes, update: bytes) -> bytes:
    """Return the sealed body of ``update``; ``authenticated`` is the ``chain.context``."""
    compressor = _take(_compressors, _new_compressor)
    form, payload = _PHRASES, compressor.compress(update)
    _compressors.append(compressor)
    if len(payload) >= len(update):
        form, payload = _PLAIN, update
    text = bytes((form,)) + payload + bytes((_PAD_MARK,))
    text += bytes(padded_length(len(text)) - len(text))
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, authenticated, nonce, key)


def open_sealed(key: bytes, nonce: bytes, authenticated: bytes, body: bytes) -> bytes:
    """Return the update in a sealed body.

    Raises ``SealBroken`` when it was not sealed with this key in this place, ``DecodeError`` when
    what was sealed is not a body or would decompress to over ``UPDATE_BYTES_MAX``.
    """
    try:
        text = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(body, authenticated, nonce, key)
    except (CryptoError, ValueError, TypeError) as exc:
        raise SealBroken("the body does not open under the room's key") from exc
    end = len(text.rstrip(b"\0")) - 1
    if end < 1 or text[end] != _PAD_MARK:
        raise DecodeError("the sealed text has no end mark")
    payload = text[1:end]
    if text[0] == _PLAIN:
        return payload
    if text[0] not in (_ZSTD, _PHRASES):
        raise DecodeError(f"unknown body form {text[0]}; update syncchat to read it")
    return _decompress(payload, text[0])


def padded_length(length: int) -> int:
    """Return the Padmé length that ``length`` bytes are padded to, at least the small floor."""
    if length <= _FLOOR:
        return _FLOOR
    exponent = length.bit_length() - 1
    mantissa_bits = exponent.bit_length()
    mask = (1 << (exponent - mantissa_bits)) - 1
    return (length + mask) & ~mask


_compressors: list[zstandard.ZstdCompressor] = []
_decompressors: list[zstandard.ZstdDecompressor] = []
"""Those that nobody uses at the moment. Making one costs more than a body, and no two threads may
use the same at once: so whoever needs one takes it out, and puts it back behind."""


def _take(spare: list[_T], make: Callable[[], _T]) -> _T:
    try:
        return spare.pop()
    except IndexError:
        return make()


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(DICTIONARY, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _new_compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(
        dict_data=_dictionary(),
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            _LEVEL,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=True,
            write_checksum=False,
            write_dict_id=False,
        ),
    )


def _new_decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(
        dict_data=_dictionary(),
        max_window_size=_WINDOW_MAX,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    )


def _decompress(payload: bytes, form: int) -> bytes:
    """Return what a payload of form 1 or 2 holds, once it says that this is not too much."""
    if form == _ZSTD:
        layout = zstandard.FORMAT_ZSTD1
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
    else:
        layout = zstandard.FORMAT_ZSTD1_MAGICLESS
        decompressor = _take(_decompressors, _new_decompressor)
    try:
        size = zstandard.get_frame_parameters(payload, format=layout).content_size
        if not 0 <= size <= UPDATE_BYTES_MAX:
            raise DecodeError(f"the body says that it decompresses to {size} bytes")
        update = decompressor.decompress(
            payload, max_output_size=UPDATE_BYTES_MAX, allow_extra_data=False
        )
    except zstandard.ZstdError as exc:
        raise DecodeError(f"the body does not decompress: {exc}") from exc
    if form == _PHRASES:
        _decompressors.append(decompressor)
    return update

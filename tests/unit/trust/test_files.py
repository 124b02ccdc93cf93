"""Tests of sealed files: what is cut, named and opened, and what is not taken for it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import nacl.bindings as sodium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat.errors import DecodeError, SealBroken
from syncchat.trust import files
from syncchat.trust.files import (
    CHUNK_BYTES,
    FileSeal,
    blob_name,
    chunk_count,
    chunk_size,
    sealed_size,
)
from syncchat.wire.limits import BLOB_BYTES_MAX
from tests import vectors

KEY = bytes(range(32))
VECTORS = vectors.load("files")


def cut(content: bytes) -> list[bytes]:
    return [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['size']} bytes")
def test_file_of_the_vectors_is_sealed_to_its_golden_bytes(row: dict[str, Any]) -> None:
    content = {0: b"", 5: b"hello"}.get(row["size"])
    if content is None:
        content = (bytes(range(256)) * (CHUNK_BYTES // 256 + 1))[: row["size"]]
    assert hashlib.blake2b(content, digest_size=32).hexdigest() == row["content_blake2b"]
    seal = FileSeal(bytes.fromhex(row["key"]))
    blobs = [seal.chunk(number, part) for number, part in enumerate(cut(content))]
    assert [len(blob) for blob in blobs] == row["blob_sizes"]
    assert [blob_name(blob).hex() for blob in blobs] == row["names"]
    manifest = bytes.fromhex(row["manifest"])
    names = seal.open_manifest(manifest, size=row["size"])
    assert [name.hex() for name in names] == row["names"]
    assert seal.manifest(names, size=row["size"]) == manifest
    assert blob_name(manifest).hex() == row["root"]


@pytest.mark.parametrize(
    "size", [1, 31, 32, 33, 1_000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES]
)
def test_file_of_any_size_opens_to_what_it_was(size: int) -> None:
    content = hashlib.shake_256(b"content").digest(size)
    seal = FileSeal(KEY)
    blobs = [seal.chunk(number, part) for number, part in enumerate(cut(content))]
    assert len(blobs) == chunk_count(size)
    for number, blob in enumerate(blobs):
        assert len(blob) == sealed_size(size, number) <= BLOB_BYTES_MAX
    opened = [seal.open_chunk(blob, number=n, size=size) for n, blob in enumerate(blobs)]
    assert b"".join(opened) == content


def test_length_of_a_small_file_shows_only_about() -> None:
    lengths = {len(FileSeal(KEY).chunk(0, bytes(size))) for size in range(1, 10_001)}
    assert len(lengths) < 120


def test_chunk_opens_only_under_its_key_and_number() -> None:
    blob = FileSeal(KEY).chunk(0, b"content")
    with pytest.raises(SealBroken):
        FileSeal(bytes(32)).open_chunk(blob, number=0, size=7)
    with pytest.raises(SealBroken):
        FileSeal(KEY).open_chunk(blob, number=1, size=CHUNK_BYTES + 7)


@given(st.data())
def test_chunk_with_any_change_does_not_open(data: st.DataObject) -> None:
    blob = bytearray(FileSeal(KEY).chunk(0, b"content of a file"))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        FileSeal(KEY).open_chunk(bytes(blob), number=0, size=17)
    assert blob_name(bytes(blob)) != blob_name(FileSeal(KEY).chunk(0, b"content of a file"))


@pytest.mark.parametrize("blob", [b"", b"x", bytes(15), bytes(16), bytes(40)])
def test_bytes_that_are_no_chunk_do_not_open(blob: bytes) -> None:
    with pytest.raises(SealBroken):
        FileSeal(KEY).open_chunk(blob, number=0, size=5)


def test_chunk_of_another_length_than_the_size_says_is_none() -> None:
    seal = FileSeal(KEY)
    with pytest.raises(SealBroken, match="has 32 bytes"):
        seal.open_chunk(seal.chunk(0, b"short"), number=0, size=1_000)


def test_chunk_is_no_manifest_and_the_other_way_round() -> None:
    seal = FileSeal(KEY)
    with pytest.raises(SealBroken):
        seal.open_manifest(seal.chunk(0, b"content"), size=7)
    with pytest.raises(SealBroken):
        seal.open_chunk(seal.manifest([bytes(32)], size=7), number=0, size=7)


def _sealed(value: object) -> bytes:
    """Return what a sender with the file's key may have sealed as a manifest."""
    key = hashlib.blake2b(key=KEY, digest_size=32, person=b"syncchat file 1").digest()
    nonce = bytes(16) + (2**64 - 1).to_bytes(8)
    text = msgspec.msgpack.encode(value)
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, None, nonce, key)


@pytest.mark.parametrize(
    "value",
    [
        [1, 100, bytes(32) * 2],
        [1, 100, b""],
        [1, 100, bytes(31)],
        [1, 99, bytes(32)],
        [1, -1, bytes(32)],
        [1, 2**53, bytes(32)],
        [1, 100.0, bytes(32)],
        [2, 100, bytes(32)],
        [1, 100],
        [1, 100, "text"],
        {"size": 100},
        None,
        [1, 100, bytes(32 * (files.CHUNKS_MAX + 1))],
    ],
    ids=lambda value: str(value)[:24],
)
def test_manifest_that_does_not_fit_its_file_is_refused(value: object) -> None:
    seal = FileSeal(KEY)
    assert seal.open_manifest(_sealed([1, 100, bytes(32)]), size=100) == [bytes(32)]
    with pytest.raises(DecodeError):
        seal.open_manifest(_sealed(value), size=100)


def test_two_files_of_the_same_bytes_have_nothing_in_common() -> None:
    one, other = FileSeal(bytes(31) + b"1").chunk(0, b"same"), FileSeal(KEY).chunk(0, b"same")
    assert one[:-16] != other[:-16]
    assert blob_name(one) != blob_name(other)


def test_largest_file_has_a_manifest_that_is_a_blob() -> None:
    size = files.file_bytes_max()
    assert chunk_count(size) == files.CHUNKS_MAX
    assert chunk_size(size, files.CHUNKS_MAX - 1) == CHUNK_BYTES
    manifest = FileSeal(KEY).manifest([bytes(32)] * files.CHUNKS_MAX, size=size)
    assert len(manifest) <= BLOB_BYTES_MAX

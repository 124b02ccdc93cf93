"""Strongboxes: what is put in comes out, and nothing else does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import nacl.bindings as sodium
import pytest

from syncchat.errors import BackupDamaged, BackupLocked, BackupNewer
from syncchat.trust.strongbox import (
    CHUNK_BYTES,
    HEAD_BYTES,
    TAG_BYTES,
    VERSION,
    Strongbox,
    open_box,
)
from tests import vectors
from tests.support.keys import WORDS, make_guessing_cheap

SALT = bytes(range(16))
SEALED_BYTES = CHUNK_BYTES + TAG_BYTES


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)


def boxed(content: bytes, *, piece: int = 10_000) -> bytes:
    box = Strongbox(WORDS, SALT)
    pieces = (content[at : at + piece] for at in range(0, len(content), piece))
    return box.head + b"".join(box.seal(pieces))


def unboxed(raw: bytes, passphrase: str = WORDS) -> bytes:
    box = open_box(raw[:HEAD_BYTES], passphrase)
    body = raw[HEAD_BYTES:]
    chunks = (body[at : at + SEALED_BYTES] for at in range(0, len(body), SEALED_BYTES))
    return b"".join(box.open(chunks))


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 200_001]
)
def test_content_of_any_length_comes_out_as_it_was_put_in(size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    raw = boxed(content)
    assert unboxed(raw) == content
    chunks = max(1, -(-size // CHUNK_BYTES))
    assert len(raw) == HEAD_BYTES + size + chunks * TAG_BYTES
    assert boxed(content, piece=77_777) == raw


@pytest.mark.usefixtures("cheap")
def test_every_flipped_bit_of_a_small_box_is_noticed() -> None:
    raw = boxed(b"the eagle lands at nine")
    for place in range(len(raw)):
        for bit in (1, 128):
            changed = bytearray(raw)
            changed[place] ^= bit
            with pytest.raises((BackupDamaged, BackupNewer, BackupLocked)):
                unboxed(bytes(changed))


@pytest.mark.usefixtures("cheap")
def test_box_that_was_cut_off_anywhere_is_damaged() -> None:
    raw = boxed(bytes(3 * CHUNK_BYTES))
    ends = [HEAD_BYTES + n * SEALED_BYTES for n in range(3)]  # exactly between two chunks
    for end in (0, 1, 15, HEAD_BYTES - 1, *ends, *(end + 1 for end in ends), len(raw) - 1):
        with pytest.raises(BackupDamaged):
            unboxed(raw[:end])


@pytest.mark.usefixtures("cheap")
def test_chunks_cannot_be_swapped_repeated_left_out_or_added() -> None:
    content = b"".join(bytes((n,)) * CHUNK_BYTES for n in range(3)) + b"rest"
    raw = boxed(content)
    head, body = raw[:HEAD_BYTES], raw[HEAD_BYTES:]
    one, two, three, rest = (
        body[at : at + SEALED_BYTES] for at in range(0, len(body), SEALED_BYTES)
    )
    assert unboxed(head + one + two + three + rest) == content
    for order in (
        (two, one, three, rest),
        (one, one, two, three, rest),
        (one, three, rest),
        (one, two, three, rest, rest),
        (one, two, three, rest, b"more"),
        (one, two, three),
    ):
        with pytest.raises(BackupDamaged):
            unboxed(head + b"".join(order))


@pytest.mark.usefixtures("cheap")
def test_chunks_of_another_box_under_the_same_passphrase_are_refused() -> None:
    other = Strongbox(WORDS, bytes(16))
    mine = boxed(b"mine")
    theirs = other.head + b"".join(other.seal([b"theirs"]))
    with pytest.raises(BackupDamaged):
        unboxed(mine[:HEAD_BYTES] + theirs[HEAD_BYTES:])


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("wrong", ["", "correct horse battery stapler", WORDS.upper()])
def test_wrong_passphrase_is_told_from_damage(wrong: str) -> None:
    with pytest.raises(BackupLocked, match="passphrase"):
        unboxed(boxed(b"x"), wrong)


@pytest.mark.usefixtures("cheap")
def test_damaged_salt_is_told_from_a_wrong_passphrase() -> None:
    raw = bytearray(boxed(b"x"))
    raw[20] ^= 1
    with pytest.raises(BackupDamaged, match="beginning"):
        unboxed(bytes(raw))


def test_later_version_is_told_before_anything_else_of_it_is_read() -> None:
    with pytest.raises(BackupNewer, match="update syncchat"):
        open_box(b"syncchat backup" + bytes((VERSION + 1,)) + b"another layout", WORDS)


def test_other_files_are_no_backups() -> None:
    for head in (b"", b"SQLite format 3\0" + bytes(56), b"syncchat backuq" + bytes(57)):
        with pytest.raises(BackupDamaged, match="not a syncchat backup"):
            open_box(head, WORDS)


def test_passphrases_that_look_the_same_open_the_same_box(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)
    box = Strongbox("Übergröße", SALT)  # composed
    assert open_box(box.head, "U\u0308bergro\u0308ße").head == box.head


def test_box_of_the_vectors_opens_and_is_made_again_byte_for_byte() -> None:
    file = vectors.load("backups")
    raw, content = bytes.fromhex(file["box"]), bytes.fromhex(file["content"])
    assert unboxed(raw, file["passphrase"]) == content
    box = Strongbox(file["passphrase"], bytes.fromhex(file["salt"]))
    assert box.head + b"".join(box.seal([content])) == raw


def test_chunks_of_the_vectors_open_by_the_documented_steps_alone() -> None:
    file = vectors.load("backups")
    raw = bytes.fromhex(file["box"])
    head, chunk = raw[:72], raw[72:]
    master = sodium.crypto_pwhash_alg(
        32, file["passphrase"].encode(), head[16:32], 3, 268_435_456, 2
    )
    assert head[:16] == b"syncchat backup\x01"
    assert head[32:40] == hashlib.blake2b(head[:32], digest_size=8).digest()
    assert head[40:] == _keyed(master, b"syncchat check 1")
    nonce = bytes(23) + b"\x01"
    key = _keyed(master, b"syncchat chunks1")
    opened = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(chunk, head, nonce, key)
    assert opened.hex() == file["content"]


def test_nothing_of_a_box_is_handed_out_before_its_chunk_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_guessing_cheap(monkeypatch)
    raw = bytearray(boxed(bytes(CHUNK_BYTES) + b"tail"))
    raw[HEAD_BYTES + 5] ^= 1
    box = open_box(bytes(raw[:HEAD_BYTES]), WORDS)

    def chunks() -> Iterator[bytes]:
        yield bytes(raw[HEAD_BYTES : HEAD_BYTES + SEALED_BYTES])
        yield bytes(raw[HEAD_BYTES + SEALED_BYTES :])

    came: list[bytes] = []
    with pytest.raises(BackupDamaged):
        came.extend(box.open(chunks()))
    assert came == []


def _keyed(master: bytes, use: bytes) -> bytes:
    return hashlib.blake2b(key=master, digest_size=32, person=use).digest()

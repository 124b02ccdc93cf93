"""Tests of sealed bodies: where they open, what their size tells, what they may not do."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import nacl.bindings as sodium
import pytest
import zstandard

from syncchat.core.journal import Entry, Volume
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.errors import DecodeError, SealBroken
from syncchat.trust import chain, phrases, seal
from syncchat.wire.envelope import decode_envelope
from syncchat.wire.limits import UPDATE_BYTES_MAX
from tests import vectors

from .chains import flipped

KEY = seal.body_key(bytes(32), bytes(16), bytes(8))
NONCE = bytes(24)
PLACE = b"header and place"
BLOCK_BYTES_MAX = 128 * 1024


def _sealed_text(text: bytes) -> bytes:
    """Return a body that a holder of the key made on purpose, of any form."""
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, PLACE, NONCE, KEY)


MAGIC = zstandard.MAGIC_NUMBER.to_bytes(4, "little")


def _squeezed(update: bytes, *, write_content_size: bool = True) -> bytes:
    compressor = zstandard.ZstdCompressor(level=9, write_content_size=write_content_size)
    return compressor.compress(update)


def _phrased(update: bytes, level: int = 9, *, write_checksum: bool = False) -> bytes:
    """Return the payload of form 2 by the plain words of the reference, not by ``seal``."""
    compressor = zstandard.ZstdCompressor(
        dict_data=zstandard.ZstdCompressionDict(
            phrases.DICTIONARY, dict_type=zstandard.DICT_TYPE_RAWCONTENT
        ),
        level=level,
        write_checksum=write_checksum,
    )
    return compressor.compress(update).removeprefix(MAGIC)


def _frame(claimed: int, runs: list[int]) -> bytes:
    """Return a zstd frame (RFC 8878) of runs of a letter that says it holds ``claimed`` bytes."""
    frame = MAGIC + b"\xe0" + claimed.to_bytes(8, "little")
    for at, size in enumerate(runs):
        is_last = at == len(runs) - 1
        frame += (size << 3 | 0b010 | is_last).to_bytes(3, "little") + b"a"
    return frame


def test_bodies_are_those_of_the_vectors() -> None:
    file = vectors.load("envelopes")
    room, room_key = bytes.fromhex(file["room"]), bytes.fromhex(file["room_key"])
    keys = {row["device"]: row for row in file["devices"]}
    for row in file["log"]:
        envelope, header = decode_envelope(bytes.fromhex(row["envelope"]))
        key = seal.body_key(room_key, room, header.device)
        assert key.hex() == keys[row["device"]]["body_key"]
        place = chain.context(room, bytes.fromhex(row["previous_link"]), envelope.header)
        update = bytes.fromhex(row["update"])
        assert len(seal.seal(key, header.nonce, place, update)) == len(envelope.body)
        assert seal.open_sealed(key, header.nonce, place, envelope.body) == update


@pytest.mark.parametrize("name", ["compressed", "compressed without phrases"])
def test_compressed_body_of_the_vectors_opens(name: str) -> None:
    row = {key: bytes.fromhex(text) for key, text in vectors.load("seals")[name].items()}
    opened = seal.open_sealed(row["key"], row["nonce"], row["authenticated"], row["body"])
    assert opened == row["update"]
    assert len(row["body"]) < len(row["update"]) / 5


def test_padded_lengths_are_those_of_the_vectors() -> None:
    for length, padded in vectors.load("seals")["padded_lengths"]:
        assert seal.padded_length(length) == padded


@pytest.mark.parametrize("size", [0, 1, 30, 31, 255, 256, 257, 5_000, UPDATE_BYTES_MAX])
@pytest.mark.parametrize("unit", [b"\0", b"\x80", b"a"], ids=["nul", "mark", "letter"])
def test_update_of_any_size_comes_back(size: int, unit: bytes) -> None:
    update = unit * size
    body = seal.seal(KEY, NONCE, PLACE, update)
    assert seal.open_sealed(KEY, NONCE, PLACE, body) == update


def test_every_flipped_bit_of_body_nonce_key_or_place_is_noticed() -> None:
    update = b"an update"
    parts = {"key": KEY, "nonce": NONCE, "authenticated": PLACE}
    parts["body"] = seal.seal(KEY, NONCE, PLACE, update)
    assert seal.open_sealed(**parts) == update
    for name, part in parts.items():
        for bit in range(len(part) * 8):
            with pytest.raises(SealBroken):
                seal.open_sealed(**(parts | {name: flipped(part, bit)}))


def test_body_opens_only_in_its_own_place_in_the_chain() -> None:
    row = vectors.load("envelopes")["log"][1]
    file = vectors.load("envelopes")
    room = bytes.fromhex(file["room"])
    envelope, header = decode_envelope(bytes.fromhex(row["envelope"]))
    key = seal.body_key(bytes.fromhex(file["room_key"]), room, header.device)
    previous = bytes.fromhex(row["previous_link"])
    for bit in range(256):
        place = chain.context(room, flipped(previous, bit), envelope.header)
        with pytest.raises(SealBroken):
            seal.open_sealed(key, header.nonce, place, envelope.body)
    for bit in range(128):
        place = chain.context(flipped(room, bit), previous, envelope.header)
        with pytest.raises(SealBroken):
            seal.open_sealed(key, header.nonce, place, envelope.body)
    for bit in range(len(envelope.header) * 8):
        place = chain.context(room, previous, flipped(envelope.header, bit))
        with pytest.raises(SealBroken):
            seal.open_sealed(key, header.nonce, place, envelope.body)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17])
def test_body_too_short_to_be_one_does_not_open(size: int) -> None:
    with pytest.raises(SealBroken):
        seal.open_sealed(KEY, NONCE, PLACE, bytes(size))


def test_each_room_and_device_has_its_own_key() -> None:
    keys = {
        seal.body_key(room_key, room, device)
        for room_key in (bytes(32), b"k" * 32)
        for room in (bytes(16), b"r" * 16)
        for device in (bytes(8), b"d" * 8)
    }
    assert len(keys) == 8


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0",
        bytes(32),
        b"\x80",
        b"\x80\0\0",
        b"\0no mark",
        b"\x01\x28\xb5\x2f\xfd",
        b"\0x\x81",
        b"\0x\x80\x01",
    ],
    ids=lambda text: text.hex() or "nothing",
)
def test_sealed_text_without_an_end_mark_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError, match="end mark"):
        seal.open_sealed(KEY, NONCE, PLACE, _sealed_text(text))


@pytest.mark.parametrize("form", [3, 0x7F, 0x80, 0xFF])
def test_unknown_body_form_says_to_update(form: int) -> None:
    with pytest.raises(DecodeError, match="update syncchat"):
        seal.open_sealed(KEY, NONCE, PLACE, _sealed_text(bytes((form,)) + b"new\x80"))


def test_honest_frame_of_the_kind_that_lies_below_opens() -> None:
    for runs in ([5], [5, 1], [BLOCK_BYTES_MAX] * 8):
        frame = _frame(sum(runs), runs)
        for payload in (b"\x01" + frame, b"\x02" + frame.removeprefix(MAGIC)):
            body = _sealed_text(payload + b"\x80")
            assert seal.open_sealed(KEY, NONCE, PLACE, body) == b"a" * sum(runs)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not zstd",
        _squeezed(b"a" * 1_000)[:-1],
        _squeezed(b"a" * 1_000) + b"x",
        _squeezed(b"a" * 1_000) * 2,
        _squeezed(b"a" * 1_000, write_content_size=False),
        _squeezed(b"a" * (UPDATE_BYTES_MAX + 1)),
        _frame(2**64 - 1, [5]),
        _frame(6, [5]),
        _frame(4, [5]),
        _frame(5, [5, 1]),
        _frame(5, [BLOCK_BYTES_MAX]),
        _frame(UPDATE_BYTES_MAX, [BLOCK_BYTES_MAX] * 8_000),
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
    ],
    ids=[
        "nothing",
        "no zstd",
        "cut",
        "trailing",
        "two frames",
        "no content size",
        "over the limit",
        "claims 2**64",
        "claims one more",
        "claims one less",
        "claims one less in two blocks",
        "claims far too little",
        "claims 1 MiB and holds 1 GiB",
        "skippable frame",
    ],
)
def test_compressed_body_that_lies_about_itself_is_refused(payload: bytes) -> None:
    for text in (b"\x01" + payload, b"\x02" + payload, b"\x02" + payload.removeprefix(MAGIC)):
        with pytest.raises(DecodeError):
            seal.open_sealed(KEY, NONCE, PLACE, _sealed_text(text + b"\x80"))


def test_zstd_frame_with_its_own_checksum_or_of_another_level_opens() -> None:
    update = b"the same words again, " * 100
    for compressor in (
        zstandard.ZstdCompressor(level=1, write_content_size=True),
        zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=True),
    ):
        body = _sealed_text(b"\x01" + compressor.compress(update) + b"\x80")
        assert seal.open_sealed(KEY, NONCE, PLACE, body) == update
    for payload in (_phrased(update, 1), _phrased(update, 19, write_checksum=True)):
        body = _sealed_text(b"\x02" + payload + b"\x80")
        assert seal.open_sealed(KEY, NONCE, PLACE, body) == update


def test_phrases_are_those_of_the_vectors() -> None:
    file = vectors.load("seals")["phrases"]
    assert len(phrases.DICTIONARY) == file["bytes"]
    assert hashlib.sha256(phrases.DICTIONARY).hexdigest() == file["sha256"]


def test_frame_that_needs_the_phrases_does_not_open_without_them() -> None:
    update = _of_a_message("thank you very much, see you soon")
    payload = _phrased(update)
    body = _sealed_text(b"\x02" + payload + b"\x80")
    assert seal.open_sealed(KEY, NONCE, PLACE, body) == update
    with pytest.raises(DecodeError):
        seal.open_sealed(KEY, NONCE, PLACE, _sealed_text(b"\x01" + MAGIC + payload + b"\x80"))


@pytest.mark.parametrize(
    ("text", "saved"),
    [("ok", 8), ("I don't know what is wrong", 24), ("Wir sind heute nicht da", 16)],
)
def test_a_message_alone_is_smaller_by_the_phrases(text: str, saved: int) -> None:
    update = _of_a_message(text)
    body = seal.seal(KEY, NONCE, PLACE, update)
    assert len(body) <= seal.padded_length(2 + len(update)) + seal.TAG_BYTES - saved
    assert seal.open_sealed(KEY, NONCE, PLACE, body) == update


def test_threads_seal_and_open_at_once() -> None:
    update = _of_a_message("how do I get it to work? " * 200)
    expected = seal.seal(KEY, NONCE, PLACE, update)

    def both(_: int) -> bool:
        body = seal.seal(KEY, NONCE, PLACE, update)
        return body == expected and seal.open_sealed(KEY, NONCE, PLACE, body) == update

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(both, range(400)))


def _of_a_message(text: str) -> bytes:
    raw = encode_value(MessageValue(text=text))
    return Volume(1).write([Entry(Root.MESSAGES, "038RRBH800002", raw)])


def test_text_that_does_not_compress_is_sealed_as_it_is() -> None:
    noise = sodium.randombytes_buf_deterministic(1_000, bytes(32))
    body = seal.seal(KEY, NONCE, PLACE, noise)
    assert len(body) == seal.padded_length(1_002) + seal.TAG_BYTES
    assert seal.open_sealed(KEY, NONCE, PLACE, body) == noise


def test_short_texts_have_one_size() -> None:
    sizes = {len(seal.seal(KEY, NONCE, PLACE, b"x" * size)) for size in range(31)}
    assert sizes == {32 + seal.TAG_BYTES}

"""Tests of identifiers and their text forms."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat import ids
from syncchat.errors import DecodeError
from syncchat.ids import DeviceId, MessageId, Stamp
from tests import vectors

NUMBERS = st.integers(0, 2**64 - 1)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_stamps_are_written_as_the_vectors_say() -> None:
    for row in vectors.load("ids")["stamps"]:
        number = row["ms"] << 16 | row["counter"]
        assert ids.base32_from_int(number, chars=ids.STAMP_CHARS) == row["text"]
        assert ids.int_from_base32(row["text"], bits=64) == number
        assert ids.is_stamp(row["text"])


def test_devices_are_written_as_the_vectors_say() -> None:
    for row in vectors.load("ids")["devices"]:
        key = bytes.fromhex(row["key"])
        assert ids.device_text(key) == ids.device_text(key[:8]) == row["text"]
        assert ids.device_bytes(row["text"]) == key[:8]
        assert ids.is_device_id(row["text"])


def test_rooms_are_written_as_the_vectors_say() -> None:
    for row in vectors.load("ids")["rooms"]:
        assert ids.room_text(bytes.fromhex(row["room"])) == row["text"]
        assert ids.room_bytes(row["text"]) == bytes.fromhex(row["room"])


def test_message_ids_are_a_stamp_and_a_device() -> None:
    for row in vectors.load("ids")["messages"]:
        message = ids.message_id(row["stamp"], row["device"])
        assert message == row["text"]
        assert ids.is_message_id(message)
        assert ids.stamp_of(message) == row["stamp"]
        assert ids.author_device(message) == row["device"]


@given(NUMBERS, NUMBERS)
def test_text_sorts_like_the_number_that_it_stands_for(first: int, second: int) -> None:
    texts = [ids.base32_from_int(number, chars=13) for number in (first, second)]
    assert (texts[0] < texts[1]) == (first < second)
    assert (texts[0] == texts[1]) == (first == second)


@given(st.lists(st.tuples(NUMBERS, st.binary(min_size=8, max_size=8)), max_size=20))
def test_message_ids_sort_by_stamp_and_then_by_device(written: list[tuple[int, bytes]]) -> None:
    def text(item: tuple[int, bytes]) -> MessageId:
        stamp = Stamp(ids.base32_from_int(item[0], chars=ids.STAMP_CHARS))
        return ids.message_id(stamp, ids.device_text(item[1]))

    assert [text(item) for item in sorted(written)] == sorted(text(item) for item in written)


@given(NUMBERS)
def test_numbers_come_back_from_their_text(number: int) -> None:
    text = ids.base32_from_int(number, chars=13)
    assert len(text) == 13
    assert set(text) <= set(ALPHABET)
    assert ids.int_from_base32(text, bits=64) == number


@given(st.binary(min_size=16, max_size=16))
def test_room_ids_come_back_from_their_text(room: bytes) -> None:
    text = ids.room_text(room)
    assert len(text) == ids.ROOM_CHARS
    assert ids.room_bytes(text) == room


@given(
    st.text(max_size=40)
    | st.text(ALPHABET, min_size=13, max_size=13)
    | st.text(ALPHABET, max_size=26)
)
def test_any_text_is_an_id_or_raises_decode_error_alone(text: str) -> None:
    with contextlib.suppress(DecodeError):
        assert ids.room_text(ids.room_bytes(text)) == text
    try:
        device = ids.device_bytes(DeviceId(text))
    except DecodeError:
        assert not ids.is_device_id(text)
    else:
        assert ids.device_text(device) == text
        assert ids.is_device_id(text)


@pytest.mark.parametrize("char", ["I", "L", "O", "U", "a", "-", " ", "\n", "é", "\u0661"])
def test_characters_outside_of_the_alphabet_are_refused(char: str) -> None:
    with pytest.raises(DecodeError, match="use 0-9 and A-Z"):
        ids.room_bytes("0" * 25 + char)
    assert not ids.is_stamp("0" * 12 + char)
    assert not ids.is_message_id("0" * 25 + char)


@pytest.mark.parametrize("text", ["", "0", "0" * 12, "0" * 14, "0" * 10_000_000])
def test_ids_of_another_length_are_refused_without_reading_them(text: str) -> None:
    with pytest.raises(DecodeError, match="must have"):
        ids.device_bytes(DeviceId(text))
    with pytest.raises(DecodeError, match="must have"):
        ids.room_bytes(text)
    assert not ids.is_device_id(text)


def test_text_of_a_larger_number_than_fits_is_refused() -> None:
    assert ids.int_from_base32("FZZZZZZZZZZZZ", bits=64) == 2**64 - 1
    with pytest.raises(DecodeError, match="too large"):
        ids.int_from_base32("G000000000000", bits=64)
    assert ids.is_stamp("FZZZZZZZZZZZZ")
    assert not ids.is_stamp("G000000000000")
    assert not ids.is_message_id("0000000000000" + "G000000000000")


def test_refusal_shows_no_more_than_the_beginning_of_a_long_text() -> None:
    with pytest.raises(DecodeError) as caught:
        ids.room_bytes("x" * 100_000)
    assert len(str(caught.value)) < 120

"""Signals: they open for members in their room, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from syncchat.errors import DecodeError, SealBroken, SignatureInvalid
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.signals import open_signal, seal_signal
from syncchat.wire.limits import SIGNAL_BYTES_MAX
from syncchat.wire.signal import (
    Content,
    Here,
    SealedSignal,
    Typing,
    decode_content,
    decode_signal,
    encode_signal,
)
from tests.vectors import load

ALICE, MALLORY = DeviceKeys(bytes(32)), DeviceKeys(bytes(31) + b"\1")
ROOM, KEY = b"r" * 16, b"k" * 32


TYPES = Typing(True)


def _sealed(content: Content = TYPES) -> bytes:
    return seal_signal(ALICE, content, room=ROOM, room_key=KEY, epoch=1, number=7, nonce=bytes(24))


def _opened(raw: bytes, *, room: bytes = ROOM, key: bytes = KEY, by: DeviceKeys = ALICE) -> Content:
    signal, header = decode_signal(raw)
    return open_signal(signal, header, room=room, room_key=key, device_key=by.public)


@pytest.mark.parametrize("row", load("signals"), ids=lambda row: row["kind"])
def test_signal_has_the_bytes_that_are_written_down(row: dict[str, Any]) -> None:
    signal, header = decode_signal(bytes.fromhex(row["hex"]))
    opened = open_signal(
        signal,
        header,
        room=bytes.fromhex(row["room"]),
        room_key=bytes.fromhex(row["room_key"]),
        device_key=bytes.fromhex(row["device_key"]),
    )
    assert opened == decode_content(bytes.fromhex(row["content"]))
    assert type(opened).__name__ == row["kind"]
    assert (header.epoch, header.number) == (row["epoch"], row["number"])


def test_other_room_key_or_device_opens_nothing() -> None:
    raw = _sealed()
    assert _opened(raw) == Typing(True)
    with pytest.raises(SignatureInvalid):
        _opened(raw, room=b"s" * 16)
    with pytest.raises(SealBroken):
        _opened(raw, key=b"l" * 32)
    with pytest.raises(SignatureInvalid):
        _opened(raw, by=MALLORY)


def test_no_byte_of_a_signal_can_be_changed() -> None:
    raw = _sealed(Here(True, True, "hello"))
    for at in range(len(raw)):
        changed = raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]
        with pytest.raises((DecodeError, SignatureInvalid, SealBroken)):
            _opened(changed)


def test_signals_of_one_length_do_not_tell_what_they_say() -> None:
    assert (
        len({len(_sealed(c)) for c in (Typing(True), Typing(False), Here(True), Here(False))}) == 1
    )


@pytest.mark.parametrize(
    "raw", [b"", b"\x93", bytes(SIGNAL_BYTES_MAX + 1), b"\x93\xc4\x00\xc4\x00\xc4\x00"]
)
def test_what_is_no_signal_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_signal(raw)


def test_later_version_is_refused_with_what_to_do() -> None:
    signal, _ = decode_signal(_sealed())
    later = SealedSignal(b"\x95\x02" + signal.header[2:], signal.body, signal.signature)
    with pytest.raises(DecodeError, match="update syncchat"):
        decode_signal(encode_signal(later))

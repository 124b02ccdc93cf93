"""What is spared while a schedule is played changes nothing that comes of it."""

from __future__ import annotations

import gc

import pytest

from syncchat.errors import SignatureInvalid
from syncchat.testing.pace import sparing
from syncchat.trust.keys import DeviceKeys, verify


def test_signature_that_held_once_holds_for_its_own_bytes_only() -> None:
    keys, others = DeviceKeys(b"1" * 32), DeviceKeys(b"2" * 32)
    signature = keys.sign(b"text")
    with sparing():
        for _ in range(2):
            verify(keys.public, b"text", signature)
            for key, text, said in (
                (others.public, b"text", signature),
                (keys.public, b"other text", signature),
                (keys.public, b"text", others.sign(b"text")),
            ):
                with pytest.raises(SignatureInvalid):
                    verify(key, text, said)


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_afterwards_as_before(collects: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        with sparing():
            assert not gc.isenabled()
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()

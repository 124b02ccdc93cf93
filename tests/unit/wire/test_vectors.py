"""Tests that the code makes and reads exactly the golden bytes."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from syncchat.ids import RoomId
from syncchat.wire import frames
from syncchat.wire.envelope import (
    Envelope,
    Header,
    decode_envelope,
    encode_envelope,
    encode_header,
)
from syncchat.wire.invite import InviteKind, InviteLink, decode_invite, encode_invite
from tests import vectors
from tests.vectors.samples import all_files

FRAMES = list(vectors.frames())


@pytest.mark.parametrize("vector", FRAMES, ids=lambda vector: vector.name)
def test_frame_encodes_to_its_golden_bytes(vector: vectors.FrameVector) -> None:
    assert frames.encode(vector.frame) == vector.raw


@pytest.mark.parametrize("vector", FRAMES, ids=lambda vector: vector.name)
def test_golden_bytes_decode_to_the_frame(vector: vectors.FrameVector) -> None:
    assert frames.decode(vector.raw) == vector.frame


def test_every_frame_has_a_vector_with_its_tag() -> None:
    tags = {row["frame"]: row["tag"] for row in vectors.load("frames")}
    assert tags == {kind.__name__: kind.__struct_config__.tag for kind in get_args(frames.AnyFrame)}


def test_envelopes_are_the_golden_bytes() -> None:
    for row in vectors.load("envelopes")["log"]:
        fields = row["header_fields"]
        header = Header(
            version=fields["version"],
            kind=fields["kind"],
            device=bytes.fromhex(fields["device"]),
            seq=fields["seq"],
            volume=fields["volume"],
            epoch=fields["epoch"],
            heads=bytes.fromhex(fields["heads"]),
            nonce=bytes.fromhex(fields["nonce"]),
            key=bytes.fromhex(fields["key"]) if fields["key"] else None,
        )
        assert encode_header(header).hex() == row["header"]
        parts = (bytes.fromhex(row[name]) for name in ("header", "body", "signature"))
        envelope = Envelope(*parts)
        raw = bytes.fromhex(row["envelope"])
        assert encode_envelope(envelope) == raw
        assert decode_envelope(raw) == (envelope, header)


def test_invite_links_are_the_golden_text() -> None:
    for row in vectors.load("invites"):
        invite = InviteLink(
            RoomId(bytes.fromhex(row["room_id"])),
            row["relay"],
            InviteKind(row["kind"]),
            bytes.fromhex(row["secret"]),
            row["title"],
        )
        assert invite.seed.hex() == row["seed"]
        assert encode_invite(invite) == row["link"]
        assert decode_invite(row["link"]) == invite


def test_vector_files_are_what_their_command_would_write() -> None:
    made = all_files()
    kept = {name: vectors.load(name) for name in made}
    for contents in (made, kept):
        del contents["seals"]["compressed"]["body"]  # depends on the version of zstd
    assert msgspec.to_builtins(made) == kept

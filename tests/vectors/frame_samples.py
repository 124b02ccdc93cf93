"""Frames for the vectors: at least one of every tag."""

from __future__ import annotations

from typing import Any

import msgspec

from syncchat.ids import RoomId
from syncchat.trust import chain, keys
from syncchat.trust.files import blob_name
from syncchat.wire import frames
from syncchat.wire.codes import BlobState, ErrorCode, ItemStatus
from syncchat.wire.limits import VERSION

from . import FRAME_TYPES, plain
from .bases import ALICE, BOB, CHALLENGE, INCARNATION, LINKS, OPERATOR_SECRET, ROOM


def frame_samples() -> list[tuple[str, frames.Frame]]:
    """Return frames by name: at least one of every tag."""
    device_a, device_b = ALICE.public[:8], BOB.public[:8]
    cursor = frames.RoomCursor(ROOM, 7, LINKS[0][:8], 3)
    empty = frames.RoomCursor(RoomId(bytes(16)), 0, chain.EMPTY_FINGERPRINT, 0)
    return [
        ("hello", frames.Hello(1, 1, INCARNATION, CHALLENGE)),
        ("auth", frames.Auth(VERSION, ALICE.public, "relay.example", auth_signature())),
        ("auth_with_token_and_proof", _auth_with_all()),
        ("open_nothing", frames.Open(bytes(8), [])),
        ("open_two_rooms", frames.Open(INCARNATION, [cursor, empty])),
        ("open_with_a_proof", frames.Open(bytes(8), [_proved(empty)])),
        ("open_recent_first", frames.Open(INCARNATION, [cursor], 256)),
        ("open_one_light", frames.Open(INCARNATION, [cursor, empty], 256, [1])),
        ("opened_as_said", frames.Opened([4, 5], [])),
        ("opened_one_differs", frames.Opened([4, 5], [frames.RoomState(1, 0, 300, 2)])),
        ("opened_one_closed", frames.Opened([6], [frames.RoomState(0, 0, 0, 0, True)])),
        ("push", frames.Push(4, 1, [b"first envelope", b"second envelope"])),
        ("ack_all_states", frames.Ack(4, 1, [frames.AckItem(s, 300 + s) for s in ItemStatus])),
        ("deliver", frames.Deliver(4, 300, [b"an envelope"])),
        (
            "deliver_gaps",
            frames.Deliver(
                4,
                300,
                [b"first envelope", b"second envelope"],
                [frames.Gap(0, 310, bytes(range(8))), frames.Gap(2, 320, bytes(range(8, 16)))],
            ),
        ),
        ("snapshots", frames.Snapshots(4, [b"first snapshot", b"second snapshot"])),
        ("stubs", frames.Stubs(4, [120, 200], [b"first stub", b"second stub"])),
        ("ask_contents", frames.AskContents(4, [120, 200])),
        ("contents", frames.Contents(4, 120, b"a whole snapshot")),
        ("contents_gone", frames.Contents(4, 200, b"")),
        (
            "recent",
            frames.Recent(
                4,
                299,
                [1, 120, 299, 300],
                [b"a record", b"an introduction", b"an envelope", b"one behind it"],
                [frames.LinkBefore(1, LINKS[0]), frames.LinkBefore(2, LINKS[1])],
                False,
            ),
        ),
        ("recent_nothing", frames.Recent(4, 300, [], [], [], True)),
        ("live", frames.Live(4, 301, bytes(range(8)))),
        ("applied", frames.Applied(4, 2**53 - 1)),
        ("cursors", frames.Cursors(4, [frames.DeviceCursor(device_a, 301)])),
        ("ask_chains", frames.AskChains(4)),
        (
            "chains",
            frames.Chains(4, [frames.ChainHead(device_a, 3), frames.ChainHead(device_b, 9)], False),
        ),
        ("access", frames.Access(4, True)),
        ("find", frames.Find(ALICE.public)),
        ("found", frames.Found(ALICE.public, ROOM)),
        ("found_nothing", frames.Found(ALICE.public, b"")),
        ("access_ended", frames.Access(4, False)),
        ("ping", frames.Ping(127)),
        ("pong", frames.Pong(128)),
        ("error", frames.Error(ErrorCode.BUSY, 1_500, "too many connections")),
        ("bye", frames.Bye()),
        ("signal", frames.Signal(4, b"a sealed signal")),
        ("ask_cursors", frames.AskCursors(4)),
        ("renew", frames.Renew("a.fresh.token")),
        ("put_blob", frames.PutBlob(4, 1, blob_name(b"a sealed chunk"), b"a sealed chunk")),
        ("ask_blobs", frames.AskBlobs(4, 2, LINKS[:2])),
        ("drop_blobs", frames.DropBlobs(4, 3, LINKS[:1])),
        ("blob_states_all", frames.BlobStates(4, 2, bytes(BlobState))),
        ("blob_states_news", frames.BlobStates(4, 0, b"")),
        ("get_blob", frames.GetBlob(4, 4, LINKS[0])),
        ("blob_data", frames.BlobData(4, 4, b"a sealed chunk")),
        ("blob_data_absent", frames.BlobData(4, 5, b"")),
        ("revoke_device", frames.Revoke(device_b, "", False)),
        ("revoke_subject_undone", frames.Revoke(b"", "bob@example", True)),
    ]


def frame_vectors() -> list[dict[str, Any]]:
    """Return the contents of frames.json."""
    rows = []
    for name, frame in frame_samples():
        kind = type(frame)
        assert FRAME_TYPES[kind.__name__] is kind
        rows.append(
            {
                "name": name,
                "frame": kind.__name__,
                "tag": kind.__struct_config__.tag,
                "fields": plain(frame),
                "hex": frames.encode(frame).hex(),
            }
        )
    return rows


def _proved(cursor: frames.RoomCursor) -> frames.RoomCursor:
    text = keys.proof_text(room=cursor.room, incarnation=INCARNATION, nonce=CHALLENGE)
    return msgspec.structs.replace(cursor, proof=frames.Proof(BOB.public, BOB.sign(text)))


def operator_proof_over(text: bytes) -> bytes:
    return keys.operator_proof(OPERATOR_SECRET, device_key=ALICE.public, text=text)


def _auth_with_all() -> frames.Auth:
    host = "relay.example"
    text = keys.auth_text(host=host, incarnation=INCARNATION, nonce=CHALLENGE, version=VERSION)
    proof = operator_proof_over(text)
    return frames.Auth(VERSION, ALICE.public, host, auth_signature(), "header.claims.sig", proof)


def auth_signature() -> bytes:
    text = keys.auth_text(
        host="relay.example", incarnation=INCARNATION, nonce=CHALLENGE, version=VERSION
    )
    return ALICE.sign(text)

"""Tests of what refusals mean for trying again, and of limits that lean on each other."""

from __future__ import annotations

from syncchat.wire import frames, limits
from syncchat.wire.codes import NOT_RETRIED, PERMANENT_ITEMS, BlobState, ErrorCode, ItemStatus


def test_only_refusals_that_time_does_not_mend_park_an_item() -> None:
    assert {ItemStatus.BAD_ENVELOPE, ItemStatus.FORBIDDEN} == PERMANENT_ITEMS


def test_only_errors_of_protocol_and_identity_are_not_retried_at_once() -> None:
    protocol = {ErrorCode.BAD_FRAME, ErrorCode.BAD_VERSION}
    assert protocol | {ErrorCode.BAD_AUTH, ErrorCode.BAD_TOKEN} == NOT_RETRIED


def test_numbers_of_codes_are_those_of_version_1() -> None:
    assert [(status.name, status.value) for status in ItemStatus] == [
        ("STORED", 0),
        ("KNOWN", 1),
        ("GAP", 2),
        ("CONFLICT", 3),
        ("BAD_ENVELOPE", 4),
        ("FORBIDDEN", 5),
        ("FULL", 6),
        ("STALE", 7),
    ]
    assert [(state.name, state.value) for state in BlobState] == [
        ("HERE", 0),
        ("ABSENT", 1),
        ("BAD", 2),
        ("REFUSED", 3),
        ("ROOM_FULL", 4),
        ("RELAY_FULL", 5),
        ("BUSY", 6),
        ("TAKEN", 7),
    ]
    assert [(code.name, code.value) for code in ErrorCode] == [
        ("BAD_FRAME", 1),
        ("BAD_VERSION", 2),
        ("BAD_AUTH", 3),
        ("BUSY", 4),
        ("TOO_MANY_ROOMS", 5),
        ("FORBIDDEN", 6),
        ("SHUTTING_DOWN", 7),
        ("INTERNAL", 8),
        ("BAD_TOKEN", 9),
        ("TOKEN_EXPIRING", 10),
        ("TOKEN_EXPIRED", 11),
        ("NOT_OPERATOR", 12),
    ]


def test_a_half_open_connection_is_noticed_within_45_seconds() -> None:
    assert limits.HEARTBEAT_MS * 2 <= limits.SILENCE_MS_MAX <= 45_000


def test_an_envelope_fits_in_a_frame_and_its_body_in_memory() -> None:
    assert limits.ENVELOPE_BYTES_MAX < limits.FRAME_BYTES_MAX
    assert limits.ENVELOPE_BYTES_MAX < limits.UPDATE_BYTES_MAX
    assert limits.ROOMS_PER_OPEN_MAX <= limits.ROOMS_PER_CONNECTION_MAX


def test_a_chunk_and_the_names_of_many_fit_in_a_frame() -> None:
    put = frames.PutBlob(2**53 - 1, 2**53 - 1, bytes(32), bytes(limits.BLOB_BYTES_MAX))
    ask = frames.AskBlobs(2**53 - 1, 2**53 - 1, [bytes(32)] * limits.BLOB_NAMES_MAX)
    for frame in (put, ask):
        assert frames.decode(frames.encode(frame)) == frame

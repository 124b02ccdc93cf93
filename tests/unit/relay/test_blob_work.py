"""Tests of blob work: who may do it, what it is hashed to, and in which order it is answered."""

from __future__ import annotations

from syncchat_relay.blobs import Quotas
from syncchat_relay.blobs.memory import MemoryBlobs
from syncchat_relay.blobs.work import Permit, hashed, perform
from syncchat_relay.effects import BlobsTold, BlobWork, FindBlobs, StoreBlob

from syncchat.trust.files import blob_name
from syncchat.wire.codes import BlobState

ROOM, KEY = b"r" * 16, b"k" * 32
GOOD, LIE = b"good", b"a lie"


def test_what_was_hashed_before_is_held_against_its_name() -> None:
    blobs = MemoryBlobs(Quotas(1_000, 1_000))
    works: list[BlobWork] = [
        StoreBlob(1, ROOM, KEY, blob_name(GOOD), GOOD),
        StoreBlob(2, ROOM, KEY, blob_name(b"other"), LIE),
        StoreBlob(3, ROOM, KEY, blob_name(LIE), LIE),
        FindBlobs(4, ROOM, (KEY,), (blob_name(GOOD), blob_name(b"other"))),
    ]
    permits = hashed([Permit(work, work.ticket != 3, b"holder") for work in works])
    assert [permit.true_name for permit in permits] == [blob_name(GOOD), blob_name(LIE), b"", b""]
    assert perform(blobs, permits, now_ms=0) == [
        BlobsTold(1, (BlobState.HERE,)),
        BlobsTold(2, (BlobState.BAD,)),
        BlobsTold(3, (BlobState.REFUSED,)),
        BlobsTold(4, (BlobState.HERE, BlobState.ABSENT)),
    ]
    assert blobs.get(ROOM, blob_name(b"other")) is None

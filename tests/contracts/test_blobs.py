"""The contract of a relay's blobs: one suite for those in memory and those on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from syncchat_relay.blobs import Blobs, Put, Quotas
from syncchat_relay.blobs.disk import DiskBlobs
from syncchat_relay.blobs.memory import MemoryBlobs

from syncchat.trust.files import blob_name
from syncchat.wire.codes import BlobState

ROOM, OTHER = b"r" * 16, b"o" * 16
ALICE, BOB = b"alice", b"bob"
HERE, BAD = BlobState.HERE, BlobState.BAD
ROOM_FULL, RELAY_FULL = BlobState.ROOM_FULL, BlobState.RELAY_FULL

Make = Callable[..., Blobs]


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[Blobs] = []

    def build(*, room_bytes_max: int = 1_000, bytes_max: int = 10_000) -> Blobs:
        quotas = Quotas(room_bytes_max, bytes_max)
        is_memory = request.param == "memory"
        made.append(MemoryBlobs(quotas) if is_memory else DiskBlobs(tmp_path, quotas))
        return made[-1]

    yield build
    for blobs in made:
        blobs.close()


@pytest.fixture
def blobs(make: Make) -> Blobs:
    return make()


def put(text: str, *, room: bytes = ROOM, holder: bytes = ALICE, name: bytes | None = None) -> Put:
    data = text.encode()
    return Put(room, blob_name(data) if name is None else name, data, holder)


def name_of(text: str) -> bytes:
    return blob_name(text.encode())


def test_what_was_put_can_be_got(blobs: Blobs) -> None:
    assert blobs.put([put("one"), put("two")]) == [HERE, HERE]
    assert blobs.get(ROOM, name_of("one")) == b"one"
    assert blobs.get(ROOM, name_of("two")) == b"two"
    assert blobs.find(ROOM, [name_of("two"), name_of("none"), name_of("one")]) == [
        True,
        False,
        True,
    ]
    assert blobs.get(ROOM, name_of("none")) is None


def test_rooms_have_blobs_apart_also_of_the_same_bytes(blobs: Blobs) -> None:
    blobs.put([put("same")])
    assert blobs.get(OTHER, name_of("same")) is None
    assert blobs.put([put("same", room=OTHER, holder=BOB)]) == [HERE]
    blobs.drop(ROOM, [name_of("same")], ALICE)
    assert blobs.get(ROOM, name_of("same")) is None
    assert blobs.get(OTHER, name_of("same")) == b"same"


def test_bytes_of_another_name_are_refused_and_the_others_of_the_flush_stay(blobs: Blobs) -> None:
    found = blobs.put([put("good"), put("bad", name=name_of("good too")), put("good too")])
    assert found == [HERE, BAD, HERE]
    assert blobs.get(ROOM, name_of("bad")) is None
    assert blobs.get(ROOM, name_of("good too")) == b"good too"


def test_blob_is_stored_once_however_often_it_is_put(blobs: Blobs) -> None:
    assert blobs.put([put("one"), put("one"), put("one", holder=BOB)]) == [HERE] * 3
    assert blobs.put([put("one")]) == [HERE]
    assert (blobs.room_bytes(ROOM), blobs.all_bytes()) == (3, 3)


def test_blob_stays_until_its_last_holder_drops_it(blobs: Blobs) -> None:
    blobs.put([put("shared"), put("own")])
    blobs.put([put("shared", holder=BOB)])
    assert blobs.drop(ROOM, [name_of("shared"), name_of("own")], ALICE) == [True, False]
    assert blobs.get(ROOM, name_of("shared")) == b"shared"
    assert blobs.drop(ROOM, [name_of("shared")], BOB) == [False]
    assert blobs.get(ROOM, name_of("shared")) is None
    assert blobs.all_bytes() == 0


def test_nobody_drops_what_is_anothers(blobs: Blobs) -> None:
    blobs.put([put("hers")])
    assert blobs.drop(ROOM, [name_of("hers"), name_of("none")], BOB) == [True, False]
    assert blobs.get(ROOM, name_of("hers")) == b"hers"
    assert blobs.drop(OTHER, [name_of("hers")], ALICE) == [False]
    assert blobs.get(ROOM, name_of("hers")) == b"hers"


def test_others_of_the_same_flush_stay_when_one_is_dropped(blobs: Blobs) -> None:
    texts = [f"text {number}" for number in range(6)]
    blobs.put([put(text) for text in texts])
    for gone in (3, 0, 5):
        blobs.drop(ROOM, [name_of(texts[gone])], ALICE)
        texts[gone] = ""
        for text in filter(None, texts):
            assert blobs.get(ROOM, name_of(text)) == text.encode()
    assert blobs.room_bytes(ROOM) == 3 * 6


def test_dropped_blob_can_be_put_again(blobs: Blobs) -> None:
    blobs.put([put("one"), put("two")])
    blobs.drop(ROOM, [name_of("one")], ALICE)
    assert blobs.put([put("one")]) == [HERE]
    assert blobs.get(ROOM, name_of("one")) == b"one"


def test_room_takes_no_more_than_its_quota_and_says_so(make: Make) -> None:
    blobs = make(room_bytes_max=10, bytes_max=100)
    assert blobs.put([put("12345"), put("1234567"), put("54321")]) == [HERE, ROOM_FULL, HERE]
    assert blobs.put([put("x")]) == [ROOM_FULL]
    assert blobs.put([put("12345", holder=BOB)]) == [HERE]
    assert blobs.put([put("x", room=OTHER)]) == [HERE]
    assert blobs.room_bytes(ROOM) == 10
    blobs.drop(ROOM, [name_of("54321")], ALICE)
    assert blobs.put([put("x")]) == [HERE]


def test_relay_takes_no_more_than_its_quota_and_says_so(make: Make) -> None:
    blobs = make(room_bytes_max=100, bytes_max=8)
    puts = [put("12345"), put("1234", room=OTHER), put("123", room=OTHER), put("x")]
    assert blobs.put(puts) == [HERE, RELAY_FULL, HERE, RELAY_FULL]
    assert blobs.all_bytes() == 8


def test_quota_of_nothing_takes_nothing(make: Make) -> None:
    assert make(bytes_max=0).put([put("x")]) == [RELAY_FULL]


def test_old_blobs_expire_whoever_has_them(blobs: Blobs) -> None:
    blobs.put([put("old"), put("old too")], now_ms=1_000)
    blobs.put([put("new")], now_ms=2_000)
    assert blobs.expire(1_500) == 2
    assert blobs.find(ROOM, [name_of("old"), name_of("old too"), name_of("new")]) == [
        False,
        False,
        True,
    ]
    assert blobs.all_bytes() == 3
    assert blobs.expire(1_500) == 0


def test_nothing_put_is_nothing_stored(blobs: Blobs) -> None:
    assert blobs.put([]) == []
    assert blobs.find(ROOM, []) == []
    assert (blobs.room_bytes(ROOM), blobs.all_bytes()) == (0, 0)

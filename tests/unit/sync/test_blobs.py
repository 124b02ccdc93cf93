"""Tests of what a connection asks about blobs: windows, answers, relays that do not answer."""

from __future__ import annotations

import pytest

from syncchat.errors import DecodeError
from syncchat.sync.blobs import (
    ANSWER_MS_MAX,
    FAST_MS,
    PUTS_WAITING_MAX,
    SLOW_MS,
    WINDOW_MAX,
    Blobs,
    Window,
)
from syncchat.sync.events import BlobCame, BlobsNews, BlobsSilent, BlobsTold
from syncchat.wire import frames
from syncchat.wire.codes import BlobState
from syncchat.wire.limits import BLOBS_IN_FLIGHT_MAX

ROOM, NAME = b"r" * 16, b"n" * 32
HERE, TAKEN = BlobState.HERE, BlobState.TAKEN


def states(number: int, *found: BlobState, alias: int = 7) -> frames.BlobStates:
    return frames.BlobStates(alias, number, bytes(found))


def test_numbers_grow_over_all_kinds_of_frames() -> None:
    blobs = Blobs()
    sent = [
        blobs.find(7, [NAME], 0),
        blobs.put(7, NAME, b"x", 0),
        blobs.get(7, NAME, 0),
        blobs.drop(7, [NAME], 0),
    ]
    assert [number for number, _ in sent] == [1, 2, 3, 4]
    decoded = [frames.decode(raw) for _, raw in sent]
    kinds = [frames.AskBlobs, frames.PutBlob, frames.GetBlob, frames.DropBlobs]
    assert [type(frame) for frame in decoded] == kinds


def test_window_opens_while_answers_are_fast_and_halves_when_they_are_slow() -> None:
    window = Window()
    sizes = []
    for after_ms in [FAST_MS] * 4 + [FAST_MS + 1, SLOW_MS, SLOW_MS, SLOW_MS, SLOW_MS]:
        window.asked()
        window.answered(after_ms)
        sizes.append(window.size)
    assert sizes == [2, 3, 4, 5, 5, 2, 1, 1, 1]
    for _ in range(100):
        window.asked()
        window.answered(0)
    assert window.size == WINDOW_MAX
    assert window.used == 0


def test_full_window_opens_again_when_half_of_it_is_free() -> None:
    window = Window()
    for _ in range(7):
        window.asked()
        window.answered(0)
    assert window.size == 8
    for number in range(1, 9):
        assert window.is_open
        window.asked()
        assert window.is_open == (number < 8)
    opened = []
    while window.used:
        window.answered(FAST_MS + 1)
        opened.append(window.is_open)
    assert opened == [False] * 3 + [True] * 5


def test_slow_line_has_one_chunk_under_way() -> None:
    blobs = Blobs()
    now_ms = 0
    for _ in range(5):
        assert blobs.may_put
        number, _ = blobs.put(7, NAME, b"x", now_ms)
        assert not blobs.may_put
        now_ms += 2_000
        blobs.receive(states(number, TAKEN), ROOM, now_ms)


def test_chunk_that_was_taken_leaves_the_window_and_still_waits_for_the_disk() -> None:
    blobs = Blobs()
    number, _ = blobs.put(7, NAME, b"x", 0)
    assert blobs.receive(states(number, TAKEN), ROOM, 5) == []
    assert blobs.may_put
    assert blobs.is_waiting
    assert blobs.receive(states(number, HERE), ROOM, 900) == [BlobsTold(number, (HERE,))]
    assert blobs.up.size == 2  # the disk's slowness does not count
    assert not blobs.is_waiting


def test_only_so_many_chunks_wait_for_the_relays_disk() -> None:
    blobs = Blobs()
    put = []
    while blobs.may_put:
        number, _ = blobs.put(7, NAME, b"x", 0)
        blobs.receive(states(number, TAKEN), ROOM, 0)
        put.append(number)
    assert len(put) == PUTS_WAITING_MAX
    assert PUTS_WAITING_MAX + WINDOW_MAX < BLOBS_IN_FLIGHT_MAX
    blobs.receive(states(put[0], HERE), ROOM, 0)
    assert blobs.may_put


def test_answers_come_with_what_they_answer() -> None:
    blobs = Blobs()
    find, _ = blobs.find(7, [NAME, ROOM * 2], 0)
    get, _ = blobs.get(7, NAME, 0)
    absent, _ = blobs.get(7, NAME, 0)
    busy, _ = blobs.get(7, NAME, 0)
    assert blobs.receive(frames.BlobData(7, get, b"bytes"), ROOM, 0) == [BlobCame(get, b"bytes")]
    assert blobs.receive(frames.BlobData(7, absent, b""), ROOM, 0) == [BlobCame(absent, None)]
    told = [BlobsTold(busy, (BlobState.BUSY,))]
    assert blobs.receive(states(busy, BlobState.BUSY), ROOM, 0) == told
    both = (HERE, BlobState.ABSENT)
    assert blobs.receive(states(find, *both), ROOM, 0) == [BlobsTold(find, both)]
    assert blobs.receive(states(0), ROOM, 0) == [BlobsNews(ROOM)]


@pytest.mark.parametrize(
    "answer",
    [
        states(3, HERE),
        states(1),
        states(1, HERE, HERE, HERE),
        states(1, HERE, TAKEN, alias=8),
        frames.BlobStates(7, 1, b"\x00\x63"),
        frames.BlobData(7, 1, b"x"),
        states(2, HERE),
        states(2, BlobState.BUSY, BlobState.BUSY),
    ],
    ids=str,
)
def test_answer_that_does_not_fit_is_refused(answer: frames.BlobStates | frames.BlobData) -> None:
    blobs = Blobs()
    blobs.find(7, [NAME, NAME], 0)
    blobs.get(7, NAME, 0)
    with pytest.raises(DecodeError):
        blobs.receive(answer, ROOM, 0)


def test_relay_that_does_not_answer_is_asked_no_more_and_its_late_answers_mean_nothing() -> None:
    blobs = Blobs()
    put, _ = blobs.put(7, NAME, b"x", 100)
    get, _ = blobs.get(7, NAME, 200)
    assert blobs.tick(100 + ANSWER_MS_MAX - 1) == []
    assert blobs.next_tick_ms == 100 + ANSWER_MS_MAX
    assert blobs.tick(100 + ANSWER_MS_MAX) == [BlobsSilent((put, get))]
    assert not blobs.is_waiting
    assert blobs.may_put and blobs.may_get
    assert blobs.receive(states(put, HERE), ROOM, 70_000) == []
    assert blobs.receive(frames.BlobData(7, get, b"late"), ROOM, 70_000) == []


def test_any_answer_puts_the_end_of_patience_off() -> None:
    blobs = Blobs()
    first, _ = blobs.put(7, NAME, b"x", 0)
    blobs.put(7, NAME, b"x", 0)
    blobs.receive(states(first, TAKEN), ROOM, 50_000)
    assert blobs.tick(ANSWER_MS_MAX) == []
    assert blobs.tick(50_000 + ANSWER_MS_MAX) != []

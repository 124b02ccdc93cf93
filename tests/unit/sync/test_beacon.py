"""What a peer says in passing, and how often."""

from __future__ import annotations

from syncchat.sync.beacon import ANSWER_MEMBERS_MAX, ANSWER_MS_MAX, PER_MINUTE_MAX, Beacon
from syncchat.sync.nearby import HERE_EVERY_MS, TYPING_EVERY_MS
from syncchat.wire.signal import Here, Typing
from tests.support.ports import chance

ROOM, OTHER = b"r" * 16, b"o" * 16


def _seen(status: str = "") -> Beacon:
    beacon = Beacon(chance(1), now_ms=0)
    beacon.show(is_visible=True, status=status)
    return beacon


def test_whoever_comes_says_so_and_asks_and_then_repeats_it() -> None:
    beacon = _seen("busy")
    beacon.enter(ROOM, 0)
    beacon.enter(ROOM, 0)
    assert beacon.due(0) == [(ROOM, Here(True, True, "busy"))]
    times = []
    for _ in range(3):
        at = beacon.next_due_ms()
        assert at is not None and beacon.due(at - 1) == []
        assert beacon.due(at) == [(ROOM, Here(True, False, "busy"))]
        times.append(at)
    gaps = [b - a for a, b in zip([0, *times], times, strict=False)]
    assert all(HERE_EVERY_MS * 4 // 5 <= gap <= HERE_EVERY_MS for gap in gaps)
    assert beacon.leave() == [(ROOM, Here(False))]
    assert beacon.leave() == []


def test_invisible_person_says_nothing_at_all() -> None:
    beacon = Beacon(chance(1), now_ms=0)
    beacon.enter(ROOM, 0)
    beacon.typing(ROOM, "", 0, is_typing=True)
    assert beacon.due(10 * HERE_EVERY_MS) == [] and beacon.next_due_ms() is None
    assert beacon.leave() == []


def test_whoever_becomes_invisible_says_goodbye_and_whoever_returns_says_so() -> None:
    beacon = _seen()
    beacon.enter(ROOM, 0)
    beacon.due(0)
    beacon.show(is_visible=False, status="")
    assert beacon.due(1) == [(ROOM, Here(False))]
    assert beacon.due(10 * HERE_EVERY_MS) == []
    beacon.show(is_visible=True, status="back")
    assert beacon.due(10 * HERE_EVERY_MS) == [(ROOM, Here(True, False, "back"))]


def test_new_status_is_said_at_once() -> None:
    beacon = _seen("one")
    beacon.enter(ROOM, 0)
    beacon.due(0)
    beacon.show(is_visible=True, status="two")
    assert beacon.due(1) == [(ROOM, Here(True, False, "two"))]
    beacon.show(is_visible=True, status="two")
    assert beacon.due(2) == []


def test_newcomer_is_answered_soon_but_not_in_a_large_room() -> None:
    beacon = _seen()
    beacon.enter(ROOM, 0)
    beacon.due(0)
    beacon.asked(ROOM, ANSWER_MEMBERS_MAX + 1, 10)
    assert beacon.due(10 + ANSWER_MS_MAX) == []
    beacon.asked(ROOM, ANSWER_MEMBERS_MAX, 10)
    beacon.asked(OTHER, 2, 10)
    assert beacon.due(10 + ANSWER_MS_MAX) == [(ROOM, Here(True))]


def test_typing_is_said_every_few_seconds_and_its_end_once() -> None:
    beacon = _seen()
    for at_ms in range(0, TYPING_EVERY_MS, 100):
        beacon.typing(ROOM, "t", at_ms, is_typing=True)
    assert beacon.due(TYPING_EVERY_MS) == [(ROOM, Typing(True, "t"))]
    beacon.typing(ROOM, "t", TYPING_EVERY_MS, is_typing=True)
    beacon.typing(ROOM, "t", TYPING_EVERY_MS + 1, is_typing=False)
    beacon.typing(ROOM, "t", TYPING_EVERY_MS + 2, is_typing=False)
    assert beacon.due(TYPING_EVERY_MS + 3) == [
        (ROOM, Typing(True, "t")),
        (ROOM, Typing(False, "t")),
    ]


def test_no_minute_has_more_signals_than_are_allowed() -> None:
    beacon = _seen()
    rooms = [n.to_bytes(16) for n in range(500)]
    for room in rooms:
        beacon.enter(room, 0)
    said = 0
    for at_ms in range(0, 60_000, 500):
        for room in rooms[:50]:
            beacon.typing(room, "", at_ms, is_typing=at_ms % 1_000 == 0)
        said += len(beacon.due(at_ms))
    assert said <= 2 * PER_MINUTE_MAX  # what was saved up, and what came in


def test_room_that_is_kept_no_longer_hears_nothing_more() -> None:
    beacon = _seen()
    beacon.enter(ROOM, 0)
    beacon.enter(OTHER, 0)
    beacon.due(0)
    beacon.keep({OTHER})
    assert {room for room, _ in beacon.due(2 * HERE_EVERY_MS)} == {OTHER}

"""Who is here and who types: what was heard, and when it lapses."""

from __future__ import annotations

from syncchat.ids import DeviceId, MemberId
from syncchat.sync.nearby import (
    HERE_MS,
    THREADS_MAX,
    TYPING_MS,
    HereChanged,
    Nearby,
    NearbyChange,
    TypingChanged,
)
from syncchat.wire.signal import Content, Here, Typing

ROOM = b"r" * 16
BOB, CAROL = MemberId("bob"), MemberId("carol")
PHONE, LAPTOP, OTHER = DeviceId("phone"), DeviceId("laptop"), DeviceId("other")


class _Ear:
    def __init__(self) -> None:
        self.nearby = Nearby()
        self.told: list[NearbyChange] = []
        self.unlisten = self.nearby.listen(self.told.append)
        self._number = 0

    def hear(self, content: Content, at_ms: int, device: DeviceId = PHONE) -> None:
        self._number += 1
        member = CAROL if device == OTHER else BOB
        self.nearby.heard(ROOM, member, device, self._number, content, at_ms)

    def took(self) -> list[NearbyChange]:
        told = list(self.told)
        self.told.clear()
        return told


def test_somebody_is_here_until_they_say_nothing_for_long() -> None:
    ear = _Ear()
    assert ear.nearby.status_of(ROOM, BOB, 0) is None
    ear.hear(Here(True, False, "on the train"), 1_000)
    assert ear.nearby.status_of(ROOM, BOB, 1_000) == "on the train"
    assert ear.took() == [HereChanged(ROOM, BOB)]
    ear.hear(Here(True, False, "on the train"), 31_000)
    assert ear.took() == []
    end = 31_000 + HERE_MS
    ear.nearby.lapse(end - 1)
    assert ear.nearby.next_lapse_ms() == end and ear.took() == []
    ear.nearby.lapse(end)
    assert ear.took() == [HereChanged(ROOM, BOB)]
    assert ear.nearby.status_of(ROOM, BOB, end) is None
    assert ear.nearby.last_heard_ms(ROOM, BOB) == 31_000
    assert ear.nearby.next_lapse_ms() is None


def test_somebody_who_says_goodbye_is_gone_at_once_and_types_no_more() -> None:
    ear = _Ear()
    ear.hear(Here(True), 0)
    ear.hear(Typing(True), 10)
    ear.took()
    ear.hear(Here(False), 20)
    assert ear.took() == [TypingChanged(ROOM, BOB, "", False), HereChanged(ROOM, BOB)]
    assert ear.nearby.typing(ROOM, "", 20) == []


def test_one_of_two_devices_is_enough_and_the_newest_says_what_is_shown() -> None:
    ear = _Ear()
    ear.hear(Here(True, False, "old"), 0, PHONE)
    ear.hear(Here(True, False, "new"), 10, LAPTOP)
    assert ear.nearby.status_of(ROOM, BOB, 20) == "new"
    ear.hear(Here(False), 30, LAPTOP)
    assert ear.nearby.status_of(ROOM, BOB, 40) == "old"


def test_typing_lapses_by_itself_in_each_thread() -> None:
    ear = _Ear()
    ear.hear(Typing(True), 0)
    ear.hear(Typing(True, "t"), 3_000)
    ear.hear(Typing(True, "t"), 3_500, OTHER)
    assert ear.nearby.typing(ROOM, "t", 4_000) == [BOB, CAROL]
    ear.took()
    ear.nearby.lapse(TYPING_MS)
    assert ear.took() == [TypingChanged(ROOM, BOB, "", False)]
    assert ear.nearby.typing(ROOM, "", TYPING_MS) == []
    assert ear.nearby.typing(ROOM, "t", TYPING_MS) == [BOB, CAROL]


def test_repeated_typing_is_told_once() -> None:
    ear = _Ear()
    for at_ms in (0, 4_000, 8_000):
        ear.hear(Typing(True), at_ms)
    assert ear.took() == [TypingChanged(ROOM, BOB, "", True)]


def test_device_can_type_in_few_threads_at_once() -> None:
    ear = _Ear()
    for number in range(THREADS_MAX + 5):
        ear.hear(Typing(True, str(number)), 0)
    assert len(ear.took()) == THREADS_MAX


def test_older_signal_is_known_as_such() -> None:
    ear = _Ear()
    assert ear.nearby.is_new(ROOM, PHONE, 0)
    ear.nearby.heard(ROOM, BOB, PHONE, 7, Here(True), 0)
    assert not ear.nearby.is_new(ROOM, PHONE, 7) and not ear.nearby.is_new(ROOM, PHONE, 6)
    assert ear.nearby.is_new(ROOM, PHONE, 8) and ear.nearby.is_new(b"s" * 16, PHONE, 1)


def test_who_has_stopped_listening_is_told_nothing() -> None:
    ear = _Ear()
    ear.unlisten()
    ear.hear(Here(True), 0)
    assert ear.told == []

"""What a peer takes of what is said in passing, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncchat.peer import Peer
from syncchat.storage import rooms
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.signals import seal_signal
from syncchat.wire.signal import Content, Here, Typing
from tests.support.peers import Line, Net, make_peer, sync
from tests.support.room import LINK


class _Two:
    """Is Alice, who listens, and Bob, in whose name signals are made by hand."""

    def __init__(self, folder: Path) -> None:
        self.net = Net()
        self.alice: Peer = make_peer(1, path=folder / "alice.db")
        self.bob: Peer = make_peer(2, path=folder / "bob.db")
        for peer in (self.alice, self.bob):
            peer.join(LINK)
        sync(self.net, self.alice, self.bob)
        sync(self.net, self.alice, self.bob)
        self.line: Line = self.net.connect(self.alice)
        self.net.settle()
        self.row = self.alice.rooms()[0]._row

    def hear(
        self,
        content: Content,
        number: int,
        *,
        keys: DeviceKeys | None = None,
        epoch: int | None = None,
        key: bytes | None = None,
    ) -> None:
        row = rooms.load_room(self.alice._db, self.row)
        raw = seal_signal(
            keys or self.bob._keys,
            content,
            room=row.room_id,
            room_key=key or rooms.room_key(self.alice._db, row.id, row.epoch) or b"",
            epoch=row.epoch if epoch is None else epoch,
            number=number,
            nonce=bytes(24),
        )
        exchange = self.line.exchange
        exchange._signals.heard(exchange._rooms[row.room_id], raw)

    @property
    def types(self) -> bool:
        signals = self.line.exchange._signals
        room = self.alice.rooms()[0].id
        return bool(signals._nearby.typing(room, "", signals._now()))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[_Two]:
    made = _Two(tmp_path)
    yield made
    made.alice.close()
    made.bob.close()


def test_signal_of_a_member_is_heard(two: _Two) -> None:
    two.hear(Typing(True), 10)
    assert two.types


def test_signal_that_is_played_again_changes_nothing(two: _Two) -> None:
    two.hear(Typing(True), 10)
    two.hear(Typing(False), 11)
    for number in (10, 11, 3):
        two.hear(Typing(True), number)
        assert not two.types
    two.hear(Typing(True), 12)
    assert two.types


def test_signal_of_who_is_no_member_is_left_out(two: _Two) -> None:
    two.hear(Typing(True), 10, keys=DeviceKeys(bytes(31) + b"\7"))
    assert not two.types


def test_signal_of_the_own_device_is_left_out(two: _Two) -> None:
    two.hear(Typing(True), 10, keys=two.alice._keys)
    assert not two.types


def test_signal_under_another_key_is_left_out(two: _Two) -> None:
    two.hear(Typing(True), 10, key=bytes(32))
    two.hear(Typing(True), 11, epoch=7)
    assert not two.types


def test_garbage_is_left_out_and_ends_nothing(two: _Two) -> None:
    exchange = two.line.exchange
    progress = exchange._rooms[two.alice.rooms()[0].id]
    for raw in (b"", b"\xc1", bytes(1_024), b"\x93\xc4\x01\x90\xc4\x10" + bytes(16)):
        exchange._signals.heard(progress, raw)
    assert exchange.ended is None and not two.types


def test_who_is_invisible_does_not_answer(two: _Two) -> None:
    two.hear(Here(True, True), 10)
    signals = two.line.exchange._signals
    assert signals.next_say_ms() is None

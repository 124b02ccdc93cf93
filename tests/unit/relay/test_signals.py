"""Signals at the relay: handed on to who is there, and kept nowhere."""

from __future__ import annotations

from syncchat_relay import Admit, Config

from syncchat.trust.keys import DeviceKeys
from syncchat.wire.frames import Error, Signal, encode
from syncchat.wire.limits import SIGNAL_BYTES_MAX
from tests.contracts.chains import OTHER_ROOM
from tests.unit.relay.world import World

KEYS = [DeviceKeys(bytes(31) + bytes((n,))) for n in range(1, 5)]


def test_signal_goes_to_the_others_who_have_the_room_open() -> None:
    world = World()
    (one, alias), (two, _), (three, _) = (world.join(keys) for keys in KEYS[:3])
    elsewhere, _ = world.join(KEYS[3], OTHER_ROOM)
    world.send(one, Signal(alias, b"said in passing"))
    world.settle()
    for link in (two, three):
        assert link.of(Signal) == [Signal(alias, b"said in passing")]
    assert one.of(Signal) == elsewhere.of(Signal) == []
    assert not world.appends


def test_who_says_too_much_is_not_heard_and_not_punished() -> None:
    config = Config(admission=Admit.OPEN, signals_burst=3, signals_per_second=1)
    world = World(config)
    (one, alias), (two, _) = world.join(KEYS[0]), world.join(KEYS[1])
    for number in range(10):
        world.send(one, Signal(alias, bytes((number,))))
    assert [frame.data for frame in two.of(Signal)] == [b"\0", b"\1", b"\2"]
    assert one.closed is None and one.of(Error) == []
    world.tick(1_000)
    world.send(one, Signal(alias, b"later"))
    assert two.last(Signal).data == b"later"


def test_slow_receiver_is_left_out() -> None:
    world = World(Config(admission=Admit.OPEN, unsent_bytes_low=1_000))
    (one, alias), (two, _) = world.join(KEYS[0]), world.join(KEYS[1])
    two.reads = False
    for _ in range(20):
        world.send(one, Signal(alias, bytes(100)))
    waiting = [raw for raw in two.unsent if raw[1] == 20]
    assert 1 <= len(waiting) < 20


def test_outsider_hears_nothing_and_is_not_heard_in_a_closed_room() -> None:
    world = World(Config(admission=Admit.ROOMS))
    (one, alias), (two, _) = world.join(KEYS[0]), world.join(KEYS[1])
    world.send(one, Signal(alias, b"anybody there?"))
    assert two.of(Signal) == [] and one.closed is None


def test_signal_for_a_room_that_is_not_open_or_too_long_ends_the_connection() -> None:
    world = World()
    one, alias = world.join(KEYS[0])
    world.send(one, Signal(alias + 7, b"x"))
    assert one.closed
    two, alias = world.join(KEYS[1])
    raw = encode(Signal(alias, bytes(SIGNAL_BYTES_MAX))).replace(b"\xc5\x04\x00", b"\xc5\x04\x01")
    world.send_raw(two, raw + b"\0")
    assert two.closed

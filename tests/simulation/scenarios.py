"""Scenarios for seeded defects that random schedules rarely meet; without a defect they pass."""

from __future__ import annotations

from unittest import mock

from syncchat.testing import Divergence, Lie, LyingRelay, Schedule, SimRelay, Step, World
from syncchat.testing.network import SimLink
from syncchat.testing.playing import play
from syncchat.wire import frames
from tests.contracts.chains import with_broken_signature


def titles_of_one_moment() -> None:
    """Three peers that are offline give the room a title in the same millisecond."""
    _play(
        Step("wait", 0, 1, 999),
        *(Step("toggle online", peer, 1, 0) for peer in range(3)),
        *(Step("retitle", peer, peer, 0) for peer in range(3)),
        *(Step("toggle online", peer, 1, 1) for peer in (2, 0, 1)),
        seed=2,  # in this world they have got to know each other in different orders
    )


def old_ops_in_a_backup() -> None:
    """A backup holds unsent what was taken back, and then followed by what was sent."""
    _play(
        Step("wait", 0, 1, 999),
        Step("toggle online", 0, 1, 6),
        Step("write", 0, 1, 6),
        Step("back up", 0, 1, 6),
        Step("delete", 0, 0, 6),
        Step("write", 0, 2, 6),
        Step("toggle online", 0, 1, 6),
        Step("wait", 0, 1, 999),
        Step("restore", 0, 1, 6),
    )


def written_by_a_restored_device() -> None:
    """A backup takes the place of what had written on, and writes before it is online again."""
    _play(
        Step("wait", 0, 1, 999),
        Step("back up", 0, 1, 6),
        Step("write", 0, 1, 6),
        Step("wait", 0, 1, 999),
        Step("toggle online", 0, 1, 6),
        Step("restore", 0, 1, 6),
        Step("write", 0, 2, 6),
    )


def edited_and_deleted_while_offline() -> None:
    """An author who is offline changes a message that others have, and then deletes it."""
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        world.write(alice, "everybody has it")
        world.run(seconds=3)
        alice.go_offline()
        (message,) = world.shown(alice)
        world.edit(alice, message, "for nobody's eyes")
        world.delete(alice, message)
        world.heal()
        world.check()
        world._judge.check_erasure(alice)


def taken_back_and_written_anew() -> None:
    """Somebody who is offline takes back what the search index has already, and writes on."""
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        alice.go_offline()
        for number in range(8):
            world.write(alice, f"first {number}")
        for message in reversed(world.shown(alice)[-6:]):
            world.delete(alice, message)
        for number in range(8):
            world.write(alice, f"second {number}")
        world.heal()
        world.check()


def wiped_before_delivery() -> None:
    """The relay loses what nobody had fetched, and the others fill its new log meanwhile."""
    with World(seed=1, peers=3) as world:
        alice, bob, carol = world.peers
        world.run(seconds=3)
        bob.go_offline()
        carol.go_offline()
        world.run(seconds=1)
        world.write(alice, "only alice and the relay have it")
        world.run(seconds=2)
        alice.go_offline()
        world.run(seconds=1)
        world.lose_relay(world.relay.wipe)
        bob.go_online()
        carol.go_online()
        for _ in range(20):
            world.write(bob, "in the new log")
            world.run(seconds=1)
        for other in (bob, carol):
            assert other.link is not None
            other.link.delay_ms = 3_000
        alice.go_online()
        for _ in range(400):
            world.run(seconds=0.005)
            world.check_safety(alice)
        world.heal()
        world.check(deep=True)


def ack_to_a_slow_receiver() -> None:
    """Somebody who has fallen behind is told of an own envelope before those in front of it."""
    limits = {"unsent_bytes_max": 100, "unsent_bytes_low": 50}
    with mock.patch.object(SimRelay, "limits", limits), World(seed=1, peers=3) as world:
        world.run(seconds=2)
        slow, *others = world.peers
        assert slow.link is not None
        slow.link.delay_ms = 300
        for _ in range(12):
            for peer in (*others, slow):
                world.write(peer, "all at once")
            world.run(seconds=0.2)
        world.heal()
        world.check(deep=True)


def damaged_on_the_way(part: int = 0) -> None:
    """A bit of one signature flips in what a peer has missed, and the last one still holds."""
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=2)
        bob.go_offline()
        for n in range(3):
            world.write(alice, f"number {n}")
            world.run(seconds=1)
        bob.go_online()
        while bob.link is None:
            world.run(seconds=0.005)
        world.was_garbled = True
        deliver, damaged = bob.link._to_peer, False

        def flip_a_bit(link: SimLink, raw: bytes) -> None:
            nonlocal damaged
            frame = frames.decode(raw)
            if isinstance(frame, frames.Deliver) and len(frame.envelopes) == 3 and not damaged:
                frame.envelopes[part] = with_broken_signature(frame.envelopes[part])
                raw, damaged = frames.encode(frame), True
            deliver(link, raw)

        bob.link._to_peer = flip_a_bit
        world.run(seconds=60)
        assert damaged
        world.heal()
        world.check(deep=True)


def signed_by_nobody() -> None:
    """The relay hands out an entry that follows on and that its author has not signed."""
    with World(seed=1, peers=2, relay=LyingRelay) as world:
        alice, bob = world.peers
        world.run(seconds=2)
        assert isinstance(world.relay, LyingRelay)
        world.relay.tell(Lie.INVENT_SIGNATURE, to=[bob], about=[alice])
        for number in range(3):
            world.write(alice, f"number {number}")
            world.run(seconds=1)
        stored = [fault for fault in bob.peer.check() if "do not hold" in fault]
        if stored:
            raise Divergence(f"Bob has taken what nobody signed: {stored}")
        world.relay.be_honest()
        world.heal()
        world.check(deep=True)


def _play(*steps: Step, seed: int = 1) -> None:
    outcome = play(Schedule(seed, 3, steps))
    if outcome.failure:
        raise Divergence(outcome.failure)

"""Scenarios for seeded defects of who is in a room; without a defect they pass."""

from __future__ import annotations

import copy

from syncchat_relay.log import Append

from syncchat.core.clock import stamp
from syncchat.core.journal import Entry
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.storage import rooms
from syncchat.testing import Divergence, SimPeer, World
from syncchat.testing.ports import EPOCH_MS, SeededRandom
from syncchat.trust.boxes import seal_box
from syncchat.trust.changes import Epoch, Rotate
from syncchat.trust.epochs import next_epoch
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.person import member_text
from tests.support.group_lives import GroupLife, Traits, live
from tests.support.hostile_relays import group_of, next_envelope, put_into_log, signed_record


def dated_back_by_who_was_removed() -> None:
    """A removed member writes on with a relay that helps, in the time before the removal."""
    with World(seed=1, peers=3) as world:
        alice, bob, carol = world.peers
        world.write(carol, "honest")
        world.run(seconds=3)
        at = stamp(EPOCH_MS + world.loop.now_ms)
        alice.do(lambda: alice.room.remove(carol.peer.id))
        world.run(seconds=5)
        value = encode_value(MessageValue(text="dated back", kind="text"))
        raw, _ = next_envelope(carol, Entry(Root.MESSAGES, at, value), epoch=0)
        put_into_log(world, raw)
        for peer in (alice, bob):
            if any("dated back" in message.text for message in peer.room.messages()):
                raise Divergence(f"{peer.name} shows what a removed member dated back")


def injected_by_the_relay() -> None:
    """The relay injects a key epoch that a stranger signed, and everyone talks on."""
    with World(seed=1, peers=3) as world:
        alice, bob, carol = world.peers
        group = group_of(alice)
        epoch = next_epoch(group, bytes(32), None, at_ms=0, random=SeededRandom("injected"))
        stranger = DeviceKeys(bytes(range(32)))
        put_into_log(world, signed_record(world, stranger, Rotate(epoch), on=group).raw)
        if group_of(bob).epoch:
            raise Divergence("a stranger changed the room's key")
        alice.do(lambda: alice.room.remove(carol.peer.id))
        world.run(seconds=10)
        if len(group_of(alice).members) != 2:
            raise Divergence("an honest relay takes nothing more on top of what was injected")


def two_keys_sealed_to_one() -> None:
    """A rotation gives one member another key than the others."""
    with World(seed=1, peers=3) as world:
        alice, bob, carol = world.peers
        group = group_of(alice)
        user = next(u for u in group.members if member_text(u) == carol.peer.id)
        public = carol.peer._membership.person.user_key
        first = rooms.room_key(alice.peer._db, alice.room._row, 0)
        good = next_epoch(group, bytes(32), first, at_ms=0, random=SeededRandom("two"))
        boxes = [(u, b) for u, b in good.boxes if u != user]
        boxes.append((user, seal_box(public, bytes(range(32)), SeededRandom("other"))))
        bad = Rotate(Epoch(1, good.commitment, sorted(boxes), [], good.link))
        raw = signed_record(world, alice.peer._keys, bad, on=group).raw
        world.relay.kill()
        pushed = Append(world.room_id, (raw,), alice.peer._keys.public)
        world.relay.log.append([pushed], now_ms=EPOCH_MS + world.loop.now_ms)
        world.relay.start()
        world.run(seconds=30)
        for peer in (alice, bob, carol):
            world.write(peer, "under the key in force")
        world.run(seconds=20)
        if len({peer.room.digest() for peer in world.peers}) > 1:
            raise Divergence("somebody cannot read what was sealed with the other key")
        if group_of(alice).epoch < 2:
            raise Divergence("nobody changed the bad key")


def fork_of_a_log() -> None:
    """The relay shows two admins different logs, in which each removes somebody."""
    with World(seed=1, peers=4) as world:
        alice, bob, carol, dave = world.peers
        for peer in world.peers:
            peer.watch = None  # the relay's log is exchanged behind the world's back
        alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
        world.run(seconds=4)
        for peer in (bob, carol, dave):
            peer.go_offline()
        world.run(seconds=1)
        common = copy.deepcopy(world.relay.log)
        alice.do(lambda: alice.room.remove(dave.peer.id))
        world.run(seconds=6)
        world.write(alice, "under the one key")
        world.run(seconds=3)
        alice.go_offline()
        world.run(seconds=1)
        world.relay.kill()
        world.relay.log = common
        world.relay.start()
        bob.go_online()
        world.run(seconds=6)
        bob.do(lambda: bob.room.remove(carol.peer.id))
        world.run(seconds=6)
        world.write(bob, "under the other key")
        world.run(seconds=3)
        alice.go_online()
        world.run(seconds=60)
        if len(group_of(alice).members) != 2 or len(group_of(bob).members) != 2:
            raise Divergence("one of the removals was lost")
        if alice.room.digest() != bob.room.digest() or len(bob.room.messages()) != 2:
            raise Divergence("what was said in a fork is not read")


def link_beside_a_removal() -> None:
    """Somebody new comes in by a link on one branch of the log; another removes who knew it."""
    with World(seed=1, peers=3) as world:
        alice, bob, carol = world.peers
        for peer in world.peers:
            peer.watch = None  # the relay's log is exchanged behind the world's back
        eve = join_beside_removal(world)
        world.run(seconds=30)
        bob.do(lambda: bob.room.send("behind their backs"))
        world.run(seconds=10)
        for peer in (alice, bob):
            if {m.id for m in peer.room.members()} != {alice.peer.id, bob.peer.id}:
                raise Divergence(f"{peer.name} has let in who came by a closed link")
        if alice.room.digest() != bob.room.digest():
            raise Divergence("the room is not the same for all")
        for outsider in (eve, carol):
            if b"behind their backs" in outsider.disk.latest():
                raise Divergence(f"{outsider.name} reads what was written after the removal")


def join_beside_removal(world: World, *, ahead: int = 2) -> SimPeer:
    """Have Eve come in by a link that is open on one branch, while Alice removes Carol on another,
    after ``ahead`` other records, and let the branches meet."""
    alice, bob, carol = world.peers
    link = alice.do(lambda: alice.room.invite(uses=5))
    world.run(seconds=2)
    bob.go_offline()
    carol.go_offline()
    world.run(seconds=1)
    common = copy.deepcopy(world.relay.log)
    for _ in range(ahead):
        alice.do(alice.room.invite)
        world.run(seconds=1)
    alice.do(lambda: alice.room.remove(carol.peer.id))
    world.run(seconds=4)
    alice.go_offline()
    world.run(seconds=1)
    world.relay.kill()
    world.relay.log = common
    world.relay.start()
    eve = SimPeer("eve", world.loop, world.random, world.relay)
    eve.peer.join(link)
    eve.go_online()
    world.run(seconds=4)
    bob.go_online()
    world.run(seconds=4)
    eve.do(lambda: eve.room.send("by the branch"))
    world.run(seconds=4)
    if eve.peer.id not in {m.id for m in bob.room.members()}:
        raise Divergence("who has a good link did not come in")
    alice.go_online()
    return eve


def written_as_somebody_leaves() -> None:
    """Somebody writes the moment that they hear of another's leaving."""
    life = GroupLife(1, 3)
    with life.world as world:
        alice, _, carol = life.devices
        (shared,) = alice.room.invites()
        alice.do(lambda: alice.room.revoke_invite(shared.id))
        world.run(seconds=5)
        life.note()
        carol.do(carol.room.leave)
        while len(group_of(alice).members) == 3:
            world.run(seconds=0.002)
        life.write(alice)
        life.heal()
        life.check()


def lives_of_groups() -> None:
    """Some random lives of groups (``tests/property/test_group_life``)."""
    for seed in range(24):
        live(seed, traits=Traits(is_from_join=bool(seed % 2)))


def lives_with_thieves() -> None:
    """Some lives in which devices are stolen, and turned out by the phrase."""
    for seed in range(20, 40):
        live(seed, traits=Traits(has_thieves=True))

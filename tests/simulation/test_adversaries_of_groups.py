"""What adversaries of a group try, row by row of the threat model, and how far they come.

Relays that lie about envelopes are in ``test_lies``; two histories of one device, envelopes pushed
again and hostile bodies in ``tests/e2e/test_adversaries``; who forges edits and deletions in the
random schedules (``Fault.FORGE``); the challenge of the network in ``tests/e2e/test_admission``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta

import pytest
from syncchat_relay.log import Append

from syncchat.core.clock import stamp
from syncchat.core.journal import Entry
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.errors import NotAllowedError, ValidationError
from syncchat.storage import chains, rooms
from syncchat.testing import SimPeer, World
from syncchat.testing.ports import EPOCH_MS, SeededRandom
from syncchat.testing.relay import URL
from syncchat.trust.boxes import seal_box
from syncchat.trust.changes import Add, Devices, Epoch, Remove, Rotate, SetRole
from syncchat.trust.changes import Role as RoomRole
from syncchat.trust.epochs import next_epoch
from syncchat.trust.person import member_text
from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import logged
from tests.support.hostile_relays import (
    group_of,
    next_envelope,
    put_into_log,
    signed_record,
)
from tests.support.people import Human


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=4) as world:
        for peer in world.peers:
            peer.watch = None  # who is let in again reads the log from its beginning
        world.run(seconds=2)
        yield world


def texts(peer: SimPeer) -> list[str]:
    """Return what a peer shows, without the tokens of the oracle."""
    return [m.text.rsplit(" ", 1)[-1] for m in peer.room.messages(limit=500) if not m.deleted]


def say(world: World, peer: SimPeer, text: str) -> None:
    peer.do(lambda: peer.room.send(text))
    world.run(seconds=4)


def remove(world: World, admin: SimPeer, target: SimPeer) -> None:
    admin.do(lambda: admin.room.remove(target.peer.id))
    world.run(seconds=6)


def are_alike(world: World, *peers: SimPeer) -> bool:
    """Tell whether peers are members, agree who is in, and show the same."""
    for _ in range(30):
        world.run(seconds=4)
        groups = [group_of(peer) for peer in peers]
        same_heads = len({group.heads for group in groups}) == 1
        is_read = all(not peer.peer.check() for peer in peers)
        if same_heads and is_read and len({peer.room.digest() for peer in peers}) == 1:
            return True
    return False


def knows(peer: SimPeer, text: str) -> bool:
    """Tell whether a text stands anywhere in a peer's database, in clear."""
    return text.encode() in peer.disk.latest()


# The relay


def _injected(kind: str, world: World) -> tuple[bytes, Human]:
    alice = world.peers[0]
    group, stranger = group_of(alice), Human(77)
    epoch = next_epoch(
        group,
        bytes(32),
        None,
        at_ms=0,
        random=SeededRandom("injected"),
        plus=[(stranger.id, stranger.person.user_key)],
    )
    match kind:
        case "member":
            content: object = Add(stranger.raws, RoomRole.MEMBER, b"", b"", None)
        case "admin":
            user = next(u for u in group.members if member_text(u) == world.peers[1].peer.id)
            content = SetRole(user, RoomRole.ADMIN, [])
        case "device":
            content = Devices(group.owner, stranger.raws, [], None)
        case "key":
            content = Rotate(epoch)
        case _:
            content = Remove([u for u in group.members if u != group.owner], [], epoch)
    return signed_record(world, stranger.device, content, on=group).raw, stranger  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["member", "admin", "device", "key", "removal"])
def test_relay_that_injects_a_record_changes_nothing(world: World, kind: str) -> None:
    before = [(m.id, m.role, m.devices) for m in world.peers[0].room.members()]
    epoch = group_of(world.peers[0]).epoch
    raw, stranger = _injected(kind, world)
    put_into_log(world, raw)
    for peer in world.peers:
        group = group_of(peer)
        assert [(m.id, m.role, m.devices) for m in peer.room.members()] == before
        assert group.epoch == epoch
        assert stranger.id not in group.members
        assert not group.may_write(stranger.device.public)
        assert any("may not be there" in fault for fault in peer.peer.check()), "never arrived"
    say(world, world.peers[0], "still-talking")
    assert all("still-talking" in texts(peer) for peer in world.peers)


def test_relay_that_alters_a_record_cannot_have_it_taken(world: World) -> None:
    alice, bob, *_ = world.peers
    group = group_of(alice)
    user = next(u for u in group.members if member_text(u) == bob.peer.id)
    good = signed_record(world, alice.peer._keys, SetRole(user, RoomRole.ADMIN, []), on=group).raw
    put_into_log(world, good[:-1] + bytes((good[-1] ^ 1,)))
    for peer in world.peers:
        assert group_of(peer).members[user].role is RoomRole.MEMBER


def test_relay_that_drops_a_removal_gets_it_again_from_whoever_has_it(world: World) -> None:
    alice, bob, carol, dave = world.peers
    world.relay.keep_image()
    remove(world, alice, dave)
    world.relay.roll_back()
    world.relay.start()
    world.run(seconds=60)
    assert are_alike(world, alice, bob, carol)
    assert dave.peer.id not in {m.id for m in bob.room.members()}
    say(world, bob, "after-the-rollback")
    assert "after-the-rollback" in texts(alice)
    assert not knows(dave, "after-the-rollback")


def test_relay_that_forks_the_log_between_two_admins_ends_with_both_removals(world: World) -> None:
    """Each half of the room sees a log in which its admin removed somebody."""
    alice, bob, carol, dave = world.peers
    alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
    world.run(seconds=4)
    for peer in (bob, carol, dave):
        peer.go_offline()
    world.run(seconds=1)
    common = copy.deepcopy(world.relay.log)
    remove(world, alice, dave)
    say(world, alice, "under-the-one-key")
    alice.go_offline()
    world.run(seconds=1)
    world.relay.kill()
    world.relay.log = common
    world.relay.start()
    bob.go_online()
    world.run(seconds=8)
    remove(world, bob, carol)
    say(world, bob, "under-the-other-key")
    alice.go_online()
    world.run(seconds=30)
    assert are_alike(world, alice, bob)
    for peer in (alice, bob):
        assert {m.id for m in peer.room.members()} == {alice.peer.id, bob.peer.id}
        assert {"under-the-one-key", "under-the-other-key"} <= set(texts(peer))
        assert group_of(peer).forks
    link = alice.do(alice.room.invite)
    eve = SimPeer("eve", world.loop, world.random, world.relay)
    eve.peer.join(link)
    eve.go_online()
    world.run(seconds=10)
    assert {"under-the-one-key", "under-the-other-key"} <= set(texts(eve)), "of lost keys, too"


# Members who were removed


def test_removed_member_who_keeps_the_keys_opens_nothing_new(world: World) -> None:
    alice, bob, _, dave = world.peers
    say(world, alice, "while-he-was-in")
    remove(world, alice, dave)
    say(world, bob, "behind-his-back")
    epoch = group_of(alice).epoch
    assert rooms.room_key(dave.peer._db, dave.room._row, epoch) is None
    assert "while-he-was-in" in texts(dave)
    assert not knows(dave, "behind-his-back")
    with pytest.raises(NotAllowedError):
        dave.peer.rooms()[0].send("let me in")


def test_removed_member_who_dates_back_with_a_helping_relay_is_shown_nowhere(world: World) -> None:
    alice, bob, carol, dave = world.peers
    say(world, dave, "honest")
    at = stamp(EPOCH_MS + world.loop.now_ms)
    remove(world, alice, dave)
    value = MessageValue(text="dated-back", kind="text")
    raw, _ = next_envelope(dave, Entry(Root.MESSAGES, at, encode_value(value)), epoch=0)
    put_into_log(world, raw)
    for peer in (alice, bob, carol):
        assert "honest" in texts(peer)
        assert "dated-back" not in texts(peer)
        chain = chains.find_chain(peer.peer._db, peer.room._row, dave.peer.device)
        assert chain is not None
        assert chain.seq > group_of(peer).pins[chain.key[:8]].seq, "it never arrived"
        assert peer.peer.check() == []
    assert are_same(alice, bob, carol)


def are_same(*peers: SimPeer) -> bool:
    """Tell whether peers show the same now."""
    return len({peer.room.digest() for peer in peers}) == 1


def test_removed_member_who_replays_old_envelopes_changes_nothing(world: World) -> None:
    alice, bob, _, dave = world.peers
    say(world, dave, "once")
    old = [
        raw
        for raw in logged(world.relay.log, world.room_id)
        if dave.peer._keys.public[:8] in raw[:60]
    ]
    remove(world, alice, dave)
    before = bob.room.digest()
    put_into_log(world, *old)
    assert old
    assert bob.room.digest() == before == alice.room.digest()
    assert texts(bob).count("once") == 1


def test_honest_relay_takes_nothing_that_a_removed_member_writes(world: World) -> None:
    alice, bob, _, dave = world.peers
    dave.go_offline()
    world.run(seconds=1)
    remove(world, alice, dave)
    dave.do(lambda: dave.room.send("did-not-know-yet"))
    dave.go_online()
    world.run(seconds=20)
    stored = world.relay.log.chain_seq(world.room_id, dave.peer._keys.public[:8])
    assert stored <= group_of(alice).pins[dave.peer._keys.public[:8]].seq
    assert "did-not-know-yet" not in texts(bob)
    assert dave.room.standing == "removed"


# Members


def test_member_who_makes_an_admin_or_removes_somebody_is_heeded_by_nobody(world: World) -> None:
    alice, bob, _, dave = world.peers
    group = group_of(alice)
    users = {member_text(user): user for user in group.members}
    for content in (
        SetRole(users[bob.peer.id], RoomRole.ADMIN, []),
        Remove(
            [users[dave.peer.id]],
            [],
            next_epoch(
                group,
                bytes(32),
                None,
                at_ms=0,
                random=SeededRandom("m"),
                without=[users[dave.peer.id]],
            ),
        ),
    ):
        put_into_log(world, signed_record(world, bob.peer._keys, content, on=group_of(alice)).raw)
    for peer in world.peers:
        roles = {m.id: m.role for m in peer.room.members()}
        assert roles[bob.peer.id] == "member"
        assert roles[dave.peer.id] == "member"


def push(world: World, peer: SimPeer, *raws: bytes) -> None:
    """Have a modified program push to an honest relay."""
    world.relay.kill()
    (outcomes,) = world.relay.log.append(
        [Append(world.room_id, raws, peer.peer._keys.public)], now_ms=EPOCH_MS + world.loop.now_ms
    )
    assert {outcome.status for outcome in outcomes} == {ItemStatus.STORED}
    world.relay.start()
    world.run(seconds=8)


def _bad_rotation(world: World, maker: SimPeer, victim: SimPeer, *, box: bytes | None) -> bytes:
    group = group_of(maker)
    user = next(u for u in group.members if member_text(u) == victim.peer.id)
    previous = rooms.room_key(maker.peer._db, maker.room._row, group.epoch)
    good = next_epoch(
        group, bytes(range(32)), previous, at_ms=0, random=SeededRandom("bad"), without=()
    )
    boxes = [(u, b) for u, b in good.boxes if u != user] + ([] if box is None else [(user, box)])
    bad = Epoch(good.number, good.commitment, sorted(boxes), good.invite_boxes, good.link)
    return signed_record(world, maker.peer._keys, Rotate(bad), on=group).raw


@pytest.mark.parametrize("has_box", [False, True], ids=["box missing", "box of another key"])
@pytest.mark.parametrize("are_others_there", [False, True], ids=["alone", "with others"])
def test_member_who_is_left_out_of_a_rotation_reads_again_by_itself(
    world: World, has_box: bool, are_others_there: bool
) -> None:
    alice, bob, carol, dave = world.peers
    other = seal_box(dave.peer._membership.person.user_key, bytes(32), SeededRandom("box"))
    raw = _bad_rotation(world, bob, dave, box=other if has_box else None)
    for peer in (alice, carol):
        if not are_others_there:
            peer.go_offline()
    world.run(seconds=1)
    push(world, bob, raw)
    say(world, bob, "under-the-bad-key")
    world.run(seconds=20)
    for peer in (alice, carol):
        peer.go_online()
    assert are_alike(world, alice, bob, carol, dave)
    assert "under-the-bad-key" in texts(dave)
    say(world, dave, "back-again")
    assert all("back-again" in texts(peer) for peer in world.peers)


def test_member_who_floods_with_records_is_bounded_by_the_relay(world: World) -> None:
    _, bob, *_ = world.peers
    taken = 0
    for _ in range(400):
        raw = _bad_rotation(world, bob, world.peers[3], box=None)
        (outcome,) = world.relay.log.append(
            [Append(world.room_id, (raw,), bob.peer._keys.public)],
            now_ms=EPOCH_MS + world.loop.now_ms,
        )
        if outcome[0].status is not ItemStatus.STORED:
            break
        world.relay.kill()
        world.relay.start()
        taken += 1
        world.run(seconds=0.02)
    assert 0 < taken < 400


# Thieves


def test_thief_with_an_unlocked_device_loses_to_the_owner_with_the_phrase(world: World) -> None:
    """The thief has Alice's only device; she recovers on a new one and revokes the old."""
    thief, bob, *_ = world.peers
    phrase = thief.peer.devices.phrase()
    thief.do(lambda: thief.peer.devices.set_home(URL))
    world.run(seconds=4)
    thief.do(lambda: thief.peer.devices.confirm(phrase))
    alice = SimPeer("alice", world.loop, world.random, world.relay)
    alice.peer.devices.recover(phrase, URL)
    alice.go_online()
    world.run(seconds=15)
    assert alice.room.standing == "member"
    stolen = thief.peer.device
    alice.do(lambda: alice.peer.devices.revoke(stolen))
    world.run(seconds=10)
    say(world, bob, "since-the-theft")
    assert "since-the-theft" in texts(alice)
    assert not knows(thief, "since-the-theft")
    assert thief.room.standing == "removed"
    with pytest.raises(NotAllowedError):
        thief.room.send("still here")
    own = {m.id: m.devices for m in bob.room.members()}[alice.peer.id]
    assert own == (alice.peer.device,)


def test_thief_who_revokes_first_is_undone_by_the_phrase(world: World) -> None:
    """The thief's revocation of Alice's other device stands, but what the root signs wins."""
    thief, bob, *_ = world.peers
    phrase = thief.peer.devices.phrase()
    thief.do(lambda: thief.peer.devices.set_home(URL))
    world.run(seconds=4)
    alice = SimPeer("alice", world.loop, world.random, world.relay)
    alice.peer.devices.recover(phrase, URL)
    alice.go_online()
    world.run(seconds=15)
    thief.do(lambda: thief.peer.devices.confirm(phrase))
    first = alice.peer.device
    thief.do(lambda: thief.peer.devices.revoke(first))
    world.run(seconds=10)
    again = SimPeer("again", world.loop, world.random, world.relay)
    again.peer.devices.recover(phrase, URL)
    again.go_online()
    world.run(seconds=15)
    again.do(lambda: again.peer.devices.revoke(thief.peer.device))
    world.run(seconds=10)
    say(world, bob, "for-alice-only")
    assert "for-alice-only" in texts(again)
    assert not knows(thief, "for-alice-only")


# Invites


def _stranger(world: World, link: str) -> SimPeer:
    peer = SimPeer(f"stranger{len(world.loop.__dict__)}", world.loop, world.random, world.relay)
    peer.peer.join(link)
    peer.go_online()
    world.run(seconds=10)
    return peer


def test_leaked_invite_that_was_revoked_lets_nobody_in_and_shows_nothing(world: World) -> None:
    alice, *_ = world.peers
    say(world, alice, "for-members")
    link = alice.do(lambda: alice.room.invite(uses=0))
    world.run(seconds=3)
    newest = alice.room.invites()[-1].id
    alice.do(lambda: alice.room.revoke_invite(newest))
    world.run(seconds=3)
    thief = _stranger(world, link)
    assert thief.room.standing != "member"
    assert not knows(thief, "for-members")
    assert len(alice.room.members()) == 4


def test_invite_for_one_lets_one_in(world: World) -> None:
    alice, *_ = world.peers
    link = alice.do(alice.room.invite)
    world.run(seconds=3)
    first, second = _stranger(world, link), _stranger(world, link)
    assert first.room.standing == "member"
    assert second.room.standing != "member"
    say(world, alice, "for-five")
    assert "for-five" in texts(first)
    assert not knows(second, "for-five")


def test_expired_invite_lets_nobody_in_even_with_a_wrong_clock(world: World) -> None:
    alice, *_ = world.peers
    link = alice.do(lambda: alice.room.invite(expires=timedelta(seconds=30)))
    world.run(seconds=60)
    late = SimPeer("late", world.loop, world.random, world.relay)
    late.clock.skew_ms = -50_000
    late.peer.join(link)
    late.go_online()
    world.run(seconds=10)
    assert late.room.standing != "member"
    assert len(alice.room.members()) == 4


# Names, and what the relay learns

TRICKS = ["\x1b[31mroot", "alice\u202egnp", "a\u2066b\u2069", "..\x00/etc", "line\nbreak"]


@pytest.mark.parametrize("trick", TRICKS, ids=["escape", "override", "isolate", "null", "line"])
def test_names_with_tricks_are_taken_nowhere(world: World, trick: str) -> None:
    alice, *_ = world.peers
    with pytest.raises(ValidationError):
        alice.room.set_title(trick)
    with pytest.raises(ValidationError):
        alice.peer.rename(trick)
    alice.do(lambda: alice.peer.devices.set_home(URL))
    with pytest.raises(ValidationError):
        alice.peer.devices.rename(alice.peer.device, trick)


def test_relay_has_no_name_title_or_device_name_in_clear(world: World) -> None:
    alice, bob, *_ = world.peers
    alice.do(lambda: alice.peer.devices.set_home(URL))
    world.run(seconds=3)
    alice.do(lambda: alice.room.set_title("canary-title"))
    alice.do(lambda: alice.peer.devices.rename(alice.peer.device, "canary-device"))
    alice.do(lambda: alice.peer.rename("canary-name"))
    alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
    world.run(seconds=6)
    remove(world, alice, world.peers[3])
    say(world, alice, "canary-text")
    assert bob.room.title == "canary-title"
    assert b"canary" not in world.relay.stored_bytes()

"""Snapshots between peers and a relay: what becomes small, what stays, and who may make them."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest

from syncchat.exchange.snapshotting import Snapshotter
from syncchat.exchange.volumes import Volumes
from syncchat.storage import chains, lease, rooms, snapshots
from syncchat.testing import SimPeer, World
from syncchat.wire.envelope import EnvelopeKind, decode_envelope
from tests.contracts.chains import logged
from tests.support.hostile_relays import put_into_log


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Let a few envelopes be worth a snapshot."""
    with (
        mock.patch.object(snapshots, "LOOSE_MIN", 4),
        mock.patch.object(snapshots, "LOOSE_CLOSED_MIN", 1),
    ):
        yield


def made(seed: int, peers: int) -> World:
    """Return a world in which everybody is in, and whose oracle does not look on."""
    world = World(seed=seed, peers=peers)
    for peer in world.peers:
        peer.watch = None
    return world


def assert_agree(world: World) -> None:
    """See that everybody shows the same in the end, and that all holds."""
    world.online()
    world.run(seconds=40)
    for peer in world.peers:
        assert peer.peer.check() == []
        assert peer.room.digest() == world.peers[0].room.digest()


def say(world: World, peer: SimPeer, *texts: str) -> None:
    for text in texts:
        peer.do(lambda text=text: peer.room.send(text))  # type: ignore[misc]
        world.run(seconds=3)


def at_relay(world: World, peer: SimPeer) -> list[tuple[int, int]]:
    """Return (chain seq, kind) of what the relay has of a device."""
    found = []
    for raw in logged(world.relay.log, world.room_id):
        if raw[:1] == b"\x93":
            _, header = decode_envelope(raw)
            if header.device == peer.peer._keys.public[:8]:
                found.append((header.seq, header.kind))
    return found


def at_peer(peer: SimPeer, writer: SimPeer) -> list[int]:
    """Return the chain seqs that a peer stores of another."""
    chain = chains.find_chain(peer.peer._db, peer.room._row, writer.peer.device)
    assert chain is not None
    rows = peer.peer._db.rows("select seq from envelope where chain = ? order by seq", (chain.id,))
    return [seq for (seq,) in rows]


def texts(peer: SimPeer) -> list[str]:
    return [m.text for m in peer.room.messages(limit=500) if not m.deleted]


def test_relay_and_members_keep_a_snapshot_in_place_of_many() -> None:
    with made(1, 2) as world:
        alice, bob = world.peers
        say(world, alice, *(f"text {n}" for n in range(8)))
        kept = at_relay(world, alice)
        assert [kind for _, kind in kept].count(EnvelopeKind.SNAPSHOT) == 1
        assert len(kept) < 5
        assert at_peer(alice, alice) == at_peer(bob, alice) == [seq for seq, _ in kept]
        assert texts(bob)[-8:] == [f"text {n}" for n in range(8)]
        newcomer = world.add_peer()
        world.run(seconds=10)
        assert texts(newcomer) == texts(alice)
        assert newcomer.room.digest() == alice.room.digest()
        assert_agree(world)


def test_deleted_for_everyone_leaves_the_relay_and_every_member_within_five_seconds() -> None:
    with made(1, 3) as world:
        alice, bob, carol = world.peers
        say(world, alice, "stays", "goes")
        goes = next(m for m in alice.room.messages() if m.text == "goes")
        seq = at_relay(world, alice)[-1][0]
        stored = [raw for raw in logged(world.relay.log, world.room_id) if raw[:1] == b"\x93"]
        sealed = next(raw for raw in stored if decode_envelope(raw)[1].seq == seq)
        alice.do(lambda: alice.room.delete(goes.id))
        world.run(seconds=5)
        for peer in (alice, bob, carol):
            assert "goes" not in texts(peer)
            assert "stays" in texts(peer)
            assert seq not in at_peer(peer, alice)
        assert seq not in [kept for kept, _ in at_relay(world, alice)]
        assert sealed not in world.relay.stored_bytes()
        assert_agree(world)


def test_wiped_relay_is_refilled_with_snapshots_and_a_newcomer_reads_all() -> None:
    with made(2, 3) as world:
        alice, bob, _ = world.peers
        say(world, alice, *(f"text {n}" for n in range(6)))
        say(world, bob, "bob")
        alice.go_offline()
        world.lose_relay(world.relay.wipe)
        world.run(seconds=60)
        assert [kind for _, kind in at_relay(world, alice)].count(EnvelopeKind.SNAPSHOT) == 1
        newcomer = world.add_peer()
        world.run(seconds=30)
        assert "text 0" in texts(newcomer)
        assert "text 5" in texts(newcomer)
        assert_agree(world)


def test_peer_that_was_away_while_everything_was_compacted_goes_on_from_its_cursor() -> None:
    with made(3, 3) as world:
        alice, bob, carol = world.peers
        say(world, alice, "before")
        cursor = rooms.load_room(carol.peer._db, carol.room._row).cursor
        carol.go_offline()
        say(world, alice, *(f"text {n}" for n in range(9)))
        say(world, bob, *(f"bob {n}" for n in range(9)))
        assert world.relay.log.fingerprint_at(world.room_id, cursor) is not None
        before = carol.exchange
        carol.go_online()
        world.run(seconds=10)
        assert before is not carol.exchange
        assert texts(carol) == texts(alice)
        assert_agree(world)


def test_states_of_own_messages_stay_when_a_room_is_folded_anew() -> None:
    with made(4, 2) as world:
        alice, bob = world.peers
        say(world, alice, "first")
        world.run(seconds=5)
        bob.go_offline()
        say(world, alice, *(f"text {n}" for n in range(6)))
        before = [(m.text, m.status) for m in alice.room.messages() if m.mine]
        assert ("first", "delivered") in before
        alice.do(alice.peer.rebuild)
        assert [(m.text, m.status) for m in alice.room.messages() if m.mine] == before
        assert_agree(world)


def test_snapshot_of_a_removed_device_counts_for_nobody() -> None:
    with made(5, 3) as world:
        alice, bob, carol = world.peers
        say(world, carol, "as it was said")
        carol.go_offline()
        db = carol.peer._db
        before = at_peer(carol, carol)
        holder = f"{carol.name}-{carol.life}"
        lease.take(db, holder, now_ms=carol.clock.now_ms())
        forger = Snapshotter(db, Volumes(db), carol.peer._keys, carol.peer._random, holder)
        with mock.patch.object(snapshots, "LOOSE_MIN", 1):
            assert forger.snapshot(rooms.load_room(db, carol.room._row))
        chain = chains.find_chain(db, carol.room._row, carol.peer.device)
        assert chain is not None
        forged = chains.envelope_at(db, chain.id, chain.seq)
        assert forged is not None
        assert before
        target = next(m.id for m in alice.room.members() if m.name == carol.name)
        alice.do(lambda: alice.room.remove(target))
        world.run(seconds=10)
        put_into_log(world, forged[1])
        world._link = alice.do(alice.room.invite)
        newcomer = world.add_peer()
        world.run(seconds=20)
        for peer in (alice, bob, newcomer):
            assert "as it was said" in texts(peer)
            assert peer.peer.check() == []
        assert alice.room.digest() == newcomer.room.digest()


def test_newcomer_of_a_room_that_hands_on_no_keys_reads_no_snapshot_of_before() -> None:
    with made(6, 2) as world:
        alice, bob = world.peers
        alice.do(lambda: alice.room.set_history("from_join"))
        world.run(seconds=5)
        world._link = alice.do(alice.room.invite)
        say(world, alice, *(f"before {n}" for n in range(6)))
        newcomer = world.add_peer()
        world.run(seconds=20)
        say(world, alice, *(f"after {n}" for n in range(6)))
        old = next(m for m in alice.room.messages() if m.text == "before 3")
        alice.do(lambda: alice.room.delete(old.id))
        world.run(seconds=10)
        shown = texts(newcomer)
        assert [text for text in shown if text.startswith("after")] == [
            f"after {n}" for n in range(6)
        ]
        assert not any(text.startswith("before") for text in shown)
        for raw in logged(world.relay.log, world.room_id):
            if raw[:1] == b"\x93" and decode_envelope(raw)[1].kind == EnvelopeKind.SNAPSHOT:
                break
        else:
            raise AssertionError("no snapshot was made")
        world.run(seconds=20)
        assert newcomer.peer.check() == []
        assert bob.peer.check() == []


def test_volume_scattered_over_too_many_places_is_left_as_it_is() -> None:
    with (
        mock.patch("syncchat.exchange.snapshotting.RANGES_MAX", 0),
        made(7, 2) as world,
    ):
        alice, _ = world.peers
        say(world, alice, *(f"text {n}" for n in range(6)))
        assert all(kind == EnvelopeKind.UPDATE for _, kind in at_relay(world, alice))
        assert_agree(world)

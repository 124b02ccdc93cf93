"""Scenarios for seeded defects in snapshots; ``test_snapshots`` plays them, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from syncchat.exchange.snapshotting import Snapshotter
from syncchat.exchange.volumes import Volumes
from syncchat.storage import chains, lease, rooms, snapshots
from syncchat.testing import Divergence, SimPeer, World
from syncchat.wire.envelope import EnvelopeKind, decode_envelope
from tests.contracts.chains import logged
from tests.support.hostile_relays import put_into_log
from tests.support.snapshots import eager, lying


@contextmanager
def made(seed: int, peers: int, *, loose: int = 4) -> Iterator[World]:
    """Give a world in which a few envelopes are worth a snapshot, everybody is in, and the oracle
    does not look on."""
    with eager(loose), World(seed=seed, peers=peers) as world:
        for peer in world.peers:
            peer.watch = None
        yield world


def newcomer() -> None:
    """Somebody joins when most of the room is snapshots."""
    with made(1, 2) as world:
        alice, bob = world.peers
        _say(world, alice, *(f"text {n}" for n in range(8)))
        kept = _at_relay(world, alice)
        kinds = [kind for _, kind in kept]
        _expect(kinds.count(EnvelopeKind.SNAPSHOT), 1, "snapshots")
        _expect(len(kept) < 5, True, "that there are few envelopes")
        _expect(_at_peer(alice, alice), [seq for seq, _ in kept], "what the writer keeps")
        _expect(_at_peer(bob, alice), [seq for seq, _ in kept], "what another keeps")
        late = world.add_peer()
        world.run(seconds=10)
        _expect(_texts(late), _texts(alice), "what the newcomer shows")
        _expect_agreement(world)


def deleted_for_everyone() -> None:
    """What is deleted leaves the relay and every member within five seconds."""
    with made(1, 3, loose=100) as world:
        alice = world.peers[0]
        _say(world, alice, "stays", "goes")
        goes = next(m for m in alice.room.messages() if m.text == "goes")
        seq = _at_relay(world, alice)[-1][0]
        stored = [raw for raw in logged(world.relay.log, world.room_id) if raw[:1] == b"\x93"]
        sealed = next(raw for raw in stored if decode_envelope(raw)[1].seq == seq)
        alice.do(lambda: alice.room.delete(goes.id))
        world.run(seconds=5)
        for peer in world.peers:
            _expect("goes" in _texts(peer), False, "whether it is shown")
            _expect("stays" in _texts(peer), True, "whether the other is shown")
            _expect(seq in _at_peer(peer, alice), False, "whether it is stored")
        _expect(sealed in world.relay.stored_bytes(), False, "whether the relay has it")
        _expect_agreement(world)


def wiped_relay() -> None:
    """A relay that lost all is refilled by another member, and serves a newcomer."""
    with made(2, 3) as world:
        alice, bob, _ = world.peers
        _say(world, alice, *(f"text {n}" for n in range(6)))
        _say(world, bob, "bob")
        alice.go_offline()
        world.lose_relay(world.relay.wipe)
        world.run(seconds=60)
        kinds = [kind for _, kind in _at_relay(world, alice)]
        _expect(kinds.count(EnvelopeKind.SNAPSHOT), 1, "snapshots of who is away")
        late = world.add_peer()
        world.run(seconds=30)
        for text in ("text 0", "text 5", "bob"):
            _expect(text in _texts(late), True, f"whether the newcomer shows {text}")
        _expect_agreement(world)


def away_while_it_became_small() -> None:
    """Who was away meanwhile goes on from their cursor, at a place that is gone."""
    with made(3, 3) as world:
        alice, bob, carol = world.peers
        _say(world, alice, "before")
        cursor = rooms.load_room(carol.peer._db, carol.room._row).cursor
        carol.go_offline()
        _say(world, alice, *(f"text {n}" for n in range(9)))
        _say(world, bob, *(f"bob {n}" for n in range(9)))
        is_gone = world.relay.log._rooms[world.room_id].envelopes[cursor - 1] is None
        _expect(is_gone, True, "whether the place is gone")
        carol.go_online()
        world.run(seconds=1)
        is_owed = rooms.owes_refill(carol.peer._db, carol.room._row)
        _expect(is_owed, False, "whether the log is taken for another")
        world.run(seconds=10)
        _expect(_texts(carol), _texts(alice), "what is shown")
        _expect_agreement(world)


def folded_anew() -> None:
    """The states of own messages stay when a room is folded anew."""
    with made(4, 2) as world:
        alice, bob = world.peers
        _say(world, alice, "first")
        world.run(seconds=5)
        bob.go_offline()
        _say(world, alice, *(f"text {n}" for n in range(6)))
        before = _states(alice)
        _expect(("first", "delivered") in before, True, "that the first was delivered")
        alice.do(alice.peer.rebuild)
        _expect(_states(alice), before, "states")
        _expect_agreement(world)


def removed_device() -> None:
    """A snapshot that a removed device made counts for nobody, also when the relay helps it."""
    with made(5, 3) as world:
        alice, _, carol = world.peers
        _say(world, carol, "as it was said")
        carol.go_offline()
        db = carol.peer._db
        holder = f"{carol.name}-{carol.life}"
        lease.take(db, holder, now_ms=carol.clock.now_ms())
        forger = Snapshotter(
            db, Volumes(db), carol.peer._keys, carol.clock, carol.peer._random, holder
        )
        with mock.patch.object(snapshots, "LOOSE_MIN", 1):
            is_made = forger.snapshot(rooms.load_room(db, carol.room._row))
        _expect(is_made, True, "whether it was made")
        chain = chains.find_chain(db, carol.room._row, carol.peer.device)
        assert chain is not None
        forged = chains.envelope_at(db, chain.id, chain.seq)
        assert forged is not None
        target = next(m.id for m in alice.room.members() if m.name == carol.name)
        alice.do(lambda: alice.room.remove(target))
        world.run(seconds=10)
        put_into_log(world, forged[1])
        world._link = alice.do(alice.room.invite)
        late = world.add_peer()
        world.run(seconds=20)
        for peer in (*world.peers[:2], late):
            _expect("as it was said" in _texts(peer), True, f"whether {peer.name} shows it")
            _expect(peer.peer.check(), [], f"faults of {peer.name}")
        _expect(late.room.digest(), alice.room.digest(), "digest")


def room_that_hands_on_no_keys() -> None:
    """A newcomer reads no snapshot of before, in a room that hands on no earlier keys."""
    with made(6, 2) as world:
        alice, bob = world.peers
        alice.do(lambda: alice.room.set_history("from_join"))
        world.run(seconds=5)
        world._link = alice.do(alice.room.invite)
        _say(world, alice, *(f"before {n}" for n in range(6)))
        late = world.add_peer()
        world.run(seconds=20)
        _say(world, alice, *(f"after {n}" for n in range(6)))
        old = next(m for m in alice.room.messages() if m.text == "before 3")
        alice.do(lambda: alice.room.delete(old.id))
        world.run(seconds=10)
        shown = _texts(late)
        after = [text for text in shown if text.startswith("after")]
        _expect(after, [f"after {n}" for n in range(6)], "what came after")
        _expect([text for text in shown if "before" in text], [], "what came before")
        held = [raw for (raw,) in late.peer._db.rows("select value from message") if raw]
        _expect("before" in "".join(held), False, "whether it has any of it")
        made_of = [
            (header.volume, header.epoch)
            for raw in logged(world.relay.log, world.room_id)
            if raw[:1] == b"\x93"
            and (header := decode_envelope(raw)[1]).kind == EnvelopeKind.SNAPSHOT
        ]
        _expect(sorted(set(made_of)), [(0, 0), (1, 1)], "volumes and epochs of snapshots")
        for peer in (alice, bob, late):
            _expect(peer.peer.check(), [], f"faults of {peer.name}")


def too_scattered() -> None:
    """A volume in too many parts of the chain is left as it is."""
    with mock.patch("syncchat.exchange.snapshotting.RANGES_MAX", 0), made(7, 2) as world:
        alice = world.peers[0]
        _say(world, alice, *(f"text {n}" for n in range(6)))
        kinds = {kind for _, kind in _at_relay(world, alice)}
        _expect(kinds, {EnvelopeKind.UPDATE}, "kinds")
        _expect_agreement(world)


def told_otherwise() -> None:
    """A device's snapshot has one message more than the device ever wrote."""
    _refused("more than was written")


def left_out_a_place() -> None:
    """A device's snapshot does not cover all that it wrote."""
    _refused("a place left out")


def _refused(case: str) -> None:
    inbox, ann, snapshot = lying(case)
    inbox.deliver(snapshot)
    _expect(inbox.frozen(ann.id) is None, False, "whether it is believed")
    _expect(inbox.texts(), ["what was said"], "what is shown")


def _say(world: World, peer: SimPeer, *texts: str) -> None:
    for text in texts:
        peer.do(lambda text=text: peer.room.send(text))  # type: ignore[misc]
        world.run(seconds=3)


def _at_relay(world: World, peer: SimPeer) -> list[tuple[int, int]]:
    """Return (chain seq, kind) of what the relay has of a device."""
    found = []
    for raw in logged(world.relay.log, world.room_id):
        if raw[:1] == b"\x93":
            _, header = decode_envelope(raw)
            if header.device == peer.peer._keys.public[:8]:
                found.append((header.seq, header.kind))
    return found


def _at_peer(peer: SimPeer, writer: SimPeer) -> list[int]:
    """Return the chain seqs that a peer stores of another."""
    chain = chains.find_chain(peer.peer._db, peer.room._row, writer.peer.device)
    assert chain is not None
    rows = peer.peer._db.rows("select seq from envelope where chain = ? order by seq", (chain.id,))
    return [seq for (seq,) in rows]


def _texts(peer: SimPeer) -> list[str]:
    return [m.text for m in peer.room.messages(limit=500) if not m.deleted]


def _states(peer: SimPeer) -> list[tuple[str, str]]:
    return [(m.text, m.status) for m in peer.room.messages() if m.mine]


def _expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Divergence(f"{what}: {found}, not {expected}")


def _expect_agreement(world: World) -> None:
    """See that everybody shows the same in the end, and that all holds."""
    world.online()
    world.run(seconds=40)
    for peer in world.peers:
        _expect(peer.peer.check(), [], f"faults of {peer.name}")
        _expect(peer.room.digest(), world.peers[0].room.digest(), f"digest of {peer.name}")

"""Who comes in by a link on a branch of a room's log, while another branch removes somebody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from syncchat.apps.cli import cli
from syncchat.storage import members
from syncchat.testing import SimPeer, World
from syncchat.trust.changes import Moderate
from tests.support.hostile_relays import group_of, signed_record

from .scenarios_of_groups import join_beside_removal


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=3) as world:
        for peer in world.peers:
            peer.watch = None  # the relay's log is exchanged behind the world's back
        world.run(seconds=2)
        yield world


@pytest.mark.parametrize("ahead", [0, 2])
def test_who_joins_beside_a_removal_waits_for_approval_and_reads_nothing_new(
    world: World, ahead: int
) -> None:
    eve = join_beside_removal(world, ahead=ahead)
    world.run(seconds=30)
    alice, bob, carol = world.peers
    for peer in (alice, bob):
        assert {m.id for m in peer.room.members()} == {alice.peer.id, bob.peer.id}
        assert not group_of(peer).is_rotation_due
        assert group_of(peer).epoch
    assert alice.room.digest() == bob.room.digest()
    bob.do(lambda: bob.room.send("behind-her-back"))
    world.run(seconds=10)
    assert [m.text for m in alice.room.messages()] == ["behind-her-back"]
    for outsider in (eve, carol):
        assert b"behind-her-back" not in outsider.disk.latest()
    assert eve.room.standing == "asking"


@pytest.mark.parametrize("ahead", [0, 2])
def test_honest_one_who_joined_beside_a_removal_is_let_in_by_an_admin(
    world: World, ahead: int
) -> None:
    eve = join_beside_removal(world, ahead=ahead)
    world.run(seconds=30)
    alice, bob, _ = world.peers
    (asked,) = alice.room.requests()
    assert asked.member == eve.peer.id
    alice.do(lambda: alice.room.add(asked.id))
    world.run(seconds=60)
    assert eve.room.standing == "member"
    assert [m.text for m in bob.room.messages()] == ["by the branch"]
    assert len({peer.room.digest() for peer in (alice, bob, eve)}) == 1


def test_who_waits_after_a_fork_is_sent_away_with_the_invite(world: World) -> None:
    eve = join_beside_removal(world)
    world.run(seconds=30)
    alice, bob, _ = world.peers
    group = group_of(alice)
    ((asked, _),) = group.requests.values()
    alice.do(lambda: alice.room.revoke_invite(asked.invite.hex()[:16]))
    world.run(seconds=10)
    assert bob.room.requests() == []
    assert eve.peer.id not in {m.id for m in bob.room.members()}


def _told(peer: SimPeer, db: Path, *command: str, code: int = 0) -> tuple[str, str]:
    """Return what a command says of a copy of a peer's database, and its standard error."""
    db.write_bytes(peer.disk.latest())
    done = CliRunner().invoke(cli, [*command, "--db", str(db)])
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.stdout, done.stderr


def test_fork_is_shown_to_admins_with_what_had_no_effect(world: World, tmp_path: Path) -> None:
    alice, bob, _ = world.peers
    assert alice.room.forks == 0 and alice.room.void_changes() == []
    title = alice.room.title
    assert "branches" not in "".join(_told(alice, tmp_path / "before.db", "members", title))
    eve = join_beside_removal(world)
    world.run(seconds=30)
    for peer in (alice, bob):
        assert peer.room.forks == 1
        (void,) = peer.room.void_changes()
        assert (void.what, void.member) == ("join", eve.peer.id)
        assert "at the same moment" in void.reason
    _, told = _told(alice, tmp_path / "alice.db", "members", title)
    assert "the log of who is in had branches, once: the relay lost records" in told
    assert f"without effect: join by {eve.peer.id[:8]}: its invite was closed" in told
    _, told = _told(bob, tmp_path / "bob.db", "members", title)
    assert "branches" not in told  # who can do nothing about it is not alarmed
    # The faults are Eve's: what she wrote waits until she is let in.
    shown, _ = _told(bob, tmp_path / "bob.db", "doctor", code=3)
    assert "branches" in shown
    shown, _ = _told(bob, tmp_path / "bob.db", "doctor", "--json", code=3)
    (room,) = json.loads(shown)["rooms"]
    assert len(room["forks"]) == 2
    assert eve.peer.id not in {member.id for member in alice.room.members()}


def test_fork_that_is_not_put_together_yet_is_one(world: World) -> None:
    alice, *_ = world.peers
    db, group = alice.peer._db, group_of(alice)
    for is_hidden in (True, False):
        made = Moderate(bytes(16), is_hidden)
        record = signed_record(world, alice.peer._keys, made, on=group)
        with db.atomic():
            members.add_record(db, alice.room._row, record, relay_seq=None)
    assert len(group_of(alice).heads) == 2
    assert alice.room.forks == 1 and alice.room.void_changes() == []

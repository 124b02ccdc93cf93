"""The contract of a log whose rooms are closed, for both: getting out, forks, bounds, restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from syncchat_relay.log import Append, Log, Standing, gate, groups
from syncchat_relay.log.sqlite import FILE_NAME, SqliteLog

from syncchat.errors import DiskFull, StorageError
from syncchat.trust.changes import Merge, Role
from tests.contracts.chains import OTHER_ROOM, ROOM, FixedRandom, Writer
from tests.contracts.pushes import (
    ALICE,
    BAD,
    BOB,
    CAROL,
    FORBIDDEN,
    FULL,
    GAP,
    KNOWN,
    MINUTE,
    STALE,
    STORED,
    push,
    standing,
    stored,
    unsigned,
    with_bob,
    write,
)
from tests.support.people import House, Human, pin
from tests.support.ports import START_MS

# Getting out


def test_who_was_removed_can_neither_read_nor_push_nor_be_pushed_for(log: Log) -> None:
    team = with_bob(log)
    bob = write(BOB, team)
    first, second = bob.write(), bob.write()
    push(log, BOB, team.id, first)
    removal = team.remove(BOB, pins=[pin(BOB.device, 1)])
    assert push(log, ALICE, team.id, removal, second, first) == [STORED, FORBIDDEN, KNOWN]
    assert standing(log, team, BOB.device) is Standing.NOBODY
    assert push(log, BOB, team.id, first, second) == [FORBIDDEN] * 2
    assert push(log, BOB, team.id, team.rotate(by=BOB, is_kept=False)) == [FORBIDDEN]
    rejoined = team.bring(BOB, is_kept=False)
    assert push(log, BOB, team.id, rejoined) == [FORBIDDEN]


def test_a_removal_cuts_off_nothing_that_is_stored(log: Log) -> None:
    team = with_bob(log)
    bob = write(BOB, team)
    run = bob.write_many(3)
    push(log, BOB, team.id, *run[:2])
    behind = team.remove(BOB, pins=[pin(BOB.device, 1)], is_kept=False)
    missing = team.remove(BOB, is_kept=False)
    invite = team.invite()
    assert push(log, ALICE, team.id, behind) == [STALE]
    assert push(log, ALICE, team.id, missing) == [STALE]
    assert push(log, ALICE, team.id, team.log[-1]) == [STORED]
    stale = team.remove(BOB, is_kept=False)
    assert push(log, ALICE, team.id, stale) == [STALE]
    assert push(log, CAROL, team.id, team.join(CAROL, invite)) == [STORED]
    team.rotate()
    behind = team.remove(BOB, pins=[pin(BOB.device, 1)], is_kept=False)
    assert push(log, ALICE, team.id, team.log[-1], behind) == [STORED, STALE]
    ahead = team.remove(BOB, pins=[pin(BOB.device, 3)])
    assert push(log, ALICE, team.id, ahead) == [STORED]
    assert push(log, ALICE, team.id, run[2], bob.write()) == [STORED, FORBIDDEN]


def test_leaving_and_roles_and_revocations_cut_off_nothing_either(log: Log) -> None:
    person = Human(6)
    team = House(ALICE)
    phone = person.device
    team.add(person)
    push(log, ALICE, team.id, *team.log)
    push(log, person, team.id, *write(person, team).write_many(2))
    leave = team.leave(person, pins=[pin(phone, 1)], is_kept=False)
    demote = team.set_role(person, Role.READER, is_kept=False)
    person.certify()
    person.revoke(phone)
    revoke = team.bring(person, person.root, is_kept=False)
    assert push(log, person, team.id, leave) == [STALE]
    assert push(log, ALICE, team.id, demote, revoke) == [STALE, STALE]
    assert push(log, ALICE, team.id, team.bring(person, person.root, pins=[pin(phone, 2)])) == [
        STORED
    ]
    assert standing(log, team, phone) is Standing.NOBODY


def test_a_reader_reads_and_writes_nothing(log: Log) -> None:
    team = House(ALICE)
    team.add(CAROL, role=Role.READER)
    push(log, ALICE, team.id, *team.log)
    assert standing(log, team, CAROL.device) is Standing.MEMBER
    assert push(log, CAROL, team.id, write(CAROL, team).write()) == [FORBIDDEN]
    assert push(log, CAROL, team.id, write(ALICE, team).write()) == [STORED]


def test_devices_that_nobody_let_in_write_nothing_whoever_pushes_it(log: Log) -> None:
    team = with_bob(log)
    assert push(log, ALICE, team.id, write(Human(8), team).write()) == [FORBIDDEN]


def test_guests_read_by_an_open_invite_or_by_the_root_key_of_a_member(log: Log) -> None:
    team = with_bob(log)
    invite = team.invite(expires_ms=START_MS + MINUTE)
    push(log, ALICE, team.id, team.log[-1])
    stranger = Human(8)
    assert standing(log, team, stranger.device) is Standing.NOBODY
    assert standing(log, team, stranger.device, invite) is Standing.GUEST
    assert standing(log, team, stranger.device, BOB.root) is Standing.GUEST
    assert standing(log, team, BOB.device, invite) is Standing.MEMBER
    assert standing(log, team, stranger.device, stranger.root) is Standing.NOBODY
    later = START_MS + 2 * MINUTE
    assert standing(log, team, stranger.device, invite, now_ms=later) is Standing.NOBODY
    push(log, ALICE, team.id, team.revoke_invite(invite))
    assert standing(log, team, stranger.device, invite) is Standing.NOBODY


def test_the_log_knows_which_record_took_the_right_to_read(log: Log) -> None:
    team = with_bob(log)
    alice = write(ALICE, team)
    team.rotate()
    removal = team.remove(BOB)
    items = [alice.write(), *team.raws[2:], alice.write(), team.rotate().raw, alice.write()]
    push(log, ALICE, team.id, *items)
    key = (BOB.device.public,)
    seq = stored(log, team.id).index(removal.raw) + 1
    for verified in (2, 3, 4):
        assert log.last_readable(team.id, key, verified=verified, now_ms=START_MS) == seq
    stranger = (Human(8).device.public,)
    assert log.last_readable(team.id, stranger, verified=2, now_ms=START_MS) == 0
    assert log.last_readable(OTHER_ROOM, key, verified=2, now_ms=START_MS) == 0


# Forks


def test_a_lost_branch_is_taken_with_the_merge_that_stands_on_every_head(log: Log) -> None:
    team = with_bob(log)
    fork = team.log[-1]
    kept = team.rotate()
    push(log, ALICE, team.id, kept)
    branch = [team.add(CAROL, on=fork)]
    branch.append(team.set_role(CAROL, Role.READER, on=branch[0]))
    merge = team.record(Merge())
    carol = write(ALICE, team).write()
    assert set(merge.prevs) == {kept.hash, branch[1].hash}
    assert push(log, BOB, team.id, *branch) == [STALE, STALE]
    damaged = (branch[0].raw, unsigned(branch[1].raw), merge.raw)
    assert push(log, BOB, team.id, *damaged) == [STALE, GAP, GAP]
    assert push(log, BOB, team.id, *branch, merge, carol) == [STORED] * 4
    assert push(log, BOB, team.id, *branch, merge) == [KNOWN] * 3
    assert standing(log, team, CAROL.device) is Standing.MEMBER
    assert push(log, ALICE, team.id, team.rotate()) == [STORED]
    assert stored(log, team.id)[2:6] == [kept.raw, branch[0].raw, branch[1].raw, merge.raw]


def test_a_branch_whose_merge_leaves_out_a_head_is_stale(log: Log) -> None:
    team = with_bob(log)
    fork = team.log[-1]
    push(log, ALICE, team.id, team.rotate())
    branch = team.add(CAROL, on=fork, is_kept=False)
    half = team.record(Merge(), on=branch, is_kept=False)
    assert push(log, ALICE, team.id, branch, half) == [STALE, STALE]
    assert log.head(team.id).seq == 3


def test_a_branch_counts_though_its_pins_are_behind_what_is_stored(log: Log) -> None:
    """It cannot be made anew; a relay that lost a removal must not keep it out for good."""
    team = with_bob(log)
    fork = team.log[-1]
    bob = write(BOB, team)
    push(log, ALICE, team.id, team.rotate())
    push(log, BOB, team.id, bob.write())
    lost = team.remove(BOB, on=fork, is_kept=False)
    heads = sorted((team.log[-1], lost), key=lambda record: record.hash)
    merge = team.record(Merge(), on=heads, is_kept=False)
    assert push(log, ALICE, team.id, lost, merge) == [STORED, STORED]
    assert push(log, ALICE, team.id, bob.write()) == [FORBIDDEN]
    assert standing(log, team, BOB.device) is Standing.NOBODY


def test_any_member_merges(log: Log) -> None:
    team = with_bob(log)
    fork = team.log[-1]
    push(log, ALICE, team.id, team.rotate())
    branch = team.add(CAROL, on=fork)
    assert push(log, BOB, team.id, branch, team.record(Merge(), by=BOB)) == [STORED, STORED]


# Bounds


def test_a_room_takes_so_many_records_a_minute_and_keeps_a_part_for_admins(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "RECORDS_PER_MINUTE_MAX", 8)
    team = with_bob(log)
    for _ in range(4):
        assert push(log, BOB, team.id, team.rotate(by=BOB)) == [STORED]
    assert push(log, BOB, team.id, team.rotate(by=BOB, is_kept=False)) == [FULL]
    assert push(log, BOB, team.id, write(BOB, team).write()) == [STORED]
    assert push(log, ALICE, team.id, team.remove(BOB, pins=[pin(BOB.device, 1)])) == [STORED]
    assert push(log, ALICE, team.id, team.rotate()) == [STORED]
    last = team.rotate(is_kept=False)
    assert push(log, ALICE, team.id, last) == [FULL]
    assert push(log, ALICE, team.id, last, now_ms=START_MS + MINUTE) == [STORED]


@pytest.mark.parametrize("bound", ["RECORDS_MAX", "RECORD_OCTETS_MAX"])
def test_a_full_room_takes_envelopes_and_the_last_records_from_admins_only(
    log: Log, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    team = with_bob(log)
    by_member = team.rotate(by=BOB, is_kept=False)
    removal = team.remove(BOB)
    size = sum(map(len, team.raws))
    monkeypatch.setattr(gate, bound, 3 if bound == "RECORDS_MAX" else size)
    assert push(log, BOB, team.id, by_member) == [FULL]
    assert push(log, ALICE, team.id, removal) == [STORED]
    assert push(log, ALICE, team.id, team.rotate(is_kept=False)) == [FULL]
    assert push(log, ALICE, team.id, write(ALICE, team).write()) == [STORED]


# Open logs


def test_an_open_log_takes_envelopes_of_anyone_and_checks_records_alone(
    make: Callable[..., Log],
) -> None:
    log = make(is_open=True)
    team = House(ALICE)
    mallory = Human(8)
    early = write(mallory, team).write()
    assert push(log, mallory, team.id, early, team.log[0], may_create=False) == [STORED] * 2
    assert push(log, mallory, ROOM, team.genesis) == [BAD]
    assert push(log, mallory, OTHER_ROOM, team.rotate(is_kept=False)) == [GAP]
    heads = team.log[-1]
    add = team.add(BOB)
    assert push(log, mallory, team.id, add, team.rotate(on=heads, is_kept=False)) == [
        STORED,
        STALE,
    ]
    assert push(log, mallory, team.id, unsigned(team.rotate(is_kept=False).raw)) == [BAD]
    assert standing(log, team, mallory.device) is Standing.MEMBER


# The log on disk


def test_a_restart_keeps_who_may_read_and_write(tmp_path: Path) -> None:
    team = House(ALICE)
    team.add(BOB)
    team.add(CAROL)
    run = write(BOB, team).write_many(2)
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        push(log, ALICE, team.id, *team.log)
        push(log, BOB, team.id, run[0])
        push(log, ALICE, team.id, team.remove(BOB, pins=[pin(BOB.device, 1)]))
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        assert standing(log, team, BOB.device) is Standing.NOBODY
        assert standing(log, team, CAROL.device) is Standing.MEMBER
        assert push(log, CAROL, team.id, *run, *team.log) == [KNOWN, FORBIDDEN, *[KNOWN] * 4]
        assert push(log, ALICE, team.id, team.rotate()) == [STORED]


def test_the_maker_of_a_lost_room_goes_on_after_a_restart(tmp_path: Path) -> None:
    team = House(ALICE)
    team.add(BOB)
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        push(log, BOB, team.id, team.genesis)
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        assert push(log, CAROL, team.id, team.log[1]) == [FORBIDDEN]
        assert push(log, BOB, team.id, team.log[1]) == [STORED]


def test_a_flush_that_fails_lets_nobody_in_and_works_later(tmp_path: Path) -> None:
    team = House(ALICE)
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        push(log, ALICE, team.id, team.genesis)
        assert standing(log, team, ALICE.device) is Standing.MEMBER
        invite = team.invite(uses=1)
        push(log, ALICE, team.id, team.log[-1])
        (pages,) = log._conn.execute("PRAGMA page_count").fetchone()
        log._conn.execute(f"PRAGMA max_page_count = {pages}")
        alice = Writer(ALICE.devices[0], room=team.id)
        batch = [team.join(BOB, invite).raw, *alice.write_many(60, body_bytes=9_000)]
        with pytest.raises(DiskFull):
            push(log, BOB, team.id, *batch)
        assert standing(log, team, BOB.device) is Standing.NOBODY
        log._conn.execute("PRAGMA max_page_count = 1000000")
        assert set(push(log, BOB, team.id, *batch)) == {STORED}
        assert standing(log, team, BOB.device) is Standing.MEMBER


def test_a_flush_that_failed_after_its_commit_counts_as_committed(tmp_path: Path) -> None:
    class Unlucky(SqliteLog):
        fails = False

        @contextmanager
        def _transaction(self) -> Iterator[None]:
            with super()._transaction():
                yield
            if self.fails:
                raise StorageError("the answer got lost")

    team = House(ALICE)
    with closing(Unlucky(tmp_path, random=FixedRandom(), is_open=False)) as log:
        push(log, ALICE, team.id, team.genesis)
        log.fails = True
        with pytest.raises(StorageError):
            push(log, ALICE, team.id, team.add(BOB))
        log.fails = False
        assert standing(log, team, BOB.device) is Standing.MEMBER
        assert push(log, ALICE, team.id, team.log[-1], team.rotate()) == [KNOWN, STORED]


def test_a_log_from_before_records_opens_with_all_it_had_and_takes_records(tmp_path: Path) -> None:
    alice = Writer(1)
    run = alice.write_many(3)
    with closing(SqliteLog(tmp_path, random=FixedRandom())) as log:
        log.append([Append(ROOM, run)])
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as conn, conn:
        conn.execute("DROP TABLE record")
        for column in ("records", "record_octets", "creator"):
            conn.execute(f"ALTER TABLE room DROP COLUMN {column}")
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm002_records'")
    team = House(ALICE)
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        assert stored(log, ROOM) == list(run)
        assert log.chains(ROOM) == [(alice.device, 3)]
        assert log.standing(ROOM, (alice.keys.public,), now_ms=START_MS) is Standing.NOBODY
        assert push(log, ALICE, team.id, team.genesis) == [STORED]


# Codes for devices


def test_a_room_is_found_by_an_invite_that_waits_for_a_device(log: Log) -> None:
    home = House(ALICE, is_personal=True)
    first, second = (home.invite(needs_approval=True, commitment=bytes(32)) for _ in range(2))
    short = home.invite(needs_approval=True, expires_ms=START_MS)
    push(log, ALICE, home.id, *home.log)
    assert log.find(first.public, now_ms=START_MS) == home.id
    assert log.find(second.public, now_ms=START_MS) == home.id
    assert log.find(short.public, now_ms=START_MS) == home.id
    assert log.find(short.public, now_ms=START_MS + 1) == b""
    assert log.find(bytes(32), now_ms=START_MS) == b""
    assert push(log, BOB, home.id, home.request(BOB, first)) == [STORED]
    assert log.find(first.public, now_ms=START_MS) == b""
    assert push(log, CAROL, home.id, home.request(CAROL, first, is_kept=False)) == [FORBIDDEN]
    assert push(log, ALICE, home.id, home.revoke_invite(second)) == [STORED]
    assert log.find(second.public, now_ms=START_MS) == b""


def test_no_room_that_others_share_is_found_by_an_invite(log: Log) -> None:
    team = House(ALICE)
    invites = [team.invite(), team.invite(needs_approval=True)]
    push(log, ALICE, team.id, *team.log)
    assert [log.find(invite.public, now_ms=START_MS) for invite in invites] == [b"", b""]


def test_a_room_is_found_after_a_restart_once_somebody_has_asked_for_it(tmp_path: Path) -> None:
    home = House(ALICE, is_personal=True)
    invite = home.invite(needs_approval=True)
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        push(log, ALICE, home.id, *home.log)
        for _ in range(2):
            log._groups.drop(home.id)  # other rooms were used since
            assert log.find(invite.public, now_ms=START_MS) == home.id
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        assert standing(log, home, ALICE.device) is Standing.MEMBER
        assert log.find(invite.public, now_ms=START_MS) == home.id


def test_who_opens_many_invites_makes_those_of_others_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "FINDABLE_MAX", 5)
    alice, mallory = House(ALICE, is_personal=True), House(BOB, is_personal=True, seed=1)
    wanted = alice.invite(needs_approval=True)
    many = [mallory.invite(needs_approval=True) for _ in range(20)]
    with closing(SqliteLog(tmp_path, random=FixedRandom(), is_open=False)) as log:
        push(log, ALICE, alice.id, *alice.log)
        push(log, BOB, mallory.id, *mallory.log)
        assert log.find(wanted.public, now_ms=START_MS) == alice.id
        assert log.find(many[-1].public, now_ms=START_MS) == mallory.id
        assert log.find(many[0].public, now_ms=START_MS) == b""

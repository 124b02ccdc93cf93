"""The contract of a log whose rooms are closed, for both: standing in it, and getting in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import msgpack
from syncchat_relay.log import Append, Log, Standing

from syncchat.trust.changes import Devices, Merge, Rotate
from syncchat.trust.records import Record
from tests.contracts.chains import OTHER_ROOM, ROOM, fingerprint_of
from tests.contracts.pushes import (
    ALICE,
    BAD,
    BOB,
    CAROL,
    FORBIDDEN,
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
from tests.support.people import House, Human
from tests.support.ports import START_MS

# Records stand in the log


def test_records_and_envelopes_share_one_sequence_and_one_fingerprint(log: Log) -> None:
    team = House(ALICE)
    alice = write(ALICE, team)
    items = [team.genesis.raw, alice.write(), team.add(BOB).raw, alice.write()]
    assert push(log, ALICE, team.id, *items) == [STORED] * 4
    assert stored(log, team.id) == items
    assert log.head(team.id).seq == 4
    assert log.head(team.id).fingerprint == fingerprint_of(items)
    assert log.chains(team.id) == [(alice.device, 2)]


def test_a_record_pushed_again_is_known_with_its_first_seq_also_when_it_is_old(log: Log) -> None:
    team = with_bob(log)
    push(log, ALICE, team.id, team.rotate(), write(ALICE, team).write())
    (outcomes,) = log.append([Append(team.id, tuple(team.raws), BOB.device.public)])
    assert [(found.status, found.seq) for found in outcomes] == [(KNOWN, 1), (KNOWN, 2), (KNOWN, 3)]


def test_a_record_on_an_older_one_is_stale_and_on_an_unknown_one_a_gap(log: Log) -> None:
    team = with_bob(log)
    before = team.log[-1]
    assert push(log, ALICE, team.id, team.rotate()) == [STORED]
    late = team.rotate(on=before, is_kept=False)
    ahead = team.rotate(on=late, is_kept=False)
    assert push(log, ALICE, team.id, ahead, late) == [GAP, STALE]
    assert log.head(team.id).seq == 3


def test_a_record_on_an_older_one_that_is_not_signed_is_bad_and_ends(log: Log) -> None:
    team = with_bob(log)
    before = team.group.heads
    push(log, ALICE, team.id, team.rotate())
    late = team.rotate(prevs=before, is_kept=False)
    text, _ = msgpack.decode(late.raw)
    broken = msgpack.encode([text, bytes(64)])
    assert push(log, BOB, team.id, broken, late, broken) == [BAD, STALE, BAD]
    assert log.head(team.id).seq == 3


def test_a_record_that_is_damaged_or_not_signed_inside_is_bad(log: Log) -> None:
    team = with_bob(log)
    good = team.rotate(is_kept=False)
    text, signature = msgpack.decode(good.raw)
    broken = msgpack.encode([text, bytes(64)])
    person = Human(9)
    person.log = [replace(person.log[0], raw=unsigned(person.log[0].raw))]
    forged = team.add(person, is_kept=False)
    items = (broken, good.raw[:-1], good.raw + b"\0", forged.raw)
    assert push(log, ALICE, team.id, *items) == [BAD] * 4
    assert push(log, ALICE, team.id, msgpack.encode([text, signature])) == [STORED]


def test_a_record_without_effect_by_the_rules_is_forbidden(log: Log) -> None:
    team = with_bob(log)
    by_member = team.add(CAROL, by=BOB, is_kept=False)
    by_nobody = team.add(CAROL, by=Human(8).device, is_kept=False)
    elsewhere = team.rotate(log=OTHER_ROOM, is_kept=False)
    wrong_epoch = replace_epoch(team)
    deposing = team.remove(ALICE, by=BOB, is_kept=False)
    items = (by_member, by_nobody, elsewhere, wrong_epoch, deposing)
    assert push(log, BOB, team.id, *items) == [FORBIDDEN] * 5
    assert log.head(team.id).seq == 2


def replace_epoch(team: House) -> Record:
    """Return a rotation that skips a key's number."""
    skipped = team.rotate(is_kept=False)
    return team.record(Rotate(team.epoch(skipped)), is_kept=False)


def test_a_record_of_a_later_version_is_kept_from_members_only(log: Log) -> None:
    team = with_bob(log)
    assert push(log, BOB, team.id, team.record(Merge(), kind=99, by=BOB)) == [STORED]
    strange = team.record(Merge(), kind=99, by=Human(8), is_kept=False)
    assert push(log, BOB, team.id, strange) == [FORBIDDEN]


# Making rooms, and getting in


def test_a_room_is_made_by_the_record_whose_name_it_bears_and_by_no_other(log: Log) -> None:
    team, other = House(ALICE), House(CAROL)
    assert push(log, ALICE, team.id, other.genesis) == [FORBIDDEN]
    assert push(log, ALICE, ROOM, team.genesis) == [FORBIDDEN]
    assert push(log, ALICE, team.id, write(ALICE, team).write(), team.genesis) == [FORBIDDEN] * 2
    assert log.head(team.id).seq == log.head(ROOM).seq == 0
    assert push(log, ALICE, team.id, team.genesis) == [STORED]
    assert standing(log, team, ALICE.device) is Standing.MEMBER


def test_who_may_not_create_rooms_makes_none(log: Log) -> None:
    team = House(ALICE)
    items = (team.genesis.raw, write(ALICE, team).write())
    assert push(log, ALICE, team.id, *items, may_create=False) == [FORBIDDEN] * 2
    assert standing(log, team, ALICE.device) is Standing.NOBODY


def test_one_who_is_in_the_log_already_refills_a_lost_room_whatever_the_time(log: Log) -> None:
    team = House(ALICE)
    invite = team.invite(expires_ms=START_MS + MINUTE)
    team.join(BOB, invite)
    later = START_MS + 90 * 24 * 60 * MINUTE
    assert push(log, BOB, team.id, team.log[0], now_ms=later) == [STORED]
    assert standing(log, team, BOB.device, now_ms=later) is Standing.NOBODY
    chain = write(ALICE, team).write_many(2)
    assert push(log, BOB, team.id, *team.log, *chain, now_ms=later) == [
        *[KNOWN, STORED, STORED],
        *[STORED, STORED],
    ]
    assert standing(log, team, BOB.device, now_ms=later) is Standing.MEMBER


def test_the_maker_of_a_lost_room_who_was_removed_in_it_may_not_go_on(log: Log) -> None:
    team = House(ALICE)
    team.add(BOB)
    team.remove(BOB)
    team.rotate()
    assert push(log, BOB, team.id, *team.log) == [STORED, STORED, STORED, FORBIDDEN]
    assert standing(log, team, BOB.device) is Standing.NOBODY
    assert push(log, BOB, team.id, team.log[3]) == [FORBIDDEN]


def test_a_stranger_is_forbidden_everything_as_a_whole_and_as_in_a_room_that_is_not_there(
    log: Log,
) -> None:
    team = with_bob(log)
    absent = House(Human(7))
    for room in (team, absent):
        mallory = Human(8)
        items = (
            write(mallory, room).write(),
            *room.raws,
            room.rotate(by=mallory, is_kept=False).raw,
            b"junk",
            b"\x92junk",
        )
        for first in range(len(items)):
            said = push(log, mallory, room.id, *items[first:], may_create=False)
            assert said == [FORBIDDEN] * (len(items) - first)
    assert stored(log, team.id) == team.raws


def test_a_joiner_gets_in_by_the_join_that_begins_the_push_and_goes_on_writing(log: Log) -> None:
    team = with_bob(log)
    invite = team.invite()
    push(log, ALICE, team.id, team.log[-1])
    envelope = write(CAROL, team).write()
    join = team.join(CAROL, invite)
    assert push(log, CAROL, team.id, envelope, join) == [FORBIDDEN] * 2
    assert push(log, CAROL, team.id, join, envelope) == [STORED, STORED]
    assert push(log, CAROL, team.id, join) == [KNOWN]


def test_a_join_is_for_the_device_that_signed_it_and_the_room_that_it_names(log: Log) -> None:
    team = with_bob(log)
    invite = team.invite()
    push(log, ALICE, team.id, team.log[-1])
    join = team.join(CAROL, invite, is_kept=False)
    assert push(log, Human(8), team.id, join) == [FORBIDDEN]
    guessed = team.join(CAROL, Human(8).device, is_kept=False)
    assert push(log, CAROL, team.id, guessed) == [FORBIDDEN]
    assert push(log, CAROL, team.id, join) == [STORED]


def test_nobody_brings_the_join_or_request_of_another_or_one_that_is_not_signed(log: Log) -> None:
    team = with_bob(log)
    invite, approved = team.invite(), team.invite(needs_approval=True)
    push(log, ALICE, team.id, *team.log[2:])
    join = team.join(CAROL, invite, is_kept=False)
    request = team.request(CAROL, approved, is_kept=False)
    for record in (join, request):
        assert push(log, Human(8), team.id, record) == [FORBIDDEN]
        assert push(log, CAROL, team.id, unsigned(record.raw)) == [FORBIDDEN]
    assert push(log, CAROL, team.id, request) == [STORED]


@pytest.mark.parametrize("off_ms", [-24 * 60 * MINUTE, 24 * 60 * MINUTE])
def test_who_has_a_wrong_clock_gets_in_by_an_invite_without_an_end(log: Log, off_ms: int) -> None:
    team = with_bob(log)
    invite = team.invite()
    push(log, ALICE, team.id, team.log[-1])
    join = team.join(CAROL, invite, at_ms=START_MS + off_ms, is_kept=False)
    assert push(log, CAROL, team.id, join) == [STORED]


def test_an_invite_ends_by_its_uses_by_its_time_and_by_revocation(log: Log) -> None:
    team = with_bob(log)
    once, brief, revoked = (
        team.invite(uses=1),
        team.invite(expires_ms=START_MS + MINUTE),
        team.invite(),
    )
    team.revoke_invite(revoked)
    assert push(log, ALICE, team.id, *team.log[2:]) == [STORED] * 4
    assert push(log, CAROL, team.id, team.join(CAROL, once)) == [STORED]
    dave = Human(4)
    for invite in (once, revoked):
        assert push(log, dave, team.id, team.join(dave, invite, is_kept=False)) == [FORBIDDEN]
    dated_back = team.join(dave, brief, is_kept=False)
    assert push(log, dave, team.id, dated_back, now_ms=START_MS + 2 * MINUTE) == [FORBIDDEN]
    assert push(log, dave, team.id, dated_back) == [STORED]


def test_a_joiner_who_lost_the_race_is_told_to_read_on(log: Log) -> None:
    team = with_bob(log)
    invite = team.invite()
    push(log, ALICE, team.id, team.log[-1])
    heads = team.log[-1]
    push(log, ALICE, team.id, team.rotate())
    late = team.join(CAROL, invite, on=heads, is_kept=False)
    assert push(log, CAROL, team.id, late) == [STALE]
    assert push(log, CAROL, team.id, team.join(CAROL, invite)) == [STORED]


def test_a_request_is_stored_and_lets_nobody_in_until_it_is_granted(log: Log) -> None:
    team = with_bob(log)
    invite = team.invite(needs_approval=True)
    push(log, ALICE, team.id, team.log[-1])
    assert push(log, CAROL, team.id, team.join(CAROL, invite, is_kept=False)) == [FORBIDDEN]
    request = team.request(CAROL, invite)
    envelope = write(CAROL, team).write()
    assert push(log, CAROL, team.id, request, envelope) == [STORED, FORBIDDEN]
    assert push(log, CAROL, team.id, request) == [KNOWN]
    assert standing(log, team, CAROL.device) is Standing.NOBODY
    assert push(log, ALICE, team.id, team.add(CAROL, request=request.hash)) == [STORED]
    assert push(log, CAROL, team.id, envelope) == [STORED]


def test_a_new_device_brings_its_certificate_and_is_in(log: Log) -> None:
    person = Human(5)
    team = House(person)
    push(log, person, team.id, team.genesis)
    person.certify()
    laptop = person.devices[-1]
    assert push(log, laptop, team.id, write(person, team, 1).write()) == [FORBIDDEN]
    brought = team.bring(person, laptop)
    assert push(log, Human(8), team.id, brought) == [FORBIDDEN]
    assert push(log, laptop, team.id, brought, write(person, team, 1).write()) == [STORED] * 2


def test_a_device_that_another_person_certified_does_not_get_in(log: Log) -> None:
    team = with_bob(log)
    mallory = Human(8)
    mallory.log = [*mallory.log, *ALICE.log]
    forged = team.bring(ALICE, mallory.device, is_kept=False)
    assert push(log, mallory, team.id, forged) == [FORBIDDEN]
    as_alice = replace_person(team, ALICE.id, mallory)
    assert push(log, mallory, team.id, as_alice) == [FORBIDDEN]


def replace_person(team: House, user: bytes, person: Human) -> Record:
    """Return a record that brings one person's log as another's."""
    content = Devices(user, person.raws, [], None)
    return team.record(content, by=person.device, is_kept=False)


def test_a_device_that_was_somebody_elses_before_gets_in_as_nobody(log: Log) -> None:
    person, other = Human(5), Human(6)
    team = House(person)
    team.add(other)
    team.remove(other)
    push(log, person, team.id, *team.log)
    person.certify(other.device)
    brought = team.bring(person, other.device, is_kept=False)
    assert push(log, other, team.id, brought) == [FORBIDDEN]
    assert log.head(team.id).seq == 3

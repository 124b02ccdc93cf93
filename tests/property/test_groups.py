"""Laws of rooms' logs: over random histories, with and without forks, by all sorts of people."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncchat.errors import DecodeError, SignatureInvalid, TrustError
from syncchat.trust import epochs
from syncchat.trust.changes import TYPES, History, Kind, Merge, Moderate, Role, SetRole, change_of
from syncchat.trust.group import Group
from syncchat.trust.membership import fold_group, verify_change
from syncchat.trust.person import content_of, fold_person, read_person, verify_person
from syncchat.trust.records import Record, decode_record, make_record, verify_record
from syncchat.trust.rules import refusal_of
from tests.support.people import NOW, UNKNOWN_KIND, House, Human
from tests.unit.trust.chains import flipped

PEOPLE = 5
VERBS = ("add", "remove", "leave", "role", "rotate", "join", "revoke", "moderate", "unknown")
Deed = tuple[str, int, int, Role, int]

DEEDS = st.tuples(
    st.sampled_from(VERBS),
    st.integers(0, PEOPLE - 1),
    st.integers(0, PEOPLE - 1),
    st.sampled_from(Role),
    st.integers(0, 3),
)
FEW = settings(
    max_examples=max(25, settings().max_examples // 4),
    suppress_health_check=[HealthCheck.too_slow],
)
"""A history is built with real signatures and takes some milliseconds."""


@dataclass
class Story:
    """Is a room and what its people could know: who had which epoch, and what thieves have."""

    room: House
    people: list[Human]
    may: list[set[int]] = field(default_factory=list)
    stolen: list[tuple[Human, list[bytes], int]] = field(default_factory=list)

    def note(self) -> None:
        """Note what everybody who is in now may know from now on."""
        group = self.room.group
        for who, may in zip(self.people, self.may, strict=True):
            member = group.members.get(who.id)
            if member is not None:
                is_shared = group.history is History.SHARED
                may.update(range(0 if is_shared else group.epoch, group.epoch + 1))


def begin(history: History = History.SHARED) -> Story:
    """Return a room with an owner, an admin, a member, and two people who are not in it."""
    people = [Human(seed) for seed in range(PEOPLE)]
    room = House(people[0], history=history)
    story = Story(room, people, [set() for _ in people])
    story.note()
    room.add(people[1], Role.ADMIN)
    story.note()
    room.add(people[2])
    story.note()
    return story


def do(story: Story, deed: Deed, *, on: Record | list[Record] | None = None) -> None:
    """Record one deed, whether it may be or not."""
    verb, by, target, role, _ = deed
    room, actor, other = story.room, story.people[by], story.people[target]
    where: dict[str, Any] = {} if on is None else {"on": on}
    match verb:
        case "add":
            room.add(other, role, actor, **where)
        case "remove":
            room.remove(other, by=actor, **where)
        case "leave":
            room.leave(actor, **where)
        case "role":
            room.set_role(other, role, actor, **where)
        case "rotate":
            room.rotate(actor, **where)
        case "join":
            invite = room.invite(actor, uses=1, **where)
            after: dict[str, Any] = {} if on is None else {"on": room.log[-1]}
            room.join(other, invite, **after)
        case "revoke":
            gone = actor.devices[-1]
            before = list(actor.secrets)
            actor.certify()
            actor.devices.insert(0, actor.devices.pop())
            actor.revoke(gone)
            room.bring(actor, has_epoch=True, **where)
            if not room.reason(room.log[-1]):
                story.stolen.append((actor, before, room.group.epoch - 1))
        case "moderate":
            room.record(Moderate(bytes((target,)) * 16, bool(role & 1)), actor, **where)
        case _:
            room.record(Merge(), actor, kind=UNKNOWN_KIND, **where)


def told(deeds: list[Deed], history: History = History.SHARED) -> Story:
    """Return what comes of deeds one after the other."""
    story = begin(history)
    for deed in deeds:
        do(story, deed)
        story.note()
    return story


@st.composite
def forked(draw: st.DrawFn) -> Story:
    """Draw a history in which each record may stand on any earlier ones."""
    story = begin()
    for deed in draw(st.lists(DEEDS, max_size=8)):
        back = min(deed[4], len(story.room.log) - 1)
        on = [story.room.log[-1 - back]]
        if draw(st.booleans()):
            heads = story.room.group.heads
            on = [record for record in story.room.log if record.hash in heads]
        do(story, deed, on=on)
    return story


@FEW
@given(forked(), st.randoms(use_true_random=False))
def test_fold_does_not_depend_on_order_or_repetition(story: Story, chance: Any) -> None:
    records = list(story.room.log)
    group = fold_group(records)
    assert group.owner == b"" or group.owner in group.members
    again = records + records[: len(records) // 2]
    chance.shuffle(again)
    assert fold_group(again) == group
    fresh = [decode_record(record.raw) for record in reversed(records)]
    assert fold_group(fresh) == group


@FEW
@given(forked())
def test_fold_of_a_fork_that_is_put_together_goes_on_from_there(story: Story) -> None:
    room = story.room
    heads = [record for record in room.log if record.hash in room.group.heads]
    before = room.group
    if before.owner == b"":
        return
    owner = next(who for who in story.people if who.id == before.owner)
    merge = room.record(Merge(), owner.root, on=heads)
    assert room.reason(merge) == ""
    assert fold_group([merge], before) == room.group


@FEW
@given(st.lists(DEEDS, max_size=8), st.sampled_from(History), st.data())
def test_incremental_fold_of_a_chain_is_the_whole_fold(
    deeds: list[Deed], history: History, data: st.DataObject
) -> None:
    log = told(deeds, history).room.log
    at = data.draw(st.integers(1, len(log)))
    group = fold_group(log[:at])
    for record in log[at:]:
        assert (refusal_of(group, record) == "") is (
            record.hash not in dict(fold_group(log).refused)
        )
        group = fold_group([record], group)
    assert group == fold_group(log)


@FEW
@given(st.lists(DEEDS, max_size=10), st.sampled_from(History))
def test_everybody_opens_the_keys_that_they_should_and_no_other(
    deeds: list[Deed], history: History
) -> None:
    story = told(deeds, history)
    room = story.room
    if room.group.is_rotation_due and room.group.owner:
        room.rotate(next(who for who in story.people if who.id == room.group.owner).root)
        assert not room.group.is_rotation_due
        story.note()
    for who, may in zip(story.people, story.may, strict=True):
        opened = set(room.all_keys(who))
        assert opened <= may
        if who.id in room.group.members and room.group.members[who.id].invite == b"":
            assert opened == may
    for who, secrets, last in story.stolen:
        for number in range(last + 1, room.group.epoch + 1):
            found = epochs.open_epoch(room.group, number, user=who.id, secrets=secrets)
            assert found is None


@FEW
@given(st.lists(DEEDS, max_size=6), st.integers(1, 2), st.lists(DEEDS, max_size=4))
def test_removed_person_has_no_say_and_reads_nothing_new(
    deeds: list[Deed], gone: int, later: list[Deed]
) -> None:
    story = told(deeds)
    room, person = story.room, story.people[gone]
    owner = next((who for who in story.people if who.id == room.group.owner), None)
    if owner is None or owner is person:
        return
    if person.id not in room.group.members:
        room.add(person, by=owner.root)
    room.remove(person, by=owner.root)
    assert person.id not in room.group.members
    epoch, owner_id = room.group.epoch, room.group.owner
    members = {user: member.role for user, member in room.group.members.items()}
    for verb, _, target, role, back in later:
        do(story, ("rotate" if verb in ("join", "revoke") else verb, gone, target, role, back))
        do(story, ("unknown", gone, target, role, back))
    for device in [*person.devices, person.root]:
        room.record(SetRole(person.id, Role.OWNER, []), device)
        assert not room.group.may_read(device.public)
        assert not room.group.accepts(device.public[:8], 1)
    group = room.group
    assert {user: member.role for user, member in group.members.items()} == members
    assert (group.epoch, group.owner) == (epoch, owner_id)
    room.rotate(owner.root)
    assert not {epoch, epoch + 1} & set(room.all_keys(person))


@FEW
@given(forked())
def test_nobody_but_the_owner_changes_the_owner(story: Story) -> None:
    room = story.room
    first = story.people[0]
    keys = {first.root.public, *(device.public for device in first.devices)}
    gave_up = [
        record
        for record in room.log
        if record.signer in keys
        and (record.kind == Kind.LEAVE or (record.kind == Kind.SET_ROLE and _is_hand_over(record)))
    ]
    group = room.group
    if not gave_up:
        assert group.owner == first.id
    assert sum(member.role is Role.OWNER for member in group.members.values()) <= 1
    assert bool(group.owner) is bool(group.members)


@FEW
@given(st.lists(DEEDS, max_size=3), st.lists(DEEDS, max_size=3), st.randoms(use_true_random=False))
def test_nobody_comes_in_by_a_link_beside_a_removal(
    one: list[Deed], other: list[Deed], chance: Any
) -> None:
    story = begin()
    room, owner = story.room, story.people[0].root
    invite = room.invite(owner)
    base = tip = room.log[-1]
    for deed in one:
        do(story, deed, on=tip)
        tip = room.log[-1]
    room.remove(story.people[2], by=owner, on=tip)
    room.join(story.people[3], invite, on=base)
    for deed in other:
        do(story, deed, on=room.log[-1])
    log = list(room.log)
    chance.shuffle(log)
    refused = dict(fold_group(log).refused)
    counting = [record for record in log if record.hash not in refused]
    below = {record.hash: _below(log, record) for record in counting}
    for removal in (record for record in counting if record.kind == Kind.REMOVE):
        for join in (record for record in counting if record.kind == Kind.JOIN):
            assert join.hash in below[removal.hash] or removal.hash in below[join.hash]


def _below(log: list[Record], record: Record) -> set[bytes]:
    known = {each.hash: each for each in log}
    found: set[bytes] = set()
    todo = list(record.prevs)
    while todo:
        hash_ = todo.pop()
        if hash_ not in found:
            found.add(hash_)
            todo += known[hash_].prevs
    return found


def _is_hand_over(record: Record) -> bool:
    change = change_of(record)
    return isinstance(change, SetRole) and change.role is Role.OWNER


WHOLE = told(
    [
        ("join", 1, 3, Role.MEMBER, 0),
        ("revoke", 2, 0, Role.MEMBER, 0),
        ("role", 0, 1, Role.READER, 0),
        ("remove", 0, 2, Role.MEMBER, 0),
        ("rotate", 0, 0, Role.MEMBER, 0),
    ]
).room


@given(st.integers(0, len(WHOLE.log) - 1), st.data())
def test_flipped_bit_in_a_record_is_noticed(at: int, data: st.DataObject) -> None:
    raw = WHOLE.log[at].raw
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    with pytest.raises((DecodeError, SignatureInvalid)):
        verify_record(decode_record(flipped(raw, bit)))


@given(st.data())
def test_flipped_bit_in_a_persons_record_inside_is_noticed(data: st.DataObject) -> None:
    human = WHOLE.owner
    raw = data.draw(st.sampled_from(human.raws))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    with pytest.raises((DecodeError, TrustError)):
        verify_person(read_person([flipped(raw, bit)]))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_raise_decode_error_alone(raw: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert decode_record(raw).raw == raw


_CONTENTS = st.binary(max_size=200) | st.recursive(
    st.binary(max_size=40) | st.integers(-5, 2**32) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=15,
).map(msgspec.msgpack.encode)


@given(_CONTENTS, st.sampled_from([*TYPES, UNKNOWN_KIND]))
def test_any_signed_content_is_a_change_or_raises_typed_errors_alone(
    content: bytes, kind: int
) -> None:
    group = fold_group(WHOLE.log)
    record = make_record(
        WHOLE.owner.root,
        log=WHOLE.id,
        prevs=group.heads,
        at_ms=NOW,
        kind=kind,
        content=msgspec.Raw(content),  # type: ignore[arg-type]
    )
    for decode in (change_of, content_of, verify_change):
        with contextlib.suppress(DecodeError, TrustError):
            decode(decode_record(record.raw))
    reason = refusal_of(group, record)
    after = fold_group([*WHOLE.log, record])
    assert dict(after.refused).get(record.hash, "") == reason
    assert after == fold_group([record], group)


@FEW
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=6))
def test_persons_log_comes_to_the_same_in_any_order(deeds: list[tuple[int, int, bool]]) -> None:
    human = Human(7)
    human.certify()
    for by, target, is_revocation in deeds:
        signer = [human.root, *human.devices][by % (len(human.devices) + 1)]
        base = fold_person(human.log[: 1 + target % len(human.log)])
        if is_revocation:
            made = human.revoke(
                human.devices[target % len(human.devices)], by=signer, before=base, is_kept=False
            )
        else:
            generation = min(base.generation, len(human.secrets) - 1)
            made = human.certify(by=signer, prevs=base.heads, generation=generation, is_kept=False)
        human.log.append(made)
        if len(human.secrets) <= human.person.generation:
            human.secrets += [human.random.bytes(32)] * (
                human.person.generation + 1 - len(human.secrets)
            )
    person = fold_person(human.log)
    assert fold_person(reversed(human.log)) == person
    assert fold_person(human.log[1:], fold_person(human.log[:1])) == person
    assert all(person.speaks(device.key) for device in person.active)
    assert person.speaks(human.root.public)
    assert isinstance(fold_group(WHOLE.log), Group)

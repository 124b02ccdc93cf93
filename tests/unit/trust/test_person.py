"""People's logs: devices, their certificates and revocations, user keys, forks."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from syncchat.errors import DecodeError, SignatureInvalid, TrustError
from syncchat.trust import person as people
from syncchat.trust.boxes import box_public
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.person import (
    Certify,
    Person,
    PersonKind,
    Revoke,
    certify,
    content_of,
    fold_person,
    read_person,
    request_of,
    revoke,
    root_box_key,
    user_of,
    verify_person,
)
from syncchat.trust.records import Record, RecordHash, decode_record, make_record
from syncchat.trust.user_keys import open_secrets
from tests.support.people import NOW, UNKNOWN_KIND, Human


def folded(records: list[Record]) -> Person:
    """Return the person, which must be the same in other orders and in two steps."""
    person = fold_person(records)
    for order in itertools.islice(itertools.permutations(records), 24):
        assert fold_person(order) == person
    assert fold_person(records[1:], fold_person(records[:1])) == person
    assert fold_person([*records, *records]) == person
    return person


def rewritten(record: Record, by: DeviceKeys, **changed: object) -> Record:
    """Return a record signed again with other content."""
    content = content_of(record)
    assert content is not None
    return make_record(
        by,
        log=record.log,
        prevs=record.prevs,
        at_ms=record.at_ms,
        kind=record.kind,
        content=msgspec.structs.replace(content, **changed),
    )


def test_person_begins_with_one_device_that_the_root_certified() -> None:
    human = Human(1)
    person = folded(human.log)
    assert person.root == human.root.public
    assert person.id == user_of(human.root.public)
    assert [device.key for device in person.active] == [human.device.public]
    assert person.user_key == box_public(human.secrets[0])
    assert person.active[0].id == human.device.device
    assert (person.generation, person.heads) == (0, (human.log[0].hash,))
    assert Person(human.root.public).id == human.id


def test_any_active_device_certifies_another_and_nobody_else_does() -> None:
    human = Human(2)
    human.certify(by=human.device)
    human.certify(by=DeviceKeys(b"x" * 32))
    person = folded(human.log)
    assert [device.key for device in person.active] == [d.public for d in human.devices[:2]]
    assert not person.speaks(human.devices[2].public)
    assert person.speaks(human.root.public)
    assert person.devices[human.devices[1].public[:8]].certified_by == human.device.public


def test_device_is_certified_once_and_not_again_after_its_revocation() -> None:
    human = Human(3)
    human.certify()
    second = human.devices[1]
    human.revoke(second)
    human.certify(second)
    assert not folded(human.log).speaks(second.public)


def test_key_that_begins_like_a_devices_does_not_speak() -> None:
    human = Human(4)
    assert not human.person.speaks(human.device.public[:8] + bytes(24))
    assert not human.person.speaks(b"")


def test_revocation_makes_the_next_user_key_for_those_that_stay_and_the_root() -> None:
    human = Human(5)
    for _ in range(2):
        human.certify()
    gone = human.devices[1]
    human.revoke(gone, by=human.device)
    person = folded(human.log)
    assert (person.generation, person.user_key) == (1, box_public(human.secrets[1]))
    for device in (human.devices[0], human.devices[2]):
        opened = open_secrets(person, {}, holder=device.public[:8], box_secret=device.box_secret)
        assert opened == dict(enumerate(human.secrets))
    by_root = open_secrets(person, {}, holder=b"", box_secret=human.root.curve_secret)
    assert by_root == dict(enumerate(human.secrets))
    lost = open_secrets(person, {}, holder=gone.public[:8], box_secret=gone.box_secret)
    assert lost == {0: human.secrets[0]}


def test_device_of_a_later_generation_has_every_secret_by_the_links() -> None:
    human = Human(6)
    for _ in range(3):
        human.certify()
        human.revoke(human.devices[-1])
    human.certify()
    new, person = human.devices[-1], human.person
    found = open_secrets(person, {}, holder=new.public[:8], box_secret=new.box_secret)
    assert found == dict(enumerate(human.secrets))
    assert not open_secrets(person, found, holder=new.public[:8], box_secret=new.box_secret)


def test_secret_that_does_not_fit_the_user_key_is_none() -> None:
    human = Human(7)
    human.certify()
    stolen = human.devices[1]
    made = human.revoke(stolen)
    content = content_of(made)
    assert isinstance(content, Revoke)
    wrong = [(id_, bytes(human.person.boxes[0, id_])) for id_, _ in content.boxes]
    human.log[-1] = rewritten(made, human.root, boxes=wrong)
    holder = human.device.public[:8]
    found = open_secrets(
        human.person, {0: b"x" * 32, 1: b"short"}, holder=holder, box_secret=human.device.box_secret
    )
    assert found == {0: human.secrets[0]}


def test_certificate_needs_the_generation_and_user_key_in_force() -> None:
    human = Human(8)
    human.certify()
    human.revoke(human.devices[1])
    human.certify(generation=0)
    made = human.certify(is_kept=False)
    other = rewritten(made, human.root, user_key=box_public(b"y" * 32))
    assert len(folded([*human.log, other]).active) == 1
    assert len(folded([*human.log, made]).active) == 2


@pytest.mark.parametrize("field", ["user_key", "box_key"])
def test_certificate_with_a_key_that_nothing_can_be_sealed_to_has_no_effect(field: str) -> None:
    human = Human(9)
    made = human.certify(is_kept=False)
    bad = rewritten(made, human.root, **{field: bytes(31) + b"\x80"})
    assert len(folded([*human.log, bad]).active) == 1
    first = rewritten(human.log[0], human.root, **{field: b"\1" + bytes(31)})
    with pytest.raises(TrustError):
        fold_person([first])


def test_revocation_with_such_a_key_still_revokes() -> None:
    human = Human(10)
    human.certify()
    made = human.revoke(human.devices[1])
    human.log[-1] = rewritten(made, human.root, user_key=bytes(32))
    person = folded(human.log)
    assert (len(person.active), person.generation) == (1, 0)


def test_unknown_kinds_are_kept_without_effect() -> None:
    human = Human(11)
    certificate = human.certify(is_kept=False)
    content = content_of(certificate)
    assert content is not None
    record = make_record(
        human.device,
        log=human.id,
        prevs=human.person.heads,
        at_ms=NOW,
        kind=UNKNOWN_KIND,
        content=content,
    )
    person = folded([*human.log, record])
    assert len(person.active) == 1
    assert person.heads == (record.hash,)
    assert content_of(record) is None
    verify_person([record])


def test_records_of_another_person_have_no_effect() -> None:
    human, other = Human(12), Human(13)
    person = fold_person([*other.log, *human.log], root=human.root.public)
    assert person == human.person
    assert fold_person([*other.log, *human.log]) == fold_person([*human.log, *other.log])


@pytest.mark.parametrize("case", ["nothing", "no first", "not the root", "no device", "other log"])
def test_log_that_does_not_begin_with_the_root_is_nobodys(case: str) -> None:
    human = Human(14)
    human.certify()
    first = human.log[0]
    match case:
        case "nothing":
            records = []
        case "no first":
            records = human.log[1:]
        case "not the root":
            records = [rewritten(first, human.device)]
        case "no device":
            records = [rewritten(first, human.root, root_box=b"")]
        case _:
            content = content_of(first)
            assert content is not None
            records = [
                make_record(human.root, log=bytes(16), prevs=(), at_ms=NOW, kind=1, content=content)
            ]
    with pytest.raises(TrustError):
        fold_person(records)


def test_malformed_content_has_no_effect_in_the_fold_and_does_not_verify() -> None:
    human = Human(15)
    content = content_of(human.log[0])
    assert content is not None
    bad = make_record(
        human.root,
        log=human.id,
        prevs=human.person.heads,
        at_ms=NOW,
        kind=PersonKind.REVOKE,
        content=content,
    )
    beside = human.certify()
    person = folded([*human.log, bad])
    assert len(person.active) == 2
    assert beside.hash in person.records
    with pytest.raises(DecodeError):
        verify_person([bad])


def test_consent_of_another_device_or_for_another_person_does_not_verify() -> None:
    human, other = Human(16), Human(17)
    verify_person(human.log)
    made = human.certify(is_kept=False)
    for consent in (
        request_of(human.device, user=human.id).consent,
        request_of(human.devices[1], user=other.id).consent,
    ):
        with pytest.raises(SignatureInvalid):
            verify_person([rewritten(made, human.root, consent=consent)])


def test_forged_signature_does_not_verify() -> None:
    human = Human(18)
    raw = human.log[0].raw
    with pytest.raises(SignatureInvalid):
        verify_person([decode_record(raw[:-1] + bytes((raw[-1] ^ 1,)))])


def test_log_is_bounded_in_records_and_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "RECORDS_MAX", 3)
    monkeypatch.setattr(people, "DEVICES_MAX", 2)
    human = Human(19)
    human.certify()
    human.certify()
    assert len(human.person.devices) == 2
    assert len(read_person(human.raws)) == 3
    with pytest.raises(DecodeError):
        read_person([*human.raws, human.raws[0]])
    extra = human.certify(is_kept=False)
    with pytest.raises(TrustError):
        fold_person([*human.log, extra])


# Forks


def test_root_and_a_stolen_device_that_revoke_at_one_moment_end_with_the_root() -> None:
    human = Human(20)
    human.certify()
    first, stolen = human.devices
    fork = human.person
    by_thief = human.revoke(first, by=stolen, before=fork, is_kept=False)
    by_root = human.revoke(stolen, before=fork)
    person = folded([*human.log, by_thief])
    assert [device.key for device in person.active] == [first.public]
    assert person.heads == (by_root.hash,)
    assert person.user_key == box_public(human.secrets[1])


def test_of_two_devices_that_revoke_each_other_the_older_stays() -> None:
    human = Human(21)
    human.certify(by=human.device)
    first, second = human.devices
    fork = human.person
    by_second = human.revoke(first, by=second, before=fork, is_kept=False)
    human.revoke(second, by=first, before=fork)
    assert [device.key for device in folded([*human.log, by_second]).active] == [first.public]


def test_what_a_revoked_device_certified_beside_its_revocation_is_void_with_all_that_follows() -> (
    None
):
    human = Human(22)
    human.certify()
    first, stolen = human.devices
    fork = human.person
    planted = human.certify(by=stolen, prevs=fork.heads, is_kept=False)
    thief = fold_person([*human.log, planted])
    strikes = human.revoke(first, by=human.devices[2], before=thief, is_kept=False)
    added = human.certify(by=first, prevs=fork.heads, is_kept=False)
    human.revoke(stolen, before=fork)
    person = folded([*human.log, planted, strikes])
    assert [device.key for device in person.active] == [first.public]
    again = folded([*human.log, added, planted, strikes])
    assert first.public in [device.key for device in again.active]


def test_two_revocations_at_one_moment_both_count_and_leave_every_secret_in_reach() -> None:
    human = Human(23)
    for _ in range(3):
        human.certify()
    fork = human.person
    one = human.revoke(human.devices[1], before=fork, is_kept=False)
    two = human.revoke(human.devices[2], before=fork, is_kept=False)
    person = folded([*human.log, one, two])
    assert [d.key for d in person.active] == [human.devices[0].public, human.devices[3].public]
    assert person.generation == 2
    holder = human.device
    found = open_secrets(person, {}, holder=holder.public[:8], box_secret=holder.box_secret)
    assert {number: box_public(each) for number, each in found.items()} == person.user_keys
    newest = found[2]
    stranger = DeviceKeys(b"s" * 32)
    by_links = open_secrets(
        person, {2: newest}, holder=stranger.public[:8], box_secret=stranger.box_secret
    )
    assert by_links[0] == human.secrets[0]


def test_two_certificates_at_one_moment_both_count() -> None:
    human = Human(24)
    heads = human.person.heads
    human.certify(prevs=heads)
    human.certify(prevs=heads)
    person = folded(human.log)
    assert len(person.active) == 3
    assert len(person.heads) == 2


def test_record_that_stands_on_what_is_not_here_waits() -> None:
    human = Human(25)
    human.certify()
    human.certify()
    first, second, third = human.log
    assert len(fold_person([first, third]).active) == 1
    assert fold_person([second], fold_person([first, third])) == human.person


def test_revocation_without_a_first_record_below_it_strikes_nobody() -> None:
    human = Human(26)
    human.certify()
    content = content_of(human.revoke(human.device, is_kept=False))
    assert content is not None
    rootless = make_record(
        human.devices[1], log=human.id, prevs=(), at_ms=NOW, kind=2, content=content
    )
    assert folded([*human.log, rootless]).devices == human.person.devices


def test_first_record_is_made_for_the_root_and_later_ones_are_not() -> None:
    human = Human(27)
    human.certify()
    first, second = (content_of(record) for record in human.log)
    assert isinstance(first, Certify)
    assert isinstance(second, Certify)
    assert len(first.root_box) == 80
    assert second.root_box == b""


def test_root_that_is_no_key_is_refused_with_a_typed_error() -> None:
    human = Human(28)
    for root in (bytes(32), b"\xff" * 32, b"short"):
        with pytest.raises(SignatureInvalid):
            root_box_key(root)
    with pytest.raises(SignatureInvalid):
        certify(
            human.root,
            request_of(human.device, user=human.id),
            root=bytes(32),
            prevs=(),
            generation=0,
            user_secret=human.secrets[0],
            at_ms=NOW,
            random=human.random,
        )


def test_revocation_names_each_device_once() -> None:
    human = Human(29)
    human.certify()
    gone = human.devices[1].public
    record = revoke(
        human.root,
        human.person,
        [gone, gone[:8]],
        old_secret=human.secrets[0],
        new_secret=b"n" * 32,
        at_ms=NOW,
        random=human.random,
    )
    content = content_of(record)
    assert isinstance(content, Revoke)
    assert content.devices == [gone[:8]]
    assert [id_ for id_, _ in content.boxes] == [human.device.public[:8]]
    assert record.prevs == (RecordHash(human.log[-1].hash),)

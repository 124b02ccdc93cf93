"""Tests of linking at the device that lets another in: it says its nonce once, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import syncchat
from syncchat.errors import NotAllowedError, NotFoundError
from syncchat.exchange.duties import Duties
from syncchat.exchange.roster import take_records
from syncchat.storage import identity, members, rooms
from syncchat.storage.rooms import RoomRow
from syncchat.trust.changes import Challenge, Request, change_of, join_text
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.linking import answer_nonce, code_seed, commitment
from syncchat.trust.person import consent_text
from syncchat.trust.records import Record, RecordHash, make_record
from syncchat.trust.rules import refusal_of
from tests.support.keys import make_guessing_cheap
from tests.support.people import Human
from tests.support.ports import START_MS, FakeClock, chance

RELAY = "ws://127.0.0.1:9"
CLOCK = FakeClock()


class Old:
    """Is a device that has given a code out, whose home's relay exists on paper only."""

    def __init__(self, peer: syncchat.Peer) -> None:
        self.peer = peer
        peer.devices.set_home(RELAY)
        self.seed = code_seed(peer.devices.code())
        self.invite = DeviceKeys(self.seed)
        self.duties = Duties(peer._db, peer._keys, clock=CLOCK, random=chance(3))
        self.nonce = answer_nonce(peer._keys, room=self.row.room_id, invite=self.invite.public)

    @property
    def row(self) -> RoomRow:
        who = identity.load_identity(self.peer._db)
        assert who is not None and who.home is not None
        return rooms.load_room(self.peer._db, who.home)

    @property
    def group(self) -> Group:
        return self.peer._membership.group(self.row.id)

    def request(
        self,
        who: Human,
        *,
        prevs: tuple[RecordHash, ...] | None = None,
        nonce: bytes = bytes(16),
        said: bytes | None = None,
    ) -> Record:
        """Return the record by which somebody's device asks; it is not taken yet."""
        room = self.row.room_id
        proof = self.invite.sign(join_text(room, who.root.public, who.device.public))
        consent = who.device.sign(consent_text(self.group.owner, who.device.box_public))
        if said is None:
            said = self.group.invites[self.invite.public].invite.commitment
        return make_record(
            who.device,
            log=room,
            prevs=self.group.heads if prevs is None else prevs,
            at_ms=START_MS,
            kind=4,
            content=Request(self.invite.public, proof, who.raws, consent, said, nonce),
        )

    def take(self, *records: Record) -> None:
        with self.peer._db.atomic():
            for record in records:
                take_records(
                    self.peer._db,
                    self.peer._membership.groups,
                    self.row,
                    [(record, None)],
                    keys=self.peer._keys,
                )

    def due(self) -> Record | None:
        """Return the record that the device would put on the log now; it is not taken."""
        with self.peer._db.atomic():
            duty = self.duties.next(self.row, self.group, may_rotate=True)
        return None if duty is None else duty.records[-1]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Old]:
    make_guessing_cheap(monkeypatch)
    with syncchat.open(tmp_path / "old.db", name="Ann", clock=CLOCK, random=chance(2)) as peer:
        yield Old(peer)


def test_code_commits_to_the_nonce_with_which_it_is_answered(old: Old) -> None:
    said = old.group.invites[old.invite.public].invite.commitment
    assert said == commitment(old.seed, room=old.row.room_id, nonce=old.nonce)
    asked = old.request(Human(5))
    old.take(asked)
    answer = old.due()
    assert answer is not None and change_of(answer) == Challenge(asked.hash, old.nonce)


def test_second_device_that_asks_by_one_code_is_refused(old: Old) -> None:
    old.take(old.request(Human(5)))
    assert "works once" in refusal_of(old.group, old.request(Human(6)))


def test_device_that_heard_another_commitment_is_refused(old: Old) -> None:
    for said in (b"", bytes(32)):
        assert "committed" in refusal_of(old.group, old.request(Human(5), said=said))


def test_nonce_that_may_have_been_seen_answers_nobody_else_on_a_fork_of_the_log(old: Old) -> None:
    """The relay sees the answer, does not store it, and brings another that asked just then."""
    before = old.group.heads
    first = old.request(Human(5), prevs=before)
    old.take(first)
    answer = old.due()
    assert answer is not None and change_of(answer) == Challenge(first.hash, old.nonce)
    tries = (old.request(Human(6), prevs=before, nonce=n.to_bytes(16)) for n in range(99))
    old.take(next(record for record in tries if record.hash < first.hash))  # which so counts
    merge = old.due()
    assert merge is not None
    old.take(merge)
    assert first.hash not in old.group.requests and len(old.group.requests) == 1
    again = old.due()
    assert again is not None and change_of(again) == Challenge(first.hash, old.nonce)
    old.take(again)
    assert old.due() is None
    (asking,) = old.peer.devices.asking()
    assert asking.emoji == ()
    with pytest.raises(NotAllowedError):
        old.peer.devices.approve(asking.id)


def test_other_device_of_the_person_does_not_answer_for_the_one_that_gave_the_code(
    old: Old,
) -> None:
    old.take(old.request(Human(5)))
    other = DeviceKeys(bytes(31) + b"\7")
    duties = Duties(old.peer._db, other, clock=CLOCK, random=chance(3))
    with old.peer._db.atomic():
        duties._note_devices(old.row, old.group)
    assert members.intents(old.peer._db, old.row.id) == []


def test_who_is_turned_down_is_gone_and_so_is_the_code(old: Old) -> None:
    old.take(old.request(Human(5)))
    (asking,) = old.peer.devices.asking()
    old.peer.devices.turn_down(asking.id)
    assert old.peer.devices.asking() == []
    assert old.group.invites[old.invite.public].is_revoked
    with pytest.raises(NotFoundError):
        old.peer.devices.turn_down(asking.id)

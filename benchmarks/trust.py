"""What signed logs cost: to verify, to fold, to change a room's key."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import process_time
from typing import Any

import nacl.bindings as sodium

from syncchat.trust.boxes import SECRET_BYTES, box_public, seal_box
from syncchat.trust.changes import Add, Genesis, History, Invite, Moderate, Role, Rotate, kind_of
from syncchat.trust.epochs import make_epoch, next_epoch, open_epoch
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group, room_of, verify_change
from syncchat.trust.person import certify, request_of, user_of
from syncchat.trust.records import NO_LOG, Record, decode_record, make_record
from tests.contracts.chains import FixedRandom

from . import workload

NAME = "trust"
SUMMARY = (
    "CPU of a room's signed log: folding records that are decoded, verifying and folding the log "
    "of a large room beside its bare Ed25519 verifications, and a new room key (made, sealed, "
    "recorded, opened by one member) beside bare sealed boxes for as many members"
)
NOW = 1_800_000_000_000


class LargeRoom:
    """Is a room with a log of so many members, and the secrets of its owner."""

    def __init__(self, members: int) -> None:
        self.random = FixedRandom(members)
        self.secret = self.random.bytes(SECRET_BYTES)
        self.owner, raws = self._person(self.secret)
        self.user = user_of(decode_record(raws[0]).signer)
        self.key = self.random.bytes(SECRET_BYTES)
        readers = [(self.user, box_public(self.secret))]
        epoch = make_epoch(b"", 0, self.key, readers=readers, random=self.random)
        genesis = Genesis(bytes(16), False, History.SHARED, raws, epoch)
        self.room = NO_LOG
        self.log: list[Record] = []
        self.record(genesis)
        self.room = room_of(self.log[0])
        for _ in range(members - 1):
            secret = self.random.bytes(SECRET_BYTES)
            _, raws = self._person(secret)
            box = seal_box(box_public(secret), self.key, self.random)
            self.record(Add(raws, Role.MEMBER, box, b"", None))

    def record(self, content: Genesis | Add | Invite | Moderate | Rotate) -> Record:
        """Put a change on top of the log."""
        record = make_record(
            self.owner,
            log=self.room,
            prevs=tuple(each.hash for each in self.log[-1:]),
            at_ms=NOW,
            kind=kind_of(content),
            content=content,
        )
        self.log.append(record)
        return record

    def _person(self, secret: bytes) -> tuple[DeviceKeys, list[bytes]]:
        root, device = (DeviceKeys(self.random.bytes(32)) for _ in range(2))
        record = certify(
            root,
            request_of(device, user=user_of(root.public)),
            root=root.public,
            prevs=(),
            generation=0,
            user_secret=secret,
            at_ms=NOW,
            random=self.random,
        )
        return device, [record.raw]


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    records, members, small, rounds = (60, 20, 10, 2) if smoke else (1_000, 500, 50, 7)
    return {
        "rounds": rounds,
        **_fold(records, members // 4, rounds),
        **_large(members, rounds),
        **new_key(small, rounds),
    }


def _fold(records: int, members: int, rounds: int) -> dict[str, Any]:
    """Measure the fold of decoded records: some let people in, the others are small.

    Each round has records of its own, because what was read of their contents is kept with them.
    """
    room = LargeRoom(members)
    while len(room.log) < records:
        room.record(Moderate(len(room.log).to_bytes(16), True))
    assert fold_group(room.log).refused == []
    first, again = [], []
    for _ in range(rounds):
        log = [decode_record(record.raw) for record in room.log]
        first.append(_seconds(lambda log=log: fold_group(log)))  # type: ignore[misc]
        again.append(_seconds(lambda log=log: fold_group(log)))  # type: ignore[misc]
    return {"fold: records": records, "fold: ms": _ms(first), "fold again: ms": _ms(again)}


def _large(members: int, rounds: int) -> dict[str, Any]:
    """Measure what a joiner does with the log of a large room, in each round after the bare work.

    Every record has two signatures and every person a third: the record's own, the certificate's
    and the device's consent.
    """
    room = LargeRoom(members)
    raws = [record.raw for record in room.log]
    text = workload.seeded("trust", 200)
    signed = room.owner.sign(text) + text

    def bare() -> None:
        for _ in range(3 * members):
            sodium.crypto_sign_open(signed, room.owner.public)

    def whole() -> None:
        log = [decode_record(raw) for raw in raws]
        for record in log:
            verify_change(record)
        assert len(fold_group(log).members) == members

    theirs, ours = _in_turn(bare, whole, rounds)
    return {
        "large room: members": members,
        "large room: bytes": sum(map(len, raws)),
        "large room: verify and fold ms": _ms(ours),
        "large room: bare verifications ms": _ms(theirs),
        "large room: ratio": _ratio(ours, theirs),
    }


def new_key(members: int, rounds: int) -> dict[str, Any]:
    """Measure a new room key beside sealing it bare."""
    room = LargeRoom(members)
    publics = [box_public(room.random.bytes(32)) for _ in range(members)]
    group = fold_group(room.log)
    made: list[Record] = []

    def bare() -> None:
        for public in publics:
            sodium.crypto_box_seal(room.key, public)

    def rotation() -> None:
        key = room.random.bytes(SECRET_BYTES)
        epoch = next_epoch(group, key, room.key, at_ms=NOW, random=room.random)
        made.append(room.record(Rotate(epoch)))
        after = fold_group(room.log)
        assert open_epoch(after, 1, user=room.user, secrets=[room.secret]) == key
        room.log.pop()

    theirs, ours = _in_turn(bare, rotation, rounds)
    return {
        "new key: members": members,
        "new key: ms": _ms(ours),
        "new key: bytes": len(made[0].raw),
        "new key: bare sealed boxes ms": _ms(theirs),
        "new key: ratio": _ratio(ours, theirs),
    }


def _in_turn(
    bare: Callable[[], None], ours: Callable[[], None], rounds: int
) -> tuple[list[float], list[float]]:
    """Measure both in each round, beginning with the other one each time."""
    bare()
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for place in (0, 1) if number % 2 else (1, 0):
            times[place].append(_seconds((bare, ours)[place]))
    return times


def _seconds(way: Callable[[], object]) -> float:
    started = process_time()
    way()
    return process_time() - started


def _ms(times: list[float]) -> float:
    return round(statistics.median(times) * 1000, 3)


def _ratio(ours: list[float], bare: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 2)

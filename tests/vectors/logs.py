"""What the vectors of signed logs are made from: one person, one room with each kind of record."""

from __future__ import annotations

from typing import Any

import msgspec

from syncchat.trust.boxes import box_public, link_key, seal_box
from syncchat.trust.changes import (
    Add,
    Challenge,
    Genesis,
    Join,
    Kind,
    Merge,
    Moderate,
    RevokeInvite,
    Role,
    Settings,
    change_of,
)
from syncchat.trust.epochs import commitment
from syncchat.trust.group import Group
from syncchat.trust.membership import fold_group
from syncchat.trust.person import content_of, personal_room
from syncchat.trust.records import NO_LOG, Record, make_record
from tests.contracts.chains import FixedRandom
from tests.support.people import NOW, UNKNOWN_KIND, House, Human, pin

from . import plain


class _Said:
    """Gives chance, and remembers what it gave."""

    def __init__(self, seed: int) -> None:
        self._random = FixedRandom(seed)
        self.given: list[bytes] = []

    def bytes(self, size: int) -> bytes:
        self.given.append(self._random.bytes(size))
        return self.given[-1]

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


def record_vectors() -> dict[str, Any]:
    """Return the contents of records.json."""
    return {
        "boxes": [_box(seed) for seed in (1, 2)],
        "links": [_link(seed) for seed in (3, 4)],
        "commitments": [
            {
                "room": room.hex(),
                "number": number,
                "key": key.hex(),
                "commitment": commitment(room, number, key).hex(),
            }
            for room, number, key in (
                (bytes(16), 0, bytes(range(32))),
                (bytes(range(16)), 1, bytes(range(32))),
                (bytes(range(16)), 2**31 - 1, bytes(range(32))),
            )
        ],
        "person": _person(),
        "room": _room(),
        "fork": _fork(),
        "fork_by_link": _fork_by_link(),
        "refused": _refused(),
    }


def _box(seed: int) -> dict[str, str]:
    random = _Said(seed)
    holder, secret = FixedRandom(100 + seed).bytes(32), bytes(range(32))
    box = seal_box(box_public(holder), secret, random)
    return {
        "holder_secret": holder.hex(),
        "holder_public": box_public(holder).hex(),
        "ephemeral_seed": random.given[0].hex(),
        "secret": secret.hex(),
        "box": box.hex(),
    }


def _link(seed: int) -> dict[str, str]:
    random = _Said(seed)
    new, old = FixedRandom(200 + seed).bytes(32), bytes(range(32))
    link = link_key(new, old, random)
    return {"new": new.hex(), "old": old.hex(), "nonce": random.given[0].hex(), "link": link.hex()}


def _row(name: str, record: Record, content: object) -> dict[str, Any]:
    return {
        "name": name,
        "kind": record.kind,
        "prevs": [prev.hex() for prev in record.prevs],
        "signer": record.signer.hex(),
        "at_ms": record.at_ms,
        "content_fields": plain(content),
        "record": record.raw.hex(),
        "hash": record.hash.hex(),
    }


def _person() -> dict[str, Any]:
    human = Human(1)
    human.certify(by=human.device)
    human.revoke(human.devices[0], by=human.devices[1])
    person = human.person
    names = ("certify the first device", "certify another", "revoke the first")
    return {
        "root": human.root.public.hex(),
        "user": human.id.hex(),
        "personal_room": personal_room(human.root.public).hex(),
        "user_secrets": [secret.hex() for secret in human.secrets],
        "log": [
            _row(name, record, content_of(record))
            for name, record in zip(names, human.log, strict=True)
        ],
        "active": [device.key.hex() for device in person.active],
        "generation": person.generation,
        "user_key": person.user_key.hex(),
    }


def _room() -> dict[str, Any]:
    """Return a room in whose log each kind of record stands."""
    owner, ann, bob, cat, dan, eve = (Human(seed) for seed in range(2, 8))
    room = House(owner)
    room.add(ann, Role.ADMIN)
    invite = room.invite(ann, uses=2, expires_ms=NOW + 1)
    room.join(bob, invite)
    room.rotate(bob)
    room.reseal(0, bob, by=ann)
    asked = room.invite(role=Role.READER, needs_approval=True)
    request = room.request(cat, asked)
    key = room.key_of(room.group)
    box = seal_box(box_public(cat.secrets[0]), key, room.random)
    room.record(Add(cat.raws, Role.READER, box, request.hash, None), ann)
    room.record(Challenge(request.hash, bytes(range(16))), ann)
    room.add(dan)
    room.set_role(dan, Role.READER, ann, pins=[pin(dan.device, 3)])
    bob.certify()
    bob.revoke(bob.devices[1])
    room.bring(bob, has_epoch=True, pins=[pin(bob.devices[1], 0)])
    room.record(Moderate(bytes(range(16)), True), ann)
    room.record(RevokeInvite(asked.public), ann)
    room.record(Settings(1))  # type: ignore[arg-type]
    room.add(eve)
    room.remove(cat, pins=[pin(cat.device, 0)])
    room.leave(dan, pins=[pin(dan.device, 2)])
    room.record(Merge(), bob, kind=UNKNOWN_KIND)
    room.record(Merge(), bob)
    names = [change_name(record) for record in room.log]
    return {
        "room": room.id.hex(),
        "log": [
            _row(name, record, change_of(record))
            for name, record in zip(names, room.log, strict=True)
        ],
        "room_keys": [room.key_of(room.group, n).hex() for n in sorted(room.group.epochs)],
        "state": _state(room.group),
    }


def change_name(record: Record) -> str:
    """Return the name of a record's kind."""
    return Kind(record.kind).name.lower() if record.kind in list(Kind) else "unknown"


def _fork() -> dict[str, Any]:
    """Return a log in which two admins remove each other, and more happens at that moment."""
    owner, ann, bob, cat, dan = (Human(seed) for seed in range(8, 13))
    room = House(owner, seed=1)
    for who in (ann, bob):
        room.add(who, Role.ADMIN)
    room.add(cat)
    base = room.log[-1]
    room.remove(ann, by=bob, on=base)
    room.remove(bob, by=ann, on=base)
    room.add(dan, by=bob, on=base)
    heads = [record for record in room.log if record.hash in room.group.heads]
    room.record(Merge(), cat, on=heads)
    return {
        "room": room.id.hex(),
        "records": sorted(record.raw.hex() for record in room.log),
        "state": _state(room.group),
    }


def _fork_by_link() -> dict[str, Any]:
    """Return a log in which people come in by links that others close at that moment, and a key
    counts that is sealed to who was removed."""
    owner, ann, bob, cat, dan = (Human(seed) for seed in range(15, 20))
    room = House(owner, seed=2)
    room.add(ann, Role.ADMIN)
    room.add(bob)
    removed_by, revoked = room.invite(), room.invite(ann)
    base = room.log[-1]
    removal = room.remove(bob, by=ann, on=base)
    last = room.record(RevokeInvite(revoked.public), ann, on=removal)
    first = room.rotate(by=owner, on=base)
    second = room.rotate(by=owner, on=first)
    new = room.invite(on=second)
    by_late = room.join(cat, removed_by, on=room.log[-1])
    by_void = room.join(dan, revoked, on=by_late)
    by_new = room.join(Human(20), new, on=by_void)
    room.record(Merge(), owner, on=sorted((last, by_new), key=lambda record: record.hash))
    return {
        "room": room.id.hex(),
        "records": sorted(record.raw.hex() for record in room.log),
        "state": _state(room.group),
    }


def _state(group: Group) -> dict[str, Any]:
    return {
        "members": {user.hex(): int(member.role) for user, member in group.members.items()},
        "epoch": group.epoch,
        "is_rotation_due": group.is_rotation_due,
        "pins": {device.hex(): seq.seq for device, seq in sorted(group.pins.items())},
        "open_invites": sorted(
            key.hex() for key, opened in group.invites.items() if not opened.refusal(NOW)
        ),
        "requests": {hash_.hex(): person.id.hex() for hash_, (_, person) in group.requests.items()},
        "hidden": {message.hex(): hidden for message, hidden in group.hidden.items()},
        "refused": {hash_.hex(): reason for hash_, reason in group.refused},
        "heads": [head.hex() for head in group.heads],
    }


def _refused() -> list[dict[str, str]]:
    """Return records that are refused, and at which step: decode, verify or fold."""
    human, other = Human(13), Human(14)
    room = House(human)
    good = room.genesis
    content = msgspec.msgpack.decode(good.content, type=Genesis)
    flipped = good.raw[:-1] + bytes((good.raw[-1] ^ 1,))
    s = int.from_bytes(good.signature[32:], "little") + (
        2**252 + 27742317777372353535851937790883648493
    )
    malleable = good.raw[:-32] + s.to_bytes(32, "little")
    low_order = msgspec.msgpack.encode(
        [
            msgspec.msgpack.encode([1, NO_LOG, [], bytes(32), NOW, Kind.MERGE, b"\x90"]),
            bytes(64),
        ]
    )

    def made(content: Any, by: Human, kind: int = Kind.GENESIS) -> bytes:
        return make_record(
            by.device, log=NO_LOG, prevs=(), at_ms=NOW, kind=kind, content=content
        ).raw

    late = msgspec.structs.replace(content, epoch=msgspec.structs.replace(content.epoch, number=1))
    bad_person = msgspec.structs.replace(
        content, person=[human.log[0].raw[:-1] + bytes((human.log[0].raw[-1] ^ 1,))]
    )
    invite = room.invite()
    join = msgspec.msgpack.decode(room.join(other, invite).content, type=Join)
    rows = (
        ("signature cut", "decode", good.raw[:-1]),
        ("bytes behind", "decode", good.raw + b"\0"),
        ("longer form of the array", "decode", b"\xdc\x00\x02" + good.raw[1:]),
        ("nothing", "decode", b""),
        ("an envelope's first byte", "decode", b"\x93" + good.raw[1:]),
        ("signature altered", "verify", flipped),
        ("signature with S not reduced", "verify", malleable),
        ("signer of small order", "verify", low_order),
        ("certificate altered", "verify", made(bad_person, human)),
        ("content of another kind", "verify", made(content, human, Kind.SET_ROLE)),
        ("made by somebody else", "verify", made(content, other)),
        (
            "invite's proof of another",
            "verify",
            made(msgspec.structs.replace(join, proof=bytes(64)), other, Kind.JOIN),
        ),
        ("first key is not number 0", "fold", made(late, human)),
        ("no room", "fold", made(Merge(), human, Kind.MERGE)),
    )
    return [{"name": name, "at": at, "record": raw.hex()} for name, at, raw in rows]


def state_of(records: list[Record]) -> dict[str, Any]:
    """Return the state of records as the vectors have it."""
    return _state(fold_group(records))

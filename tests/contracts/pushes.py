"""What people push to a log whose rooms are closed, and what it says."""

from __future__ import annotations

from msgspec import msgpack
from syncchat_relay.log import Append, Log, Standing

from syncchat.trust.keys import DeviceKeys
from syncchat.trust.records import Record
from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import Writer, logged
from tests.support.people import House, Human
from tests.support.ports import START_MS

STORED, KNOWN, GAP = ItemStatus.STORED, ItemStatus.KNOWN, ItemStatus.GAP
BAD, FORBIDDEN = ItemStatus.BAD_ENVELOPE, ItemStatus.FORBIDDEN
FULL, STALE = ItemStatus.FULL, ItemStatus.STALE

ALICE, BOB, CAROL = Human(1), Human(2), Human(3)
MINUTE = 60_000


def push(
    log: Log,
    who: Human | DeviceKeys,
    room: bytes,
    *items: bytes | Record,
    now_ms: int = START_MS,
    may_create: bool = True,
) -> list[ItemStatus]:
    keys = who.device if isinstance(who, Human) else who
    raws = tuple(item.raw if isinstance(item, Record) else item for item in items)
    (outcomes,) = log.append([Append(room, raws, keys.public, may_create)], now_ms=now_ms)
    return [outcome.status for outcome in outcomes]


def write(person: Human, team: House, number: int = 0) -> Writer:
    return Writer(person.devices[number], room=team.id)


def standing(log: Log, team: House, *keys: DeviceKeys, now_ms: int = START_MS) -> Standing:
    return log.standing(team.id, tuple(key.public for key in keys), now_ms=now_ms)


def stored(log: Log, room: bytes) -> list[bytes]:
    return logged(log, room)


def with_bob(log: Log) -> House:
    """Return a stored room of Alice's with Bob as a member."""
    team = House(ALICE)
    team.add(BOB)
    assert push(log, ALICE, team.id, *team.log) == [STORED, STORED]
    return team


def unsigned(raw: bytes) -> bytes:
    """Return a record whose signature nobody made."""
    text, _ = msgpack.decode(raw)
    return msgpack.encode([text, bytes(64)])

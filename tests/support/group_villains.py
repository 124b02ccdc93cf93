"""What those do who were put out of a room, keep their keys, and do not take it.

They push back-dated messages, old envelopes and records from before their removal: to the honest
relay, which must refuse, and then with a relay that helps them, whose log everybody reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from syncchat_relay.log import Append

from syncchat.core.clock import tick
from syncchat.core.journal import Entry
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.storage import chains, members, rooms
from syncchat.testing import Divergence, SimPeer
from syncchat.testing.ports import EPOCH_MS
from syncchat.trust.changes import (
    Add,
    History,
    Invite,
    Join,
    Remove,
    Role,
    Rotate,
    SetRole,
    Settings,
    join_text,
)
from syncchat.trust.epochs import next_epoch
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.person import member_text, user_of
from syncchat.trust.records import Record
from syncchat.trust.rules import refusal_of
from syncchat.wire.codes import ItemStatus

from .hostile_relays import fork_log, next_envelope, put_into_log, signed_record
from .people import Human

if TYPE_CHECKING:
    from .group_deeds import Deed
    from .group_lives import GroupLife

_ALL = 2**40


def _date_back(life: GroupLife, device: SimPeer) -> str:
    """Write on, in the time before the removal."""
    if not _is_put_out(life, device):
        return "dates nothing back"
    db, room = device.peer._db, device.room._row
    own = chains.find_chain(db, room, device.peer.device)
    epoch = max(n for n in range(64) if rooms.room_key(db, room, n) is not None)
    if own is None or not own.seq:
        return "has no chain to write on"
    text = f"forged{len(life.forged_texts):05}end"
    value = MessageValue(text=text, kind="text")
    entry = Entry(Root.MESSAGES, tick(own.last_stamp, 0), encode_value(value))
    raw, head = next_envelope(device, entry, epoch=epoch, after=life.forged_heads.get(device.name))
    life.forged_heads[device.name] = head
    life.forged_texts.append(text)
    there = life.world.relay.log.chain_seq(life.world.room_id, own.key[:8])
    unsent = chains.envelopes_after(db, own.id, there, limit=_ALL, bytes_max=_ALL)
    raws = [each for _, each in unsent] + [raw]
    _be_refused(life, device, *raws)
    put_into_log(life.world, *raws)
    return f"dates back {text}"


def _replay(life: GroupLife, device: SimPeer) -> str:
    """Have old envelopes, and records that let them in, delivered again."""
    log = life.log()
    if not _is_put_out(life, device) or not log:
        return "replays nothing"
    first = life.chance.below(len(log))
    put_into_log(life.world, *log[first : first + 1 + life.chance.below(4)])
    return f"replays from {first} on"


def _record_back(life: GroupLife, device: SimPeer) -> str:
    """Sign a change from before the removal."""
    group = life.group(device) if _is_put_out(life, device) else None
    if group is None or device.peer.id in _members(life.newest()):
        return "signs nothing"  # a device that was revoked: of two of one person, the older wins
    kind, content = any_change(life, device, group)
    record = signed_record(life.world, device.peer._keys, content, on=group, at_ms=EPOCH_MS)
    return f"signs a back-dated {kind}" + push_in_vain(life, device, device.peer._keys, record)


def _send_a_stranger(life: GroupLife, device: SimPeer) -> str:
    """Have a stranger come in by an invite that was closed since."""
    if not _is_put_out(life, device):
        return "sends nobody"
    group, newest = life.group(device), life.newest()
    held = [
        keys
        for keys, person in life.invited
        if person == device.peer.id
        and keys.public in group.invites
        and keys.public in newest.invites
        and newest.invites[keys.public].is_revoked
    ]
    if not held:
        return "holds no invite"
    keys, stranger = life.chance_of(held), Human(1_000 + len(life.forged_records))
    proof = keys.sign(join_text(group.room, stranger.root.public, stranger.device.public))
    epoch = None
    if group.history is History.FROM_JOIN:
        epoch = next_epoch(
            group,
            life.chance.bytes(32),
            None,
            at_ms=EPOCH_MS,
            random=life.chance,
            plus=[(stranger.id, stranger.person.user_key)],
        )
    life.villains.add(member_text(stranger.id))
    content = Join(keys.public, proof, stranger.raws, epoch)
    now_ms = EPOCH_MS + life.world.loop.now_ms
    record = signed_record(life.world, stranger.device, content, on=group, at_ms=now_ms)
    return "sends a stranger" + push_in_vain(life, device, stranger.device, record)


def _begin_anew(life: GroupLife, device: SimPeer) -> str:
    """Bring the room as it was to a relay that lost everything, and act as a member there."""
    if not _is_put_out(life, device) or not life.chance.chance(0.5):
        return "begins nothing"
    group, keys = life.group(device), device.peer._keys
    if group.person_of(keys.public) is None or device.peer.id in _members(life.newest()):
        return "knows of the removal"
    kind, content = any_change(life, device, group)
    record = signed_record(life.world, keys, content, on=group)
    life.forged_records.append(record)
    life.world.relay.wipe()
    raws = [*members.records_of(device.peer._db, device.room._row), record.raw]
    now_ms = EPOCH_MS + life.world.loop.now_ms
    pushed = Append(life.world.room_id, tuple(raws), keys.public, may_create=True)
    life.world.relay.log.append([pushed], now_ms=now_ms)
    life.world.relay.start()
    return f"begins anew at a relay that lost everything, with a {kind}"


VILLAINS_DEEDS: tuple[Deed, ...] = (
    _date_back,
    _date_back,
    _replay,
    _record_back,
    _record_back,
    _send_a_stranger,
    _begin_anew,
)


# Inside


def _members(group: Group) -> set[str]:
    return {member_text(user) for user in group.members}


def _is_put_out(life: GroupLife, device: SimPeer) -> bool:
    """Tell whether a device is out for all who are in and for the relay; it is a villain then."""
    if device not in life.absent() or not life.present():
        return False
    key = device.peer._keys.public
    groups = [life.group(each) for each in life.present()]
    there = life.world.relay.log._rooms.get(life.world.room_id)
    if there is None or there.group is None:
        return False
    if any(g.person_of(key) or key[:8] not in g.pins for g in (*groups, there.group)):
        return False
    if device.peer.id not in _members(life.newest()):
        life.villains.add(device.peer.id)
    return True


def any_change(life: GroupLife, device: SimPeer, group: Group) -> tuple[str, Struct]:
    """Return a change that a member or an admin might have made, and its name."""
    me = user_of(device.peer._membership.root)
    others = [user for user in group.members if user != me] or [me]
    epoch = next_epoch(group, life.chance.bytes(32), None, at_ms=0, random=life.chance, without=[])
    kind = life.chance_of(("role", "demotion", "removal", "key", "entry", "invite", "history"))
    match kind:
        case "role":
            content: Struct = SetRole(me, Role.ADMIN, [])
        case "demotion":
            content = SetRole(life.chance_of(others), Role.READER, [])
        case "removal":
            content = Remove(others[:1], [], epoch)
        case "key":
            content = Rotate(epoch)
        case "entry":
            stranger = Human(1_000 + len(life.forged_records))
            life.villains.add(member_text(stranger.id))
            content = Add(stranger.raws, Role.MEMBER, b"", b"", None)
        case "invite":
            keys = DeviceKeys(life.chance.bytes(32))
            content = Invite(
                keys.public, keys.box_public, Role.MEMBER, 0, 0, False, group.epoch, b""
            )
        case _:
            content = Settings(life.chance_of((History.SHARED, History.FROM_JOIN)))
    return kind, content


def push_in_vain(life: GroupLife, device: SimPeer, keys: DeviceKeys, record: Record) -> str:
    """Push a record, in vain; then have a relay that helps take it, beside what it has."""
    kept = life.world.relay.log._rooms[life.world.room_id]
    life.forged_records.append(record)
    _be_refused(life, device, record.raw, by=keys)
    if not all(kept.record_seq(prev) for prev in record.prevs):
        return ", on what the relay has lost"
    if record.prevs == life.newest().heads or refusal_of(life.group(device), record):
        put_into_log(life.world, record.raw)  # nobody who stored it could go on at this relay
        return ", which nobody may"
    fork_log(life.world, record)
    return ", beside the log"


def _be_refused(
    life: GroupLife, device: SimPeer, *raws: bytes, by: DeviceKeys | None = None
) -> None:
    """Push to the relay as it is; raises ``Divergence`` if it takes the last."""
    pusher = (by or device.peer._keys).public
    (outcomes,) = life.world.relay.log.append(
        [Append(life.world.room_id, raws, pusher)], now_ms=EPOCH_MS + life.world.loop.now_ms
    )
    if outcomes[-1].status is ItemStatus.STORED:
        raise Divergence(f"the relay takes what {device.name} pushes, who is out")

"""What hostile members of a group do with modified programs, and what happens to devices.

A member edits and deletes what others wrote, signs what their role does not allow, and makes a key
that leaves somebody out. Devices are stolen: the thief has them unlocked and goes on with them, as
the member that they are, until the person, who has nothing but the recovery phrase, is there again
and turns them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncchat_relay.log import Append

from syncchat.core.values import DeleteValue, EditValue, Root, encode_value
from syncchat.storage import rooms
from syncchat.storage.outbox import Op
from syncchat.testing import SimPeer
from syncchat.testing.ports import EPOCH_MS
from syncchat.testing.relay import URL
from syncchat.trust.boxes import seal_box
from syncchat.trust.changes import Epoch, History, Role, Rotate
from syncchat.trust.epochs import next_epoch
from syncchat.trust.rules import refusal_of
from syncchat.wire.codes import ItemStatus

from .group_deeds import DEVICES_MAX, write
from .group_villains import any_change, push_in_vain
from .hostile_relays import signed_record

if TYPE_CHECKING:
    from .group_deeds import Deed
    from .group_lives import GroupLife


def _meddle(life: GroupLife, device: SimPeer) -> str:
    """Edit or delete a message of somebody else."""
    shown = device.room.messages(limit=1000) if device in life.present() else []
    others = [message for message in shown if not message.mine and not message.deleted]
    if not others:
        return "meddles with nothing"
    message, deletes = life.chance_of(others), life.chance.chance(0.5)
    if (device.name, message.id) in life.meddled:
        return "has meddled with it before"  # an edit after a deletion would not even be sealed
    life.meddled.add((device.name, message.id))
    text = f"forged{len(life.forged_texts):05}end"
    life.forged_texts.append(text)
    root = Root.DELETES if deletes else Root.EDITS

    def act() -> None:
        with device.room._writing() as (stamp, batch, _):
            value = DeleteValue(stamp) if deletes else EditValue(stamp, text)
            device.room._queue(Op(root, message.id, stamp, encode_value(value)))
            batch.note(root, message.id, value)

    device.do(act)
    return f"{'deletes' if deletes else f'edits to {text}'} what another said: {message.text}"


def _overreach(life: GroupLife, device: SimPeer) -> str:
    """Sign a change that the own role does not allow."""
    if device not in life.present() or not _is_there(life):
        return "has no say"
    group, keys = life.group(device), device.peer._keys
    kind, content = any_change(life, device, group)
    record = signed_record(life.world, keys, content, on=group)
    if not refusal_of(group, record):
        return f"may make a {kind}, and makes none"
    return f"signs a {kind} without the right" + push_in_vain(life, device, keys, record)


def _leave_out(life: GroupLife, device: SimPeer) -> str:
    """Make a new key, with no box for somebody or one with another key in it."""
    group = life.group(device) if device in life.present() else None
    if group is None or not _is_there(life) or len(group.members) < 3:
        return "leaves nobody out"
    members, me = group.members, device.peer.id
    victims = [u for u, m in members.items() if m.id != me and m.role is not Role.READER]
    if not victims:
        return "finds nobody to leave out"  # readers have to wait for somebody else's next key
    victim = life.chance_of(victims)
    previous = rooms.room_key(device.peer._db, device.room._row, group.epoch)
    if group.history is History.FROM_JOIN or previous is None:
        return "has no key to go on from"
    good = next_epoch(
        group, life.chance.bytes(32), previous, at_ms=0, random=life.chance, without=()
    )
    boxes = [(user, box) for user, box in good.boxes if user != victim]
    if life.chance.chance(0.5):
        other = seal_box(members[victim].person.user_key, bytes(32), life.chance)
        boxes = sorted([*boxes, (victim, other)])
    bad = Epoch(good.number, good.commitment, boxes, good.invite_boxes, good.link)
    record = signed_record(life.world, device.peer._keys, Rotate(bad), on=group)
    life.world.relay.kill()
    pushed = Append(life.world.room_id, (record.raw,), device.peer._keys.public)
    now_ms = EPOCH_MS + life.world.loop.now_ms
    (outcomes,) = life.world.relay.log.append([pushed], now_ms=now_ms)
    life.world.relay.start()
    is_taken = outcomes[0].status is ItemStatus.STORED
    return f"leaves {members[victim].id[:4]} out of a key, {'' if is_taken else 'too late'}"


def _be_robbed(life: GroupLife, device: SimPeer) -> str:
    """Lose a device to a thief, and begin anew with the phrase on another."""
    if device not in life.present() or len(life.devices) >= DEVICES_MAX:
        return "keeps what there is"
    person, devices = device.peer.id, device.peer.devices
    if person not in life.phrases:
        if not devices.has_phrase:
            return "has no phrase"
        phrase = life.phrases[person] = devices.phrase()
        if not devices.home:
            device.do(lambda: devices.set_home(URL))
        device.do(lambda: devices.confirm(phrase))
        return "writes the phrase down"
    new = life.add_device()
    new.peer.devices.recover(life.phrases[person], URL)
    new.go_online()
    life.recovered.append(new)
    return f"is robbed, and begins anew with {new.name}"


def _take_back(life: GroupLife, device: SimPeer) -> str:
    """Revoke, on a device that the phrase made, another one of the person's; others write on."""
    back = [each for each in life.recovered if each in life.present()]
    device = device if device in back or not back else life.chance_of(back)
    others = [each for each in device.peer.devices.all() if not each.is_this]
    if device not in back or not others:
        return "takes nothing back"
    target, devices = life.chance_of(others), device.peer.devices
    device.do(lambda: devices.revoke(target.id))
    if devices.has_phrase and life.chance.chance(0.5):
        device.do(lambda: devices.confirm(life.phrases[device.peer.id]))
    for _ in range(2):
        life.world.run(seconds=3)
        life.note()
        writer = life.chance_of(life.present()) if life.present() else device
        write(life, writer)
    return f"sees {device.name} turn {target.id[:6]} out"


HOSTILE_DEEDS: tuple[Deed, ...] = (_meddle, _meddle, _overreach, _overreach, _leave_out)

THIEVES_DEEDS: tuple[Deed, ...] = (_be_robbed, _be_robbed, _be_robbed, _take_back, _take_back)


# Inside


def _is_there(life: GroupLife) -> bool:
    kept = life.world.relay.log._rooms.get(life.world.room_id)
    return kept is not None and kept.group is not None

"""What people do in the life of a group; each deed says in words what it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from syncchat.core.message import Message
from syncchat.testing import SimPeer

if TYPE_CHECKING:
    from .group_lives import GroupLife, Told

Deed = Callable[["GroupLife", SimPeer], str]

DEVICES_MAX = 9


def write(life: GroupLife, device: SimPeer) -> str:
    return f"writes {life.write(device)}" if life.has_room(device) else "has no room"


def remove(life: GroupLife, device: SimPeer) -> str:
    if device not in life.present():
        return "is out"
    others = [m for m in device.room.members() if not m.is_me]
    if not others:
        return "is alone"
    target = life.chance_of(others)
    device.do(lambda: device.room.remove(target.id))
    return f"removes {target.id[:4]}"


def _let_in(life: GroupLife, device: SimPeer) -> str:
    """Have somebody who is out come back by a new invite."""
    outside = [d for d in life.absent() if d.peer.id not in life.villains]
    if device not in life.present() or not outside:
        return "lets nobody in"
    target = life.chance_of(outside)
    role = life.chance_of(("member", "member", "reader"))
    life.ask_in(target, _invite(life, device, role))
    return f"lets {target.name} in as {role}"


def _set_role(life: GroupLife, device: SimPeer) -> str:
    if device not in life.present():
        return "is out"
    others = [m for m in device.room.members() if not m.is_me]
    if not others:
        return "is alone"
    target = life.chance_of(others)
    role = life.chance_of(("admin", "member", "reader", "member"))
    device.do(lambda: device.room.set_role(target.id, role))
    return f"makes {target.id[:4]} {role}"


def _rotate(life: GroupLife, device: SimPeer) -> str:
    if device in life.present():
        device.do(device.room.rotate_key)
    return "changes the key"


def _leave(life: GroupLife, device: SimPeer) -> str:
    if device in life.present() and len(life.present()) > 2 and life.chance.chance(0.5):
        device.do(device.room.leave)
        return "leaves"
    return "stays"


def _link(life: GroupLife, device: SimPeer) -> str:
    if device in life.present() and device.wants_online and len(life.devices) < DEVICES_MAX:
        return f"is to be linked with {life.link(device).name}"
    return "links nothing"


def _approve(life: GroupLife, device: SimPeer) -> str:
    asking = device.peer.devices.asking()
    if asking:
        device.do(lambda: device.peer.devices.approve(asking[0].id))
    return f"approves {len(asking)}"


def _revoke(life: GroupLife, device: SimPeer) -> str:
    others = [d for d in device.peer.devices.all() if not d.is_this]
    if not others or not life.chance.chance(0.4):
        return "revokes nothing"
    target = life.chance_of(others)
    device.do(lambda: device.peer.devices.revoke(target.id))
    return f"revokes {target.id[:6]}"


def _toggle(life: GroupLife, device: SimPeer) -> str:
    if device.wants_online:
        device.go_offline()
        return "goes offline"
    device.go_online()
    return "goes online"


def _kill(life: GroupLife, device: SimPeer) -> str:
    device.kill()
    life.world.run(seconds=0.1)
    device.start()
    return "is killed and started"


def _relay_kill(life: GroupLife, device: SimPeer) -> str:
    life.world.relay.kill()
    life.world.run(seconds=0.3)
    life.world.relay.start()
    return "sees the relay restart"


def _relay_wipe(life: GroupLife, device: SimPeer) -> str:
    if not life.chance.chance(0.3):
        return "sees nothing"
    life.world.relay.wipe()
    life.world.relay.start()
    return "sees the relay lose everything"


def _wait(life: GroupLife, device: SimPeer) -> str:
    life.world.run(seconds=4)
    return "waits"


def _ask_newcomer(life: GroupLife, device: SimPeer) -> str:
    """Have somebody who never was here come in."""
    if device not in life.present() or len(life.devices) >= DEVICES_MAX:
        return "asks nobody in"
    role = life.chance_of(("member", "member", "reader"))
    link = _invite(life, device, role)
    new = life.add_device()
    life.ask_in(new, link)
    new.go_online()
    return f"asks {new.name} in as {role}"


def _invite(life: GroupLife, device: SimPeer, role: str) -> str:
    """Return the link of a new invite, in lives with some trait of any kind."""
    traits, chance = life.traits, life.chance
    expires = timedelta(minutes=1) if traits.is_out_of_time and chance.chance(0.3) else None
    approve = traits.is_any and chance.chance(0.3)
    return device.do(lambda: device.room.invite(role=role, expires=expires, approve=approve))


def _admit(life: GroupLife, device: SimPeer) -> str:
    requests = device.room.requests() if device in life.present() else []
    for request in requests:
        device.do(lambda request=request: device.room.add(request.id))  # type: ignore[misc]
        # A stranger who came by a closed invite on a branch asks; who lets them in has said so.
        life.villains.discard(request.member)
    return f"admits {len(requests)}"


def _own(life: GroupLife, device: SimPeer) -> tuple[Message, Told] | None:
    """Return a message of a device's own that stands."""
    told = {each.text: each for each in life.told if each.device == device.peer.device}
    shown = [m for m in device.room.messages(limit=1000) if not m.deleted and m.mine]
    found = [(m, told[word]) for m in shown if (word := m.text.split()[0]) in told]
    return life.chance_of(found) if found else None


def _edit(life: GroupLife, device: SimPeer) -> str:
    found = _own(life, device) if life.has_room(device) else None
    if found is None:
        return "has nothing to edit"
    message, told = found
    return f"edits {told.text} to {life.write(device, over=(message.id, told))}"


def _delete(life: GroupLife, device: SimPeer) -> str:
    found = _own(life, device) if life.has_room(device) else None
    if found is None or not life.chance.chance(0.5):
        return "deletes nothing"
    message, told = found
    device.do(lambda: device.room.delete(message.id))
    told.is_gone = True
    return f"deletes {told.text}"


def _react(life: GroupLife, device: SimPeer) -> str:
    shown = device.room.messages(limit=1000) if life.has_room(device) else []
    standing = [message for message in shown if not message.deleted]
    if not standing:
        return "has nothing to react to"
    message = life.chance_of(standing)
    device.do(lambda: device.room.react(message.id, "👍"))
    return "reacts"


def _turn(life: GroupLife, device: SimPeer) -> str:
    """Set what newcomers may read."""
    if device not in life.present():
        return "is out"
    history = life.chance_of(("shared", "from_join"))
    device.do(lambda: device.room.set_history(history))
    return f"sets the history to {history}"


def _set_clock(life: GroupLife, device: SimPeer) -> str:
    minutes = life.chance_of((1, 24 * 60))
    device.clock.skew_ms = (life.chance.below(2 * 60_000) - 60_000) * minutes
    return f"has a clock that is {device.clock.skew_ms / 3_600_000:.3f} hours off"


def _step_back(life: GroupLife, device: SimPeer) -> str:
    device.clock.skew_ms -= life.chance.below(4 * 3_600_000)
    return f"steps back, {device.clock.skew_ms / 3_600_000:.3f} hours off"


def _right_clock(life: GroupLife, device: SimPeer) -> str:
    device.clock.skew_ms = 0
    return "has its clock set right"


DEEDS: tuple[Deed, ...] = (
    write,
    write,
    write,
    write,
    remove,
    _let_in,
    _let_in,
    _set_role,
    _rotate,
    _leave,
    _link,
    _approve,
    _approve,
    _revoke,
    _toggle,
    _toggle,
    _kill,
    _relay_kill,
    _relay_wipe,
    _wait,
)
"""What happens in every life."""

MORE_DEEDS: tuple[Deed, ...] = (
    _ask_newcomer,
    _ask_newcomer,
    _admit,
    _admit,
    _edit,
    _delete,
    _react,
)
"""What happens beside, in lives that have some trait."""

HISTORY_DEEDS: tuple[Deed, ...] = (_turn, _turn)

CLOCK_DEEDS: tuple[Deed, ...] = (_set_clock, _set_clock, _step_back, _right_clock, _right_clock)

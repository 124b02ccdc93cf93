"""Lives of groups: random joins, removals, roles, keys, devices and losses, and what must hold.

A ``GroupLife`` notes for every message who was a member as its writer knew it, and afterwards
looks into databases and the relay's log for what somebody has who should not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from syncchat.errors import NotAllowedError, NotFoundError, SealBroken, SyncchatError
from syncchat.exchange.batch import ENDED
from syncchat.ids import device_text
from syncchat.storage import chains, identity, rooms
from syncchat.testing import Divergence, SimPeer, World
from syncchat.testing.ports import SeededRandom
from syncchat.testing.relay import URL
from syncchat.trust.chain import GENESIS, context, link_hash
from syncchat.trust.epochs import open_all, open_epoch, open_lost
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group
from syncchat.trust.person import member_text, user_of
from syncchat.trust.records import Record, decode_record, is_record
from syncchat.trust.seal import body_key, open_sealed
from syncchat.wire.envelope import decode_envelope
from syncchat.wire.invite import decode_invite

T = TypeVar("T")

SETTLE_SECONDS_MAX = 240
DEVICES_MAX = 9


@dataclass
class Told:
    """Is one message: what it says, and who was a member when it was written, as far as known."""

    text: str
    writer: str
    audience: frozenset[str]


@dataclass
class GroupLife:
    """Is one world of people who come and go."""

    seed: int
    people: int = 4
    told: list[Told] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)
    """How many messages there were when a person was last seen to be a member."""
    links: list[tuple[SimPeer, SimPeer]] = field(default_factory=list)
    invited: list[tuple[bytes, str]] = field(default_factory=list)
    """Public keys of invites, and to whom each was handed: who holds one that is open may read."""
    refused: int = 0

    def __post_init__(self) -> None:
        self.chance = SeededRandom(f"group life {self.seed}")
        self.world = World(seed=self.seed, peers=self.people)
        self.devices: list[SimPeer] = list(self.world.peers)
        shared = DeviceKeys(decode_invite(self.world._link).seed).public
        self.invited = [(shared, device.peer.id) for device in self.devices]
        for device in self.devices:
            device.watch = None  # who is let in again reads the log from its beginning
        self._note()

    # What is

    def group(self, device: SimPeer) -> Group:
        """Return who is in the room, as a device knows it."""
        return device.peer._membership.group(device.room._row)

    def present(self) -> list[SimPeer]:
        """Return the devices that are in the room, as they know it."""
        return [d for d in self.devices if self._has_room(d) and d.room.standing == "member"]

    def absent(self) -> list[SimPeer]:
        """Return the devices that were in the room and are not."""
        outs = ("removed", "left")
        return [d for d in self.devices if self._has_room(d) and d.room.standing in outs]

    def _has_room(self, device: SimPeer) -> bool:
        return device.is_running and bool(device.peer.rooms())

    def _holders(self) -> set[str]:
        """Return who has an invite that is open, or may be."""
        groups = [self.group(device) for device in self.present()]
        newest = max(groups, key=lambda group: group.count)
        now_ms = self.devices[0].clock.now_ms()
        return {
            person
            for public, person in self.invited
            if public not in newest.invites or not newest.invites[public].refusal(now_ms)
        }

    def _note(self) -> None:
        for person in self._holders():
            self.since[person] = len(self.told)
        for device in self.present():
            group = self.group(device)
            for user in group.members:
                if member_text(user) == device.peer.id:
                    self.since[device.peer.id] = len(self.told)

    # What happens

    def play(self, steps: int) -> None:
        """Let random things happen."""
        for _ in range(steps):
            deed = self.chance_of(DEEDS)
            device = self.chance_of(self.devices)
            if not device.is_running:
                continue
            try:
                said = deed(self, device)
            except (NotAllowedError, NotFoundError) as exc:
                self.refused += 1
                said = f"{deed.__name__.strip('_')}: refused: {exc}"
            self.deeds.append(f"{device.name}: {said}")
            self.world.run(seconds=(0, 0.05, 0.4, 2)[self.chance.below(4)])
            self._note()

    def chance_of(self, among: list[T] | tuple[T, ...]) -> T:
        """Return one of several."""
        return among[self.chance.below(len(among))]

    def write(self, device: SimPeer, text: str = "") -> str:
        """Write a message that is found again wherever it stands in clear."""
        full = f"word{len(self.told):05}end {text}"
        group = self.group(device)
        device.do(lambda: device.room.send(full))
        audience = frozenset(member_text(user) for user in group.members)
        self.told.append(Told(full.split()[0], device.peer.id, audience))
        return full

    def link(self, device: SimPeer) -> SimPeer:
        """Have a new device ask to be linked to a person's device."""
        if not device.peer.devices._home():
            device.do(lambda: device.peer.devices.set_home(URL))
            self.world.run(seconds=1)
        link = device.do(device.peer.devices.link)
        self.world.run(seconds=1)
        world = self.world
        new = SimPeer(f"device{len(self.devices)}", world.loop, world.random, world.relay)
        new.peer.devices.ask(link)
        new.go_online()
        self.devices.append(new)
        self.world.peers.append(new)
        self.links.append((device, new))
        return new

    # What must hold in the end

    def heal(self) -> None:
        """End all faults, and wait until all who are members show the same."""
        self.world.relay.start()
        for device in self.devices:
            device.can_reach_relay = True
            device.start()
            device.go_online()
        for _ in range(SETTLE_SECONDS_MAX // 4):
            self.world.run(seconds=4)
            self._note()
            if self.is_settled():
                return
        raise Divergence(f"not settled: {self.states()}")

    def is_settled(self) -> bool:
        """Tell whether nothing waits, and all members agree who they are and what was said."""
        present = self.present()
        ids = {d.peer.device for d in present}
        for device in present:
            row = rooms.load_room(device.peer._db, device.room._row)
            if device.exchange is None:
                return False
            if not device.exchange.is_live(row.room_id) and not self._is_parked(device):
                return False
            if row.cursor != self.world.relay.log.head(row.room_id).seq or rooms.owes_refill(
                device.peer._db, row.id
            ):
                return False
            group = self.group(device)
            known = {d.id for m in group.members.values() for d in m.person.active}
            if not ids <= known or group.is_rotation_due:
                return False
            if device.room.outbox() and not self._is_parked(device):
                return False
            if any(not change.reason for change in device.room.pending_changes()):
                return False
        # A reader may hold what was written before they became one; only they see it.
        return len({d.room.digest() for d in present if not self._is_parked(d)}) == 1

    def _is_parked(self, device: SimPeer) -> bool:
        """Tell whether a reader holds what was written before they became one.

        It waits in their outbox; or a relay had it, and lost it before anybody else read it.
        """
        if next(m.role for m in device.room.members() if m.is_me) != "reader":
            return False
        own = chains.find_chain(device.peer._db, device.room._row, device.peer.device)
        return bool(device.room.outbox()) or (own is not None and own.frozen is not None)

    def states(self) -> str:
        """Return what each device says of itself, in words."""
        return "; ".join(
            f"{d.name} {d.room.standing} {d.room.digest()[:6]} {len(d.room.outbox())} out "
            f"{[c for c in d.room.pending_changes()]} {d.problems[-1:]}"
            for d in self.devices
            if self._has_room(d)
        )

    def check(self) -> None:
        """Raise ``Divergence`` unless who may read does, and nobody else."""
        self._check_waiting()
        self._check_secrets()
        self._check_pins()
        for device in self.present():
            faults = [fault for fault in device.peer.check() if ENDED not in fault]
            if faults and not self._is_parked(device):
                raise Divergence(f"{device.name}: {faults}")

    def _check_waiting(self) -> None:
        for device in self.present():
            group = self.group(device)
            if (
                group.epoch
                and rooms.room_key(device.peer._db, device.room._row, group.epoch) is None
            ):
                raise Divergence(f"{device.name} has no key of epoch {group.epoch}")
            for row in chains.all_chains(device.peer._db, device.room._row):
                is_ended = row.key[:8] in group.pins
                if (row.frozen is not None and not is_ended) or (
                    row.waiting is not None and not is_ended
                ):
                    raise Divergence(f"{device.name} reads {row.device[:6]} no further: {row}")

    def _check_secrets(self) -> None:
        """Look for what was written after a person was known to be out, at their devices."""
        inside = {d.peer.id for d in self.present()}
        for device in self.devices:
            if device.peer.id in inside or not self._has_room(device):
                continue
            since = self.since.get(device.peer.id, 0)
            secret = [
                told.text
                for told in self.told[since:]
                if device.peer.id not in told.audience and told.writer != device.peer.id
            ]
            if not secret:
                continue
            kept = device.disk.latest() + self._opened_by(device)
            for text in secret:
                if text.encode() in kept:
                    raise Divergence(f"{device.name} was out, and has {text}")

    def _opened_by(self, device: SimPeer) -> bytes:
        """Return everything in the relay's log that a device can open, if the relay helps it."""
        room = self.world.room_id
        log = self.world.relay.log.read(room, 0, envelopes_max=10**6, bytes_max=2**40)
        candidates = self._keys_for(device, [decode_record(raw) for raw in log if is_record(raw)])
        before: dict[bytes, bytes] = {}
        signers: dict[bytes, bytes] = {}
        opened = b""
        for raw in log:
            if is_record(raw):
                continue
            envelope, header = decode_envelope(raw)
            if header.key is not None:
                signers[header.device] = header.key
            authenticated = context(room, before.get(header.device, GENESIS), envelope.header)
            before[header.device] = link_hash(authenticated, envelope.body)
            for key in candidates:
                body = body_key(key, room, signers[header.device][:8])
                with suppress(SealBroken):
                    opened += open_sealed(body, header.nonce, authenticated, envelope.body)
        return opened

    def _keys_for(self, device: SimPeer, records: list[Record]) -> list[bytes]:
        """Return the room keys that a device has, or can open in the relay's records."""
        db, group = device.peer._db, fold_group(records)
        row = rooms.load_room(db, device.room._row)
        user, secrets = user_of(device.peer._membership.root), identity.user_secrets(db)
        invite = None if row.invite is None else DeviceKeys(row.invite).box_secret
        found = open_all(
            group,
            lambda number: rooms.room_key(db, row.id, number),
            lambda number: open_epoch(group, number, user=user, secrets=secrets, invite=invite),
        )
        here = [rooms.room_key(db, row.id, number) for number in range(64)]
        lost = open_lost(group, found.get, user=user, secrets=secrets)
        return [key for key in {*found.values(), *here, *lost.values()} if key is not None]

    def _check_pins(self) -> None:
        """Look for what devices wrote beyond the place where the room's log ends their chains."""
        for device in self.present():
            group = self.group(device)
            for pin in group.pins.values():
                row = chains.find_chain(device.peer._db, device.room._row, device_text(pin.device))
                if row is None or row.device == device.peer.device:
                    continue
                if chains.readable_after(device.peer._db, row.id, pin.seq, limit=1):
                    raise Divergence(f"{device.name} shows what {row.device[:6]} wrote after {pin}")


# Deeds


def _write(life: GroupLife, device: SimPeer) -> str:
    return f"writes {life.write(device)}" if life._has_room(device) else "has no room"


def _remove(life: GroupLife, device: SimPeer) -> str:
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
    outside = life.absent()
    if device not in life.present() or not outside:
        return "lets nobody in"
    target = life.chance_of(outside)
    role = life.chance_of(("member", "member", "reader"))
    link = device.do(lambda: device.room.invite(role=role))
    life.invited.append((DeviceKeys(decode_invite(link).seed).public, target.peer.id))
    target.do(lambda: target.peer.join(link))
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


DEEDS: tuple[Callable[[GroupLife, SimPeer], str], ...] = (
    _write,
    _write,
    _write,
    _write,
    _remove,
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


def live(seed: int, *, people: int = 4, steps: int = 40) -> GroupLife:
    """Play one life to its end, and raise ``Divergence`` where something is not as it must be."""
    life = GroupLife(seed, people)
    try:
        life.play(steps)
        life.heal()
        life.check()
    except (AssertionError, SyncchatError) as exc:
        story = "\n".join(f"  {deed}" for deed in life.deeds)
        raise Divergence(f"life {seed}: {exc}\n{story}") from exc
    finally:
        life.world.__exit__(None, None, None)
    return life

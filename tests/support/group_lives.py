"""Lives of groups: random joins, removals, roles, keys, devices and losses, and what must hold.

A ``GroupLife`` notes for every message who was a member as its writer knew it, and afterwards
looks into databases and the relay's log for what somebody has who should not, or has not who
should (``group_oracle``). What people do is in ``group_deeds``, what those do who were put out and
do not take it in ``group_villains``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from syncchat.errors import NotAllowedError, NotFoundError, SyncchatError
from syncchat.exchange.batch import ENDED
from syncchat.storage import chains, rooms
from syncchat.testing import Divergence, SimPeer, World
from syncchat.testing.ports import SeededRandom
from syncchat.testing.relay import URL
from syncchat.trust.changes import History
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.person import member_text
from syncchat.trust.records import Record
from syncchat.wire.invite import decode_invite
from tests.contracts.chains import logged

from . import group_oracle
from .group_deeds import CLOCK_DEEDS, DEEDS, HISTORY_DEEDS, MORE_DEEDS, Deed
from .group_hostiles import HOSTILE_DEEDS, THIEVES_DEEDS
from .group_villains import VILLAINS_DEEDS
from .snapshots import eager

T = TypeVar("T")

SETTLE_SECONDS_MAX = 240

_FORGED = "may not be there"
"""Stands in why a record is set aside that no honest relay would have taken."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Is what a life has beside what every one has.

    ``is_from_join``: newcomers get no earlier history; with ``turns``, admins set that on and off.
    ``is_out_of_time``: clocks are wrong by up to a day, and step back. ``has_villains``: who was
    put out pushes back-dated messages and records, by themselves and with a relay that helps them.
    ``has_hostiles``: members meddle with what others wrote, sign what they may not, and make keys
    that leave somebody out. ``has_thieves``: devices are stolen and used by the thief; their owners
    begin anew with the recovery phrase.
    """

    is_from_join: bool = False
    turns: bool = False
    is_out_of_time: bool = False
    has_villains: bool = False
    has_hostiles: bool = False
    has_thieves: bool = False

    @property
    def is_any(self) -> bool:
        """Tell whether there is one."""
        return self != Traits()

    @classmethod
    def of(cls, seed: int) -> Traits:
        """Return the traits of a seed's life; about one in twenty has none."""
        chance = SeededRandom(f"traits {seed}")
        is_from_join = chance.chance(0.5)
        return cls(
            is_from_join,
            is_from_join and chance.chance(0.3),
            chance.chance(0.5),
            chance.chance(0.5),
            chance.chance(0.4),
            chance.chance(0.4),
        )


@dataclass
class Told:
    """Is one message: what it says, and who was a member when it was written, as far as known."""

    text: str
    writer: str
    device: str
    audience: frozenset[str]
    devices: frozenset[str]
    """The devices that might act for these."""
    edits: tuple[str, ...] = ()
    """What the message said before, oldest first."""
    is_gone: bool = False


@dataclass
class GroupLife:
    """Is one world of people who come and go."""

    seed: int
    people: int = 4
    traits: Traits = field(default_factory=Traits)
    told: list[Told] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)
    """How many messages there were when a person was last seen to be a member."""
    links: list[tuple[SimPeer, SimPeer]] = field(default_factory=list)
    invited: list[tuple[DeviceKeys, str]] = field(default_factory=list)
    """Keys of invites, and to whom each was handed: who holds one that is open may read."""
    closed: dict[str, set[str]] = field(default_factory=dict)
    """What was sealed before a person was asked in, where newcomers get no earlier history."""
    villains: set[str] = field(default_factory=set)
    """People who were out when they had a relay help them, and whom nobody asks in again."""
    forged_texts: list[str] = field(default_factory=list)
    forged_records: list[Record] = field(default_factory=list)
    forged_heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    refused: int = 0
    meddled: set[tuple[str, str]] = field(default_factory=set)
    """Who edited or deleted which message of somebody else."""
    phrases: dict[str, str] = field(default_factory=dict)
    """Recovery phrases that people have written down."""
    recovered: list[SimPeer] = field(default_factory=list)
    """Devices that a recovery phrase made."""
    spoke: dict[str, int] = field(default_factory=dict)
    """How many messages there were when a device was last known to others to be a member's."""

    def __post_init__(self) -> None:
        self.chance = SeededRandom(f"group life {self.seed}")
        self.world = World(seed=self.seed, peers=self.people)
        self.devices: list[SimPeer] = list(self.world.peers)
        shared = DeviceKeys(decode_invite(self.world._link).seed)
        self.invited = [(shared, device.peer.id) for device in self.devices]
        for device in self.devices:
            device.watch = None  # who is let in again reads the log from its beginning
        if self.traits.is_from_join:
            self.devices[0].do(lambda: self.devices[0].room.set_history("from_join"))
            self.world.run(seconds=1)
        self._members: set[str] = set()
        self.note()

    # What is

    def group(self, device: SimPeer) -> Group:
        """Return who is in the room, as a device knows it."""
        return device.peer._membership.group(device.room._row)

    def newest(self) -> Group:
        """Return who is in the room, as who knows most of it does."""
        return max((self.group(d) for d in self.present()), key=lambda group: group.count)

    def present(self) -> list[SimPeer]:
        """Return the devices that are in the room, as they know it."""
        return [d for d in self.devices if self.has_room(d) and d.room.standing == "member"]

    def absent(self) -> list[SimPeer]:
        """Return the devices that were in the room and are not, or that no invite let in."""
        outs = ("removed", "left", "refused")
        return [d for d in self.devices if self.has_room(d) and d.room.standing in outs]

    def has_room(self, device: SimPeer) -> bool:
        """Tell whether a device runs and knows the room."""
        return device.is_running and bool(device.peer.rooms())

    def log(self) -> list[bytes]:
        """Return all that the relay holds of the room."""
        return logged(self.world.relay.log, self.world.room_id)

    def records_in_log(self) -> list[bytes]:
        """Return the records that the relay counts as the room's."""
        kept = self.world.relay.log._rooms.get(self.world.room_id)
        return [] if kept is None else kept.read_records()

    def is_parked(self, device: SimPeer) -> bool:
        """Tell whether a reader holds what was written before they became one.

        It waits in their outbox; or a relay had it, and lost it before anybody else read it.
        """
        if next(m.role for m in device.room.members() if m.is_me) != "reader":
            return False
        own = chains.find_chain(device.peer._db, device.room._row, device.peer.device)
        return bool(device.room.outbox()) or (own is not None and own.frozen is not None)

    def is_excused(self, fault: str) -> bool:
        """Tell whether a fault is one that a member is to be told of.

        Of what was forged, a relay may have lost a part, which nobody brings back.
        """
        forgers = [d.peer.device for d in self.devices if d.name in self.forged_heads]
        is_forged = _FORGED in fault and (self.traits.has_villains or self.traits.has_hostiles)
        return ENDED in fault or is_forged or any(device in fault for device in forgers)

    def _holders(self, newest: Group) -> set[str]:
        """Return who has an invite that is open, or may be, and is a key to the room.

        By a wrong clock it may be open for longer than it says. Where history is shared at times,
        keys may have been sealed to it at one that nobody saw here.
        """
        if newest.history is History.FROM_JOIN and not self.traits.turns:
            return set()
        now_ms = 0 if self.traits.is_out_of_time else self.devices[0].clock.now_ms()
        return {
            person
            for keys, person in self.invited
            if keys.public not in newest.invites or not newest.invites[keys.public].refusal(now_ms)
        }

    def note(self) -> None:
        """Note who is in now, as those who are in know it."""
        groups = [self.group(device) for device in self.present()]
        if not groups:
            return
        newest = max(groups, key=lambda group: group.count)
        now: set[str] = {member_text(user) for group in groups for user in group.members}
        holders = self._holders(newest)
        for person in now | holders:
            self.since[person] = len(self.told)
        for device in self.devices:
            if self._is_heeded(device) or (device.is_running and device.peer.id in holders):
                self.spoke[device.name] = len(self.told)
        if newest.history is not History.FROM_JOIN:  # all who come in now get earlier history
            self.closed = {p: told for p, told in self.closed.items() if p in self._members}
        # Not what others believe who have been offline since somebody left.
        self._members = {member_text(user) for user in newest.members}

    def _is_heeded(self, device: SimPeer) -> bool:
        """Tell whether another one that is in takes a device for a member's."""
        return device.is_running and any(
            self.group(other).person_of(device.peer._keys.public)
            for other in self.present()
            if other is not device
        )

    # What happens

    def play(self, steps: int) -> None:
        """Let random things happen."""
        deeds = self._deeds()
        for _ in range(steps):
            deed = self.chance_of(deeds)
            device = self.chance_of(self.devices)
            self.step(deed, device)

    def step(self, deed: Deed, device: SimPeer, pause: float | None = None) -> None:
        """Let one thing happen, and some seconds pass."""
        if not device.is_running:
            return
        try:
            said = deed(self, device)
        except (NotAllowedError, NotFoundError) as exc:
            self.refused += 1
            said = f"{deed.__name__.strip('_')}: refused: {exc}"
        self.deeds.append(f"{device.name}: {said}")
        self.world.run(seconds=self.chance_of((0, 0.05, 0.4, 2)) if pause is None else pause)
        self.note()

    def _deeds(self) -> tuple[Deed, ...]:
        """Return what may happen in this life."""
        traits, deeds = self.traits, DEEDS
        if traits.is_any:
            deeds += MORE_DEEDS
        if traits.turns:
            deeds += HISTORY_DEEDS
        if traits.is_out_of_time:
            deeds += CLOCK_DEEDS
        if traits.has_hostiles:
            deeds += HOSTILE_DEEDS
        if traits.has_thieves:
            deeds += THIEVES_DEEDS
        return deeds + VILLAINS_DEEDS if traits.has_villains else deeds

    def chance_of(self, among: list[T] | tuple[T, ...]) -> T:
        """Return one of several."""
        return among[self.chance.below(len(among))]

    def write(self, device: SimPeer, *, over: tuple[str, Told] | None = None) -> str:
        """Write a message that is found again wherever it stands in clear, or edit one.

        ``over`` is the id of the message to edit, and its present text.
        """
        word = f"word{len(self.told):05}end"
        edits: tuple[str, ...] = ()
        members = self.group(device).members
        audience = frozenset(member_text(user) for user in members)
        devices = frozenset(d.id for member in members.values() for d in member.person.active)
        if over is None:
            device.do(lambda: device.room.send(word))
        else:
            message, told = over
            device.do(lambda: device.room.edit(message, word))
            told.is_gone, edits = True, (*told.edits, told.text)
        self.told.append(Told(word, device.peer.id, device.peer.device, audience, devices, edits))
        return word

    def ask_in(self, target: SimPeer, link: str) -> None:
        """Have somebody join by a link, and note what must stay closed to them."""
        self.invited.append((DeviceKeys(decode_invite(link).seed), target.peer.id))
        newest = self.newest()
        is_in = any(member.id == target.peer.id for member in newest.members.values())
        if newest.history is History.FROM_JOIN and not is_in:  # and not by another device of theirs
            self._close_past(target)
        target.do(lambda: target.peer.join(link))

    def _close_past(self, target: SimPeer) -> None:
        """Note what is sealed in the log and does not open for somebody: it never must.

        While the relay has but a part of the room's log, nobody can say what may open.
        """
        if len(set(self.records_in_log())) < self.newest().count:
            return
        before = group_oracle.opened_by(self, target) if self.has_room(target) else b""
        if self.has_room(target):
            before += target.disk.latest()
        sealed = group_oracle.sealed_in_log(self)
        self.closed.setdefault(target.peer.id, set()).update(
            told.text
            for told in self.told
            if told.text.encode() in sealed
            and told.text.encode() not in before
            and told.writer != target.peer.id
        )

    def add_device(self) -> SimPeer:
        """Return a device that is new and knows nothing."""
        world = self.world
        new = SimPeer(f"device{len(self.devices)}", world.loop, world.random, world.relay)
        self.devices.append(new)
        self.world.peers.append(new)
        return new

    def link(self, device: SimPeer) -> SimPeer:
        """Have a new device ask to be linked to a person's device."""
        if not device.peer.devices._home():
            device.do(lambda: device.peer.devices.set_home(URL))
            self.world.run(seconds=1)
        link = device.do(device.peer.devices.link)
        self.world.run(seconds=1)
        new = self.add_device()
        new.peer.devices.ask(link)
        new.go_online()
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
            self.note()
            if self.is_settled():
                return
        raise Divergence(f"not settled: {self.states()} {group_oracle.lacks(self)}")

    def is_settled(self) -> bool:
        """Tell whether nothing waits, and all members agree who they are and what was said."""
        present = self.present()
        ids = {d.peer.device for d in present}
        for device in present:
            row = rooms.load_room(device.peer._db, device.room._row)
            if device.exchange is None:
                return False
            if not device.exchange.is_live(row.room_id) and not self.is_parked(device):
                return False
            if row.cursor != self.world.relay.log.head(row.room_id).seq or rooms.owes_refill(
                device.peer._db, row.id
            ):
                return False
            group = self.group(device)
            known = {d.id for m in group.members.values() for d in m.person.active}
            if not ids <= known or group.is_rotation_due:
                return False
            if device.room.outbox() and not self.is_parked(device):
                return False
            if any(not change.reason for change in device.room.pending_changes()):
                return False
        # A reader may hold what was written before they became one; only they see it.
        equals = [
            d for d in present if not self.is_parked(d) and not group_oracle.may_differ(self, d)
        ]
        return len({d.room.digest() for d in equals}) < 2 and not group_oracle.lacks(self)

    def states(self) -> str:
        """Return what each device says of itself, in words."""
        return "; ".join(
            f"{d.name} {d.room.standing} {d.room.digest()[:6]} {len(d.room.outbox())} out "
            f"{[c for c in d.room.pending_changes()]} {d.problems[-1:]}"
            for d in self.devices
            if self.has_room(d)
        )

    def check(self) -> None:
        """Raise ``Divergence`` unless who may read does, and nobody else."""
        group_oracle.check(self)


def live(seed: int, *, people: int = 4, steps: int = 40, traits: Traits | None = None) -> GroupLife:
    """Play one life to its end, and raise ``Divergence`` where something is not as it must be."""
    with eager(3):
        return _live(seed, people, steps, Traits.of(seed) if traits is None else traits)


def _live(seed: int, people: int, steps: int, traits: Traits) -> GroupLife:
    life = GroupLife(seed, people, traits)
    try:
        life.play(steps)
        life.heal()
        life.check()
    except (AssertionError, SyncchatError) as exc:
        story = "\n".join(f"  {deed}" for deed in life.deeds)
        raise Divergence(f"life {seed}, {life.traits}: {exc}\n{story}") from exc
    finally:
        life.world.__exit__(None, None, None)
    return life

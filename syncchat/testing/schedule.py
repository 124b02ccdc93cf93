"""Schedules: what happens in a simulated run, as data that can be cut down and replayed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .ports import SeededRandom
from .simpeer import SimPeer
from .world import World

EMOJI = ("👍", "🎉", "👩‍🚀")

PEERS_MIN, PEERS_MAX = 2, 50
"""A world of one has nobody to differ from; one of more than fifty takes minutes to settle."""


class Fault(StrEnum):
    """Names a kind of fault that a run may have."""

    OFFLINE = "offline"
    """Peers go offline for a while and write on."""
    CUT = "cut"
    """Connections break, or go silent without breaking."""
    SLOW = "slow"
    """Connections become slow."""
    PARTITION = "partition"
    """Peers cannot reach the relay."""
    GARBLE = "garble"
    """A bit of a frame flips on its way."""
    KILL = "kill"
    """Peer processes die, at a random moment or at a commit."""
    POWER = "power"
    """Machines lose their power, and commits that were not synced with it."""
    FULL = "full"
    """Disks are full for a while."""
    BACKUP = "backup"
    """Databases are replaced by an old backup."""
    CLOCK = "clock"
    """Clocks are wrong by up to a day, jump, and step back."""
    RELAY = "relay"
    """The relay process dies and is started again."""
    WIPE = "wipe"
    """The relay loses everything."""
    ROLLBACK = "rollback"
    """The relay is restored from an old copy."""


ALL_FAULTS = tuple(Fault)


@dataclass(frozen=True, slots=True)
class Step:
    """Is one thing that happens; ``pick`` and ``amount`` say to what and how much."""

    act: str
    peer: int
    pick: int
    amount: int

    def __str__(self) -> str:
        words = _WORDS.get(self.act, self.act)
        return words.format(peer=f"peer{self.peer}", pick=self.pick, amount=self.amount)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Is a whole run: the world's seed, how many peers, and every step."""

    seed: int
    peers: int
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the schedule for a file; a step is ``[act, peer, pick, amount]``."""
        steps = [[step.act, step.peer, step.pick, step.amount] for step in self.steps]
        return {"seed": self.seed, "peers": self.peers, "steps": steps}

    @classmethod
    def from_json(cls, fields: object) -> Schedule:
        """Return the schedule that ``to_json`` gave; raises ``DecodeError``."""
        try:
            parts = msgspec.convert(fields, _ScheduleJson)
        except msgspec.ValidationError as exc:
            raise DecodeError(f"not a schedule: {exc}") from exc
        for act, *_ in parts.steps:
            if act not in _ACTS:
                raise DecodeError(f"not a schedule: no act is called {act!r}")
        return cls(parts.seed, parts.peers, tuple(Step(*step) for step in parts.steps))


_Count = Annotated[int, Meta(ge=0, lt=1_000_000)]


class _ScheduleJson(Struct):
    """Is a schedule's JSON form, to check one that comes from outside."""

    seed: int
    peers: Annotated[int, Meta(ge=PEERS_MIN, le=PEERS_MAX)]
    steps: list[tuple[str, _Count, _Count, _Count]]


Act = Callable[[World, SimPeer, Step], None]


def random_schedule(
    seed: int, *, peers: int = 5, steps: int = 60, faults: Collection[Fault] = ALL_FAULTS
) -> Schedule:
    """Return a schedule that follows from the seed."""
    random = SeededRandom(f"schedule {seed}")
    acts = list(_DEEDS) * 2
    for fault in sorted(faults):
        acts += _FAULT_ACTS[fault]
    return Schedule(
        seed,
        peers,
        tuple(
            Step(
                acts[random.below(len(acts))],
                random.below(peers),
                random.below(1000),
                random.below(1000),
            )
            for _ in range(steps)
        ),
    )


def perform(world: World, step: Step) -> None:
    """Make one step happen; steps that make no sense now do nothing."""
    peer = world.peers[step.peer % len(world.peers)]
    _ACTS[step.act](world, peer, step)
    world.run(seconds=step.amount % 7 * 0.06)


def _write(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.write(peer, f"text {step.pick}")


def _reply(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        shown = [m for m in world.shown(peer) if not m.deleted]
        if shown:
            world.write(peer, f"answer {step.pick}", reply_to=shown[step.pick % len(shown)])


def _edit(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        own = [m for m in world.shown(peer) if m.mine and not m.deleted]
        if own:
            world.edit(peer, own[step.pick % len(own)], f"edited {step.amount}")


def _delete(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        own = [m for m in world.shown(peer) if m.mine and not m.deleted]
        if own:
            world.delete(peer, own[step.pick % len(own)])


def _react(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        shown = [m for m in world.shown(peer) if not m.deleted]
        if shown:
            target = shown[step.pick % len(shown)]
            emoji = EMOJI[step.amount % len(EMOJI)]
            world.react(peer, target, emoji, on=step.amount % 10 < 7)


def _read(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        shown = world.shown(peer)
        world.read(peer, shown[step.pick % len(shown)] if shown and step.amount % 2 else None)


def _retitle(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.retitle(peer, f"title {step.pick}")


def _wait(world: World, peer: SimPeer, step: Step) -> None:
    world.run(seconds=step.amount / 200)


def _toggle_online(world: World, peer: SimPeer, step: Step) -> None:
    if peer.wants_online:
        peer.go_offline()
    else:
        peer.go_online()


def _cut(world: World, peer: SimPeer, step: Step) -> None:
    if peer.link is not None:
        peer.link.cut()


def _half_open(world: World, peer: SimPeer, step: Step) -> None:
    if peer.link is not None:
        peer.link.is_half_open = True


def _slow(world: World, peer: SimPeer, step: Step) -> None:
    if peer.link is not None:
        peer.link.delay_ms = step.amount * 3


def _partition(world: World, peer: SimPeer, step: Step) -> None:
    peer.can_reach_relay = not peer.can_reach_relay
    if not peer.can_reach_relay and peer.link is not None:
        peer.link.cut()


def _garble(world: World, peer: SimPeer, step: Step) -> None:
    if peer.link is not None:
        peer.link.garble += 1


def _kill(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        peer.kill()
        world.run(seconds=step.amount / 1000)
    peer.start()


def _crash_at_commit(world: World, peer: SimPeer, step: Step) -> None:
    peer.disk.crash_in = step.pick % 6
    peer.disk.crash_committed = step.amount % 2 == 0


def _cut_power(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.cut_power(peer, step.pick)
        world.run(seconds=step.amount / 1000)
    peer.start()


def _toggle_full(world: World, peer: SimPeer, step: Step) -> None:
    peer.disk.is_full = not peer.disk.is_full


def _back_up(world: World, peer: SimPeer, step: Step) -> None:
    world.back_up(peer)


def _restore(world: World, peer: SimPeer, step: Step) -> None:
    world.restore(peer)


def _skew(world: World, peer: SimPeer, step: Step) -> None:
    peer.clock.skew_ms = (step.pick - 500) * 24 * 3600 * 2


def _step_back(world: World, peer: SimPeer, step: Step) -> None:
    peer.clock.skew_ms -= step.amount * 60


def _relay_kill(world: World, peer: SimPeer, step: Step) -> None:
    if world.relay.is_up:
        world.relay.kill()
        world.run(seconds=step.amount / 500)
    world.relay.start()


def _relay_wipe(world: World, peer: SimPeer, step: Step) -> None:
    world.lose_relay(world.relay.wipe)


def _relay_copy(world: World, peer: SimPeer, step: Step) -> None:
    world.relay.keep_image()


def _relay_roll_back(world: World, peer: SimPeer, step: Step) -> None:
    world.lose_relay(world.relay.roll_back)


_DEEDS: tuple[str, ...] = (
    "write",
    "write",
    "write",
    "reply",
    "edit",
    "delete",
    "react",
    "react",
    "read",
    "retitle",
    "wait",
    "wait",
)

_FAULT_ACTS: dict[Fault, tuple[str, ...]] = {
    Fault.OFFLINE: ("toggle online", "toggle online"),
    Fault.CUT: ("cut", "half open"),
    Fault.SLOW: ("slow",),
    Fault.PARTITION: ("partition",),
    Fault.GARBLE: ("garble",),
    Fault.KILL: ("kill", "crash at commit"),
    Fault.POWER: ("cut power",),
    Fault.FULL: ("toggle full",),
    Fault.BACKUP: ("back up", "restore"),
    Fault.CLOCK: ("skew", "step back"),
    Fault.RELAY: ("relay kill",),
    Fault.WIPE: ("relay wipe",),
    Fault.ROLLBACK: ("relay copy", "relay roll back"),
}

_ACTS: dict[str, Act] = {
    "write": _write,
    "reply": _reply,
    "edit": _edit,
    "delete": _delete,
    "react": _react,
    "read": _read,
    "retitle": _retitle,
    "wait": _wait,
    "toggle online": _toggle_online,
    "cut": _cut,
    "half open": _half_open,
    "slow": _slow,
    "partition": _partition,
    "garble": _garble,
    "kill": _kill,
    "crash at commit": _crash_at_commit,
    "cut power": _cut_power,
    "toggle full": _toggle_full,
    "back up": _back_up,
    "restore": _restore,
    "skew": _skew,
    "step back": _step_back,
    "relay kill": _relay_kill,
    "relay wipe": _relay_wipe,
    "relay copy": _relay_copy,
    "relay roll back": _relay_roll_back,
}

_WORDS = {
    "write": "{peer} writes “text {pick}”",
    "reply": "{peer} answers a message with “answer {pick}”",
    "edit": "{peer} changes one of its messages to “edited {amount}”",
    "delete": "{peer} deletes one of its messages",
    "react": "{peer} reacts to a message, or takes that back",
    "read": "{peer} marks messages as read",
    "retitle": "{peer} gives the room the title “title {pick}”",
    "wait": "time passes",
    "toggle online": "{peer} goes offline, or online again",
    "cut": "the connection of {peer} breaks",
    "half open": "the connection of {peer} goes silent without breaking",
    "slow": "the connection of {peer} becomes slow",
    "partition": "{peer} can no longer reach the relay, or can again",
    "garble": "a bit flips in the next frame of {peer}'s connection",
    "kill": "the process of {peer} is killed and started again",
    "crash at commit": "the process of {peer} will die at one of its next commits",
    "cut power": "the machine of {peer} loses its power and starts again",
    "toggle full": "the disk of {peer} becomes full, or has room again",
    "back up": "{peer} takes a backup of its database",
    "restore": "{peer} puts its last backup in the place of its database",
    "skew": "the clock of {peer} is set wrong",
    "step back": "the clock of {peer} steps back",
    "relay kill": "the relay is killed and started again",
    "relay wipe": "the relay loses everything",
    "relay copy": "the relay's log is copied",
    "relay roll back": "the relay is restored from the last copy of its log",
}

DEEDS = tuple(act for act in _ACTS if act not in {a for acts in _FAULT_ACTS.values() for a in acts})
"""Acts that are no fault: what people do, and waiting."""

FAULT_OF_ACT = {act: fault for fault, acts in _FAULT_ACTS.items() for act in acts}
"""Which fault an act belongs to; deeds are in none."""

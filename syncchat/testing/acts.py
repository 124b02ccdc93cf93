"""Acts: everything that can happen in a simulated run, by name, and which fault it belongs to.

An act gets two numbers, ``pick`` and ``amount``, that say to what and how much; what makes no
sense at the moment does nothing, so that a schedule stays playable when steps are taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..core.files import File
from ..room.settings import RECEIPTS
from .deeds import waiting_item
from .kind_acts import KIND_ACTS, KIND_WORDS
from .simpeer import SimPeer
from .world import World

EMOJI = ("👍", "🎉", "👩‍🚀")

LONG_TEXT_CHARS = 3_000
"""Long enough to be compressed, and a few of them to fill a small volume."""

LONG_WAIT_SECONDS = 50
"""Longer than a silent connection may go unnoticed."""


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
    LOST = "lost"
    """A device is gone for good, with what it had not sent."""
    FORGE = "forge"
    """Modified programs edit, delete and pin what others wrote."""


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


Act = Callable[[World, SimPeer, Step], None]


def perform(world: World, step: Step) -> None:
    """Make one step happen; steps that make no sense now do nothing."""
    peer = world.peers[step.peer % len(world.peers)]
    ACTS[step.act](world, peer, step)
    world.run(seconds=step.amount % 7 * 0.06)


def _write(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        is_long = step.pick % 10 == 0
        more = f" {step.amount:03} long" * (LONG_TEXT_CHARS // 9) if is_long else ""
        world.write(peer, f"text {step.pick}{more}")


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
            message = own[step.pick % len(own)]
            if step.amount % 2 and any(waiting_item(peer.room, message)):
                world.discard(peer, message)
            else:
                world.delete(peer, message)


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


def _read_thread(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        replies = [m for m in world.shown(peer) if m.thread is not None]
        if replies:
            world.read(peer, replies[step.pick % len(replies)])


def _mark_unread(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        others = [m for m in world.shown(peer) if not m.mine and not m.deleted]
        if others:
            wanted = [m for m in others if not m.unread] or others
            world.mark_unread(peer, wanted[step.pick % len(wanted)])


def _receipts(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.set_receipts(peer, RECEIPTS[step.pick % len(RECEIPTS)])


def _answer_in_thread(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        shown = [m for m in world.shown(peer) if not m.deleted]
        if shown:
            beside = shown[step.pick % len(shown)]
            mentions = _some_names(world, peer, step) if step.amount % 3 == 0 else ()
            world.write(peer, f"beside {step.pick}", thread=beside, mentions=mentions)


def _mention(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.write(peer, f"listen {step.pick}", mentions=_some_names(world, peer, step))


def _edit_mentions(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        own = [m for m in world.shown(peer) if m.mine and not m.deleted]
        if own:
            mentions = _some_names(world, peer, step) if step.amount % 3 else ()
            target = own[step.pick % len(own)]
            world.edit(peer, target, f"edited {step.amount}", mentions=mentions)


def _some_names(world: World, peer: SimPeer, step: Step) -> list[str]:
    """Return the names of one or two whom a peer knows to be members."""
    names = sorted(world.names[member.id] for member in peer.room.members())
    if not names:
        return []
    return sorted({names[step.pick % len(names)], names[step.amount % len(names)]})


def _retitle(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.retitle(peer, f"title {step.pick} no {world.oracle.number}")


def _attach(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.parcels.attach(peer, f"file {step.pick}", size=step.amount * 2)


def _fetch(world: World, peer: SimPeer, step: Step) -> None:
    if (file := _some_file(peer, step)) is not None:
        world.parcels.fetch(peer, file)


def _cancel(world: World, peer: SimPeer, step: Step) -> None:
    if (file := _some_file(peer, step)) is not None:
        world.parcels.cancel(peer, file)


def _free(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.parcels.free(peer)


def _some_file(peer: SimPeer, step: Step) -> File | None:
    """Return one of the files that a running peer is shown, if there is any."""
    found = peer.room.files(limit=1_000) if peer.is_running else []
    return found[step.pick % len(found)] if found else None


def _wait(world: World, peer: SimPeer, step: Step) -> None:
    world.run(seconds=waited(step))


def _rebuild(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.rebuild(peer)


def _newcomer(world: World, peer: SimPeer, step: Step) -> None:
    if not world.has_newcomer:
        world.add_peer()


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
    world.garble(peer, frames=1 + step.pick % 3)


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
    peer.clock.skew_ms = skew_ms(step)


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


def _lose(world: World, peer: SimPeer, step: Step) -> None:
    if len(world.living) == len(world.peers) > 2:
        world.lose_device(peer)


def _forge(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        others = [m for m in world.shown(peer) if not m.mine and not m.deleted]
        if others:
            target = others[step.pick % len(others)]
            if step.amount % 4 == 0 and peer is not world.peers[0]:
                world.forge_pin(peer, target)
            else:
                world.forge(peer, target, deletes=step.amount % 3 == 0)


def waited(step: Step) -> float:
    """Return how many seconds pass in a step of waiting."""
    return LONG_WAIT_SECONDS if step.pick % 12 == 0 else step.amount / 200


def skew_ms(step: Step) -> int:
    """Return how far a clock is set wrong: up to a day, or up to a minute, as most are."""
    return (step.pick - 500) * (24 * 3600 * 2 if step.amount % 2 else 120)


WEIGHTED_DEEDS: tuple[str, ...] = (
    "write",
    "write",
    "write",
    "reply",
    "edit",
    "delete",
    "react",
    "react",
    "read",
    "answer in thread",
    "mention",
    "edit mentions",
    "read thread",
    "mark unread",
    "receipts",
    "retitle",
    "ask",
    "vote",
    "vote",
    "close",
    "pin",
    "hide",
    "set timer",
    "attach",
    "attach",
    "fetch",
    "cancel",
    "free",
    "wait",
    "wait",
    "rebuild",
    "newcomer",
)

FAULT_ACTS: dict[Fault, tuple[str, ...]] = {
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
    Fault.LOST: ("lose",),
    Fault.FORGE: ("forge",),
}

ACTS: dict[str, Act] = {
    "write": _write,
    "reply": _reply,
    "edit": _edit,
    "delete": _delete,
    "react": _react,
    "read": _read,
    "answer in thread": _answer_in_thread,
    "mention": _mention,
    "edit mentions": _edit_mentions,
    "read thread": _read_thread,
    "mark unread": _mark_unread,
    "receipts": _receipts,
    "retitle": _retitle,
    **KIND_ACTS,
    "attach": _attach,
    "fetch": _fetch,
    "cancel": _cancel,
    "free": _free,
    "wait": _wait,
    "rebuild": _rebuild,
    "newcomer": _newcomer,
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
    "lose": _lose,
    "forge": _forge,
}

_WORDS = {
    "write": "{peer} writes “text {pick}”",
    "reply": "{peer} answers a message with “answer {pick}”",
    "edit": "{peer} changes one of its messages to “edited {amount}”",
    "delete": "{peer} deletes one of its messages, or discards it if it was not sent yet",
    "react": "{peer} reacts to a message, or takes that back",
    "read": "{peer} marks messages as read",
    "answer in thread": "{peer} replies beside a message with “beside {pick}”",
    "mention": "{peer} mentions somebody in “listen {pick}”",
    "edit mentions": "{peer} changes whom one of its messages mentions",
    "read thread": "{peer} marks replies of a thread as read",
    "mark unread": "{peer} marks a message as unread",
    "receipts": "{peer} lets others see what it reads from now on, or not",
    "retitle": "{peer} gives the room the title “title {pick}”",
    **KIND_WORDS,
    "attach": "{peer} sends a file of twice {amount} bytes with “file {pick}”",
    "fetch": "{peer} asks for a file",
    "cancel": "{peer} stops a file on its way",
    "free": "{peer} removes the bytes of files that can be fetched again",
    "wait": "time passes",
    "rebuild": "{peer} folds its view anew",
    "newcomer": "somebody new joins, unless somebody has",
    "toggle online": "{peer} goes offline, or online again",
    "cut": "the connection of {peer} breaks",
    "half open": "the connection of {peer} goes silent without breaking",
    "slow": "the connection of {peer} becomes slow",
    "partition": "{peer} can no longer reach the relay, or can again",
    "garble": "a bit flips in each of the next frames of {peer}'s connection",
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
    "lose": "{peer} is gone for good, unless another is",
    "forge": "{peer} edits, deletes or pins another's message with a modified program",
}

DEEDS = tuple(act for act in ACTS if act not in {a for acts in FAULT_ACTS.values() for a in acts})
"""Acts that are no fault: what people do, and waiting."""

FAULT_OF_ACT = {act: fault for fault, acts in FAULT_ACTS.items() for act in acts}
"""Which fault an act belongs to; deeds are in none."""

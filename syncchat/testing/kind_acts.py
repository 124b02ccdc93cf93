"""Acts about polls, pins, and messages that are hidden, disappear, or grow too old."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.message import Message
from .simpeer import SimPeer
from .world import World

if TYPE_CHECKING:
    from .acts import Step


def open_polls(world: World, peer: SimPeer) -> list[Message]:
    """Return the polls that somebody can vote in."""
    shown = world.shown(peer)
    polls = [m for m in shown if m.poll is not None and m.poll.closed_at is None]
    return [m for m in polls if m.mine or not m.hidden]


def _ask(world: World, peer: SimPeer, step: Step) -> None:
    if peer.is_running:
        world.ask(peer, f"question {step.pick}", multiple=step.amount % 2 == 0)


def _vote(world: World, peer: SimPeer, step: Step) -> None:
    polls = open_polls(world, peer) if peer.is_running else []
    if polls:
        poll = polls[step.pick % len(polls)]
        assert poll.poll is not None
        chosen = {step.amount % 4, step.amount // 4 % 4} - {len(poll.poll.options)}
        choices = sorted(chosen) if poll.poll.multiple else sorted(chosen)[:1]
        world.vote(peer, poll, *choices)


def _close(world: World, peer: SimPeer, step: Step) -> None:
    polls = [m for m in open_polls(world, peer) if m.mine] if peer.is_running else []
    if polls:
        world.close_poll(peer, polls[step.pick % len(polls)])


def _pin(world: World, peer: SimPeer, step: Step) -> None:
    owner = world.peers[0]
    shown = [m for m in world.shown(owner) if not m.deleted] if owner.is_running else []
    if shown:
        target = shown[step.pick % len(shown)]
        world.pin(owner, target, on=not target.pinned)


def _hide(world: World, peer: SimPeer, step: Step) -> None:
    owner = world.peers[0]
    shown = [m for m in world.shown(owner) if not m.deleted] if owner.is_running else []
    if shown:
        target = shown[step.pick % len(shown)]
        world.hide(owner, target, hidden=step.amount % 3 > 0)


def _set_timer(world: World, peer: SimPeer, step: Step) -> None:
    owner = world.peers[0]
    if owner.is_running:
        world.set_timer(owner, 0 if owner.room.timer else 10 + step.amount % 80)


def _set_keep(world: World, peer: SimPeer, step: Step) -> None:
    owner = world.peers[0]
    if owner.is_running:
        is_back = owner.room.keep and step.amount % 3 == 0
        world.set_keep(owner, 0 if is_back else 1 + step.pick % 3)


def _sleep(world: World, peer: SimPeer, step: Step) -> None:
    world.sleep(days=0.5 + step.amount % 4 / 2)


KIND_ACTS: dict[str, Callable[[World, SimPeer, Step], None]] = {
    "ask": _ask,
    "vote": _vote,
    "close": _close,
    "pin": _pin,
    "hide": _hide,
    "set timer": _set_timer,
    "set keep": _set_keep,
    "sleep": _sleep,
}

KIND_WORDS = {
    "ask": "{peer} asks “question {pick}”",
    "vote": "{peer} votes in a poll, or takes a vote back",
    "close": "{peer} closes one of its polls",
    "pin": "peer0 pins a message, or takes a pin off",
    "hide": "peer0 hides a message, or shows it again",
    "set timer": "peer0 lets messages disappear from now on, or no longer",
    "set keep": "peer0 has the room keep messages for days only, or all again",
    "sleep": "all machines sleep for half a day to two days",
}

"""Tells what happened in a schedule, in words: who wrote what, which fault hit whom, and when.

A step of a schedule says little by itself: which message is edited depends on what that peer
shows at that moment. So the story comes from playing the schedule once more in a world that keeps
a diary. Of steps that could do nothing at their moment only the time is left, that went by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..core.message import Message
from .acts import skew_ms
from .playing import Outcome, play
from .schedule import DEEDS, Schedule, Step
from .simpeer import SimPeer
from .world import World

HOUR_MS = 3_600_000

TEXT_CHARS_MAX = 40
"""How much of a text is told."""


class ToldWorld(World):
    """Is a world that keeps a diary of what people did and of what hit them."""

    def __init__(self, *, seed: int, peers: int = 3, **extra: Any) -> None:
        self.seed = seed
        self.diary: list[str] = []
        self._crashes: dict[str, int] = {}
        super().__init__(seed=seed, peers=peers, **extra)

    def tell(self, words: str) -> None:
        """Add a line to the diary."""
        self.diary.append(f"{(self.loop.now_ms - self.started_ms) / 1000:9.3f} s  {words}")

    def about_to(self, step: Step) -> None:
        """Tell of a step that is about to happen; deeds are told when they take place."""
        self.tell_rest()
        peer = self.peers[step.peer % len(self.peers)]
        words = None if step.act in DEEDS else fault_words(self, peer, step)
        if words is not None:
            self.tell(words)

    def tell_rest(self) -> None:
        """Tell what has happened by itself since the last line."""
        for peer in self.peers:
            if peer.crashes > self._crashes.get(peer.name, 0):
                self._crashes[peer.name] = peer.crashes
                self.tell(f"the process of {peer.name} has died at a commit")

    def states(self) -> list[str]:
        """Return how each peer is, in words."""
        return [f"{peer.name}: {self._state(peer)}" for peer in self.peers]

    def _state(self, peer: SimPeer) -> str:
        if not peer.is_running:
            return "does not run"
        room = peer.room
        link = "connected" if peer.link is not None else "not connected"
        return (
            f"{link}, shows {room.count()} messages, {len(room.outbox())} changes to send, "
            f"digest {room.digest()[:8]}"
        )

    # What people do, told

    def write(
        self,
        peer: SimPeer,
        text: str,
        *,
        reply_to: Message | None = None,
        thread: Message | None = None,
        mentions: Collection[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        words = f"writes {self.oracle.next_token()} “{_short(text)}”"
        if reply_to is not None:
            words += f" in answer to {token(reply_to)}"
        if thread is not None:
            words += f" beside {token(thread)}"
        if mentions:
            words += f" and mentions {', '.join(mentions)}"
        if metadata is not None:
            words += f" with {dict(metadata)}"
        given: dict[str, Any] = {"reply_to": reply_to, "thread": thread, "mentions": mentions}
        act = super().write
        self._tell_deed(peer, words, lambda: act(peer, text, **given, metadata=metadata))

    def edit(
        self,
        peer: SimPeer,
        message: Message,
        text: str,
        *,
        mentions: Collection[str] | None = None,
    ) -> None:
        act = super().edit
        words = f"changes {token(message)} to “{_short(text)}”"
        if mentions is not None:
            words += f", which mentions {', '.join(mentions) or 'nobody'} now"
        self._tell_deed(peer, words, lambda: act(peer, message, text, mentions=mentions))

    def delete(self, peer: SimPeer, message: Message) -> None:
        act = super().delete
        self._tell_deed(peer, f"deletes {token(message)}", lambda: act(peer, message))

    def react(self, peer: SimPeer, message: Message, emoji: str, *, on: bool = True) -> None:
        act = super().react
        words = f"reacts to {token(message)} with {emoji}"
        if not on:
            words = f"takes {emoji} back from {token(message)}"
        self._tell_deed(peer, words, lambda: act(peer, message, emoji, on=on))

    def read(self, peer: SimPeer, upto: Message | None = None) -> None:
        act = super().read
        words = "marks all as read" if upto is None else f"marks all up to {token(upto)} as read"
        self._tell_deed(peer, words, lambda: act(peer, upto))

    def mark_unread(self, peer: SimPeer, message: Message) -> None:
        act = super().mark_unread
        words = f"marks {token(message)} as unread"
        self._tell_deed(peer, words, lambda: act(peer, message))

    def set_receipts(self, peer: SimPeer, receipts: str) -> None:
        act = super().set_receipts
        words = f"makes its receipts {receipts}"
        self._tell_deed(peer, words, lambda: act(peer, receipts))

    def retitle(self, peer: SimPeer, title: str) -> None:
        act = super().retitle
        words = f"gives the room the title “{title}”"
        self._tell_deed(peer, words, lambda: act(peer, title))

    def ask(self, peer: SimPeer, text: str, *, multiple: bool = False) -> None:
        act = super().ask
        words = f"asks {self.oracle.next_token()} “{_short(text)}”"
        self._tell_deed(peer, words, lambda: act(peer, text, multiple=multiple))

    def vote(self, peer: SimPeer, message: Message, *choices: int) -> None:
        act = super().vote
        words = f"votes {list(choices)} in {token(message)}"
        self._tell_deed(peer, words, lambda: act(peer, message, *choices))

    def close_poll(self, peer: SimPeer, message: Message) -> None:
        act = super().close_poll
        self._tell_deed(peer, f"closes {token(message)}", lambda: act(peer, message))

    def pin(self, peer: SimPeer, message: Message, *, on: bool = True) -> None:
        act = super().pin
        words = f"pins {token(message)}" if on else f"takes the pin off {token(message)}"
        self._tell_deed(peer, words, lambda: act(peer, message, on=on))

    def hide(self, peer: SimPeer, message: Message, *, hidden: bool = True) -> None:
        act = super().hide
        words = f"hides {token(message)}" if hidden else f"shows {token(message)} again"
        self._tell_deed(peer, words, lambda: act(peer, message, hidden=hidden))

    def set_timer(self, peer: SimPeer, seconds: int) -> None:
        act = super().set_timer
        words = f"lets messages disappear after {seconds} s" if seconds else "lets messages stay"
        self._tell_deed(peer, words, lambda: act(peer, seconds))

    def set_keep(self, peer: SimPeer, days: int) -> None:
        act = super().set_keep
        words = f"lets the room keep messages for {days} days" if days else "lets it keep all"
        self._tell_deed(peer, words, lambda: act(peer, days))

    def sleep(self, *, days: float) -> None:
        self.tell(f"all machines sleep for {days:g} days")
        super().sleep(days=days)

    def rebuild(self, peer: SimPeer) -> bool:
        self.tell(f"{peer.name} folds its view anew")
        return super().rebuild(peer)

    def add_peer(self) -> SimPeer:
        peer = super().add_peer()
        self.tell(f"{peer.name} joins")
        return peer

    def restore(self, peer: SimPeer) -> bool:
        done = super().restore(peer)
        if not done:
            self.tell("but there is none, or the relay has lost something since: left as it is")
        return done

    def lose_relay(self, lose: Callable[[], object]) -> bool:
        done = super().lose_relay(lose)
        if not done:
            self.tell("but a restored peer has yet to learn from the relay: it loses nothing")
        return done

    def heal(self) -> None:
        self.tell_rest()
        self.tell("every fault ends, everyone is online, and time passes")
        super().heal()

    def _tell_deed(self, peer: SimPeer, words: str, act: Callable[[], None]) -> None:
        where = "" if peer.link is not None else ", not connected"
        if peer.disk.is_full:
            where += ", but its disk is full"
        self.tell(f"{peer.name} {words}{where}")
        before = self.oracle.number
        act()
        if self.oracle.number == before and not words.startswith(("marks", "lets")):
            self.tell("and that did not take place")
        self.tell_rest()


def story(schedule: Schedule) -> tuple[Outcome, list[str]]:
    """Play a schedule once more; return how it ended, and a line for all that happened."""
    diary: list[str] = []

    def make_world(**extra: Any) -> World:
        world = ToldWorld(**extra)
        world.diary = diary
        return world

    def before(world: World, step: Step) -> None:
        assert isinstance(world, ToldWorld)
        world.about_to(step)

    outcome = play(schedule, make_world=make_world, before=before)
    return outcome, diary


def fault_words(world: World, peer: SimPeer, step: Step) -> str | None:
    """Return what a fault will do now; None where it can do nothing."""
    name = peer.name
    match step.act:
        case "toggle online":
            return f"{name} goes {'offline' if peer.wants_online else 'online again'}"
        case "partition":
            now = "can no longer" if peer.can_reach_relay else "can again"
            return f"{name} {now} reach the relay"
        case "cut" | "half open" | "garble" if peer.link is None:
            return None
        case "slow":
            by = step.amount * 3
            return None if peer.link is None else f"frames of {name} take {by} ms longer"
        case "crash at commit":
            when = "right after" if step.amount % 2 == 0 else "right before"
            return f"the process of {name} will die {when} its commit {step.pick % 6 + 1} from now"
        case "kill" | "cut power" if not peer.is_running:
            return f"{name} is started"
        case "toggle full":
            now = "has room again" if peer.disk.is_full else "becomes full"
            return f"the disk of {name} {now}"
        case "skew":
            hours = skew_ms(step) / HOUR_MS
            ahead = "ahead" if hours >= 0 else "behind"
            return f"the clock of {name} is set {abs(hours):.3g} hours {ahead}"
        case "step back":
            return f"the clock of {name} steps {step.amount * 60 / 1000:.0f} s back"
        case "relay kill" if not world.relay.is_up:
            return "the relay is started"
    return str(step)


def token(message: Message) -> str:
    """Return the word by which a simulated message is known."""
    return message.text.split(" ", 1)[0] or "a deleted message"


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}… ({len(text)} long)"

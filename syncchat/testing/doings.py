"""What people do in a simulated world with messages of special kinds: polls, pins, timers."""

from __future__ import annotations

from ..core.keeping import DAY_MS
from ..core.message import Message
from ..core.values import PIN_FIELD, FieldValue, Root, encode_value
from ..peer import Peer
from ..storage.outbox import Op
from .deeds import CANARY, Deeds
from .judge import token_of
from .simpeer import SimPeer

OPTIONS = ("one", "two", "three")
"""What every simulated poll lets people choose."""


class Doings(Deeds):
    """Is the part of a ``World`` that has deeds about polls, pins, timers and moderation."""

    def ask(self, peer: SimPeer, text: str, *, multiple: bool = False) -> None:
        """Ask with three options; a token is put before the question."""
        token = self.oracle.next_token()
        full = f"{token} {CANARY} {text}"
        last = [token_of(m) for m in self.shown(peer)[-1:] if not m.deleted]
        sent: list[Message] = []
        timer = peer.room.timer

        def act(p: Peer) -> None:
            sent.append(p.rooms()[0].poll(full, OPTIONS, multiple=multiple))

        if self._did(peer, act):
            self.oracle.wrote(peer.name, token, full, after=last)
            self.note_timer(peer, token, timer, sent)

    def vote(self, peer: SimPeer, message: Message, *choices: int) -> None:
        """Vote in a poll; nothing takes the vote back."""
        if self._did(peer, lambda p: p.rooms()[0].vote(message.id, choices)):
            self.oracle.voted(peer.name, token_of(message), choices)

    def close_poll(self, peer: SimPeer, message: Message) -> None:
        """Close an own poll."""
        if self._did(peer, lambda p: p.rooms()[0].close_poll(message.id)):
            self.oracle.closed(peer.name, token_of(message))

    def pin(self, peer: SimPeer, message: Message, *, on: bool = True) -> None:
        """Pin a message, or take the pin off; for the first peer, whose room it is."""

        def act(p: Peer) -> None:
            (p.rooms()[0].pin if on else p.rooms()[0].unpin)(message.id)

        if self._did(peer, act):
            self.oracle.pinned(peer.name, token_of(message), on=on)

    def hide(self, peer: SimPeer, message: Message, *, hidden: bool = True) -> None:
        """Hide a message, or show it again; for the first peer, whose room it is."""
        if self._did(peer, lambda p: p.rooms()[0].hide(message.id, hidden=hidden)):
            self.oracle.hid(peer.name, token_of(message), on=hidden)

    def set_timer(self, peer: SimPeer, seconds: int) -> None:
        """Let what is written from now on disappear, or not; for the first peer."""
        self._did(peer, lambda p: p.rooms()[0].set_timer(seconds))

    def set_keep(self, peer: SimPeer, days: int) -> None:
        """Keep messages for some days only, or all; for the first peer."""
        if days:
            self.kept_ms = min(self.kept_ms or days * DAY_MS, days * DAY_MS)
        self._did(peer, lambda p: p.rooms()[0].set_keep(days * DAY_MS // 1_000))

    def forge_pin(self, peer: SimPeer, message: Message) -> None:
        """Have a modified program pin a message that its person may not pin: nobody heeds it."""

        def act(p: Peer) -> None:
            room = p.rooms()[0]
            with room._writing() as (stamp, batch, _):
                value = FieldValue(stamp, True)
                key = PIN_FIELD + message.id
                room._queue(Op(Root.ROOM, key, stamp, encode_value(value)))
                batch.note(Root.ROOM, key, value)

        self._did(peer, act)

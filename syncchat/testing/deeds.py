"""What people do in a simulated world; the oracle notes each deed exactly if it took place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..core.message import Message
from ..core.values import DeleteValue, EditValue, Root, encode_value
from ..errors import NotAllowedError, StorageError
from ..peer import Peer
from ..room import OutboxItem, Room
from ..storage import previews
from ..storage.outbox import Op
from .disk import SimCrash
from .judge import Judge, token_of
from .oracle import SOME_THREAD, Oracle
from .simpeer import SimPeer
from .timing import Timing

CANARY = "canary"
"""Stands in every message, so that one is found where it must not be."""


class Deeds(Timing):
    """Is the part of a world that is about people."""

    oracle: Oracle
    _judge: Judge
    names: dict[str, str]
    """Peers' names by member id."""
    losses: int
    """How often the relay has lost something."""

    def __init__(self) -> None:
        super().__init__()
        self._forged: set[tuple[str, str]] = set()
        self._shown: dict[str, tuple[tuple[int, int, int] | None, list[Message]]] = {}
        """What each peer showed when it was looked at last, and at which moment."""

    def shown(self, peer: SimPeer) -> list[Message]:
        """Return all that a peer shows, in display order, replies in threads among the rest."""
        moment, (before, found) = peer.moment, self._shown.get(peer.name, (None, []))
        if before != moment:
            found = peer.room.messages(limit=1000, threads=True, hidden=True)
            self._shown[peer.name] = moment, found
        return list(found)

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
        """Write a message; a token is put before the text. ``mentions`` are names of peers."""
        token = self.oracle.next_token()
        full = f"{token} {CANARY} {text}"
        target = None if reply_to is None else token_of(reply_to)
        answered = None if reply_to is None else reply_to.id
        root = None if thread is None else thread.id
        whom = self._ids_of(mentions)
        last = [token_of(m) for m in self.shown(peer)[-1:] if not m.deleted]
        written_in = self._thread_of(peer, reply_to, thread)
        sent: list[Message] = []
        timer = peer.room.timer

        def act(p: Peer) -> None:
            room = p.rooms()[0]
            sent.append(
                room.send(full, reply_to=answered, thread=root, mentions=whom, metadata=metadata)
            )

        if self._did(peer, act):
            self.note_timer(peer, token, timer, sent)
            self.oracle.wrote(
                peer.name,
                token,
                full,
                reply_to=target,
                thread=written_in,
                mentions=mentions,
                after=last,
            )

    def edit(
        self,
        peer: SimPeer,
        message: Message,
        text: str,
        *,
        mentions: Collection[str] | None = None,
    ) -> None:
        """Change an own message, and whom it mentions; None leaves them as they are."""
        token = token_of(message)
        full = f"{token} {CANARY} {text}"
        whom = None if mentions is None else self._ids_of(mentions)
        if mentions is None:
            mentions = [self.names[member] for member in message.mentions]
        if self._did(peer, lambda p: p.rooms()[0].edit(message.id, full, mentions=whom)):
            self.oracle.edited(peer.name, token, full, mentions=mentions)

    def delete(self, peer: SimPeer, message: Message) -> None:
        """Delete an own message."""
        if self._did(peer, lambda p: p.rooms()[0].delete(message.id)):
            self.oracle.deleted(peer.name, token_of(message))

    def discard(self, peer: SimPeer, message: Message) -> None:
        """Take an own message out of the outbox, and try all that is left again."""

        if self._did(
            peer, lambda p: p.rooms()[0].discard(next(waiting_item(p.rooms()[0], message)))
        ):
            self.oracle.deleted(peer.name, token_of(message))
        if peer.is_running:
            self.retry(peer)

    def retry(self, peer: SimPeer) -> None:
        """Try again all that a relay refused, in every room."""
        if self._did(peer, lambda p: [room.retry() for room in p.rooms()]):
            self._judge.retried(peer)

    def react(self, peer: SimPeer, message: Message, emoji: str, *, on: bool = True) -> None:
        """React to a message, or take it back."""

        def act(p: Peer) -> None:
            (p.rooms()[0].react if on else p.rooms()[0].unreact)(message.id, emoji)

        if self._did(peer, act):
            self.oracle.reacted(peer.name, token_of(message), emoji, on=on)

    def read(self, peer: SimPeer, upto: Message | None = None) -> None:
        """Mark a message and everything shown before it in its timeline as read, or everything."""
        ahead = previews.messages_ahead(peer.peer._db, peer.room._row)
        shown = [message for message in self.shown(peer) if message.id not in ahead]
        is_private = peer.room.receipts == "private"
        if self._did(peer, lambda p: p.rooms()[0].mark_read(upto.id if upto else None)):
            read = [
                message
                for message in shown
                if not message.deleted
                and not message.mine
                and (upto is None or message.id <= upto.id)
                and (upto is None or message.thread == upto.thread)
            ]
            there = {token_of(message) for message in shown}
            hidden = [token_of(message) for message in read if message.hidden]
            self.oracle.read(
                peer.name,
                [token_of(message) for message in read if not message.hidden],
                maybe=[*hidden, *(token for token in self.passing() if token not in there)],
                is_private=is_private,
            )

    def mark_unread(self, peer: SimPeer, message: Message) -> None:
        """Mark a message of somebody else as unread."""
        if self._did(peer, lambda p: p.rooms()[0].mark_unread(message.id)):
            self.oracle.marked_unread(peer.name, token_of(message))

    def set_receipts(self, peer: SimPeer, receipts: str) -> None:
        """Have others see from now on what somebody reads, or not."""
        self._did(peer, lambda p: p.rooms()[0].set_receipts(receipts))

    def retitle(self, peer: SimPeer, title: str) -> None:
        """Give the room another title."""
        before = peer.room.title
        if self._did(peer, lambda p: p.rooms()[0].set_title(title)):
            self.oracle.titled(peer.name, title, over=before)

    def forge(self, peer: SimPeer, message: Message, *, deletes: bool) -> None:
        """Have a modified program edit or delete a message of somebody else: nobody heeds it."""
        root, place = Root.DELETES if deletes else Root.EDITS, (peer.name, message.id)
        if place in self._forged:  # an edit after a deletion would not even be sealed
            return

        def act(p: Peer) -> None:
            room = p.rooms()[0]
            with room._writing() as (stamp, batch, _):
                text = f"forged {CANARY}"
                value = DeleteValue(stamp) if deletes else EditValue(stamp, text)
                room._queue(Op(root, message.id, stamp, encode_value(value)))
                batch.note(root, message.id, value)

        if self._did(peer, act) and deletes:
            self._forged.add(place)

    # Inside

    def _did(self, peer: SimPeer, act) -> bool:  # type: ignore[no-untyped-def]
        """Do something on a peer; tell whether it took place.

        The first commit is that of the deed; behind it may come some that tidy up.
        """
        before = peer.disk.commits
        try:
            peer.do(lambda: act(peer.peer))
        except SimCrash as crash:
            return crash.committed or peer.disk.commits > before + 1
        except StorageError:
            return False
        except NotAllowedError:
            # A relay that was set back to before this member came in looks as after a removal.
            if not self.losses or peer.room.standing != "removed":
                raise
            return False
        return True

    def _ids_of(self, names: Collection[str]) -> list[str]:
        return [member for member, name in self.names.items() if name in names]

    def _thread_of(
        self, peer: SimPeer, reply_to: Message | None, thread: Message | None
    ) -> str | None:
        """Return the token of the message in whose thread something is written, None for none.

        A reply in a thread has no thread of its own, and an answer to one is in the same thread.
        """
        if thread is not None and thread.thread is None:
            return token_of(thread)
        beside = thread if thread is not None else reply_to
        if beside is None or beside.thread is None:
            return None
        root = [m for m in self.shown(peer) if m.id == beside.thread and not m.deleted]
        return token_of(root[0]) if root else SOME_THREAD


def waiting_item(room: Room, message: Message) -> Iterator[OutboxItem]:
    """Yield the item of an outbox that is a message, where it is not sealed yet."""
    for item in room.outbox():
        if item.message_id == message.id and item.what == "messages" and item.id.isdecimal():
            yield item

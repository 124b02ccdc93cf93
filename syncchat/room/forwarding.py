"""Forwarding: what a message says, and its files, written in another room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.message import Message
from ..core.values import MessageValue, Origin
from ..errors import FileAway, FilesFull, NotAllowedError, NotFoundError, ValidationError
from ..storage import files
from ..storage.files import FileRow
from .attaching import FULL, RoomAttaching
from .files import RoomFiles

if TYPE_CHECKING:
    from .room import Room


class RoomForwarding(RoomAttaching, RoomFiles):
    """Is what a room's handle can do to pass messages on; part of ``Room``."""

    __slots__ = ()

    def forward(self, message: str, *, to: Room) -> Message:
        """Write in another room what a message here says, and who wrote it when; return that.

        Kind, metadata and attachments go with it; replies, mentions, reactions and votes do not.
        Its files must be here, for the other room's relay gets them from this peer. Raises
        ``NotFoundError``, ``FileAway``, ``FileGone``, ``FilesFull``, ``NotAllowedError``, and
        ``ValidationError`` for a room of another peer.
        """
        if to._peer is not self._peer:
            raise ValidationError("messages are forwarded to another room of the same peer")
        found = self.message(message)
        if found.deleted:
            raise NotFoundError("the message was deleted")
        if found.hidden and not found.mine:
            raise NotAllowedError("the message was hidden by an admin")
        origin = Origin(found.sender, found.sender_name, found.sent_at)
        if found.forwarded is not None:  # who wrote it, not who passed it on
            first = found.forwarded
            origin = Origin(first.sender, first.name, first.sent_at)
        value = MessageValue(
            text=found.text,
            kind=found.kind,
            attachments=found.attachments,
            metadata=found.metadata,
            forwarded=origin,
        )
        given = [] if to == self else self._files_here(found)
        return to._write_with_files(value, given)

    # Inside

    def _write_with_files(self, value: MessageValue, given: Sequence[FileRow]) -> Message:
        """Write a message with files that are whole in another room; they are not sealed anew."""
        with self._writing() as write:
            room_id = self._load().room_id
            for row in given:
                self._take_over(row, room_id)
            sent = self._write_message(write, value)
        self._trim()
        self._stop_typing(sent.thread)
        return sent

    def _take_over(self, row: FileRow, room_id: bytes) -> None:
        """Have a file of another room here as well, to be sent."""
        db = self._peer._db
        pack = files.pack_name(room_id, row)
        before = files.find_file(db, pack)
        if before is not None and before.is_whole:
            return
        if row.size > self._room_left():
            raise FilesFull(FULL.format(left=self._room_left()))
        if not db.packs.share(row.pack, pack) and row.chunks:
            raise FileAway("some of the file's bytes are gone; fetch it again")
        files.take_over(db, self._row, pack, row, now_ms=self._peer.now_ms())

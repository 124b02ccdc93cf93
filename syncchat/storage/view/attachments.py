"""Attachments: which files messages show, and which are to be fetched by themselves."""

from __future__ import annotations

from ...core.attachments import files_in
from ...core.fold import NOTHING, Shown
from ...ids import MessageId, author_device
from .. import files, rooms
from ..files import WANTED_BY_ITSELF, WANTED_NOT
from .scope import Scope


class Attachments:
    """Keeps the rows that tie files to messages."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._room_id: bytes | None = None
        self._automatic_bytes_max = 0

    def settle(self, message: MessageId, before: Shown | None, shown: Shown | None) -> None:
        """Take note of what a message shows now, that showed something else before."""
        there = (before.value if before and not before.over else NOTHING).attachments
        here = (shown.value if shown and not shown.over else NOTHING).attachments
        if there == here:
            return
        db, room = self._scope.db, self._scope.room
        db.execute(
            "insert or ignore into loose_file select file from attachment "
            "where room = ? and message = ?",
            (room, message),
        )
        db.execute("delete from attachment where room = ? and message = ?", (room, message))
        if not here:
            return
        writer = author_device(message)
        mine = self._scope.owners[writer] == self._scope.owners[self._scope.me]
        room_id = self._load()
        for place, attachment in files_in(here):
            is_small = attachment.size <= self._automatic_bytes_max
            comes = writer != self._scope.me and is_small
            file = files.add_file(
                db,
                room,
                files.pack_name(room_id, attachment),
                attachment,
                wanted=WANTED_BY_ITSELF if comes else WANTED_NOT,
                mine=mine,
            )
            if mine and not file.mine:  # somebody else had shown it first
                files.set_mine(db, file.id)
            db.execute(
                "insert or replace into attachment (room, message, place, file) "
                "values (?, ?, ?, ?)",
                (room, message, place, file.id),
            )

    def _load(self) -> bytes:
        if self._room_id is None:
            db = self._scope.db
            self._room_id = rooms.load_room(db, self._scope.room).room_id
            (self._automatic_bytes_max,) = db.execute(
                "select automatic_bytes_max from local"
            ).fetchone()
        return self._room_id

"""Fields of the room and of its members' profiles: the last one wins."""

from __future__ import annotations

from typing import Any

import msgspec

from ...core import digest
from ...core.fold import last
from ...core.keeping import keep_in
from ...core.values import (
    KEEP_FIELD,
    NAME_CHARS_MAX,
    PIN_FIELD,
    TIMER_FIELD,
    TITLE_CHARS_MAX,
    Root,
    is_for_admins,
    is_label,
)
from ...ids import DeviceId, MemberId
from .. import rooms
from ..aside import BLOCK_FIELD, GONE_FIELD
from .aside import follow_aside
from .marks import marks_about
from .scope import Scope, json_text
from .unread import MARK_FIELD, follow_marks


class Fields:
    """Collects which fields were touched; ``settle`` stores them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._fields: set[tuple[Root, str]] = set()
        self._marks: set[tuple[str, str]] = set()
        self._aside: set[str] = set()
        self._taken: set[tuple[Root, MemberId, str]] = set()

    def touch(self, root: Root, key: str) -> None:
        """Say that an entry about a field came or went."""
        self._fields.add((root, key))

    def take_back(self, root: Root, key: str, device: DeviceId) -> None:
        """Say that an entry about somebody went that should not have come."""
        self.touch(root, key)
        self._taken.add((root, self._scope.owners[device], key))

    def touch_admins(self) -> None:
        """Say that others are admins now, so that others' word counts on some fields."""
        room = self._scope.room
        for table in ("mark", "op"):
            for (key,) in self._scope.db.rows(
                f"select distinct key from {table} where room = ? and root = ? "
                "and (key in (?, ?) or (key >= ? and key < ?))",
                (room, int(Root.ROOM), TIMER_FIELD, KEEP_FIELD, PIN_FIELD, PIN_FIELD + "~"),
            ):
                self.touch(Root.ROOM, key)

    def settle(self) -> int:
        """Store the fields that were touched; return by how much the digest moves."""
        delta = 0
        self._marks.clear()
        self._aside.clear()
        for root, key in sorted(self._fields):
            marks = [
                mark
                for mark in marks_about(
                    self._scope.db, self._scope.room, [key], me=self._scope.me
                ).get(key, ())
                if mark.root is root
            ]
            if is_for_admins(root, key):
                marks = [m for m in marks if self._scope.owners[m.device] in self._scope.admins]
                if not marks:
                    delta += self._drop_field(root, MemberId(""), key)
            owners: set[MemberId] = {MemberId("")}
            if root is Root.PROFILE:
                owners = {self._scope.owners[mark.device] for mark in marks}
            for member in sorted(owners):
                mark = last(
                    m for m in marks if root is Root.ROOM or self._scope.owners[m.device] == member
                )
                if mark is not None:
                    delta += self._set_field(root, member, key, mark.value.value)
            for taken_root, member, taken_key in sorted(self._taken):
                if (taken_root, taken_key) == (root, key) and member not in owners:
                    delta += self._drop_field(root, member, key)
        self._fields.clear()
        self._taken.clear()
        if self._marks:
            change = self._scope.change
            follow_marks(self._scope.db, self._marks, me=self._scope.me, change=change)
        if self._aside:
            change = self._scope.change
            follow_aside(self._scope.db, self._aside, me=self._scope.me, change=change)
        return delta

    def _drop_field(self, root: Root, member: MemberId, key: str) -> int:
        """Forget a field on which nobody's word counts any more."""
        place = (self._scope.room, int(root), member, key)
        where = "where room = ? and root = ? and member = ? and key = ?"
        row = self._scope.db.row(f"select value from field {where}", place)
        if row is None:
            return 0
        self._scope.db.execute(f"delete from field {where}", place)
        self._note_pin(root, key)
        self._note_keep(root, key, None)
        self._scope.db.execute(  # nothing else would tell other readers that it is gone
            "update room set change = ? where id = ?", (self._scope.change, self._scope.room)
        )
        return -digest.of_field(root, member, key, msgspec.json.decode(row[0]))

    def _note_pin(self, root: Root, key: str) -> None:
        """Tell who follows the message that it was pinned, or no longer is."""
        if root is Root.ROOM and key.startswith(PIN_FIELD):
            self._scope.db.execute(
                "update message set change = ? where room = ? and message = ? and gone = 0",
                (self._scope.change, self._scope.room, key[len(PIN_FIELD) :]),
            )

    def _note_keep(self, root: Root, key: str, value: Any) -> None:
        """Store how long the room keeps messages now; those that are over go with the next look."""
        if root is Root.ROOM and key == KEEP_FIELD:
            rooms.set_keep(self._scope.db, self._scope.room, keep_in(value))

    def _set_field(self, root: Root, member: MemberId, key: str, value: Any) -> int:
        row = self._scope.db.row(
            "select value from field where room = ? and root = ? and member = ? and key = ?",
            (self._scope.room, root, member, key),
        )
        before = None if row is None else msgspec.json.decode(row[0])
        if row is not None and before == value:
            return 0
        change = self._scope.change
        if root is Root.PROFILE and member in self._scope.blocked:
            change = 0  # nobody is to hear of it
        delta = digest.of_field(root, member, key, value)
        if row is not None:
            delta -= digest.of_field(root, member, key, before)
        self._scope.db.execute(
            "insert into field (room, root, member, key, value, change) values (?, ?, ?, ?, ?, ?) "
            "on conflict do update set value = excluded.value, change = excluded.change",
            (self._scope.room, root, member, key, json_text(value), change),
        )
        if root is Root.ROOM and key.startswith(MARK_FIELD) and self._scope.is_home:
            texts = [text for text in (before, value) if isinstance(text, str)]
            self._marks.update((key[len(MARK_FIELD) :], text) for text in texts)
        if root is Root.ROOM and key.startswith((GONE_FIELD, BLOCK_FIELD)) and self._scope.is_home:
            self._aside.add(key)
        self._note_pin(root, key)
        self._note_keep(root, key, value)
        if root is Root.ROOM and key == "title" and is_label(value, TITLE_CHARS_MAX):
            self._scope.db.execute(
                "update room set title = ?, change = ? where id = ? and direct = ''",
                (value, self._scope.change, self._scope.room),
            )
        if root is Root.PROFILE and key == "name" and is_label(value, NAME_CHARS_MAX):
            self._scope.db.execute(  # a direct room is called as who it is with
                "update room set title = ?, change = max(change, ?) where id = ? and direct = ?",
                (value, change, self._scope.room, member),
            )
        return delta

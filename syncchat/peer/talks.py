"""Rooms of a special kind: with one other person, and with oneself; and what one looks like."""

from __future__ import annotations

from pathlib import Path

from ..core.pictures import Avatar, avatar_of
from ..core.values import LETTER_FIELD, Root
from ..errors import NotAllowedError, ValidationError
from ..exchange.homing import tell_home
from ..ids import base32_from_int, member_bytes
from ..room import Room
from ..room.looks import avatar_from
from ..storage import history, rooms
from ..storage.rooms import RoomRow, Standing
from ..trust.letters import Content, DirectRoom, seal_letter
from ..trust.person import Person, member_text, user_of
from .base import PeerPart

LETTER_CHARS = 13
"""Of a letter's random name: 64 bits."""

_USABLE = (Standing.MEMBER, Standing.RECOVERING, Standing.RETURNING)


class PeerTalks(PeerPart):
    """Is what a peer can do to talk with one person, or with nobody; part of ``Peer``."""

    def direct(self, member: str) -> Room:
        """Return the room with one other person, making it where there is none yet.

        ``member`` is the id of somebody in a room that both are in, or its beginning; that room's
        relay is the new one's. It works offline. Where both make one at the same time, both get
        the same one of the two from the next sync on. Raises ``NotFoundError``,
        ``NotAllowedError``, ``ValidationError``.
        """
        known = self._membership.known(member)
        other = known[0][1]
        if member_text(other.id) == self.id:
            raise ValidationError("that is you; write notes to yourself instead")
        found = self._direct_row(member_text(other.id))
        if found is not None:
            return self._handle(found.id)
        shared = self._where_to_tell(known)
        with self._db.atomic():
            names = history.names_of(self._db, shared.id)
            title = names.get(member_text(other.id)) or member_text(other.id)[:6]
            row = self._membership.create_direct(other, shared.relay, title=title)
            self._introduce(row.id)
            letter = DirectRoom(row.room_id, row.relay)
            self._write_letter(shared, letter, readers=[other])
            tell_home(self._db, me=self.device, now_ms=self.now_ms())
        self._ring()
        return self._handle(row.id)

    def notes(self) -> Room:
        """Return the room of this person alone; it syncs between their own devices."""
        with self._db.atomic():
            row = self._personal.make()
        return self._handle(row.id)

    @property
    def avatar(self) -> Avatar | None:
        """Return this person's picture, None where there is none."""
        return avatar_of(self._personal.get("avatar"))

    def set_avatar(self, image: bytes | Path | None) -> None:
        """Show others a picture of oneself, in every room, or none; see ``Room.set_avatar``.

        Raises ``ValidationError``.
        """
        value = None if image is None else avatar_from(image).to_json()
        with self._db.atomic():
            self._personal.put("avatar", value)
            for row in rooms.all_rooms(self._db):
                if not row.is_personal:
                    self._put_field(row.id, Root.PROFILE, "avatar", value)
        self._ring()

    # Inside

    def _direct_row(self, member: str) -> RoomRow | None:
        """Return the one direct room with a person: of several that can be used the first by id."""
        other = member_bytes(member)  # type: ignore[arg-type]
        for row in rooms.direct_rooms(self._db, member):
            group = self._membership.group_or_none(row.id)
            if row.standing in _USABLE and (group is None or other in group.members):
                return row
        return None

    def _where_to_tell(self, known: list[tuple[RoomRow, Person]]) -> RoomRow:
        """Return a room in which the other can be told of a new one; raises ``NotAllowedError``."""
        may = [row for row, _ in known if not self._membership.may_write(row.id)]
        if not may:
            raise NotAllowedError("you may not write in a room that you share with them")
        return max(may, key=lambda row: bool(row.relay))

    def _write_letter(self, row: RoomRow, content: Content, *, readers: list[Person]) -> None:
        """Put into a room what only some of its members may read; inside a transaction."""
        writer = user_of(self._membership.root)
        letter = seal_letter(
            content,
            room=row.room_id,
            writer=writer,
            readers=[reader.user_key for reader in readers],
            random=self._random,
        )
        word = base32_from_int(int.from_bytes(self._random.bytes(8)), chars=LETTER_CHARS)
        self._put_field(row.id, Root.PROFILE, LETTER_FIELD + word, letter)

"""What a room is like: topic, picture, and after what time its messages disappear."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from ..core.pictures import Avatar, avatar_in, avatar_of
from ..core.values import EXPIRES_MS_MAX, TIMER_FIELD, FieldValue, Root, is_label
from ..errors import ValidationError
from ..ids import MemberId
from ..storage.fields import find_field, timer_seconds
from .base import RoomPart, checked_text

TOPIC_CHARS_MAX = 300


def avatar_from(image: bytes | Path) -> Avatar:
    """Return the picture in bytes, or a small copy of the one at a path.

    Raises ``ValidationError``.
    """
    if not isinstance(image, Path):
        return avatar_in(image)
    from ..media.images import clean_picture

    return avatar_in(clean_picture(image).thumb)


class RoomLooks(RoomPart):
    """Is what a room's handle can do about how the room is; part of ``Room``."""

    __slots__ = ()

    @property
    def topic(self) -> str:
        """Return what the room is about, empty where nobody has said."""
        said = find_field(self._peer._db, self._row, Root.ROOM, "topic")
        return said if is_label(said, TOPIC_CHARS_MAX) else ""

    def set_topic(self, topic: str) -> None:
        """Say in one line what the room is about, empty for nothing; raises ``ValidationError``."""
        checked = checked_text(topic, "the topic").strip()
        if checked and not is_label(checked, TOPIC_CHARS_MAX):
            raise ValidationError(
                f"a topic has at most {TOPIC_CHARS_MAX} printable characters in one line"
            )
        self._put_mark(Root.ROOM, "topic", lambda at: FieldValue(at, checked))

    @property
    def avatar(self) -> Avatar | None:
        """Return the room's picture, None where it has none."""
        return avatar_of(find_field(self._peer._db, self._row, Root.ROOM, "avatar"))

    def set_avatar(self, image: bytes | Path | None) -> None:
        """Give the room a picture, or none.

        Of a picture at a path a small copy is made that tells nothing but what it shows; bytes
        are a PNG, JPEG or WebP of at most 32 KiB. Raises ``ValidationError``, also for bytes that
        say where or with what the picture was taken.
        """
        value = None if image is None else avatar_from(image).to_json()
        self._put_mark(Root.ROOM, "avatar", lambda at: FieldValue(at, value))

    def avatar_of(self, member: str) -> Avatar | None:
        """Return a member's picture, None where they have none; see ``Peer.set_avatar``."""
        found = find_field(self._peer._db, self._row, Root.PROFILE, "avatar", MemberId(str(member)))
        return avatar_of(found)

    @property
    def timer(self) -> int:
        """Return after how many seconds what is written now disappears, 0 for never."""
        return timer_seconds(self._peer._db, self._row)

    def set_timer(self, after: timedelta | int | None) -> None:
        """Let what is written from now on disappear, as an admin: seconds, 0 or None for never.

        It goes from every peer's database that long after it was written, by that peer's clock.
        At most a year. Raises ``NotAllowedError``, ``ValidationError``.
        """
        self._require_admin("set the timer")
        if isinstance(after, timedelta):
            after = round(after.total_seconds())
        seconds = after or 0
        if isinstance(seconds, bool) or not isinstance(seconds, int):
            raise ValidationError("the timer is a whole number of seconds")
        if not 0 <= seconds <= EXPIRES_MS_MAX // 1_000:
            raise ValidationError("the timer is 0, for never, or up to a year")
        self._put_mark(Root.ROOM, TIMER_FIELD, lambda at: FieldValue(at, seconds))

"""What a room is like: topic, picture, and after what time its messages disappear."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from ..core.clock import ms_of
from ..core.keeping import KEEP_MS_MAX, KEEP_MS_MIN
from ..core.pictures import Avatar, avatar_in, avatar_of
from ..core.values import EXPIRES_MS_MAX, KEEP_FIELD, TIMER_FIELD, FieldValue, Root, is_label
from ..errors import ValidationError
from ..ids import MemberId
from ..storage.erasing import fade
from ..storage.fields import find_field, keep_of, timer_seconds
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
        seconds = _seconds(after, "the timer")
        if not 0 <= seconds <= EXPIRES_MS_MAX // 1_000:
            raise ValidationError("the timer is 0, for never, or up to a year")
        self._put_mark(Root.ROOM, TIMER_FIELD, lambda at: FieldValue(at, seconds))

    @property
    def keep(self) -> int:
        """Return for how many seconds the room keeps its messages, 0 for ever."""
        return keep_of(self._peer._db, self._row).for_ms // 1_000

    def set_keep(self, for_: timedelta | int | None) -> None:
        """Keep messages for a time only, as an admin: seconds, a day to ten years; 0 or None for
        ever.

        What is older than that goes from every peer, whoever wrote it and whenever: by that peer's
        clock, hour by hour. What is over then stays over, also where a room is set to keep longer.
        Raises ``NotAllowedError``, ``ValidationError``.
        """
        self._require_admin("say how long messages are kept")
        seconds = _seconds(for_, "how long messages are kept")
        if seconds and not KEEP_MS_MIN <= seconds * 1_000 <= KEEP_MS_MAX:
            raise ValidationError("messages are kept for a day to ten years, or for ever (0)")
        db, now_ms = self._peer._db, self._peer.now_ms()
        before = keep_of(db, self._row)
        cutoff = before.cutoff(now_ms)
        floor_ms = max(before.floor_ms, ms_of(cutoff))
        self._put_mark(Root.ROOM, KEEP_FIELD, lambda at: FieldValue(at, [seconds, floor_ms]))
        fade(db, me=self._peer.device, now_ms=now_ms)


def _seconds(time: timedelta | int | None, what: str) -> int:
    """Return a time that was given as seconds; raises ``ValidationError``."""
    if isinstance(time, timedelta):
        time = round(time.total_seconds())
    seconds = time or 0
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise ValidationError(f"{what} is a whole number of seconds")
    return seconds

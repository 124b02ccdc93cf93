"""Later: messages to be sent, and reminders to be given, at a time to come.

Both are fields of the personal room, so every device of the person has them, and each does what is
due while it is online. A message goes out once: the device that planned it sends it on time, the
others only if it has not come for ``GRACE_MS``; if two have sent it all the same, because they
were apart, they delete all but the first as soon as they meet.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core.clock import MS_MAX
from ..errors import NotFoundError, SyncchatError, ValidationError
from ..ids import MessageId, RoomId, is_message_id, room_bytes, room_text
from ..storage import rooms
from .base import PeerPart

PLAN_FIELD = "plan/"
SENT_FIELD = "sent/"
REMINDER_FIELD = "remind/"
KEPT_MS = 7 * 24 * 3_600_000
"""How long it is kept which device has sent what was planned."""

GRACE_MS = 60_000
PLANS_MAX = 1_000
"""Of one person; each is a few hundred bytes that every device of theirs keeps."""

NOTE_CHARS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Is a message that is to be sent at ``at_ms`` (since 1970)."""

    id: str
    room_id: RoomId
    at_ms: int
    text: str
    reply_to: MessageId | None = None
    thread: MessageId | None = None
    problem: str = ""
    """Why it could not be sent when it was due; empty while it waits."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """Is what a person wants to be told at ``at_ms`` (since 1970): of a message, or of a note."""

    id: str
    at_ms: int
    room_id: RoomId | None
    message_id: MessageId | None
    note: str


class PeerLater(PeerPart):
    """Is what a peer can do about what is to happen later; part of ``Peer``."""

    # Messages

    def scheduled(self, room: bytes | None = None) -> list[Plan]:
        """Return the messages that wait for their time, of all rooms or one, next one first."""
        plans = [_plan_of(key, value) for key, value in self._personal.all(PLAN_FIELD).items()]
        found = [p for p in plans if p is not None and room in (None, p.room_id)]
        return sorted(found, key=lambda p: (p.at_ms, p.id))

    def unschedule(self, plan: str) -> None:
        """Do not send a message that waits for its time; raises ``NotFoundError``."""
        found = self._called([p.id for p in self.scheduled()], plan, "scheduled message")
        with self._db.atomic():
            self._personal.put(PLAN_FIELD + found, None)
        self._ring()

    def _schedule(self, room: RoomId, at: datetime | int, fields: dict[str, Any]) -> Plan:
        """Keep a message until its time; for ``Room.schedule``."""
        at_ms = self._moment(at)
        if len(self._personal.all(PLAN_FIELD)) >= PLANS_MAX:
            raise ValidationError(f"there are {PLANS_MAX:,} scheduled messages; let some go first")
        plan = self._new_id()
        value = {"room": room_text(room), "at": at_ms, "by": self.device, **fields}
        with self._db.atomic():
            self._personal.put(PLAN_FIELD + plan, {k: v for k, v in value.items() if v})
        self._ring()
        made = _plan_of(PLAN_FIELD + plan, self._personal.get(PLAN_FIELD + plan))
        assert made is not None
        return made

    def send_due(self) -> list[MessageId]:
        """Send the messages whose time has come; done by itself while this peer is online.

        One that cannot be sent is kept, with its ``problem``. Returns the ids of what was sent.
        """
        sent: list[MessageId] = []
        now_ms = self.now_ms()
        self._delete_repeated(now_ms)
        for plan in self.scheduled():
            if plan.at_ms > now_ms:
                break
            value = self._personal.get(PLAN_FIELD + plan.id)
            is_ours = isinstance(value, dict) and value.get("by") == self.device
            if plan.problem or (not is_ours and now_ms < plan.at_ms + GRACE_MS):
                continue
            try:
                sent += self._send_plan(plan)
            except SyncchatError as exc:
                with self._db.atomic():
                    self._personal.put(PLAN_FIELD + plan.id, {**value, "problem": str(exc)[:200]})
        return sent

    def _send_plan(self, plan: Plan) -> list[MessageId]:
        with self._db.atomic():
            row = rooms.find_by_id(self._db, plan.room_id)
            if row is None:
                raise NotFoundError("the room is not here")
            room = self._handle(row.id)
            message = room.send(plan.text, reply_to=plan.reply_to, thread=plan.thread)
            self._personal.put(PLAN_FIELD + plan.id, None)
            key = f"{SENT_FIELD}{plan.id}/{self.device}"
            self._personal.put(key, [room_text(plan.room_id), message.id, self.now_ms()])
        self._ring()
        return [message.id]

    def _delete_repeated(self, now_ms: int) -> None:
        """Delete what another own device has sent as well; the message written first stays."""
        by_plan: dict[str, list[tuple[str, MessageId, RoomId]]] = {}
        for key, value in self._personal.all(SENT_FIELD).items():
            room, message, at = value if isinstance(value, list) and len(value) == 3 else (0, 0, 0)
            room_id, message_id = _room(room), _id(message)
            if room_id is None or message_id is None or now_ms - _whole(at) > KEPT_MS:
                with self._db.atomic():
                    self._personal.put(key, None)
                continue
            plan = key[len(SENT_FIELD) :].partition("/")[0]
            by_plan.setdefault(plan, []).append((key, message_id, room_id))
        for sent in by_plan.values():
            first = min(message for _, message, _ in sent)
            for key, message, room_id in sent:
                row = rooms.find_by_id(self._db, room_id)
                if message == first or row is None:
                    continue
                with suppress(NotFoundError), self._db.atomic():  # it comes, or is deleted
                    self._handle(row.id).delete(message)
                    self._personal.put(key, None)

    # Reminders

    def remind(
        self,
        at: datetime | int,
        note: str = "",
        *,
        room: bytes | None = None,
        message: str | None = None,
    ) -> Reminder:
        """Ask to be told at a time, of a note or of a message; ``ReminderDue`` tells.

        Raises ``ValidationError``.
        """
        if len(note) > NOTE_CHARS_MAX:
            raise ValidationError(f"a note has at most {NOTE_CHARS_MAX:,} characters")
        if message is not None and (room is None or not is_message_id(message)):
            raise ValidationError("a reminder of a message needs its id and its room")
        if not note and message is None:
            raise ValidationError("say what to be reminded of: a note or a message")
        if len(self._personal.all(REMINDER_FIELD)) >= PLANS_MAX:
            raise ValidationError(f"there are {PLANS_MAX:,} reminders; let some go first")
        value = {
            "at": self._moment(at),
            "note": note,
            "room": None if room is None else room_text(RoomId(room)),
            "message": message,
        }
        reminder = self._new_id()
        with self._db.atomic():
            key = REMINDER_FIELD + reminder
            self._personal.put(key, {k: v for k, v in value.items() if v})
        self._ring()
        made = _reminder_of(key, self._personal.get(key))
        assert made is not None
        return made

    def reminders(self) -> list[Reminder]:
        """Return the reminders that were not dismissed, next one first."""
        found = self._personal.all(REMINDER_FIELD).items()
        made = [_reminder_of(key, value) for key, value in found]
        return sorted((r for r in made if r is not None), key=lambda r: (r.at_ms, r.id))

    def dismiss(self, reminder: str) -> None:
        """Take a reminder as done, on every device; raises ``NotFoundError``."""
        found = self._called([r.id for r in self.reminders()], reminder, "reminder")
        with self._db.atomic():
            self._personal.put(REMINDER_FIELD + found, None)
        self._ring()

    # Inside

    def _moment(self, at: datetime | int) -> int:
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise ValidationError(f"{at} has no time zone; use astimezone(), or ms since 1970")
            at = round(at.timestamp() * 1000)
        if isinstance(at, bool) or not isinstance(at, int) or not 0 < at <= MS_MAX:
            raise ValidationError(f"{at!r} is no time: give a datetime, or ms since 1970")
        if at <= self.now_ms():
            raise ValidationError("that time has passed already")
        return at

    def _new_id(self) -> str:
        return room_text(RoomId(self._random.bytes(16)))

    def _called(self, ids: list[str], wanted: str, what: str) -> str:
        found = [each for each in ids if wanted and each.startswith(wanted.upper())]
        if len(found) != 1:
            raise NotFoundError(f"no {what} {wanted[:30]!r}")
        return found[0]


def _plan_of(key: str, value: Any) -> Plan | None:
    """Return the plan in a field of the personal room, None for what makes no sense."""
    if not isinstance(value, dict):
        return None
    at, text, problem = value.get("at"), value.get("text"), value.get("problem", "")
    room = _room(value.get("room"))
    if not isinstance(at, int) or not isinstance(text, str) or room is None:
        return None
    return Plan(
        key[len(PLAN_FIELD) :],
        room,
        at,
        text,
        _id(value.get("reply_to")),
        _id(value.get("thread")),
        problem if isinstance(problem, str) else "",
    )


def _reminder_of(key: str, value: Any) -> Reminder | None:
    if not isinstance(value, dict) or not isinstance(value.get("at"), int):
        return None
    note = value.get("note", "")
    return Reminder(
        key[len(REMINDER_FIELD) :],
        value["at"],
        _room(value.get("room")),
        _id(value.get("message")),
        note if isinstance(note, str) else "",
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _room(value: Any) -> RoomId | None:
    try:
        return room_bytes(value) if isinstance(value, str) else None
    except SyncchatError:
        return None


def _id(value: Any) -> MessageId | None:
    return MessageId(value) if isinstance(value, str) and is_message_id(value) else None

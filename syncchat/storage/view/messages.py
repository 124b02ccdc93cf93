"""Messages: everything touched is folded anew, and stored as it is shown now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ...core import digest
from ...core.clock import ms_of
from ...core.fold import NOTHING, Mark, Reaction, Shown, Version, fold_message, fold_versions
from ...core.polls import Vote
from ...core.values import MessageValue, Root, decode_value, encode_value
from ...ids import DeviceId, MemberId, MessageId, Stamp, author_device, stamp_of
from ..database import Database
from ..members import Owners
from ..tallies import Added
from . import removed
from .attachments import Attachments
from .index import Index
from .log import hidden_of
from .marks import chunks, known_of, marks_about
from .scope import Scope, json_text
from .unread import Unread


class StoredRow(NamedTuple):
    """Is a stored message."""

    id: int
    message: MessageId
    chain: int | None
    volume: int | None
    clock: int | None
    seq: int | None
    value: str | None
    edited: str | None
    edited_at: Stamp | None
    deleted: int
    reactions: str | None
    thread: str | None
    mentions: str | None
    mention: int
    votes: str | None
    gone: int
    hidden: int


class Place(NamedTuple):
    """Says where in a journal a message's entry stands; all None while it is pending."""

    chain: int | None
    volume: int | None
    clock: int | None
    seq: int | None


GONE, OVER = 1, 2
"""What ``message.gone`` says: it has disappeared, or is older than the room keeps messages."""

PENDING = Place(None, None, None, None)
ROW = (
    "id, message, chain, volume, clock, seq, value, edited, edited_at, deleted, reactions, thread, "
    "mentions, mention, votes, gone, hidden"
)


class Messages:
    """Collects what becomes of messages; ``settle`` stores it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._attachments = Attachments(scope)
        self._values: dict[MessageId, tuple[Place, str, MessageValue]] = {}
        self._erased: set[MessageId] = set()
        self._touched: set[MessageId] = set()
        self._over: set[MessageId] = set()
        self.bare: dict[MessageId, None] = {}
        """Messages without a text any more, about which something came or went."""
        self.counted: list[Added] = []
        """Messages that are new, to be counted."""

    def put(self, message: MessageId, place: Place, raw: str, value: MessageValue) -> None:
        """Add a message's own entry, or replace it."""
        self._values[message] = (place, raw, value)

    def erase(self, message: MessageId) -> None:
        """Take a message's own entry away."""
        self._values.pop(message, None)
        self._erased.add(message)

    def withdraw(self, message: MessageId) -> None:
        """Take what was stored of a message away; what was put just now stays."""
        self._erased.add(message)

    def touch(self, message: MessageId) -> None:
        """Say that an entry about a message came or went."""
        self._touched.add(message)

    def end(self, message: MessageId) -> None:
        """Let a message disappear, because its time is over."""
        self._over.add(message)

    def settle(self) -> int:
        """Fold what was touched anew; return by how much the digest moves."""
        touched = self._touched | self._erased | self._over | self._values.keys()
        if not touched:
            return 0
        ordered = sorted(touched)
        scope = self._scope
        known = known_of(scope.db, scope.room, ordered)
        here = [message for message in ordered if message in known]
        rows: dict[MessageId, StoredRow] = {}
        marks: dict[str, list[Mark]] = {}
        hidden: set[MessageId] = set()
        if here:
            rows = {row.message: row for row in stored_rows(scope.db, scope.room, here)}
            marks = marks_about(scope.db, scope.room, here, me=scope.me)
            hidden = hidden_of(scope.db, scope.room, here)
        unread = Unread(scope.db, scope.room, scope.owners, me=scope.me)
        index = Index(scope.db)
        added: list[tuple[Any, ...]] = []
        counted: list[Added] = []
        changed: list[MessageId] = []
        delta = 0
        for message in ordered:
            row = rows.get(message)
            place, value = self._base(message, row)
            shown = fold_message(
                message,
                value,
                marks.get(message, ()),
                member_of=self._scope.owners.__getitem__,
                is_hidden=message in hidden,
                is_gone=message in self._over or (row is not None and row.gone == GONE),
            )
            if shown is not None and message < scope.cutoff and not shown.gone:
                shown = replace(shown, over=True)
            before = None if row is None else shown_of(row)
            if shown is not None and (shown.deleted or shown.gone):
                self.bare[message] = None
            if _has_words(before) and not _has_words(shown):
                self._scope.db.wipe()
            if shown == before:
                if row is not None and row.clock != place.clock:
                    self._move(row, place)
                continue
            delta += digest.of_message(shown) - digest.of_message(before)
            if message in known:
                changed.append(message)
            if row is not None and before is not None:
                index.change(row.id, before, shown)
            self._attachments.settle(message, before, shown)
            if shown is None:
                self._remove(message, row)
                index.trim()
            elif row is None or before is None:
                new = _added(shown, unread)
                counted.append(new)
                added.append(self._new_row(place, shown, new))
            else:
                self._update(row, place, before, shown, unread)
        if added:
            if here:
                added = removed.put_back(scope.db, scope.room, added)
            self._scope.db.executemany(
                "insert into message (room, message, chain, volume, clock, seq, value, edited, "
                "edited_at, deleted, reactions, thread, reply_to, mentions, votes, expires_ms, "
                "gone, hidden, mention, mention_at, unread, added, change) "
                f"values ({', '.join('?' * 23)})",
                added,
            )
            self.counted += counted
        index.settle(len(added))
        self._touch_answers(changed)
        self._values.clear()
        self._erased.clear()
        self._touched.clear()
        self._over.clear()
        return delta

    def _remove(self, message: MessageId, row: StoredRow | None) -> None:
        db, room = self._scope.db, self._scope.room
        is_sent = row is not None and row.chain is not None
        if is_sent and message >= self._scope.cutoff:
            removed.note(db, room, message)
        db.execute("delete from message where room = ? and message = ?", (room, message))
        # Nothing else would tell other readers that it is gone.
        db.execute("update room set change = ? where id = ?", (self._scope.change, room))

    def _touch_answers(self, changed: Sequence[MessageId]) -> None:
        """Say that messages changed which answer these: what they quote is another now."""
        told = [message for message in changed if self._is_heard(message)]
        for chunk in chunks(told):
            places = ",".join("?" * len(chunk))
            self._scope.db.execute(
                "update message set change = ? "
                f"where room = ? and gone = 0 and reply_to in ({places})",
                (self._scope.change, self._scope.room, *chunk),
            )

    def _is_heard(self, message: MessageId) -> bool:
        device = author_device(message)
        return device == self._scope.me or self._scope.owners[device] not in self._scope.blocked

    def _base(self, message: MessageId, row: StoredRow | None) -> tuple[Place, MessageValue | None]:
        """Return where a message's own entry stands now, and its value."""
        new = self._values.get(message)
        if new is not None:
            return new[0], new[2]
        if row is None:
            return PENDING, None
        if message in self._erased:
            return Place(row.chain, row.volume, None, row.seq), None
        place = Place(row.chain, row.volume, row.clock, row.seq)
        return place, None if row.value is None else decode_value(Root.MESSAGES, row.value)

    def _new_row(self, place: Place, shown: Shown, new: Added) -> tuple[Any, ...]:
        return (
            self._scope.room,
            shown.id,
            *place,
            self._raw(shown.id, shown, None),
            *_folded(shown),
            new.is_mention,
            self._scope.change if new.is_mention else None,
            new.is_unread,
            self._scope.change,
            self._scope.change,
        )

    def _is_untold(self, before: Shown, shown: Shown) -> bool:
        """Tell whether nobody is to hear of a change."""
        if before.is_away and shown.is_away:  # what was told as gone is not told again
            return True
        if (before.reactions, before.votes) == (shown.reactions, shown.votes):
            return False
        silent = self._scope.blocked
        return bool(silent) and _without(silent, before) == _without(silent, shown)

    def _update(
        self, row: StoredRow, place: Place, before: Shown, shown: Shown, unread: Unread
    ) -> None:
        mention = unread.is_mention(shown)
        self._scope.db.execute(
            "update message set chain = ?, volume = ?, clock = ?, seq = ?, value = ?, "
            "edited = ?, edited_at = ?, deleted = ?, reactions = ?, thread = ?, reply_to = ?, "
            "mentions = ?, votes = ?, expires_ms = ?, gone = ?, hidden = ?, mention = ?, "
            "mention_at = coalesce(?, mention_at), unread = ?, change = iif(?, change, ?) "
            "where id = ?",
            (
                *place,
                self._raw(row.message, shown, row.value),
                *_folded(shown),
                mention,
                self._scope.change if mention and not row.mention else None,
                _is_unread(shown, unread),
                self._is_untold(before, shown),
                self._scope.change,
                row.id,
            ),
        )

    def _move(self, row: StoredRow, place: Place) -> None:
        self._scope.db.execute(
            "update message set chain = ?, volume = ?, clock = ?, seq = ? where id = ?",
            (*place, row.id),
        )

    def _raw(self, message: MessageId, shown: Shown, before: str | None) -> str | None:
        if shown.deleted:
            return None
        if shown.gone:
            return encode_value(shown.value)
        new = self._values.get(message)
        return before if new is None else new[1]


def versions_of(
    db: Database, room: int, message: MessageId, *, me: DeviceId
) -> tuple[Version, ...]:
    """Return every text that a message had, oldest first; none of one that is not here."""
    rows = list(stored_rows(db, room, [message]))
    if not rows or rows[0].value is None:
        return ()
    value = decode_value(Root.MESSAGES, rows[0].value)
    marks = marks_about(db, room, [message], me=me).get(message, ())
    return fold_versions(message, value, marks, member_of=Owners(db, room).__getitem__)


def reactions_to(db: Database, room: int, message: MessageId) -> tuple[Reaction, ...]:
    """Return a message's reactions as they were written."""
    row = next(iter(stored_rows(db, room, [message])), None)
    return () if row is None else reactions_of(row.reactions)


def stored_rows(db: Database, room: int, ids: Sequence[str]) -> Iterator[StoredRow]:
    """Yield the stored rows of messages."""
    for chunk in chunks(ids):
        places = ",".join("?" * len(chunk))
        yield from (
            StoredRow(*row)
            for row in db.rows(
                f"select {ROW} from message where room = ? and message in ({places})",
                (room, *chunk),
            )
        )


def shown_of(row: StoredRow) -> Shown:
    """Return what a stored row shows."""
    if row.deleted:
        is_gone, is_over = row.gone == GONE, row.gone == OVER
        return Shown(row.message, deleted=True, thread=row.thread, gone=is_gone, over=is_over)
    votes, closed_at = votes_of(row.votes)
    value = NOTHING if row.value is None else decode_value(Root.MESSAGES, row.value)
    return Shown(
        row.message,
        value=value,
        text=value.text if row.edited is None else row.edited,
        edited_at=row.edited_at,
        reactions=reactions_of(row.reactions),
        thread=row.thread,
        mentions=mentions_of(row.mentions, value),
        votes=votes,
        closed_at=closed_at,
        hidden=bool(row.hidden),
        gone=row.gone == GONE,
        over=row.gone == OVER,
    )


def mentions_of(stored: str | None, value: MessageValue) -> tuple[str, ...]:
    """Return whom a message mentions now, from what is stored where an edit has changed it."""
    return value.mentions if stored is None else tuple(msgspec.json.decode(stored))


def reactions_of(stored: str | None) -> tuple[Reaction, ...]:
    """Return a message's reactions from their stored form."""
    if stored is None:
        return ()
    return tuple(Reaction(*each) for each in msgspec.json.decode(stored))


def votes_of(stored: str | None) -> tuple[tuple[Vote, ...], Stamp | None]:
    """Return a poll's votes, and when it was closed, from their stored form."""
    if stored is None:
        return (), None
    closed_at, votes = msgspec.json.decode(stored)
    return tuple(Vote(member, tuple(choices), at) for member, choices, at in votes), closed_at


def _has_words(shown: Shown | None) -> bool:
    return shown is not None and not shown.deleted and not shown.gone


def _without(people: Set[MemberId], shown: Shown) -> Shown:
    """Return what a message shows without what some people say of it."""
    return replace(
        shown,
        reactions=tuple(each for each in shown.reactions if each.member not in people),
        votes=tuple(each for each in shown.votes if each.member not in people),
    )


def _is_unread(shown: Shown, unread: Unread) -> bool:
    """Tell whether a message waits to be read by this person."""
    return shown.is_there and unread.is_unread(shown.id, shown.thread)


def _added(shown: Shown, unread: Unread) -> Added:
    is_unread = _is_unread(shown, unread)
    return Added(shown.id, shown.thread, not shown.is_there, is_unread, unread.is_mention(shown))


def _folded(shown: Shown) -> tuple[Any, ...]:
    """Return the folded columns: from ``edited`` to ``hidden``, in the order of the insert."""
    expires = shown.value.expires
    has_votes = shown.votes or shown.closed_at is not None
    return (
        None if shown.edited_at is None else shown.text,
        shown.edited_at,
        shown.deleted,
        json_text(shown.reactions) if shown.reactions else None,
        shown.thread,
        shown.value.reply_to,
        None if shown.mentions == shown.value.mentions else json_text(shown.mentions),
        json_text((shown.closed_at, shown.votes)) if has_votes else None,
        None if expires is None else ms_of(stamp_of(shown.id)) + expires,
        OVER if shown.over else GONE if shown.gone else 0,
        shown.hidden,
    )

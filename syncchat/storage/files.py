"""Rows about files: which messages have which, what of them is here, and what is to be done.

A *file* is the bytes of an attachment in one room; ``attachment`` says which messages show it, and
is kept by the view. The bytes themselves are in ``packs``. A file that no message shows any more is
*loose* (``loose``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..core.attachments import Attachment
from ..core.clock import stamp
from ..ids import MessageId
from ..trust.files import chunk_count, split_names
from . import rooms
from .aside import shown_condition
from .database import Database

WANTED_NOT, WANTED_BY_ITSELF, WANTED_BY_HAND = 0, 1, 2
OWED_NOT, OWED = 0, 1


AUTOMATIC_DAYS = 7
"""How old a message is whose file still comes by itself: who joins fetches no years of files."""


class Problem(StrEnum):
    """Says why a file waits, or is not sent or fetched."""

    NONE = ""
    WAITING = "waiting"
    GONE = "gone"
    DAMAGED = "damaged"
    NO_FILE = "no file"
    SILENT = "silent"
    REFUSED = "refused"
    ROOM_FULL = "room full"
    RELAY_FULL = "relay full"
    TOO_LARGE = "too large"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class FileRow:
    """Is a file as stored.

    ``have`` has a bit for each chunk that is here, ``here`` is their number; ``sent`` is how many
    the relay has. ``wanted`` says that it is to be fetched, and who said so; ``owed`` that it is to
    be sent. ``mine`` is whether this person's own devices answer for it at the relay; ``was_here``
    whether all of it ever was here.
    """

    id: int
    room: int
    pack: str
    root: bytes
    key: bytes
    size: int
    names: bytes | None
    have: bytes
    here: int
    sent: int
    wanted: int
    owed: int
    mine: bool
    was_here: bool
    problem: Problem
    used_ms: int

    @property
    def chunks(self) -> int:
        """Return how many chunks it has."""
        return chunk_count(self.size)

    @property
    def is_whole(self) -> bool:
        """Tell whether all of it is here."""
        return self.names is not None and self.here == self.chunks

    @property
    def chunk_names(self) -> list[bytes]:
        """Return the names of its chunks; none while its manifest is not here."""
        return [] if self.names is None else split_names(self.names)

    def has(self, number: int) -> bool:
        """Tell whether a chunk is here."""
        at, bit = divmod(number, 8)
        return at < len(self.have) and bool(self.have[at] >> bit & 1)

    def missing(self) -> list[int]:
        """Return the numbers of the chunks that are not here."""
        return [number for number in range(self.chunks) if not self.has(number)]


COLUMNS = (
    "id, room, pack, root, key, size, names, have, here, sent, wanted, owed, mine, was_here, "
    "problem, used_ms"
)


def pack_name(room_id: bytes, file: Attachment | FileRow) -> str:
    """Return the name of the pack of a file in a room.

    Two messages that say different things of the same bytes have two: one may be lying.
    """
    said = file.size.to_bytes(8) + file.key + file.root
    return hashlib.blake2b(room_id + said, digest_size=20, person=b"syncchat pack 1").hexdigest()


# One file


def load_file(db: Database, file: int) -> FileRow | None:
    """Return a file, None where it is gone."""
    row = db.row(f"select {COLUMNS} from file where id = ?", (file,))
    return None if row is None else file_of(row)


def find_file(db: Database, pack: str) -> FileRow | None:
    """Return the file with this pack, or None."""
    row = db.row(f"select {COLUMNS} from file where pack = ?", (pack,))
    return None if row is None else file_of(row)


def add_file(
    db: Database,
    room: int,
    pack: str,
    said: Attachment | FileRow,
    *,
    names: Iterable[bytes] | None = None,
    wanted: int = WANTED_NOT,
    mine: bool = False,
    now_ms: int = 0,
) -> FileRow:
    """Store a file; with the ``names`` of its chunks it is all here, and to be sent.

    One that is stored already stays as it is. Inside a transaction.
    """
    found = find_file(db, pack)
    if found is not None:
        return found
    count = chunk_count(said.size)
    is_whole = names is not None
    db.execute(
        "insert into file (room, pack, root, key, size, names, have, here, wanted, owed, mine, "
        "was_here, used_ms, change) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            room,
            pack,
            said.root,
            said.key,
            said.size,
            None if names is None else b"".join(names),
            _bits(count) if is_whole else b"",
            count if is_whole else 0,
            wanted,
            OWED if is_whole else OWED_NOT,
            mine,
            is_whole,
            now_ms,
            rooms.next_change(db),
        ),
    )
    added = find_file(db, pack)
    assert added is not None
    return added


def take_over(db: Database, room: int, pack: str, file: FileRow, *, now_ms: int) -> None:
    """Store that a file that is whole in another room is so in this one, too, and to be sent."""
    names = file.chunk_names
    added = add_file(db, room, pack, file, names=names, mine=True, now_ms=now_ms)
    if not added.is_whole:
        set_names(db, added.id, names)
        note_chunks(db, added, range(added.chunks), now_ms=now_ms)
        set_owed(db, added.id)
        set_mine(db, added.id)


def set_names(db: Database, file: int, names: Iterable[bytes]) -> None:
    """Store the names of a file's chunks, as its manifest says."""
    update(db, file, "names = ?, problem = ''", (b"".join(names),))


def note_chunks(
    db: Database,
    file: FileRow,
    numbers: Iterable[int],
    *,
    now_ms: int,
    problem: Problem = Problem.NONE,
) -> None:
    """Store that chunks are here; with the last one the file is no longer wanted."""
    have = bytearray(file.have.ljust(-(-file.chunks // 8), b"\0"))
    for number in numbers:
        have[number // 8] |= 1 << number % 8
    here = sum(octet.bit_count() for octet in have)
    what = "have = ?, here = ?, used_ms = ?, problem = ?"
    update(db, file.id, what, (bytes(have), here, now_ms, problem))
    if here == file.chunks:
        note_whole(db, file.id)


def note_whole(db: Database, file: int) -> None:
    """Store that all of a file is here."""
    update(db, file, "wanted = 0, was_here = 1, problem = ''", ())


def forget_chunks(db: Database, file: FileRow, numbers: Iterable[int]) -> None:
    """Store that chunks are not here after all; what was to be sent of it cannot be any more.

    The relay or another member may have them, so it can be asked for.
    """
    have = bytearray(file.have)
    for number in numbers:
        at, bit = divmod(number, 8)
        if at < len(have):
            have[at] &= ~(1 << bit) & 0xFF
    here = sum(octet.bit_count() for octet in have)
    problem = Problem.LOST if file.owed and file.mine else Problem.NONE
    update(db, file.id, "have = ?, here = ?, owed = 0, problem = ?", (bytes(have), here, problem))


def note_sent(db: Database, file: int, sent: int) -> None:
    """Store how many of a file's chunks the relay has."""
    update(db, file, "sent = ?, problem = ''", (sent,))


def note_all_sent(db: Database, file: FileRow) -> None:
    """Store that the relay has all of a file."""
    update(db, file.id, "sent = ?, owed = 0, problem = ''", (file.chunks,))


def set_problem(db: Database, file: FileRow, problem: Problem) -> None:
    """Store why a file waits; one that cannot be had is not wanted any more."""
    if problem in (Problem.GONE, Problem.NO_FILE, Problem.TOO_LARGE):
        update(db, file.id, "problem = ?, wanted = 0", (problem,))
    elif problem != file.problem:
        update(db, file.id, "problem = ?", (problem,))


def set_wanted(db: Database, file: int, wanted: int) -> None:
    """Store whether a file is to be fetched, whatever stopped it before."""
    update(db, file, "wanted = ?, problem = ''", (wanted,))


def set_owed(db: Database, file: int) -> None:
    """Store that a file is to be sent, from its beginning."""
    update(db, file, "owed = 1, sent = 0, problem = ''", ())


def set_mine(db: Database, file: int) -> None:
    """Store that this person's devices answer for a file at the relay."""
    db.execute("update file set mine = 1 where id = ?", (file,))


def note_used(db: Database, file: int, now_ms: int) -> None:
    """Store that somebody has used a file."""
    db.execute("update file set used_ms = ? where id = ?", (now_ms, file))


def note_evicted(db: Database, file: int) -> None:
    """Store that nothing of a file is here any more, to make room for others."""
    update(db, file, "have = x'', here = 0", ())


# Many files


def files_of(db: Database, room: int, message: MessageId) -> list[tuple[int, FileRow]]:
    """Return the files that a message shows, with their places."""
    rows = db.rows(
        f"select place, {columns_of_table()} from attachment "
        "join file on file.id = attachment.file "
        "where attachment.room = ? and message = ? order by place",
        (room, message),
    )
    return [(row[0], file_of(row[1:])) for row in rows]


def messages_with_files(
    db: Database, room: int, *, before: str | None, after: str | None, limit: int
) -> list[MessageId]:
    """Return messages that show files, in display order: the last ones, or those next to an id."""
    where, values = ["room = ?", shown_condition(db, room)], [room]
    for sign, given in (("<", before), (">", after)):
        if given is not None:
            where.append(f"message {sign} ?")
            values.append(given)  # type: ignore[arg-type]
    forward = after is not None and before is None
    rows = db.rows(
        f"select distinct message from attachment as message where {' and '.join(where)} "
        f"order by message {'' if forward else 'desc'} limit ?",
        (*values, limit),
    )
    found = [MessageId(message) for (message,) in rows]
    return found if forward else found[::-1]


def last_message(db: Database, file: int) -> MessageId | None:
    """Return the newest message that shows a file."""
    row = db.row("select max(message) from attachment where file = ?", (file,))
    return None if row is None or row[0] is None else MessageId(row[0])


def owed_files(db: Database, room: int, *, limit: int) -> list[FileRow]:
    """Return the files of a room that are to be sent, first written first."""
    rows = db.rows(
        f"select {COLUMNS} from file where room = ? and owed > 0 and problem <> ? "
        "order by id limit ?",
        (room, Problem.CANCELLED, limit),
    )
    return [file_of(row) for row in rows]


def sent_files(db: Database, room: int, *, since: str, limit: int) -> list[FileRow]:
    """Return this person's files of a room that were sent and are still here, newest first."""
    rows = db.rows(
        f"select {COLUMNS} from file where room = ? and mine = 1 and owed = 0 and sent > 0 and "
        "was_here = 1 and exists (select 1 from attachment where file = file.id and message >= ?) "
        "order by id desc limit ?",
        (room, since, limit),
    )
    return [found for found in map(file_of, rows) if found.is_whole]


def wanted_files(db: Database, room: int, *, since: str, limit: int) -> list[FileRow]:
    """Return the files of a room that are to be fetched: those somebody asked for, then others.

    ``since`` is the id from which on messages are new enough for files to come by themselves.
    """
    rows = db.rows(
        f"select {COLUMNS} from file where room = ? and wanted > 0 and "
        f"{_is_awaited(db, room)} order by wanted desc, id limit ?",
        (room, since, limit),
    )
    return [file_of(row) for row in rows]


def _is_awaited(db: Database, room: int) -> str:
    """Return an SQL condition: a message that is to be seen here shows a file that is wanted."""
    return (
        "exists (select 1 from attachment as message where file = file.id and "
        "(wanted > 1 or message >= ?) and (mine = 1 or not exists (select 1 from hidden "
        "where hidden.room = message.room and hidden.message = message.message)) "
        f"and {shown_condition(db, room)})"
    )


def new_since(now_ms: int) -> str:
    """Return the id from which on messages are new enough for files to come by themselves."""
    return stamp(max(0, now_ms - AUTOMATIC_DAYS * 24 * 3600 * 1000))


def has_work(db: Database, room: int, *, since: str) -> bool:
    """Tell whether a file of a room is on its way: one that nothing stops and nobody lacks."""
    row = db.row(
        "select 1 from file where room = ? and owed > 0 and problem = '' union all "
        "select 1 from file where room = ? and wanted > 0 and problem = '' and "
        f"{_is_awaited(db, room)} union all "
        "select 1 from blob_drop where room = ? limit 1",
        (room, room, since, room),
    )
    return row is not None


def rooms_with_work(db: Database) -> set[int]:
    """Return the rooms in which there is a file to send, to fetch or to drop."""
    rows = db.rows(
        "select room from file where owed > 0 union select room from file where wanted > 0 "
        "union select room from blob_drop"
    )
    return {room for (room,) in rows}


def all_files(db: Database, room: int | None = None) -> Iterator[FileRow]:
    """Yield every file, or every one of a room."""
    where, params = ("", ()) if room is None else ("where room = ?", (room,))
    for row in db.rows(f"select {COLUMNS} from file {where} order by id", params):
        yield file_of(row)


def unfinished(db: Database, *, limit: int) -> list[tuple[int, MessageId, int]]:
    """Return (room, message, place) of files that are to be sent or fetched, or were given up."""
    return [
        (room, MessageId(message), place)
        for room, message, place in db.rows(
            "select attachment.room, message, place from file "
            "join attachment on attachment.file = file.id "
            "where owed > 0 or wanted > 0 or problem <> '' order by message, place limit ?",
            (limit,),
        )
    ]


def offer_again(db: Database, room: int, *, mine: bool) -> None:
    """Have the files of a room that are all here, this person's or others', sent once more.

    For a relay that has lost what it had. One that the relay has it says so, and nothing is sent.
    """
    db.execute(
        "update file set owed = 1, sent = 0 where room = ? and mine = ? and owed = 0 and "
        "was_here = 1 and names is not null and here * 32 = length(names)",
        (room, mine),
    )


# Inside


def update(db: Database, file: int, what: str, values: tuple[Any, ...]) -> None:
    """Store something new of a file, so that it counts as changed."""
    db.execute(
        f"update file set {what}, change = ? where id = ?", (*values, rooms.next_change(db), file)
    )


def _bits(count: int) -> bytes:
    """Return ``count`` bits that are set."""
    return ((1 << count) - 1).to_bytes(-(-count // 8), "little")


def columns_of_table() -> str:
    """Return the columns of a file for queries of several tables."""
    return ", ".join(f"file.{name}" for name in COLUMNS.split(", "))


def file_of(row: tuple[Any, ...]) -> FileRow:
    """Return the file in a row of ``COLUMNS``."""
    flags = bool(row[12]), bool(row[13]), Problem(row[14]), row[15]
    values: tuple[Any, ...] = (*row[:12], *flags)
    return FileRow(*values)

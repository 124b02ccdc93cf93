"""The log in one SQLite file: WAL, every append synced to disk.

Nothing is cached between calls but what rooms' records come to, which is dropped when a
transaction fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from syncchat.ports import Random
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.group import Group

from . import Append, CursorEntry, Head, Holder, Newest, Outcome, Standing, Stretch
from .covering import faded_fingerprint
from .gate import Gate, Rate
from .groups import Groups, folded, holder_of, last_readable, standing_of
from .lock import lock_folder
from .newest import newest
from .rows import OpenRoom
from .schema import SEQ_BITS, open_database, translated

FILE_NAME = "relay.db"
_SEQ_MAX = (1 << SEQ_BITS) - 1


class SqliteLog:
    """Keeps envelopes in ``relay.db`` of a folder that no other relay uses.

    ``is_open`` makes it an open log; that is not kept with it.
    """

    def __init__(self, folder: Path, *, random: Random, is_open: bool = True) -> None:
        self._path = folder / FILE_NAME
        self._is_open = is_open
        self._rate = Rate()
        self._groups = Groups()
        self._lock = lock_folder(folder)
        try:
            self._conn = open_database(self._path, random=random)
        except BaseException:
            self._lock.close()
            raise
        (self._incarnation,) = self._conn.execute("SELECT incarnation FROM relay").fetchone()

    @property
    def incarnation(self) -> bytes:
        return bytes(self._incarnation)

    def append(self, batch: Sequence[Append], *, now_ms: int = 0) -> list[list[Outcome]]:
        outcomes: list[list[Outcome]] = []
        rooms: dict[bytes, OpenRoom] = {}
        gates: dict[bytes, Gate] = {}
        try:
            with self._transaction():
                for item in batch:
                    gate = gates.get(item.room)
                    if gate is None:
                        room = rooms[item.room] = OpenRoom.load(self._conn, item.room)
                        gate = gates[item.room] = self._gate(room, now_ms)
                    outcomes.append(gate.push(item))
                for room in rooms.values():
                    room.save()
        except BaseException:  # it may be committed or not
            for name in rooms:
                self._groups.drop(name)
            raise
        if any(room.is_thinner for room in rooms.values()):
            with suppress(sqlite3.Error):  # what is deleted stands in the write-ahead log, too
                self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for name, gate in gates.items():
            if gate.group is not None:
                self._groups.keep(name, gate.group, rooms[name].record_octets)
        return outcomes

    def standing(self, room: bytes, keys: Sequence[bytes], *, now_ms: int) -> Standing:
        if self._is_open:
            return Standing.MEMBER
        return standing_of(self._group(room), keys, now_ms=now_ms)

    def find(self, invite: bytes, *, now_ms: int) -> bytes:
        room = self._groups.room_of(invite)
        group = self._group(room) if room else None
        return room if group is not None and group.is_found_by(invite, now_ms) else b""

    def holder(self, room: bytes, key: bytes) -> Holder | None:
        if self._is_open:
            return Holder(key[:8], True)
        return holder_of(self._group(room), key)

    def last_readable(
        self, room: bytes, keys: Sequence[bytes], *, verified: int, now_ms: int
    ) -> int:
        with self._reading():
            records = OpenRoom.load(self._conn, room).placed_records()
        return last_readable(records, keys, verified=verified, now_ms=now_ms)

    def read(
        self, room: bytes, after: int, *, upto: int, envelopes_max: int, bytes_max: int
    ) -> Stretch:
        found: list[tuple[int, bytes]] = []
        size, last = 0, upto
        with self._reading():
            base = self._place(room, 0)
            rows = self._conn.execute(
                "SELECT place, body FROM envelope WHERE place > ? AND place <= ? "
                "ORDER BY place LIMIT ?",
                (base | after, base | upto, envelopes_max + 1),
            )
            for place, body in rows:
                size += len(body)
                if found and (size > bytes_max or len(found) == envelopes_max):
                    last = found[-1][0]
                    break
                found.append((place - base, body))
            rows.close()
        return Stretch(tuple(found), last)

    def snapshots(
        self, room: bytes, after: int, *, upto: int, bytes_max: int
    ) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        size = 0
        with self._reading():
            base = self._place(room, 0)
            rows = self._conn.execute(
                "SELECT seq, body FROM snapshot JOIN envelope ON place = ?1 | seq "
                "WHERE room = ?2 AND seq > ?3 AND seq <= ?4 ORDER BY seq",
                (base, base >> SEQ_BITS, after, upto),
            )
            for seq, body in rows:
                size += len(body)
                if found and size > bytes_max:
                    break
                found.append((seq, body))
            rows.close()
        return found

    def records(self, room: bytes, after: int) -> list[tuple[int, bytes]]:
        with self._reading():
            placed = OpenRoom.load(self._conn, room).placed_records(after)
        return placed

    def newest(self, room: bytes, after: int, *, envelopes_max: int, bytes_max: int) -> Newest:
        with self._reading():
            kept = OpenRoom.load(self._conn, room)
            base = kept.row << SEQ_BITS
            rows = self._conn.execute(
                "SELECT place & ?, body FROM envelope WHERE place > ? AND place <= ? "
                "ORDER BY place DESC",
                (_SEQ_MAX, base | after, base | kept.head),
            )
            found = newest(
                room,
                rows,
                head=kept.head,
                after=after,
                envelopes_max=envelopes_max,
                bytes_max=bytes_max,
                previous_of=kept.previous_of,
                first_of=kept.first_of,
            )
            rows.close()
        return found

    def head(self, room: bytes) -> Head:
        with self._reading():
            row = self._conn.execute(
                "SELECT head, fingerprint FROM room WHERE name = ?", (room,)
            ).fetchone()
        return Head(*row) if row else Head(0, EMPTY_FINGERPRINT)

    def fingerprint_at(self, room: bytes, seq: int) -> bytes | None:
        if seq == 0:
            return EMPTY_FINGERPRINT
        if seq > _SEQ_MAX:
            return None
        with self._reading():
            place = self._place(room, seq)
            row = self._conn.execute(
                "SELECT fingerprint FROM envelope WHERE place = ?", (place,)
            ).fetchone()
            if row is None:
                return faded_fingerprint(self._conn, place >> SEQ_BITS, seq)
        return bytes(row[0])

    def chain_seq(self, room: bytes, device: bytes) -> int:
        with self._reading():
            row = self._conn.execute(
                "SELECT chain.seq FROM chain JOIN room ON room.id = chain.room "
                "WHERE room.name = ? AND substr(chain.key, 1, 8) = ?",
                (room, device),
            ).fetchone()
        return int(row[0]) if row else 0

    def chains(self, room: bytes) -> list[tuple[bytes, int]]:
        with self._reading():
            return self._conn.execute(
                "SELECT substr(chain.key, 1, 8), chain.seq FROM chain "
                "JOIN room ON room.id = chain.room WHERE room.name = ? ORDER BY 1",
                (room,),
            ).fetchall()

    def set_cursors(self, entries: Sequence[CursorEntry]) -> None:
        # Only a hint that peers repeat with every Applied, so a power cut may take it.
        with self._reading():
            self._conn.execute("PRAGMA synchronous = NORMAL")
        try:
            with self._transaction():
                self._conn.executemany(
                    "INSERT INTO cursor SELECT id, ?, ? FROM room WHERE name = ? "
                    "ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
                    [(entry.device, entry.cursor, entry.room) for entry in entries],
                )
        finally:
            with self._reading():
                self._conn.execute("PRAGMA synchronous = FULL")

    def cursors(self, room: bytes) -> list[tuple[bytes, int]]:
        with self._reading():
            return self._conn.execute(
                "SELECT device, cursor.seq FROM cursor JOIN room ON room.id = cursor.room "
                "WHERE room.name = ? ORDER BY device",
                (room,),
            ).fetchall()

    def close(self) -> None:
        self._conn.close()
        self._lock.close()

    def _group(self, room: bytes) -> Group | None:
        """Return what a room's committed records come to, None where there are none."""
        group = self._groups.get(room)
        if group is None:
            with self._reading():
                stored = OpenRoom.load(self._conn, room)
                group = folded(stored.read_records())
            if group is not None:
                self._groups.keep(room, group, stored.record_octets)
        return group

    def _gate(self, room: OpenRoom, now_ms: int) -> Gate:
        group = self._groups.get(room.name)
        if group is None and room.records:
            group = folded(room.read_records())
        return Gate(room, group, is_open=self._is_open, rate=self._rate, now_ms=now_ms)

    def _place(self, room: bytes, seq: int) -> int:
        row = self._conn.execute("SELECT id FROM room WHERE name = ?", (room,)).fetchone()
        return (row[0] if row else 0) << SEQ_BITS | seq

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise translated(exc, self._path) from exc

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._conn.execute("COMMIT")
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise
        except sqlite3.Error as exc:
            raise translated(exc, self._path) from exc

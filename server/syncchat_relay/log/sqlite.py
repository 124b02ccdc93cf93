"""The log in one SQLite file: WAL, every append synced to disk, nothing cached between calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncchat.ids import DeviceKey
from syncchat.ports import Random
from syncchat.trust.chain import EMPTY_FINGERPRINT, ChainHead, next_fingerprint
from syncchat.wire.codes import ItemStatus

from . import Append, CursorEntry, Head, Outcome
from .judge import Fresh, judge
from .lock import lock_folder
from .schema import SEQ_BITS, open_database, translated

FILE_NAME = "relay.db"
_SEQ_MAX = (1 << SEQ_BITS) - 1


class SqliteLog:
    """Keeps envelopes in ``relay.db`` of a folder that no other relay uses."""

    def __init__(self, folder: Path, *, random: Random) -> None:
        self._path = folder / FILE_NAME
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

    def append(self, batch: Sequence[Append]) -> list[list[Outcome]]:
        outcomes: list[list[Outcome]] = []
        with self._transaction():
            rooms: dict[bytes, _OpenRoom] = {}
            for item in batch:
                room = rooms.get(item.room)
                if room is None:
                    room = rooms[item.room] = _OpenRoom.load(self._conn, item.room)
                outcomes.append([room.append(raw) for raw in item.envelopes])
            for room in rooms.values():
                room.save()
        return outcomes

    def read(self, room: bytes, after: int, *, envelopes_max: int, bytes_max: int) -> list[bytes]:
        found: list[bytes] = []
        size = 0
        with self._reading():
            place = self._place(room, after)
            rows = self._conn.execute(
                "SELECT body FROM envelope WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
                (place, place | _SEQ_MAX, envelopes_max),
            )
            for (body,) in rows:
                size += len(body)
                if found and size > bytes_max:
                    break
                found.append(body)
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
            row = self._conn.execute(
                "SELECT fingerprint FROM envelope WHERE place = ?", (self._place(room, seq),)
            ).fetchone()
        return bytes(row[0]) if row else None

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


@dataclass(slots=True)
class _Chain:
    """Is a chain within a transaction; ``last`` is the seq of its last envelope."""

    row: int
    head: ChainHead
    last: int
    is_changed: bool = False


@dataclass(slots=True)
class _OpenRoom:
    """Is a room within one transaction: read once, written back once, then forgotten."""

    conn: sqlite3.Connection
    name: bytes
    row: int
    head: int
    fingerprint: bytes
    head_before: int
    chains: dict[bytes, _Chain | None] = field(default_factory=dict)

    @classmethod
    def load(cls, conn: sqlite3.Connection, name: bytes) -> _OpenRoom:
        row = conn.execute(
            "SELECT id, head, fingerprint FROM room WHERE name = ?", (name,)
        ).fetchone()
        row_id, head, fingerprint = row or (0, 0, EMPTY_FINGERPRINT)
        return cls(conn, name, row_id, head, fingerprint, head)

    def append(self, raw: bytes) -> Outcome:
        verdict = judge(self.name, raw, chain_of=self._chain_of, stored_at=self._stored_at)
        if not isinstance(verdict, Fresh):
            return verdict
        if not self.row:  # a room exists from its first good envelope
            self.row = _inserted(
                self.conn, "INSERT INTO room VALUES (NULL, ?, 0, ?)", self.name, self.fingerprint
            )
        self.head += 1
        self.fingerprint = next_fingerprint(self.fingerprint, raw)
        self.conn.execute(
            "INSERT INTO envelope VALUES (?, ?, ?)",
            (self.row << SEQ_BITS | self.head, self.fingerprint, raw),
        )
        self._advance(verdict)
        return Outcome(ItemStatus.STORED, self.head)

    def save(self) -> None:
        if self.head == self.head_before:
            return
        self.conn.execute(
            "UPDATE room SET head = ?, fingerprint = ? WHERE id = ?",
            (self.head, self.fingerprint, self.row),
        )
        self.conn.executemany(
            "UPDATE chain SET seq = ?, link = ?, last = ? WHERE id = ?",
            [
                (chain.head.seq, chain.head.link, chain.last, chain.row)
                for chain in self.chains.values()
                if chain is not None and chain.is_changed
            ],
        )

    def _advance(self, fresh: Fresh) -> None:
        chain = self.chains[fresh.device]
        if chain is None:
            head = fresh.head
            row = _inserted(
                self.conn,
                "INSERT INTO chain VALUES (NULL, ?, ?, ?, ?, ?)",
                *(self.row, head.key, head.seq, head.link, self.head),
            )
            chain = self.chains[fresh.device] = _Chain(row, head, 0)
        if chain.last == 0 or chain.last != self.head - 1:
            self.conn.execute(
                "INSERT INTO run VALUES (?, ?, ?)", (chain.row, fresh.head.seq, self.head)
            )
        chain.head, chain.last, chain.is_changed = fresh.head, self.head, True

    def _chain_of(self, device: bytes) -> ChainHead | None:
        if device not in self.chains:
            row = self.conn.execute(
                "SELECT id, key, seq, link, last FROM chain "
                "WHERE room = ? AND substr(key, 1, 8) = ?",
                (self.row, device),
            ).fetchone()
            self.chains[device] = (
                _Chain(row[0], ChainHead(DeviceKey(row[1]), row[2], row[3]), row[4])
                if row
                else None
            )
        chain = self.chains[device]
        return chain.head if chain is not None else None

    def _stored_at(self, device: bytes, chain_seq: int) -> tuple[int, bytes]:
        chain = self.chains[device]
        assert chain is not None  # the judge asks only within a chain that it was given
        first_chain_seq, first = self.conn.execute(
            "SELECT chain_seq, seq FROM run WHERE chain = ? AND chain_seq <= ? "
            "ORDER BY chain_seq DESC LIMIT 1",
            (chain.row, chain_seq),
        ).fetchone()
        seq = first + chain_seq - first_chain_seq
        (body,) = self.conn.execute(
            "SELECT body FROM envelope WHERE place = ?", (self.row << SEQ_BITS | seq,)
        ).fetchone()
        return seq, body


def _inserted(conn: sqlite3.Connection, statement: str, *values: object) -> int:
    row = conn.execute(statement, values).lastrowid
    assert row is not None
    return row

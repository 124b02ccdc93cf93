"""A room's rows: what one transaction reads of a room once, and writes back once."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from syncchat.ids import DeviceKey
from syncchat.trust.chain import EMPTY_FINGERPRINT, ChainHead, next_fingerprint
from syncchat.trust.records import Record

from .judge import Fresh
from .schema import SEQ_BITS


@dataclass(slots=True)
class _Chain:
    """Is a chain within a transaction; ``last`` is the seq of its last envelope."""

    row: int
    head: ChainHead
    last: int
    is_changed: bool = False


@dataclass(slots=True)
class OpenRoom:
    """Is a room within one transaction: read once, written back once, then forgotten."""

    conn: sqlite3.Connection
    name: bytes
    row: int
    head: int
    fingerprint: bytes
    head_before: int
    records: int
    record_octets: int
    creator: bytes
    chains: dict[bytes, _Chain | None] = field(default_factory=dict)

    @classmethod
    def load(cls, conn: sqlite3.Connection, name: bytes) -> OpenRoom:
        row = conn.execute(
            "SELECT id, head, fingerprint, records, record_octets, creator "
            "FROM room WHERE name = ?",
            (name,),
        ).fetchone()
        row_id, head, fingerprint, *kept = row or (0, 0, EMPTY_FINGERPRINT, 0, 0, b"")
        return cls(conn, name, row_id, head, fingerprint, head, *kept)

    def record_seq(self, hash_: bytes) -> int:
        row = self.conn.execute(
            "SELECT seq FROM record WHERE room = ? AND hash = ?", (self.row, hash_)
        ).fetchone()
        return int(row[0]) if row else 0

    def read_records(self) -> list[bytes]:
        return [raw for _, raw in self.placed_records()]

    def placed_records(self) -> list[tuple[int, bytes]]:
        """Return (seq, record) of every stored record, in order."""
        return self.conn.execute(
            "SELECT seq, body FROM record JOIN envelope ON place = room << ? | seq "
            "WHERE room = ? ORDER BY seq",
            (SEQ_BITS, self.row),
        ).fetchall()

    def store_envelope(self, fresh: Fresh) -> int:
        seq = self._store(fresh.raw)
        self._advance(fresh)
        return seq

    def store_record(self, record: Record) -> int:
        seq = self._store(record.raw)
        self.conn.execute("INSERT INTO record VALUES (?, ?, ?)", (self.row, seq, record.hash))
        self.records += 1
        self.record_octets += len(record.raw)
        return seq

    def _store(self, raw: bytes) -> int:
        if not self.row:  # a room exists from its first good envelope or record
            self.row = _inserted(
                self.conn,
                "INSERT INTO room (name, head, fingerprint) VALUES (?, 0, ?)",
                self.name,
                self.fingerprint,
            )
        self.head += 1
        self.fingerprint = next_fingerprint(self.fingerprint, raw)
        self.conn.execute(
            "INSERT INTO envelope VALUES (?, ?, ?)",
            (self.row << SEQ_BITS | self.head, self.fingerprint, raw),
        )
        return self.head

    def save(self) -> None:
        if self.head == self.head_before:
            return
        self.conn.execute(
            "UPDATE room SET head = ?, fingerprint = ?, records = ?, record_octets = ?, "
            "creator = ? WHERE id = ?",
            (
                self.head,
                self.fingerprint,
                self.records,
                self.record_octets,
                self.creator,
                self.row,
            ),
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

    def chain_of(self, device: bytes) -> ChainHead | None:
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

    def stored_at(self, device: bytes, chain_seq: int) -> tuple[int, bytes]:
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

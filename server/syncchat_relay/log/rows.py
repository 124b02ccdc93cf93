"""A room's rows: what one transaction reads of a room once, and writes back once."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from syncchat.ids import DeviceKey
from syncchat.trust.chain import EMPTY_FINGERPRINT, GENESIS, ChainHead, next_fingerprint
from syncchat.trust.records import Record

from .covering import Covering
from .judge import Fresh
from .newest import LINK_EVERY, STEPS_MAX, link_behind
from .schema import SEQ_BITS


@dataclass(slots=True)
class _Chain:
    """Is a chain within a transaction; ``last`` is the seq of its head's envelope, 0 for none.

    ``is_covered`` tells whether snapshots stand for some of it.
    """

    row: int
    head: ChainHead
    last: int
    is_changed: bool = False
    is_covered: bool = False


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
    is_thinner: bool = False
    """Whether envelopes were deleted."""

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

    def placed_records(self, after: int = 0) -> list[tuple[int, bytes]]:
        """Return (seq, record) of every stored record behind a seq, in order."""
        return self.conn.execute(
            "SELECT seq, body FROM record JOIN envelope ON place = room << ? | seq "
            "WHERE room = ? AND seq > ? ORDER BY seq",
            (SEQ_BITS, self.row, after),
        ).fetchall()

    def store_envelope(self, fresh: Fresh) -> int:
        seq = self._store(fresh.raw)
        chain = self._chain_for(fresh)
        if fresh.is_ahead or chain.last == 0 or chain.last != seq - 1:
            self.conn.execute("INSERT INTO run VALUES (?, ?, ?)", (chain.row, fresh.head.seq, seq))
        if not fresh.is_ahead:
            chain.head, chain.last = fresh.head, seq
            if fresh.head.seq % LINK_EVERY == 0:
                self.conn.execute(
                    "INSERT OR REPLACE INTO link VALUES (?, ?, ?)",
                    (chain.row, fresh.head.seq, fresh.head.link),
                )
        covering = Covering(self.conn, self.row, chain.row)
        if fresh.coverage is not None:
            chain.is_covered = self.is_thinner = True
            upto = chain.head.seq
            covering.cover(
                fresh.coverage, volume=fresh.volume, snapshot=fresh.head, seq=seq, upto=upto
            )
        if chain.is_covered:
            head = covering.skipped(chain.head)
            if head != chain.head:
                chain.head, chain.last = head, 0  # what comes next begins a run
        chain.is_changed = True
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

    def _chain_for(self, fresh: Fresh) -> _Chain:
        chain = self.chains[fresh.device]
        if chain is None:
            head = ChainHead(fresh.head.key, 0, GENESIS)
            row = _inserted(
                self.conn,
                "INSERT INTO chain VALUES (NULL, ?, ?, ?, ?, ?)",
                *(self.row, head.key, head.seq, head.link, 0),
            )
            chain = self.chains[fresh.device] = _Chain(row, head, 0)
        return chain

    def chain_of(self, device: bytes) -> ChainHead | None:
        if device not in self.chains:
            row = self.conn.execute(
                "SELECT id, key, seq, link, last FROM chain "
                "WHERE room = ? AND substr(key, 1, 8) = ?",
                (self.row, device),
            ).fetchone()
            self.chains[device] = (
                _Chain(
                    row[0],
                    ChainHead(DeviceKey(row[1]), row[2], row[3]),
                    row[4],
                    is_covered=self._has_snapshots(row[0]),
                )
                if row
                else None
            )
        chain = self.chains[device]
        return chain.head if chain is not None else None

    def stored_at(self, device: bytes, chain_seq: int) -> tuple[int, bytes | None] | None:
        chain = self.chains[device]
        assert chain is not None  # the judge asks only about a chain that it was given
        covering = Covering(self.conn, self.row, chain.row)
        if chain.is_covered and (seq := covering.seq_of(chain_seq)):
            return seq, None
        found = covering.place_of(chain_seq, upto=chain.head.seq)
        if not found:
            return None
        (body,) = self.conn.execute(
            "SELECT body FROM envelope WHERE place = ?", (self.row << SEQ_BITS | found,)
        ).fetchone()
        return found, body

    def previous_of(self, device: bytes, chain_seq: int) -> bytes | None:
        """Return the link before a place of a chain, None for one that is hard to find."""
        if self.chain_of(device) is None:
            return None
        chain = self.chains[device]
        assert chain is not None
        covering = Covering(self.conn, self.row, chain.row)
        at, link = covering.link_upto(chain_seq - 1)
        if chain_seq - 1 - at > STEPS_MAX:
            return None
        raws: list[bytes] = []
        for seq in range(at + 1, chain_seq):
            place = covering.place_of(seq, upto=chain.head.seq)
            row = self.conn.execute(
                "SELECT body FROM envelope WHERE place = ?", (self.row << SEQ_BITS | place,)
            ).fetchone()
            if row is None:
                return None
            raws.append(row[0])
        return link_behind(self.name, link, raws)

    def first_of(self, device: bytes) -> tuple[int, bytes] | None:
        """Return (seq, envelope) of what stands first in a chain."""
        found = None if self.chain_of(device) is None else self.stored_at(device, 1)
        if found is None:
            return None
        row = self.conn.execute(
            "SELECT body FROM envelope WHERE place = ?", (self.row << SEQ_BITS | found[0],)
        ).fetchone()
        return None if row is None else (found[0], row[0])

    def _has_snapshots(self, chain: int) -> bool:
        found = self.conn.execute("SELECT 1 FROM snapshot WHERE chain = ? LIMIT 1", (chain,))
        return found.fetchone() is not None


def _inserted(conn: sqlite3.Connection, statement: str, *values: object) -> int:
    row = conn.execute(statement, values).lastrowid
    assert row is not None
    return row

"""Covering: what a snapshot does to the rows of a log in SQLite, in the transaction that stores it.

The envelopes that it stands for are deleted. What stays of each is its seq, which is taken, and the
fingerprint there: 8 bytes, in blocks (``faded``), because a peer that was away may come back with a
cursor at any of them. ``covered`` says which parts of a chain have gone so, and which link each
part ends with: there the chain goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from syncchat.trust.chain import FINGERPRINT_BYTES, GENESIS, ChainHead
from syncchat.wire.coverage import Coverage, Range

from .schema import SEQ_BITS

BLOCK = 256
"""Fingerprints of one row of ``faded``."""


class Covering:
    """Is the snapshots of one chain: ``room`` and ``chain`` are rows."""

    def __init__(self, conn: sqlite3.Connection, room: int, chain: int) -> None:
        self._conn = conn
        self._room = room
        self._chain = chain

    def cover(
        self, coverage: Coverage, *, volume: int, snapshot: ChainHead, seq: int, upto: int
    ) -> None:
        """Let a snapshot, stored at ``seq``, take the place of what it covers.

        ``upto`` is where the chain is, with the snapshot unless that came ahead of it.
        """
        self._fade([at for each in coverage.ranges for at in self._places(each, upto)])
        for first, last, _ in coverage.ranges:
            self._cut_runs(first, last, upto)
        newer = self._conn.execute(
            "SELECT 1 FROM snapshot WHERE chain = ? AND volume = ? AND chain_seq > ?",
            (self._chain, volume, snapshot.seq),
        ).fetchone()
        if newer is not None:
            return
        self._conn.execute(
            "DELETE FROM covered WHERE chain = ? AND volume = ?", (self._chain, volume)
        )
        self._conn.executemany(
            "DELETE FROM link WHERE chain = ? AND chain_seq BETWEEN ? AND ?",
            [(self._chain, first, last) for first, last, _ in coverage.ranges],
        )
        self._conn.executemany(
            "INSERT OR REPLACE INTO covered VALUES (?, ?, ?, ?, ?)",
            [(self._chain, first, last, link, volume) for first, last, link in coverage.ranges],
        )
        self._conn.execute(
            "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._chain,
                volume,
                self._room,
                snapshot.seq,
                seq,
                coverage.previous,
                snapshot.link,
            ),
        )

    def skipped(self, head: ChainHead) -> ChainHead:
        """Return a chain's head where it goes on over what is covered, and over snapshots that
        came ahead of it."""
        while True:
            found = self._range_at(head.seq + 1)
            if found is not None:
                head = ChainHead(head.key, found.last, found.link)
                continue
            row = self._conn.execute(
                "SELECT link FROM snapshot WHERE chain = ? AND chain_seq = ? AND previous = ?",
                (self._chain, head.seq + 1, head.link),
            ).fetchone()
            if row is None:
                return head
            head = ChainHead(head.key, head.seq + 1, row[0])

    def seq_of(self, chain_seq: int) -> int:
        """Return the seq of the snapshot that covers an envelope, 0 for none."""
        row = self._conn.execute(
            "SELECT snapshot.seq FROM snapshot JOIN covered USING (chain, volume) "
            "WHERE chain = ? AND first <= ? AND last >= ?",
            (self._chain, chain_seq, chain_seq),
        ).fetchone()
        return int(row[0]) if row else 0

    def link_upto(self, chain_seq: int) -> tuple[int, bytes]:
        """Return the last place of the chain up to one whose link is kept, and that link."""
        found = (0, GENESIS)
        for statement in (
            "SELECT chain_seq, link FROM link WHERE chain = ? AND chain_seq <= ? "
            "ORDER BY chain_seq DESC LIMIT 1",
            "SELECT last, link FROM covered WHERE chain = ? AND last <= ? "
            "ORDER BY first DESC LIMIT 1",
            "SELECT chain_seq, link FROM snapshot WHERE chain = ? AND chain_seq <= ? "
            "ORDER BY chain_seq DESC LIMIT 1",
        ):
            row = self._conn.execute(statement, (self._chain, chain_seq)).fetchone()
            if row is not None and row[0] > found[0]:
                found = row
        return found

    def _range_at(self, chain_seq: int) -> Range | None:
        row = self._conn.execute(
            "SELECT first, last, link FROM covered WHERE chain = ? AND first <= ? "
            "ORDER BY first DESC LIMIT 1",
            (self._chain, chain_seq),
        ).fetchone()
        return Range(*row) if row is not None and row[1] >= chain_seq else None

    def place_of(self, chain_seq: int, *, upto: int) -> int:
        """Return the seq at which an envelope stands that is not covered; 0 for nowhere.

        Beyond ``upto``, where the chain is, there are only snapshots that came ahead of it.
        """
        row = self._conn.execute(
            "SELECT chain_seq, seq FROM run WHERE chain = ? AND chain_seq <= ? "
            "ORDER BY chain_seq DESC LIMIT 1",
            (self._chain, chain_seq),
        ).fetchone()
        if row is None or (chain_seq > upto and row[0] != chain_seq):
            return 0
        return int(row[1]) + chain_seq - int(row[0])

    def _places(self, part: Range, upto: int) -> Iterator[int]:
        """Yield the seqs at which envelopes of a part of the chain stand."""
        for chain_seq in range(part.first, min(part.last, upto) + 1):
            if self._range_at(chain_seq) is None:
                yield self.place_of(chain_seq, upto=upto)
        ahead = self._conn.execute(
            "SELECT seq FROM run WHERE chain = ? AND chain_seq > ? AND chain_seq BETWEEN ? AND ?",
            (self._chain, upto, part.first, part.last),
        )
        yield from [seq for (seq,) in ahead.fetchall()]

    def _cut_runs(self, first: int, last: int, upto: int) -> None:
        """Take a part of the chain out of its runs; what follows it there begins one."""
        if last < upto and self._range_at(last + 1) is None:
            self._conn.execute(
                "INSERT OR IGNORE INTO run VALUES (?, ?, ?)",
                (self._chain, last + 1, self.place_of(last + 1, upto=upto)),
            )
        self._conn.execute(
            "DELETE FROM run WHERE chain = ? AND chain_seq BETWEEN ? AND ?",
            (self._chain, first, last),
        )

    def _fade(self, seqs: Sequence[int]) -> None:
        """Delete envelopes, and keep the fingerprints of the log where they stood."""
        blocks: dict[int, bytearray] = {}
        for seq in seqs:
            place = self._room << SEQ_BITS | seq
            row = self._conn.execute(
                "DELETE FROM envelope WHERE place = ? RETURNING fingerprint", (place,)
            ).fetchone()
            if row is None:
                continue
            block = seq // BLOCK
            if block not in blocks:
                blocks[block] = self._block(block)
            at = seq % BLOCK * FINGERPRINT_BYTES
            blocks[block][at : at + FINGERPRINT_BYTES] = row[0]
        self._conn.executemany(
            "INSERT OR REPLACE INTO faded VALUES (?, ?, ?)",
            [(self._room, block, bytes(kept)) for block, kept in blocks.items()],
        )

    def _block(self, block: int) -> bytearray:
        row = self._conn.execute(
            "SELECT kept FROM faded WHERE room = ? AND block = ?", (self._room, block)
        ).fetchone()
        return bytearray(row[0] if row else BLOCK * FINGERPRINT_BYTES)


def faded_fingerprint(conn: sqlite3.Connection, room: int, seq: int) -> bytes | None:
    """Return the fingerprint at a seq whose envelope is gone, None where it is not."""
    at = seq % BLOCK * FINGERPRINT_BYTES
    row = conn.execute(
        "SELECT substr(kept, ?, ?) FROM faded WHERE room = ? AND block = ?",
        (at + 1, FINGERPRINT_BYTES, room, seq // BLOCK),
    ).fetchone()
    return None if row is None or not any(row[0]) else bytes(row[0])

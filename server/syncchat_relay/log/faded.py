"""Faded places: the fingerprints that a log in SQLite keeps of envelopes that are gone.

They stand in blocks of 256 places, nine bytes for each that is kept (``fading``): its place in the
block, and the fingerprint. Each time something goes, the blocks are looked through in which a place
may be needed no more: those in which something went, and those that devices have left behind since.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from syncchat.trust.chain import FINGERPRINT_BYTES

from .fading import BACK, SLACK, Places, stays_known

SEQ_BITS = 36
BLOCK = 256
_ENTRY_BYTES = 1 + FINGERPRINT_BYTES


class Faded:
    """Is what is known of the places of one room, a row, whose envelopes are gone."""

    def __init__(self, conn: sqlite3.Connection, room: int) -> None:
        self._conn = conn
        self._room = room

    def fingerprint_at(self, seq: int) -> bytes | None:
        """Return the fingerprint at a place, None where it is not known."""
        return self._known(seq // BLOCK).get(seq)

    def take(self, gone: Mapping[int, bytes]) -> None:
        """Keep what may be asked for of places that have just gone, and let go of others."""
        devices = self._conn.execute(
            "SELECT seq, sent, freed FROM cursor WHERE room = ?", (self._room,)
        ).fetchall()
        blocks: dict[int, dict[int, bytes]] = {}
        for seq, fingerprint in gone.items():
            blocks.setdefault(seq // BLOCK, {})[seq] = fingerprint
            blocks.setdefault((seq - 1) // BLOCK, {})  # a run may have ended before it
        left = (
            (max(freed - BACK, 0), min(seq - BACK, max(sent, freed + SLACK)))
            for seq, sent, freed in devices
        )
        for first, last in sorted({(a // BLOCK, b // BLOCK) for a, b in left if a < b}):
            found = self._conn.execute(
                "SELECT block FROM faded WHERE room = ? AND block BETWEEN ? AND ?",
                (self._room, first, last),
            )
            for (block,) in found.fetchall():
                blocks.setdefault(block, {})
        self.look_through(blocks, Places((seq, sent) for seq, sent, _ in devices))
        self._conn.execute(
            "UPDATE cursor SET freed = seq WHERE room = ? AND freed < seq", (self._room,)
        )

    def look_through(self, blocks: Mapping[int, Mapping[int, bytes]], places: Places) -> None:
        """Write some blocks anew with what is to be kept of them and of ``blocks``."""
        for block, fresh in sorted(blocks.items()):
            known = {**self._known(block), **fresh}
            standing = self._standing(block) if known else set()
            kept = b"".join(
                bytes((seq % BLOCK,)) + fingerprint
                for seq, fingerprint in sorted(known.items())
                if stays_known(seq, is_end=seq + 1 in standing, places=places)
            )
            if kept:
                self._conn.execute(
                    "INSERT OR REPLACE INTO faded VALUES (?, ?, ?)", (self._room, block, kept)
                )
            elif known:
                self._conn.execute(
                    "DELETE FROM faded WHERE room = ? AND block = ?", (self._room, block)
                )

    def _known(self, block: int) -> dict[int, bytes]:
        row = self._conn.execute(
            "SELECT kept FROM faded WHERE room = ? AND block = ?", (self._room, block)
        ).fetchone()
        kept = b"" if row is None else row[0]
        return {
            block * BLOCK + kept[at]: kept[at + 1 : at + _ENTRY_BYTES]
            for at in range(0, len(kept), _ENTRY_BYTES)
        }

    def _standing(self, block: int) -> set[int]:
        """Return the places at which envelopes stand that follow one of a block."""
        base, first = self._room << SEQ_BITS, block * BLOCK
        rows = self._conn.execute(
            "SELECT place FROM envelope WHERE place > ? AND place <= ?",
            (base + first, base + first + BLOCK),
        )
        return {place - base for (place,) in rows}


def thin_out(conn: sqlite3.Connection) -> None:
    """Write the blocks of an earlier relay anew, which had a fingerprint for each of its places,
    zeros where an envelope stood."""
    rooms = conn.execute("SELECT DISTINCT room FROM faded").fetchall()
    for (room,) in rooms:
        devices = conn.execute("SELECT seq, sent FROM cursor WHERE room = ?", (room,)).fetchall()
        places, faded = Places(devices), Faded(conn, room)
        (last,) = conn.execute("SELECT max(block) FROM faded WHERE room = ?", (room,)).fetchone()
        for block in range(last + 1):
            row = conn.execute(
                "DELETE FROM faded WHERE room = ? AND block = ? RETURNING kept", (room, block)
            ).fetchone()
            if row is not None:
                faded.look_through({block: _full_block(block, row[0])}, places)


def _full_block(block: int, kept: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for place in range(BLOCK):
        fingerprint = kept[place * FINGERPRINT_BYTES : (place + 1) * FINGERPRINT_BYTES]
        if any(fingerprint):
            found[block * BLOCK + place] = fingerprint
    return found

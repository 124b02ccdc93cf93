"""Setting aside: what is refused is kept with the reason, and nothing else waits for it."""

from __future__ import annotations

from ..storage import chains
from ..storage.database import Database
from ..storage.rooms import RoomRow


class Aside:
    """Is the part of a batch that keeps what was refused; ``is_doubtful`` tells whether something
    new was, that its device has not surely signed."""

    def __init__(self, db: Database, room: RoomRow, now_ms: int) -> None:
        self._db = db
        self._room = room
        self._now_ms = now_ms
        self._set_aside: set[int] = set()
        self.is_doubtful = False

    def _quarantine(
        self,
        device: str,
        seq: int,
        reason: str,
        raw: bytes,
        log_seq: int,
        *,
        evidence: bool = False,
    ) -> None:
        self._set_aside.add(log_seq)
        is_new = chains.quarantine(
            self._db,
            self._room.id,
            device,
            seq,
            reason=reason,
            raw=raw,
            evidence=evidence,
            log_seq=log_seq,
            now_ms=self._now_ms,
        )
        self.is_doubtful |= is_new and not evidence

"""What comes in of one device: envelopes as they were delivered, in runs that follow its chain."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ids import DeviceId
from ..storage.chains import ChainRow
from ..wire.envelope import Envelope, EnvelopeKind, Header


@dataclass(slots=True)
class Item:
    """Is one delivered envelope; ``log_seq`` is its place in the room's log, 0 for none."""

    log_seq: int
    envelope: Envelope
    header: Header
    raw: bytes

    @property
    def is_snapshot(self) -> bool:
        """Tell whether it stands for others."""
        return self.header.kind == EnvelopeKind.SNAPSHOT


@dataclass(slots=True)
class ChainPart:
    """Is one device's part of a batch."""

    device: DeviceId
    row: ChainRow | None
    run: list[Item] = field(default_factory=list)
    known: list[tuple[int, int]] = field(default_factory=list)

    @property
    def head_seq(self) -> int:
        """Return the seq of the last stored envelope, 0 for none."""
        return 0 if self.row is None else self.row.seq

    @property
    def expected(self) -> int:
        """Return the seq of the envelope that follows the run."""
        return self.head_seq + len(self.run) + 1

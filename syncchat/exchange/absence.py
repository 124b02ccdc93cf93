"""Absence: chains go on over snapshots whose contents are left at the relay, and read them later.

A stub stands for such a snapshot (``storage.absent``): it is verified alone, and the chain goes on
behind it. What follows in the volume cannot be read without its beginning, so it is *deferred*:
kept as it is, while the chain goes on. Contents, and what was deferred, are read when they are
here, out of the order of their chain, which does no harm: what is gone by now has its tombstone
here, and that wins. Where something then turns out not to hold, nothing behind it counts.

A newer snapshot of the volume takes the place of all that, if it covers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.clock import ZERO
from ..errors import ChainBroken, DecodeError, SignatureInvalid
from ..ids import DeviceId, device_text
from ..storage import absent, chains, snapshots
from ..storage.absent import Absent
from ..storage.chains import ChainRow
from ..trust import chain as links
from ..wire.coverage import Coverage
from ..wire.envelope import Header, decode_envelope, encode_envelope
from .aside import Aside
from .incoming import ChainPart, Item


class Absence(Aside):
    """Is the part of a batch that goes on over absent contents, and reads on when they come."""

    if TYPE_CHECKING:
        _me: DeviceId
        _has_absent: bool
        _newer: dict[DeviceId, None]

        def _why_wait(self, row: ChainRow, header: Header) -> str | None: ...
        def _read_on(self, row: ChainRow, *, only: int | None = None) -> None: ...
        def _extend(self, part: ChainPart) -> None: ...
        def _skip(self, part: ChainPart) -> None: ...
        def _flush(self) -> None: ...

    def take_stubs(self, stubs: Sequence[tuple[int, bytes]]) -> None:
        """Take (place in the log, stub) of snapshots that are told ahead of their places."""
        for place, raw in stubs:
            self._take_stub(place, raw)
        self._read_newer()
        self._flush()

    def _take_stub(self, place: int, raw: bytes) -> None:
        device, seq = "", 0
        try:
            stub, header = decode_envelope(raw)
            device, seq = device_text(header.device), header.seq
            head = links.stub_alone(self._room.room_id, stub, header)
        except (DecodeError, SignatureInvalid, ChainBroken) as exc:
            self._quarantine(device, seq, str(exc), raw, place)
            return
        if device == self._me:
            return
        row = chains.add_chain(self._db, self._room.id, device, head.key)
        if row.key != head.key:
            return
        found = Absent(row.id, header.volume, seq, place, head.link, raw)
        coverage = links.coverage_of(stub, header)
        if self._is_news(row, found, coverage):
            absent.note(self._db, found)
            snapshots.note(self._db, row.id, header.volume, seq, coverage.ranges, ZERO)
            self._has_absent = True
            self._skip(ChainPart(device, row))

    def _is_news(self, row: ChainRow, found: Absent, coverage: Coverage) -> bool:
        """Tell whether a stub says something new of its volume, and what it says can be."""
        old = absent.of_volume(self._db, row.id, found.volume)
        if old is not None and old.raw == found.raw:
            absent.set_place(self._db, old, found.place)
            return False
        newest = snapshots.newest(self._db, row.id, found.volume)
        if found.seq <= max(row.seq, newest):
            return False  # it is here, or a newer one
        if old is None:
            return True
        if not _covers(coverage, old):
            reason = "the snapshot leaves out what its writer wrote"
            self._quarantine(row.device, found.seq, reason, found.raw, 0, evidence=True)
            chains.freeze(self._db, row.id, reason)
            return False
        absent.drop_unreadable(self._db, old, coverage.ranges)
        self._newer[row.device] = None
        return True

    def _fill(self, part: ChainPart, item: Item) -> bool:
        """Take a whole snapshot of which the stub is here; tell whether it was one."""
        row, header = part.row, item.header
        if row is None or not self._has_absent:
            return False
        stub = absent.of_volume(self._db, row.id, header.volume)
        if stub is None or not is_whole(stub, item.raw):
            return False
        self._extend(part)  # what is of its volume is deferred; what follows now is not
        absent.fill(self._db, stub, item.raw)
        found = chains.find_chain(self._db, self._room.id, row.device)
        assert found is not None
        if stub.seq <= found.seq:
            self._read_on(found, only=None if found.frozen is None else stub.volume)
        part.row = chains.find_chain(self._db, self._room.id, row.device)
        return True

    def _stub_at(self, row: ChainRow, seq: int) -> Absent | None:
        return absent.at_seq(self._db, row.id, seq) if self._has_absent else None

    def _is_deferred(self, row: ChainRow, header: Header) -> bool:
        """Tell whether an envelope follows absent contents of its volume."""
        if not self._has_absent:
            return False
        stub = absent.of_volume(self._db, row.id, header.volume)
        return stub is not None and header.seq > stub.seq

    def _look_again(self, row: ChainRow) -> None:
        """Read on at the end: a newer snapshot has come, which may stand for absent contents."""
        if self._has_absent:
            self._newer[row.device] = None

    def _supersede(self, row: ChainRow) -> None:
        """Let newer snapshots that are here take the place of absent contents, and of what was
        deferred."""
        if not self._has_absent:
            return
        for stub in absent.of_chain(self._db, row.id):
            found = absent.newest_held(self._db, stub)
            if found is None or found[0] > row.seq:
                continue
            envelope, header = decode_envelope(found[1])
            coverage = links.coverage_of(envelope, header)
            if self._why_wait(row, header) is None and _covers(coverage, stub):
                absent.remove(self._db, stub)
                absent.drop_unreadable(self._db, stub, coverage.ranges)

    def _read_newer(self) -> None:
        """Read newer snapshots that stand for absent contents."""
        newer, self._newer = self._newer, {}
        for device in newer:
            row = chains.find_chain(self._db, self._room.id, device)
            if row is not None and row.frozen is None:
                self._read_on(row)


def is_whole(stub: Absent, raw: bytes) -> bool:
    """Tell whether an envelope is the whole snapshot of a stub."""
    try:
        envelope, header = decode_envelope(raw)
    except DecodeError:
        return False
    is_its = (header.volume, header.seq) == (stub.volume, stub.seq)
    return is_its and encode_envelope(links.stub_of(envelope, header)) == stub.raw


def _covers(coverage: Coverage, stub: Absent) -> bool:
    """Tell whether a snapshot stands for all that a stub of its volume stands for."""
    older, header = decode_envelope(stub.raw)
    inner = [(first, last) for first, last, _ in links.coverage_of(older, header).ranges]
    inner.append((stub.seq, stub.seq))
    return all(
        any(each.first <= first and last <= each.last for each in coverage.ranges)
        for first, last in inner
    )

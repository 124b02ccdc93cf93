"""Snapshots: a whole volume as one text, to stand for the updates that it came from.

The text is the stamp of the volume's newest entry, current or not, then an export of the journal's
document (``reader.read_snapshot``). Who has the updates compares the two before they let them go.

A snapshot may let go of what is about old messages (``keeping``). Then there stands between the
two a byte, the stamp at which the snapshot is made, and that of the oldest message of which nothing
may be missing: a day before, or earlier. What its writer writes after it has later stamps, so who
wants to let go of what is young has to go on with stamps from the future.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import pairwise
from typing import NamedTuple

from ..errors import UpdateRefused
from ..ids import STAMP_CHARS, Stamp, base32_from_int, int_from_base32
from .clock import ZERO
from .keeping import erasures, is_before, is_early_enough
from .reader import Change, VolumeState, client_id, read_snapshot, read_update
from .values import ROOT_NAMES, Root

_STAMP_BYTES = 8
_LETS_GO = b"\x02"
"""An export begins with 1, or 0 where it has nothing."""

_EXPORT_AT = _STAMP_BYTES + 1 + 2 * _STAMP_BYTES


class LettingGo(NamedTuple):
    """Says when a snapshot was made, and that it may lack what is about messages from before
    ``cutoff``."""

    made: Stamp
    cutoff: Stamp


class Content(NamedTuple):
    """Is all of a volume: its state, its current entries, the stamp of the newest ever written.

    ``letting_go`` is what a snapshot says of what it lacks, None for nothing.
    """

    state: VolumeState
    entries: dict[int, Change]
    stamp: Stamp
    letting_go: LettingGo | None = None

    @property
    def newest(self) -> Stamp:
        """Return the newest stamp that the volume, or its snapshot, stands for."""
        return self.stamp if self.letting_go is None else self.letting_go.made


def encode_snapshot(stamp: Stamp, export: bytes, letting_go: LettingGo | None = None) -> bytes:
    """Return the text of a snapshot."""
    text = _bytes_of(stamp)
    if letting_go is not None:
        text += _LETS_GO + _bytes_of(letting_go.made) + _bytes_of(letting_go.cutoff)
    return text + export


def decode_snapshot(text: bytes, number: int) -> Content:
    """Return what the snapshot of volume ``number`` holds; raises ``UpdateRefused``."""
    stamp = stamp_in(text)
    letting_go = _letting_go_in(text)
    if letting_go is not None:
        if stamp > letting_go.made:
            raise UpdateRefused("a snapshot was made before its newest entry")
        if not is_early_enough(letting_go.cutoff, letting_go.made):
            raise UpdateRefused("a snapshot lets go of what is too young")
    state, live = read_snapshot(export_in(text), number)
    stamps = [*(change.at for change in live), stamp]
    if any(one > other for one, other in pairwise(stamps)) or len({*stamps[:-1]}) < len(live):
        raise UpdateRefused("a snapshot's entries are not in the order of their stamps")
    return Content(state, {change.clock: change for change in live}, stamp, letting_go)


def stamp_in(text: bytes) -> Stamp:
    """Return the stamp that a snapshot's text begins with; raises ``UpdateRefused``."""
    return _stamp_at(text, 0)


def export_in(text: bytes) -> bytes:
    """Return the document's export in a snapshot that was read before."""
    return text[_EXPORT_AT if _lets_go(text) else _STAMP_BYTES :]


def export_of(content: Content) -> bytes:
    """Return a volume as an export: its current entries, and how many others stand between.

    The document that is loaded from it has the same entries at the same clocks, and remembers
    nothing of the others, not even their keys.
    """
    client = client_id(content.state.number)
    blocks: list[bytes] = []
    gone: list[tuple[int, int]] = []
    at = 0
    for clock in (*sorted(content.entries), content.state.clock):
        if clock > at:
            blocks.append(b"\0" + _leb128(clock - at))
            gone.append((at, clock - at))
        if clock < content.state.clock:
            root, key, *_, raw, _ = content.entries[clock]
            assert raw is not None
            place = b"\x28\1" + _string(ROOT_NAMES[root]) + _string(key)
            blocks.append(place + b"\1\x77" + _string(raw))
        at = clock + 1
    if not blocks:
        return b"\0\0"
    head = b"\1" + _leb128(len(blocks)) + _leb128(client) + _leb128(0)
    tail = b"\0"
    if gone:
        ranges = b"".join(_leb128(start) + _leb128(length) for start, length in gone)
        tail = b"\1" + _leb128(client) + _leb128(len(gone)) + ranges
    return b"".join((head, *blocks, tail))


def without(content: Content, gone: Container[int], letting_go: LettingGo | None) -> Content:
    """Return a volume without the entries at some clocks."""
    state = VolumeState(content.state.number, content.state.clock)
    entries = {clock: each for clock, each in content.entries.items() if clock not in gone}
    state.entries = {clock: (each.root, each.key) for clock, each in entries.items()}
    state.clocks = {place: clock for clock, place in state.entries.items()}
    return Content(state, entries, content.stamp, letting_go)


def content_of(number: int, base: bytes | None, updates: Sequence[bytes]) -> Content:
    """Return what a volume holds by a snapshot's text, if there is one, and the updates after it.

    All were read before. Raises ``UpdateRefused`` all the same where they do not fit.
    """
    if base is None:
        content = Content(VolumeState(number), {}, ZERO)
    else:
        content = decode_snapshot(base, number)
    state, entries, stamp, _ = content
    for update in updates:
        is_erasure = update[:1] == b"\0"  # the only form that a closed volume takes
        changes = read_update(update, state, after=ZERO, is_closed=is_erasure)
        for change in changes:
            entries.pop(state.clocks.get((change.root, change.key), -1), None)
            if change.raw is not None:
                entries[change.clock] = change
                stamp = Stamp(max(stamp, change.at))
        state.apply(changes)
    return Content(state, entries, stamp)


def news_in(snapshot: Content, known: Content) -> list[Change]:
    """Return what a snapshot says beyond what is known of its volume, erasures included.

    ``known`` is all of the volume, or its beginning. Raises ``UpdateRefused`` where the snapshot
    says another thing than its writer said before.
    """
    for clock, change in known.entries.items():
        there = snapshot.entries.get(clock)
        if there is not None and _essence(there) != _essence(change):
            raise UpdateRefused("the snapshot tells of an entry what its writer never wrote")
    upto = known.state.clock
    if any(clock < upto and clock not in known.entries for clock in snapshot.entries):
        raise UpdateRefused("the snapshot brings back what its writer had taken away")
    if snapshot.state.clock < upto or snapshot.stamp < known.stamp:
        raise UpdateRefused("the snapshot ends before what its writer wrote")
    lost = [change for clock, change in known.entries.items() if clock not in snapshot.entries]
    replaced = {(change.root, change.key) for change in snapshot.entries.values()}
    gone = erasures(each for each in lost if (each.root, each.key) not in replaced)
    new = [change for clock, change in sorted(snapshot.entries.items()) if clock >= upto]
    return gone + new


def is_same(snapshot: Content, known: Content) -> bool:
    """Tell whether a snapshot says just what is known of its volume, but for what it may lack."""
    return (
        snapshot.state.clock == known.state.clock
        and snapshot.stamp == known.stamp
        and snapshot.entries.keys() <= known.entries.keys()
        and all(
            may_lack(snapshot, e) for at, e in known.entries.items() if at not in snapshot.entries
        )
        and all(_essence(known.entries[at]) == _essence(e) for at, e in snapshot.entries.items())
    )


def may_lack(snapshot: Content, entry: Change) -> bool:
    """Tell whether a snapshot may leave out an entry that its writer wrote and did not erase."""
    letting_go = snapshot.letting_go
    return letting_go is not None and is_before(entry, letting_go.cutoff)


def _letting_go_in(text: bytes) -> LettingGo | None:
    if not _lets_go(text):
        return None
    at = _STAMP_BYTES + 1
    return LettingGo(_stamp_at(text, at), _stamp_at(text, at + _STAMP_BYTES))


def _lets_go(text: bytes) -> bool:
    return text[_STAMP_BYTES : _STAMP_BYTES + 1] == _LETS_GO


def _stamp_at(text: bytes, at: int) -> Stamp:
    if len(text) < at + _STAMP_BYTES:
        raise UpdateRefused("the snapshot is cut off")
    number = int.from_bytes(text[at : at + _STAMP_BYTES])
    return Stamp(base32_from_int(number, chars=STAMP_CHARS))


def _bytes_of(stamp: Stamp) -> bytes:
    return int_from_base32(stamp, bits=64).to_bytes(_STAMP_BYTES)


def _string(text: str) -> bytes:
    raw = text.encode()
    return _leb128(len(raw)) + raw


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _essence(change: Change) -> tuple[Root, str, str | None]:
    return change.root, change.key, change.raw

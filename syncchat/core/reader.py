"""The strict reader: foreign updates are hostile bytes, and never reach pycrdt unread.

A received update is a Yjs v1 update (the encoding that pycrdt exports). Its general form can
panic, hang or corrupt the library's heap, so this reader accepts exactly what our own writer
emits and refuses everything else with ``UpdateRefused``:

* one client id, the one that the volume's number implies; clocks that go on where they stopped;
* entries of the known root maps whose content is one JSON string of bounded size;
* an overwrite names the entry that it replaces, which is the current one of its key;
* deletions only of entries overwritten in this update, or erased in a root that allows it;
* no edit of a message that this device has deleted here, and an edit is erased only after that or
  in a closed volume: or a key erased and set again would read differently in the CRDT library;
* stamps that strictly increase along the writer's chain.

An update, byte by byte (all numbers are LEB128, strings are length and UTF-8)::

    1, number of entries, client, first clock,   or 0 when nothing is added
      0x28, 1, root, key, 1, 0x77, string        a new key
      0xA8, client, clock, 1, 0x77, string       overwrites the entry at that clock
    1, client, number of ranges, (clock, length) ...   deletions, or 0

A snapshot is a whole volume exported at once; there, deleted content stands as runs of a length::

      0x00, length                               deleted entries of any keys
      0x21, 1, root, key, length                 those of one key, from its first on
      0xA1, client, clock, length                the same, after the entry at that clock

Ours have the first of these forms only (``snapshots``), where each current entry names its key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import DecodeError, UpdateRefused
from ..ids import Stamp
from .clock import ZERO
from .values import (
    ERASABLE,
    OVERWRITABLE,
    ROOTS_BY_NAME,
    VALUE_BYTES_MAX,
    Root,
    checked_stamp,
    decode_value,
)

VOLUME_ENTRIES_MAX = 1_000
"""Entries ever written in one volume, deleted ones included; a writer then opens the next."""

KEY_BYTES_MAX = 256
_NEW, _OVERWRITE, _GONE, _GONE_AFTER, _RUN = 0x28, 0xA8, 0x21, 0xA1, 0x00
_STRING = 0x77


class Change(NamedTuple):
    """Is one entry that an update wrote, or erased (then ``value`` and ``raw`` are None)."""

    root: Root
    key: str
    clock: int
    at: Stamp
    raw: str | None
    value: Any


@dataclass(slots=True)
class VolumeState:
    """Is what must be known of a volume to read its next update.

    ``clock`` is the next one; ``entries`` maps the clock of each current entry to its root and
    key, ``clocks`` the other way round.
    """

    number: int
    clock: int = 0
    entries: dict[int, tuple[Root, str]] = field(default_factory=dict)
    clocks: dict[tuple[Root, str], int] = field(default_factory=dict)

    def apply(self, changes: list[Change]) -> None:
        """Move on to the state after ``changes``."""
        for change in changes:
            place = (change.root, change.key)
            previous = self.clocks.pop(place, None)
            if previous is not None:
                del self.entries[previous]
            if change.raw is not None:
                self.entries[change.clock] = place
                self.clocks[place] = change.clock
                self.clock = max(self.clock, change.clock + 1)


def client_id(volume: int) -> int:
    """Return the CRDT client id of a volume: small, so that it costs one byte on the wire."""
    return volume + 1


def read_update(
    raw: bytes, state: VolumeState, *, after: Stamp, is_closed: bool = False
) -> list[Change]:
    """Return what an update changes in the volume; ``state`` itself stays as it is.

    ``after`` is the last stamp of the writer's chain. A volume is closed once a later one has
    begun; then only erasures are taken. Raises ``UpdateRefused``.
    """
    try:
        scanner = _Scanner(raw, client_id(state.number))
        return _read_update(scanner, state, after, is_closed)
    except (IndexError, UnicodeDecodeError) as exc:
        raise UpdateRefused(f"the update is cut off or garbled: {exc}") from exc
    except UpdateRefused:
        raise
    except DecodeError as exc:
        raise UpdateRefused(str(exc)) from exc


def read_ahead(
    raw: bytes, number: int, known: dict[int, tuple[Root, str]], *, after: Stamp
) -> list[Change]:
    """Return what an update says by itself, before what it follows is here.

    An entry that replaces another says of what only by that one's clock; ``known`` has the places
    of entries by their clock, as far as they were read ahead, and grows; of others such an entry is
    left out. What comes of it is to be taken back unless ``read_update`` says the same in its turn.
    Raises ``UpdateRefused``.
    """
    try:
        return _read_ahead(_Scanner(raw, client_id(number)), known, after)
    except (IndexError, UnicodeDecodeError) as exc:
        raise UpdateRefused(f"the update is cut off or garbled: {exc}") from exc
    except UpdateRefused:
        raise
    except DecodeError as exc:
        raise UpdateRefused(str(exc)) from exc


def read_snapshot(raw: bytes, number: int) -> tuple[VolumeState, list[Change]]:
    """Return the state of volume ``number`` and its current entries from its whole export.

    Raises ``UpdateRefused``.
    """
    try:
        return _read_snapshot(_Scanner(raw, client_id(number)), number)
    except (IndexError, UnicodeDecodeError) as exc:
        raise UpdateRefused(f"the snapshot is cut off or garbled: {exc}") from exc
    except UpdateRefused:
        raise
    except DecodeError as exc:
        raise UpdateRefused(str(exc)) from exc


class _Scanner:
    """Walks over the bytes of an update."""

    __slots__ = ("at", "client", "raw")

    def __init__(self, raw: bytes, client: int) -> None:
        self.raw = raw
        self.at = 0
        self.client = client

    def number(self) -> int:
        """Return the next LEB128 number, which must be in its shortest form."""
        raw, at = self.raw, self.at
        byte = raw[at]
        at += 1
        if byte < 0x80:
            self.at = at
            return byte
        number, shift = byte & 0x7F, 7
        while True:
            byte = raw[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 49:
                raise UpdateRefused("a number has more than 53 bits")
        if byte == 0:
            raise UpdateRefused("a number is not in its shortest form")
        self.at = at
        return number

    def string(self, bytes_max: int) -> bytes:
        """Return the next string's bytes."""
        length = self.number()
        start, end = self.at, self.at + length
        if length > bytes_max:
            raise UpdateRefused(f"a string of {length} bytes is over the limit of {bytes_max}")
        if end > len(self.raw):
            raise UpdateRefused("the update is cut off")
        self.at = end
        return self.raw[start:end]

    def expect(self, number: int, what: str) -> None:
        """Refuse anything but ``number`` next."""
        found = self.number()
        if found != number:
            raise UpdateRefused(f"{what} is {found}, not {number}")

    def clients(self, what: str) -> int:
        """Return the number of clients that follow, which is one or none."""
        found = self.number()
        if found > 1:
            raise UpdateRefused(f"{what} is {found}, not 1")
        return found

    def place(self) -> tuple[Root, str]:
        """Return the root and key that an entry names."""
        self.expect(1, "the parent's form")
        name = self.string(KEY_BYTES_MAX)
        root = ROOTS_BY_NAME.get(name)
        if root is None:
            raise UpdateRefused(f"unknown root map {name[:40]!r}")
        return root, self.string(KEY_BYTES_MAX).decode("utf-8")

    def origin(self) -> int:
        """Return the clock of the entry that this one follows."""
        self.expect(self.client, "the client that an entry follows")
        return self.number()

    def content(self) -> str:
        """Return an entry's JSON text."""
        self.expect(1, "the count of values")
        if self.raw[self.at] != _STRING:
            raise UpdateRefused("a value is not a string")
        self.at += 1
        return self.string(VALUE_BYTES_MAX).decode("utf-8")

    def run(self, clock: int) -> int:
        """Return the length of a run of deleted entries that begins at ``clock``."""
        length = self.number()
        if not 0 < length <= VOLUME_ENTRIES_MAX - clock:
            raise UpdateRefused("a run of deleted entries of an impossible length")
        return length

    def head(self, clock: int) -> int:
        """Return how many entries follow; they begin at ``clock``."""
        count, first = self.start(clock)
        if first != clock:
            raise UpdateRefused(f"the first clock is {first}, not {clock}")
        return count

    def start(self, clock: int) -> tuple[int, int]:
        """Return how many entries follow and where they begin; ``clock`` where there are none."""
        if not self.clients("the number of clients"):
            return 0, clock
        count = self.number()
        if not 0 < count <= VOLUME_ENTRIES_MAX:
            raise UpdateRefused(f"an update of {count} entries")
        self.expect(self.client, "the client")
        return count, self.number()

    def deletions(self, clock: int) -> list[int]:
        """Return the deleted clocks, all below ``clock``, and check that nothing follows them."""
        gone: list[int] = []
        if self.clients("the number of clients in the deletions"):
            self.expect(self.client, "the client of the deletions")
            least = 0
            ranges = self.number()
            if not 0 < ranges <= VOLUME_ENTRIES_MAX:
                raise UpdateRefused(f"deletions in {ranges} ranges")
            for _ in range(ranges):
                start, length = self.number(), self.number()
                if start < least or length == 0 or start + length > clock:
                    raise UpdateRefused("deletions out of order or of entries that are not there")
                gone.extend(range(start, start + length))
                least = start + length + 1
        if self.at != len(self.raw):
            raise UpdateRefused("bytes after the end of the update")
        return gone


def _read_update(scan: _Scanner, state: VolumeState, after: Stamp, is_closed: bool) -> list[Change]:
    clock = state.clock
    count = scan.head(clock)
    if count and is_closed:
        raise UpdateRefused(f"volume {state.number} is closed")
    if clock + count > VOLUME_ENTRIES_MAX:
        raise UpdateRefused("the volume is full")
    changes: list[Change] = []
    replaced: set[int] = set()
    seen: set[tuple[Root, str]] = set()
    for _ in range(count):
        info = scan.raw[scan.at]
        scan.at += 1
        if info == _NEW:
            place = scan.place()
            if place in state.clocks or place in seen:
                raise UpdateRefused("a key is set again without naming the entry it replaces")
        elif info == _OVERWRITE:
            origin = scan.origin()
            found = state.entries.get(origin)
            if found is None or origin in replaced or found[0] not in OVERWRITABLE:
                raise UpdateRefused("an entry replaces one that is not current")
            place = found
            replaced.add(origin)
        else:
            raise UpdateRefused(f"an entry of form {info:#x}")
        if place[0] is Root.EDITS and _is_deleted(place[1], state, seen):
            raise UpdateRefused("a message is edited after its deletion")
        seen.add(place)
        change = _change(place, clock, scan.content())
        if change.at <= after:
            raise UpdateRefused("a stamp does not come after the one before it")
        after = change.at
        changes.append(change)
        clock += 1
    for gone in scan.deletions(state.clock):
        if gone in replaced:
            replaced.remove(gone)
            continue
        erased = state.entries.get(gone)
        if erased is None or erased[0] not in ERASABLE or erased in seen:
            raise UpdateRefused("an entry is deleted that may not be")
        if erased[0] is Root.EDITS and not is_closed and not _is_deleted(erased[1], state, seen):
            raise UpdateRefused("an edit is erased whose message is not deleted")
        changes.append(Change(erased[0], erased[1], gone, ZERO, None, None))
    if replaced:
        raise UpdateRefused("an entry is replaced but not deleted")
    if not changes:
        raise UpdateRefused("the update changes nothing")
    return changes


def _read_ahead(scan: _Scanner, known: dict[int, tuple[Root, str]], after: Stamp) -> list[Change]:
    count, first = scan.start(VOLUME_ENTRIES_MAX)
    if count and first + count > VOLUME_ENTRIES_MAX:
        raise UpdateRefused("the volume is full")
    changes: list[Change] = []
    for clock in range(first, first + count):
        info = scan.raw[scan.at]
        scan.at += 1
        if info == _NEW:
            place: tuple[Root, str] | None = scan.place()
        elif info == _OVERWRITE:
            place = known.get(scan.origin())
        else:
            raise UpdateRefused(f"an entry of form {info:#x}")
        content = scan.content()
        if place is None:
            continue
        change = _change(place, clock, content)
        if change.at <= after:
            raise UpdateRefused("a stamp does not come after the one before it")
        after = change.at
        known[clock] = place
        changes.append(change)
    written = {(change.root, change.key) for change in changes}
    for gone in scan.deletions(first):
        erased = known.pop(gone, None)
        if erased is not None and erased not in written:
            changes.append(Change(*erased, gone, ZERO, None, None))
    return changes


def _read_snapshot(scan: _Scanner, number: int) -> tuple[VolumeState, list[Change]]:
    state = VolumeState(number)
    places: dict[int, tuple[Root, str]] = {}
    latest: dict[tuple[Root, str], int] = {}
    live: list[Change] = []
    gone: set[int] = set()
    clock = 0
    for _ in range(scan.head(0)):
        info = scan.raw[scan.at]
        scan.at += 1
        if info == _RUN:
            length = scan.run(clock)
            gone.update(range(clock, clock + length))
            clock += length
            continue
        if info in (_NEW, _GONE):
            place = scan.place()
            if place in latest:
                raise UpdateRefused("a key is set again without naming the entry it replaces")
        elif info in (_OVERWRITE, _GONE_AFTER):
            origin = scan.origin()
            if origin not in places or latest[places[origin]] != origin:
                raise UpdateRefused("an entry replaces one that is not the last of its key")
            place = places[origin]
            if origin not in gone:
                raise UpdateRefused("an entry is replaced but not deleted")
        else:
            raise UpdateRefused(f"an entry of form {info:#x}")
        length = 1
        if info in (_NEW, _OVERWRITE):
            live.append(_change(place, clock, scan.content()))
        else:
            length = scan.run(clock)
            gone.update(range(clock, clock + length))
        for each in range(clock, clock + length):
            places[each] = place
        latest[place] = clock + length - 1
        clock += length
    if clock > VOLUME_ENTRIES_MAX:
        raise UpdateRefused("the volume is over-full")
    if set(scan.deletions(clock)) != gone:
        raise UpdateRefused("the deletions are not those of the deleted entries")
    state.apply(live)
    state.clock = clock
    return state, live


def _is_deleted(message: str, state: VolumeState, seen: set[tuple[Root, str]]) -> bool:
    place = (Root.DELETES, message)
    return place in state.clocks or place in seen


def _change(place: tuple[Root, str], clock: int, raw: str) -> Change:
    root, key = place
    value = decode_value(root, raw)
    return Change(root, key, clock, checked_stamp(root, key, value), raw, value)

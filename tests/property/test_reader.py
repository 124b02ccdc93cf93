"""Laws of the strict reader: it refuses, or it reads just what the CRDT library makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncchat.core import clock, reader
from syncchat.core.journal import Entry, Volume
from syncchat.core.reader import Change, VolumeState, read_snapshot, read_update
from syncchat.core.values import (
    OVERWRITABLE,
    DeleteValue,
    EditValue,
    FieldValue,
    MessageValue,
    ReactionValue,
    ReadValue,
    Root,
    Value,
    VoteValue,
    encode_value,
)
from syncchat.errors import UpdateRefused
from syncchat.ids import Stamp
from tests.support.updates import Item, update

DEVICE = "A" * 13
KEYS = tuple(f"{n:013}" + DEVICE for n in range(1, 4))
NUMBER = 3
"""The volume under test."""

NOTHING = b"\0\0"
"""The snapshot of an empty volume; as an update it says nothing."""


def value_of(root: Root, at: Stamp, text: str) -> Value:
    """Return some value of a root."""
    match root:
        case Root.MESSAGES:
            return MessageValue(text=text)
        case Root.EDITS:
            return EditValue(at, text)
        case Root.DELETES:
            return DeleteValue(at)
        case Root.REACTIONS:
            return ReactionValue(at, bool(text))
        case Root.READS:
            return ReadValue(at, at)
        case Root.VOTES:
            return VoteValue(at, (len(text),))
        case _:
            return FieldValue(at, text)


def key_of(root: Root, at: Stamp, pick: int) -> str:
    """Return some key of a root, one of few, so that they meet again."""
    match root:
        case Root.MESSAGES:
            return at
        case Root.EDITS | Root.DELETES | Root.VOTES:
            return KEYS[pick % 3]
        case Root.REACTIONS:
            return KEYS[pick % 3] + "👍👎"[pick % 2]
        case Root.READS:
            return DEVICE
        case _:
            return ("name", "title")[pick % 2]


@dataclass
class Written:
    """Is a volume as its writer has it, and what readers have of it."""

    document: Volume
    state: VolumeState
    last: Stamp
    updates: list[bytes]

    @classmethod
    def empty(cls) -> Written:
        """Return a volume with nothing in it."""
        return cls(Volume(NUMBER), VolumeState(NUMBER), clock.ZERO, [])

    def read(self, raw: bytes) -> list[Change]:
        """Take an update as a receiver does; raises ``UpdateRefused``."""
        changes = read_update(raw, self.state, after=self.last)
        self.state.apply(changes)
        self.last = Stamp(max(self.last, *(change.at for change in changes)))
        self.updates.append(raw)
        return changes

    def write(self, wishes: list[tuple[Root, int, str, bool]]) -> bytes | None:
        """Write what a device could want, as far as the rules of a journal allow it."""
        entries: dict[tuple[Root, str], Entry] = {}
        at = self.last
        for root, pick, text, erase in wishes:
            at = clock.tick(at, 0)
            key = key_of(root, at, pick)
            if erase and root in (Root.MESSAGES, Root.EDITS):
                stand = sorted(key for r, key in self.state.clocks if r is root)
                key = stand[pick % len(stand)] if stand else ""
                is_allowed = bool(stand)
                if root is Root.EDITS and is_allowed:  # an edit goes when its message goes
                    place = (Root.DELETES, key)
                    if place not in self.state.clocks:
                        entries.setdefault(
                            place, Entry(*place, encode_value(value_of(Root.DELETES, at, "")))
                        )
                raw = None
            else:
                raw = encode_value(value_of(root, at, text))
                is_new = (root, key) not in self.state.clocks
                is_allowed = is_new or root in OVERWRITABLE
                if root is Root.EDITS and (Root.DELETES, key) in {*self.state.clocks, *entries}:
                    is_allowed = False
            if is_allowed and (root, key) not in entries:
                entries[root, key] = Entry(root, key, raw)
        return self.document.write(list(entries.values())) if entries else None


WISHES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(list(Root)),
            st.integers(0, 5),
            st.text(max_size=4),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=6,
)


def played(wishes: list[list[tuple[Root, int, str, bool]]]) -> Written:
    """Return a volume with these wishes written and read."""
    volume = Written.empty()
    for batch in wishes:
        raw = volume.write(batch)
        if raw is not None:
            volume.read(raw)
    return volume


def as_pycrdt_has_it(updates: list[bytes]) -> set[tuple[Root, str]]:
    """Return the places that the CRDT library shows after updates which the reader accepted."""
    return set(Volume(NUMBER, updates).content())


@given(WISHES)
def test_reader_takes_all_that_the_writer_emits_and_reads_what_pycrdt_holds(
    wishes: list[list[tuple[Root, int, str, bool]]],
) -> None:
    volume = Written.empty()
    content: dict[tuple[Root, str], str] = {}
    for batch in wishes:
        raw = volume.write(batch)
        if raw is None:
            continue
        for change in volume.read(raw):
            if change.raw is None:
                del content[change.root, change.key]
            else:
                content[change.root, change.key] = change.raw
        assert content == volume.document.content()
        assert volume.state.clocks.keys() == content.keys()


@given(WISHES)
def test_snapshot_reads_as_the_updates_did(
    wishes: list[list[tuple[Root, int, str, bool]]],
) -> None:
    volume = played(wishes)
    state, changes = read_snapshot(volume.document.export(), NUMBER)
    assert state == volume.state
    live = {(c.root, c.key): c.raw for c in changes}
    assert live == volume.document.content()
    assert volume.state.entries == {c.clock: (c.root, c.key) for c in changes}


@st.composite
def mutated(draw: st.DrawFn, raw: bytes) -> bytes:
    """Return bytes near ``raw``: changed, cut, spliced, with numbers in other forms."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        end = draw(st.integers(at, len(raw)))
        match draw(st.integers(0, 7)):
            case 0:
                raw = raw[:at] + bytes((draw(st.integers(0, 255)),)) + raw[at + 1 :]
            case 1:
                raw = raw[:at]
            case 2:
                raw = raw[:at] + raw[end:]
            case 3:
                raw = raw[:at] + raw[at:end] + raw[at:]
            case 4:
                raw = raw[:at] + draw(st.binary(min_size=1, max_size=4)) + raw[at:]
            case 5 if raw:
                raw = raw[:at] + bytes((raw[at] | 0x80, 0x00)) + raw[at + 1 :]
            case 6 if raw:
                step = draw(st.sampled_from([-1, 1]))
                raw = raw[:at] + bytes(((raw[at] + step) % 256,)) + raw[at + 1 :]
            case _:
                raw = raw[end:] + raw[:at]
    return raw


@given(WISHES, st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_mutant_of_a_valid_update_is_refused_or_reads_as_in_pycrdt(
    wishes: list[list[tuple[Root, int, str, bool]]], data: st.DataObject
) -> None:
    volume = played(wishes[:-1])
    honest = volume.write(wishes[-1])
    for _ in range(20 if honest is not None else 0):
        assert honest is not None
        mutant = data.draw(mutated(honest))
        try:
            changes = read_update(mutant, volume.state, after=volume.last)
        except UpdateRefused:
            continue
        after = VolumeState(NUMBER, 0, dict(volume.state.entries), dict(volume.state.clocks))
        after.apply(changes)
        document = Volume(NUMBER, [*volume.updates, mutant])
        assert after.clocks.keys() == document.content().keys()
        for change in changes:
            if change.raw is not None:
                assert document.content()[change.root, change.key] == change.raw


@given(WISHES, st.data())
def test_mutant_of_a_snapshot_is_refused_or_reads_as_in_pycrdt(
    wishes: list[list[tuple[Root, int, str, bool]]], data: st.DataObject
) -> None:
    honest = played(wishes).document.export()
    for _ in range(20):
        mutant = data.draw(mutated(honest))
        try:
            _, changes = read_snapshot(mutant, NUMBER)
        except UpdateRefused:
            continue
        assert {(c.root, c.key): c.raw for c in changes} == Volume(NUMBER, [mutant]).content()


@st.composite
def forged(draw: st.DrawFn, volume: Written) -> bytes:
    """Return an update that is well-formed, and means anything."""
    at, items = volume.last, []
    clocks = st.integers(0, volume.state.clock + 2)
    for _ in range(draw(st.integers(0, 4))):
        at = clock.tick(at, 0)
        root = draw(st.sampled_from(list(Root)))
        origin = draw(st.none() | clocks)
        place = volume.state.entries.get(-1 if origin is None else origin, (root, ""))
        raw = encode_value(value_of(place[0], at, draw(st.text(max_size=2))))
        key = key_of(root, at, draw(st.integers(0, 5)))
        items.append(Item(root, key, origin, draw(st.just(raw) | st.none())))
    deletions = []
    start = 0
    for _ in range(draw(st.integers(0, 3))):
        start += draw(st.integers(0, 3))
        length = draw(st.integers(1, 2))
        deletions.append((start, length))
        start += length + 1
    return update(NUMBER, volume.state.clock, items, deletions)


@given(WISHES, st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_forged_update_is_refused_or_reads_as_in_pycrdt(
    wishes: list[list[tuple[Root, int, str, bool]]], data: st.DataObject
) -> None:
    volume = played(wishes)
    for _ in range(15):
        try:
            volume.read(data.draw(forged(volume)))
        except UpdateRefused:
            continue
        assert set(volume.state.clocks) == as_pycrdt_has_it(volume.updates)
    state, _ = read_snapshot(Volume(NUMBER, volume.updates).export(), NUMBER)
    assert state == volume.state


@given(st.binary(max_size=200).filter(lambda raw: raw != NOTHING))
def test_random_bytes_are_refused_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(UpdateRefused):
        read_update(raw, VolumeState(NUMBER), after=clock.ZERO)
    with pytest.raises(UpdateRefused):
        read_snapshot(raw, NUMBER)


def test_volume_takes_no_more_entries_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "VOLUME_ENTRIES_MAX", 3)
    volume = Written.empty()
    for _ in range(3):
        raw = volume.write([(Root.MESSAGES, 0, "x", False)])
        assert raw is not None
        volume.read(raw)
    fourth = volume.write([(Root.MESSAGES, 0, "x", False)])
    assert fourth is not None
    with pytest.raises(UpdateRefused, match="full"):
        volume.read(fourth)

"""Laws of our own export of a volume: the CRDT library loads it, goes on, and writes the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncchat.core import clock
from syncchat.core.journal import Entry, Volume
from syncchat.core.reader import VOLUME_ENTRIES_MAX
from syncchat.core.snapshots import (
    content_of,
    decode_snapshot,
    encode_snapshot,
    export_of,
    without,
)
from syncchat.core.values import OVERWRITABLE, Root, encode_value
from tests.property.test_reader import NUMBER, key_of, value_of

WRITES = st.tuples(st.sampled_from(Root), st.integers(0, 5), st.text(max_size=3))
LIVES = st.lists(
    st.one_of(
        st.lists(WRITES, min_size=1, max_size=4),
        st.sets(st.integers(0, 40), max_size=12),  # clocks that a snapshot lets go of
    ),
    max_size=25,
)


@given(LIVES)
def test_volume_lives_on_behind_any_row_of_exports(life: list[object]) -> None:
    document, base, updates = Volume(NUMBER), None, list[bytes]()
    at = clock.stamp(1_700_000_000_000)
    expected: dict[tuple[Root, str], str] = {}
    for step in life:
        if isinstance(step, set):
            content = content_of(NUMBER, base, updates)
            small = without(content, step, None)
            expected = {(e.root, e.key): str(e.raw) for e in small.entries.values()}
            export = export_of(small)
            base, updates = encode_snapshot(content.stamp, export), []
            document = Volume(NUMBER, [export])
            assert document.content() == expected
            assert document.export() == export, "the library writes it in the same form"
            again = decode_snapshot(base, NUMBER)
            assert (again.state, again.entries) == (small.state, small.entries)
            continue
        assert isinstance(step, list)
        entries: dict[tuple[Root, str], Entry] = {}
        for root, pick, text in step:
            at = clock.tick(at, 0)
            key = key_of(root, at, pick)
            is_taken = (root, key) in expected and root not in OVERWRITABLE
            if is_taken or (root, key) in entries or _is_late(root, key, expected, entries):
                continue
            entries[root, key] = Entry(root, key, encode_value(value_of(root, at, text)))
        if not entries:
            continue
        updates.append(document.write(list(entries.values())))
        expected |= {place: str(entry.raw) for place, entry in entries.items()}
        content = content_of(NUMBER, base, updates)
        assert {(e.root, e.key): e.raw for e in content.entries.values()} == expected
        assert document.content() == expected
        assert content.state.clock <= VOLUME_ENTRIES_MAX


def _is_late(
    root: Root,
    key: str,
    there: dict[tuple[Root, str], str],
    new: dict[tuple[Root, str], Entry],
) -> bool:
    """Tell whether it would be an edit after its message's deletion, which no reader takes."""
    deleted = (Root.DELETES, key)
    return root is Root.EDITS and (deleted in there or deleted in new)

"""Own journals: the one writer of CRDT documents."""

from __future__ import annotations

from syncchat.core.journal import VOLUME_BYTES_MAX, Entry, Volume, room_left
from syncchat.core.reader import VOLUME_ENTRIES_MAX
from syncchat.core.values import Root

KEY = "0" * 12 + "1"


def test_volume_loaded_from_its_updates_goes_on_where_it_was() -> None:
    first = Volume(3)
    one = first.write([Entry(Root.PROFILE, "name", "1")])
    again = Volume(3, [one])
    assert first.write([Entry(Root.PROFILE, "name", "2")]) == again.write(
        [Entry(Root.PROFILE, "name", "2")]
    )
    assert again.content() == {(Root.PROFILE, "name"): "2"}


def test_erased_words_are_gone_from_the_exported_volume() -> None:
    volume = Volume(0)
    volume.write([Entry(Root.MESSAGES, KEY, '{"text":"canary"}')])
    assert b"canary" in volume.export()
    volume.write([Entry(Root.MESSAGES, KEY, None)])
    assert b"canary" not in volume.export()
    assert volume.content() == {}


def test_volume_closes_when_it_is_full_by_count_or_by_size() -> None:
    assert room_left(0, 0) == VOLUME_ENTRIES_MAX
    assert room_left(VOLUME_ENTRIES_MAX - 1, 0) == 1
    assert room_left(VOLUME_ENTRIES_MAX, 0) == 0
    assert room_left(1, VOLUME_BYTES_MAX) == 0

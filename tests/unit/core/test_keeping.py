"""How long a room keeps messages, and the export of a volume that lets go of some."""

from __future__ import annotations

import pytest

from syncchat.core import clock
from syncchat.core.clock import ZERO, ms_of
from syncchat.core.journal import Entry, Volume
from syncchat.core.keeping import DAY_MS, KEEP_ALL, KEEP_MS_MAX, STEP_MS, Keep, keep_in
from syncchat.core.reader import VolumeState, read_snapshot
from syncchat.core.snapshots import (
    LettingGo,
    content_of,
    decode_snapshot,
    encode_snapshot,
    export_of,
    without,
)
from syncchat.core.values import MessageValue, ReactionValue, Root, encode_value
from syncchat.errors import UpdateRefused
from syncchat.ids import DeviceId, message_id

NOW_MS = 1_800_000_000_000 - 1_800_000_000_000 % STEP_MS
DEVICE = DeviceId("0" * 13)


def test_what_is_over_goes_hour_by_hour() -> None:
    keep = Keep(10 * DAY_MS)
    assert ms_of(keep.cutoff(NOW_MS)) == NOW_MS - 10 * DAY_MS
    assert keep.cutoff(NOW_MS + STEP_MS - 1) == keep.cutoff(NOW_MS)
    assert ms_of(keep.cutoff(NOW_MS + STEP_MS)) == NOW_MS - 10 * DAY_MS + STEP_MS
    assert KEEP_ALL.cutoff(NOW_MS) == ZERO
    assert keep.cutoff(0) == ZERO


def test_floor_counts_where_it_is_later_and_never_for_what_is_of_today() -> None:
    floor = NOW_MS - 5 * DAY_MS
    assert ms_of(Keep(10 * DAY_MS, floor).cutoff(NOW_MS)) == floor
    assert ms_of(Keep(2 * DAY_MS, floor).cutoff(NOW_MS)) == NOW_MS - 2 * DAY_MS
    assert ms_of(Keep(0, floor).cutoff(NOW_MS)) == floor
    assert ms_of(Keep(0, NOW_MS + 10 * DAY_MS).cutoff(NOW_MS)) == NOW_MS - DAY_MS


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([86_400, 0], Keep(DAY_MS, 0)),
        ([0, 5], Keep(0, 5)),
        ([86_400, 7, "of a later version"], Keep(DAY_MS, 7)),
        ([86_399, 9], Keep(0, 9)),
        ([KEEP_MS_MAX // 1_000 + 1, 9], Keep(0, 9)),
        ([86_400], KEEP_ALL),
        ([86_400, -1], KEEP_ALL),
        ([86_400, 2**48], KEEP_ALL),
        ([86_400, True], KEEP_ALL),
        ([True, 0], KEEP_ALL),
        ([1.5, 0], KEEP_ALL),
        ([-86_400, 0], KEEP_ALL),
        (86_400, KEEP_ALL),
        ("90d", KEEP_ALL),
        (None, KEEP_ALL),
    ],
)
def test_what_makes_no_sense_keeps_all(said: object, found: Keep) -> None:
    assert keep_in(said) == found


def test_export_has_what_is_there_and_counts_the_rest() -> None:
    stamps = [clock.stamp(NOW_MS + n) for n in range(6)]
    first = message_id(stamps[0], DEVICE)
    volume = Volume(2)
    updates = [
        volume.write([Entry(Root.MESSAGES, at, encode_value(MessageValue(text="t" + at[-1])))])
        for at in stamps[:3]
    ]
    for at, on in ((stamps[3], True), (stamps[4], False)):
        entry = Entry(Root.REACTIONS, first + "👍", encode_value(ReactionValue(at, on)))
        updates.append(volume.write([entry]))
    content = content_of(2, None, updates)
    assert sorted(content.entries) == [0, 1, 2, 4]
    export = export_of(content)
    assert read_snapshot(export, 2) == (content.state, [*content.entries.values()])
    again = Volume(2, [export])
    assert again.content() == volume.content()
    assert again.export() == export, "the library writes it in the same form"
    assert len(export) < len(volume.export())
    small = without(content, {0, 1, 4}, LettingGo(stamps[5], stamps[2]))
    assert Volume(2, [export_of(small)]).content() == {
        (Root.MESSAGES, stamps[2]): content.entries[2].raw
    }
    nothing = without(content, {0, 1, 2, 4}, None)
    assert export_of(nothing) == bytes((1, 1, 3, 0, 0, 5, 1, 3, 1, 0, 5))
    state, live = read_snapshot(export_of(nothing), 2)
    assert live == [] and state == VolumeState(2, clock=5)


def test_document_goes_on_behind_what_it_has_let_go_of() -> None:
    stamps = [clock.stamp(NOW_MS + n) for n in range(6)]
    key = message_id(stamps[0], DEVICE) + "👍"
    volume = Volume(0)
    reactions = [encode_value(ReactionValue(at, True)) for at in stamps]
    update = volume.write([Entry(Root.REACTIONS, key, reactions[1])])
    kept = volume.write([Entry(Root.PROFILE, "name", '["' + stamps[2] + '","Ann"]')])
    content = without(content_of(0, None, [update, kept]), {0}, None)
    again = Volume(0, [export_of(content)])
    more = again.write(
        [
            Entry(Root.REACTIONS, key, reactions[3]),
            Entry(Root.PROFILE, "name", '["' + stamps[4] + '","Bob"]'),
        ]
    )
    text = encode_snapshot(stamps[2], export_of(content))
    found = content_of(0, text, [more])
    assert {(e.root, e.key): e.raw for e in found.entries.values()} == again.content()
    assert again.content()[Root.REACTIONS, key] == reactions[3]


@pytest.mark.parametrize(
    "letting",
    [
        LettingGo(clock.stamp(NOW_MS), clock.stamp(NOW_MS - DAY_MS + 1)),
        LettingGo(clock.stamp(NOW_MS - 1), ZERO),
    ],
    ids=["what is of today", "before its newest entry"],
)
def test_text_that_lets_go_of_what_it_may_not_is_refused(letting: LettingGo) -> None:
    export = bytes((1, 1, 1, 0, 0, 5, 1, 1, 1, 0, 5))
    with pytest.raises(UpdateRefused):
        decode_snapshot(encode_snapshot(clock.stamp(NOW_MS), export, letting), 0)


@pytest.mark.parametrize("size", [9, 16, 24])
def test_text_that_is_cut_off_is_refused(size: int) -> None:
    export = bytes((1, 1, 1, 0, 0, 5, 1, 1, 1, 0, 5))
    letting = LettingGo(clock.stamp(NOW_MS), clock.stamp(NOW_MS - DAY_MS))
    text = encode_snapshot(clock.stamp(NOW_MS), export, letting)
    assert decode_snapshot(text, 0).letting_go == letting
    with pytest.raises(UpdateRefused):
        decode_snapshot(text[:size], 0)


@pytest.mark.parametrize(
    "blocks",
    [
        (1, 1, 1, 0, 0, 0, 0),  # a run of none
        (1, 1, 1, 0, 0, 5, 0),  # not among the deletions
        (1, 1, 1, 0, 0, 0xE9, 7, 1, 1, 1, 0, 0xE9, 7),  # longer than a volume
        (1, 1, 1, 0, 0),  # cut off
    ],
)
def test_runs_that_are_none_are_refused(blocks: tuple[int, ...]) -> None:
    with pytest.raises(UpdateRefused):
        read_snapshot(bytes(blocks), 0)

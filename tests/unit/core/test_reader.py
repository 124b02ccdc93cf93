"""The strict reader: what it takes, and the reasons for which it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncchat.core import clock
from syncchat.core.journal import Volume
from syncchat.core.reader import VolumeState, client_id, read_snapshot, read_update
from syncchat.core.values import (
    DeleteValue,
    EditValue,
    MessageValue,
    ReactionValue,
    Root,
    encode_value,
)
from syncchat.errors import UpdateRefused
from syncchat.ids import Stamp
from tests.support.updates import Item, number, update
from tests.vectors import FOLDER

AT = [Stamp(f"{n:013}") for n in range(10)]
MESSAGE = AT[1] + "A" * 13


def said(text: str = "x") -> str:
    return encode_value(MessageValue(text=text))


def edit(at: int, text: str = "y") -> str:
    return encode_value(EditValue(AT[at], text))


def taken(*updates: bytes) -> VolumeState:
    """Return the state of volume 0 after updates that must all be accepted."""
    state = VolumeState(0)
    after = clock.ZERO
    for raw in updates:
        changes = read_update(raw, state, after=after)
        state.apply(changes)
        after = Stamp(max(after, *(change.at for change in changes)))
    return state


def test_reader_takes_a_new_message() -> None:
    raw = update(0, 0, [Item(Root.MESSAGES, AT[1], raw=said("hello"))])
    (change,) = read_update(raw, VolumeState(0), after=clock.ZERO)
    assert (change.root, change.key, change.clock, change.at) == (Root.MESSAGES, AT[1], 0, AT[1])
    assert change.value == MessageValue(text="hello")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "cut off"),
        (update(0, 0, []), "changes nothing"),
        (update(1, 0, [Item(Root.MESSAGES, AT[1], raw=said())]), "the client is"),
        (update(0, 1, [Item(Root.MESSAGES, AT[1], raw=said())]), "first clock"),
        (update(0, 0, [Item(Root.MESSAGES, AT[1], raw=said())]) + b"\0", "after the end"),
        (update(0, 0, [Item(Root.MESSAGES, AT[0], raw=said())]), "does not come after"),
        (update(0, 0, [Item(Root.MESSAGES, "no stamp", raw=said())]), "no stamp"),
        (update(0, 0, [Item(Root.MESSAGES, AT[1], raw="{")]), "not a value of messages"),
        (update(0, 0, [Item(Root.MESSAGES, AT[1], raw="[" * 5_000)]), "value of messages"),
        (
            update(0, 0, [Item(Root.MESSAGES, AT[1], raw='{"text":"' + "x" * 70_000 + '"}')]),
            "over the limit",
        ),
        (update(0, 0, [Item(Root.MESSAGES, AT[1], origin=0, raw=said())]), "not current"),
        (update(0, 0, [Item(Root.MESSAGES, AT[1])]), "form 0x21"),
        (update(0, 0, [Item(Root.REACTIONS, MESSAGE, raw=f'["{AT[2]}",true]')]), "a key"),
        (update(0, 0, [Item(Root.EDITS, "x", raw=edit(2))]), "a key that is none"),
        (update(0, 0, [], [(0, 1)]), "not there"),
    ],
)
def test_reader_refuses_with_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(UpdateRefused, match=reason):
        read_update(raw, VolumeState(0), after=clock.ZERO)


def test_reader_refuses_numbers_in_a_longer_form() -> None:
    raw = update(0, 0, [Item(Root.MESSAGES, AT[1], raw=said())])
    assert raw[0] == 1
    with pytest.raises(UpdateRefused, match="shortest form"):
        read_update(b"\x81\x00" + raw[1:], VolumeState(0), after=clock.ZERO)
    with pytest.raises(UpdateRefused, match="53 bits"):
        read_update(b"\x81" + b"\x80" * 9 + b"\x01" + raw[1:], VolumeState(0), after=clock.ZERO)


def test_count_of_clients_is_read_once_and_not_from_its_last_byte() -> None:
    raw = update(0, 0, [Item(Root.MESSAGES, AT[1], raw=said())])
    with pytest.raises(UpdateRefused, match="the number of clients is 128, not 1"):
        read_update(b"\x80" + raw, VolumeState(0), after=clock.ZERO)
    with pytest.raises(UpdateRefused, match="clients in the deletions is 128, not 1"):
        read_update(raw[:-1] + b"\x80\x01\x01\x01\x00\x01", VolumeState(0), after=clock.ZERO)


def test_reader_refuses_to_overwrite_a_message_or_a_deletion() -> None:
    state = taken(update(0, 0, [Item(Root.MESSAGES, AT[1], raw=said())]))
    with pytest.raises(UpdateRefused, match="not current"):
        read_update(update(0, 1, [Item(origin=0, raw=said())], [(0, 1)]), state, after=AT[1])
    gone = encode_value(DeleteValue(AT[2]))
    state = taken(update(0, 0, [Item(Root.DELETES, MESSAGE, raw=gone)]))
    with pytest.raises(UpdateRefused, match="not current"):
        read_update(update(0, 1, [Item(origin=0, raw=gone)], [(0, 1)]), state, after=AT[2])


def test_reader_refuses_an_overwritten_entry_that_is_not_deleted() -> None:
    state = taken(update(0, 0, [Item(Root.EDITS, MESSAGE, raw=edit(2))]))
    with pytest.raises(UpdateRefused, match="not deleted"):
        read_update(update(0, 1, [Item(origin=0, raw=edit(3))]), state, after=AT[2])


def test_reader_refuses_to_erase_what_may_not_be_erased() -> None:
    on = encode_value(ReactionValue(AT[2], True))
    state = taken(update(0, 0, [Item(Root.REACTIONS, MESSAGE + "x", raw=on)]))
    with pytest.raises(UpdateRefused, match="deleted that may not be"):
        read_update(update(0, 1, [], [(0, 1)]), state, after=AT[2])


def test_edit_erased_and_set_again_is_refused_because_pycrdt_would_not_show_it() -> None:
    first = update(0, 0, [Item(Root.EDITS, MESSAGE, raw=edit(2))])
    erased = update(0, 1, [], [(0, 1)])
    again = update(0, 1, [Item(Root.EDITS, MESSAGE, raw=edit(4))])
    assert Volume(0, [first, erased, again]).content() == {}
    with pytest.raises(UpdateRefused, match="whose message is not deleted"):
        taken(first, erased)
    gone = Item(Root.DELETES, MESSAGE, raw=encode_value(DeleteValue(AT[3])))
    deleted = taken(first, update(0, 1, [gone], [(0, 1)]))
    with pytest.raises(UpdateRefused, match="edited after its deletion"):
        read_update(update(0, 2, [Item(Root.EDITS, MESSAGE, raw=edit(4))]), deleted, after=AT[3])


def test_closed_volume_takes_erasures_only() -> None:
    state = taken(update(0, 0, [Item(Root.EDITS, MESSAGE, raw=edit(2))]))
    with pytest.raises(UpdateRefused, match="closed"):
        read_update(
            update(0, 1, [Item(Root.MESSAGES, AT[3], raw=said())]),
            state,
            after=AT[2],
            is_closed=True,
        )
    (change,) = read_update(update(0, 1, [], [(0, 1)]), state, after=AT[2], is_closed=True)
    assert (change.root, change.raw) == (Root.EDITS, None)


def crashers() -> list[Any]:
    """Return the recorded reproducers, each as the updates that do the harm."""
    cases = json.loads((FOLDER / "pycrdt_crashers.json").read_text(encoding="utf-8"))["cases"]
    return [
        pytest.param([bytes.fromhex(raw) for raw in case["updates"]], id=case["id"])
        for case in cases
        if "updates" in case
    ]


def nested(depth: int) -> bytes:
    """Return an update whose value is nested arrays."""
    deep = b"\x75\x01" * depth + b"\x7e"
    return b"\x01\x01\x01\x00\x28\x01\x08messages\x0d" + AT[1].encode() + b"\x01" + deep + b"\0"


def overwrites(count: int) -> bytes:
    """Return an update that sets one key again and again without an origin."""
    return b"\x01" + number(count) + b"\x01\x00" + b"\x28\x01\x01m\x01k\x01\x7e" * count + b"\0"


@pytest.mark.parametrize(
    "updates",
    [
        *crashers(),
        pytest.param([nested(1_620)], id="segv-any-depth, small stack"),
        pytest.param([nested(26_500)], id="segv-any-depth"),
        pytest.param([overwrites(20_000)], id="quadratic-overwrite"),
        pytest.param([overwrites(1_000)], id="quadratic-overwrite within the entry limit"),
    ],
)
def test_reader_refuses_what_harms_pycrdt(updates: list[bytes]) -> None:
    for raw in updates:
        # The client that the update names, so that it is not refused for its client alone.
        for volume in {0, *(n - client_id(0) for n in raw[1:5] if n)}:
            with pytest.raises(UpdateRefused):
                read_update(raw, VolumeState(volume), after=clock.ZERO)
            with pytest.raises(UpdateRefused):
                read_snapshot(raw, volume)


def test_every_recorded_case_is_tried() -> None:
    cases = json.loads((FOLDER / "pycrdt_crashers.json").read_text(encoding="utf-8"))["cases"]
    generated = {case["id"] for case in cases if "gen" in case}
    assert generated == {"segv-any-depth", "quadratic-overwrite"}
    assert len(cases) == len(crashers()) + len(generated)

"""Values that once broke a peer: each was accepted on one side and unreadable on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import syncchat
from syncchat.core import digest
from syncchat.core.emoji import is_emoji
from syncchat.core.fold import Shown
from syncchat.core.values import NESTING_MAX, Root, decode_value
from syncchat.errors import DecodeError, ValidationError
from syncchat.ids import MessageId
from syncchat.transport.base import host_of


@pytest.mark.parametrize(
    "wrong",
    [
        {"mentions": [1]},
        {"mentions": ["\ud800"]},
        {"metadata": {"x": 2**70}},
        {"metadata": {"x": -(2**63) - 1}},
        {"metadata": {1: "x"}},
        {"metadata": [1]},
        {"metadata": {"x": object()}},
        {"attachments": ["x"]},
        {"kind": 3},
        {"kind": "\ud800"},
        {"reply_to": 5},
        {"thread": b"x"},
    ],
)
def test_message_that_others_could_not_read_is_refused_and_leaves_the_room_readable(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        room = peer.create_room("Team")
        with pytest.raises(ValidationError):
            room.send("x", **wrong)
        assert room.messages() == []
        assert peer.check() == []


@pytest.mark.parametrize("text", [5, None, b"x", "\ud800"])
def test_text_that_is_no_text_is_refused(tmp_path: Path, text: Any) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        room = peer.create_room("Team")
        mine = room.send("mine")
        for write in (room.send, lambda t: room.edit(mine.id, t), lambda t: room.react(mine.id, t)):
            with pytest.raises(ValidationError):
                write(text)
        assert [message.text for message in room.messages()] == ["mine"]


def test_writer_sees_metadata_as_json_carries_it_and_keeps_the_right_digest(
    tmp_path: Path,
) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        room = peer.create_room("Team")
        sent = room.send("x", metadata={"set": {1}, "none": float("nan"), "pair": (1, 2)})
        assert sent.metadata == {"set": [1], "none": None, "pair": [1, 2]}
        before = room.digest()
        peer.rebuild()
        assert room.digest() == before


def test_integer_of_over_64_bits_in_a_foreign_value_is_refused_not_a_crash_in_the_digest() -> None:
    for number in (2**64, -(2**63) - 1, 10**30):
        for where in (
            f'{{"metadata":{{"x":[{number}]}}}}',
            f'{{"attachments":[{{"x":{number}}}]}}',
        ):
            with pytest.raises(DecodeError):
                decode_value(Root.MESSAGES, where)
        with pytest.raises(DecodeError):
            decode_value(Root.ROOM, f'["0000000000001",{number}]')
    for number in (2**64 - 1, -(2**63)):
        value = decode_value(Root.MESSAGES, f'{{"metadata":{{"x":{number}}}}}')
        assert digest.of_message(Shown(MessageId("0" * 26), value=value))


def test_depth_at_which_a_value_is_refused_does_not_depend_on_the_depth_of_the_stack() -> None:
    def at_depth(frames: int, text: str) -> bool:
        if frames:
            return at_depth(frames - 1, text)
        try:
            decode_value(Root.MESSAGES, text)
        except DecodeError:
            return False
        return True

    for levels in (1, NESTING_MAX - 1, NESTING_MAX, NESTING_MAX + 1, 600):
        for field in ("metadata", "unknown"):
            inner = "[" * (levels - 2) + "]" * (levels - 2)
            text = f'{{"{field}":{{"x":{inner or 1}}}}}'
            answers = {at_depth(frames, text) for frames in (0, 500)}
            assert answers == {levels <= NESTING_MAX}, (levels, field)


def test_brackets_inside_text_do_not_count_as_nesting() -> None:
    text = '{"text":"' + "[{" * 500 + '\\"' + "[" * 500 + '"}'
    assert len(decode_value(Root.MESSAGES, text).text) == 1_501


@pytest.mark.parametrize(
    "emoji",
    ["👍", "👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "❤️", "ℹ️", "🫩", "👍🏽", "🇩🇪", "©️", "↔️"],  # noqa: RUF001
)
def test_emoji_of_every_make_are_reactions(emoji: str) -> None:
    assert is_emoji(emoji)


@pytest.mark.parametrize("text", ["", "hello", "1", "日本", "👍 ", "\u202e", "👍\n", "👍" * 33])
def test_what_is_no_emoji_is_no_reaction(text: str) -> None:
    assert not is_emoji(text)


@pytest.mark.parametrize(
    "address",
    ["ws://a..b:1", "ws://" + "a" * 70 + ".com", "ws://\0", "ws://.", "ws://a b", "ws://h/\ud800"],
)
def test_address_that_no_host_can_have_is_refused_before_it_stops_all_syncing(address: str) -> None:
    with pytest.raises(ValidationError):
        host_of(address)

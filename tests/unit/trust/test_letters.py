"""Letters: who can open one, and that it stays what it was."""

from __future__ import annotations

from typing import Any

import pytest

from syncchat.trust.boxes import box_public
from syncchat.trust.letters import (
    PADDED_BYTES,
    READERS_MAX,
    Complaint,
    Content,
    DirectRoom,
    open_letter,
    seal_letter,
)
from tests.support.ports import chance
from tests.vectors import load, plain

ROOM, WRITER = bytes(range(16)), bytes(range(16, 32))
SECRETS = [bytes([n]) * 32 for n in (1, 2, 3)]
DIRECT = DirectRoom(bytes(16), "ws://localhost:1")


def letter(content: Content = DIRECT, *, readers: int = 2) -> dict[str, Any]:
    keys = [box_public(secret) for secret in SECRETS[:readers]]
    return seal_letter(content, room=ROOM, writer=WRITER, readers=keys, random=chance(1))


def opened(field: object, *secrets: bytes, room: bytes = ROOM, writer: bytes = WRITER) -> object:
    return open_letter(field, room=room, writer=writer, secrets=secrets)


@pytest.mark.parametrize("content", [DIRECT, Complaint("0" * 26, "spam", 1_800_000_000_000)])
def test_every_reader_opens_a_letter_and_nobody_else(content: Content) -> None:
    sealed = letter(content)
    assert opened(sealed, SECRETS[0]) == opened(sealed, SECRETS[1]) == content
    assert opened(sealed, SECRETS[2]) is None
    assert opened(sealed) is None
    assert opened(sealed, SECRETS[2], SECRETS[1]) == content


def test_letter_counts_only_in_its_room_and_from_its_writer() -> None:
    sealed = letter()
    assert opened(sealed, SECRETS[0], room=bytes(16)) is None
    assert opened(sealed, SECRETS[0], writer=bytes(16)) is None


def test_golden_letters_open_for_their_readers_only() -> None:
    kinds = {"DirectRoom": DirectRoom, "Complaint": Complaint}
    rows = load("letters")
    assert {row["kind"] for row in rows} == set(kinds)
    for row in rows:
        room, writer = bytes.fromhex(row["room"]), bytes.fromhex(row["writer"])
        first, second, stranger = (bytes.fromhex(secret) for secret in row["secrets"])
        content = opened(row["letter"], first, room=room, writer=writer)
        assert content == opened(row["letter"], second, room=room, writer=writer)
        assert type(content) is kinds[row["kind"]]
        assert plain(content) == row["fields"]
        assert opened(row["letter"], stranger, room=room, writer=writer) is None


def test_letters_of_different_lengths_look_alike() -> None:
    sizes = {len(letter(Complaint("0" * 26, "x" * n, 1))["sealed"]) for n in (1, 50, 100, 150)}
    assert len(sizes) == 1
    assert len(letter(Complaint("0" * 26, "x" * PADDED_BYTES, 1))["sealed"]) > max(sizes)


@pytest.mark.parametrize(
    "field",
    [
        None,
        7,
        "text",
        [],
        {},
        {"boxes": 1, "sealed": ""},
        {"boxes": ["!"], "sealed": letter()["sealed"]},
        {"boxes": [None, {}, "AAAA"], "sealed": letter()["sealed"]},
        {"boxes": letter()["boxes"], "sealed": None},
        {"boxes": letter()["boxes"], "sealed": "AAAA"},
        {"boxes": letter()["boxes"], "sealed": "\u00e9" * 100},
        {"boxes": letter()["boxes"], "sealed": letter()["sealed"][:-8] + "AAAAAAA="},
    ],
)
def test_what_is_no_letter_says_nothing(field: object) -> None:
    assert opened(field, *SECRETS) is None


def test_no_more_boxes_are_tried_than_a_letter_has() -> None:
    sealed = letter(readers=1)
    filler = letter(readers=3)["boxes"][2]
    sealed["boxes"] = [filler] * READERS_MAX + sealed["boxes"]
    assert opened(sealed, SECRETS[0]) is None

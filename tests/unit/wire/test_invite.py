"""Tests of invite links: what a person may do to one while copying it."""

from __future__ import annotations

import base64

import msgspec
import pytest

from syncchat.errors import DecodeError, InviteError, ValidationError
from syncchat.ids import RoomId
from syncchat.wire.invite import (
    LINK_CHARS_MAX,
    InviteKind,
    InviteLink,
    decode_invite,
    encode_invite,
)

INVITE = InviteLink(
    RoomId(bytes(range(16))), "ws://127.0.0.1:8765", InviteKind.ROOM, bytes(range(32, 48)), "Team"
)
LINK = encode_invite(INVITE)


DEEP = b"\x92\x01" + b"\x91" * 1_200 + b"\x01"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_link_comes_back_as_the_invite() -> None:
    assert decode_invite(LINK) == INVITE
    assert decode_invite(f"  {LINK}\n") == INVITE


def test_secret_and_title_stand_in_the_fragment_alone() -> None:
    front, _, _ = LINK.partition("#")
    clear = base64.urlsafe_b64decode(front.removeprefix("syncchat:") + "===")
    assert INVITE.relay.encode() in clear
    assert INVITE.secret not in clear
    assert INVITE.title.encode() not in clear


def test_link_cut_anywhere_is_refused_with_what_to_do() -> None:
    for size in range(len(LINK)):
        with pytest.raises(InviteError, match="copy"):
            decode_invite(LINK[:size])
        with pytest.raises(InviteError, match="copy"):
            decode_invite(LINK[size + 1 :])


def test_every_mistyped_character_is_noticed() -> None:
    wrong = 0
    for at, char in enumerate(LINK):
        for other in "Aa0_ #é":
            typed = LINK[:at] + other + LINK[at + 1 :]
            try:
                decoded = decode_invite(typed)
            except InviteError:
                wrong += char != other
            else:  # the last character of a part may carry bits that mean nothing
                assert decoded == INVITE
    assert wrong > len(LINK) * 5


def test_link_of_another_version_says_to_update() -> None:
    place = msgspec.msgpack.encode([3, {"all": "new"}])
    with pytest.raises(InviteError, match="update syncchat"):
        decode_invite(f"syncchat:{_text(place)}#{_text(bytes(40))}")


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://example.org/#x",
        "syncchat:",
        "syncchat:#",
        "syncchat:AAAA#",
        "syncchat:#AAAA",
        "syncchat:AAAA#AAAA",
        "syncchat:A#A",
        f"syncchat:{_text(msgspec.msgpack.encode([]))}#AAAA",
        f"syncchat:{_text(bytes((0x91,)) * 600)}#AAAA",
        f"syncchat:{_text(bytes((0x91,)) * 600)}#AAAA".replace("#", "##"),
        f"syncchat:{_text(DEEP)}#{_text(bytes(40))}",
        LINK + "A",
        LINK + "#",
        LINK.replace("#", "%23"),
        LINK.upper(),
        "syncchat:" + "A" * LINK_CHARS_MAX,
        LINK * 100_000,
    ],
    ids=lambda link: f"{link[:20]}-{len(link)}",
)
def test_bad_link_raises_invite_error_that_shows_no_secret(link: str) -> None:
    with pytest.raises(InviteError) as caught:
        decode_invite(link)
    assert isinstance(caught.value, DecodeError)
    assert LINK.partition("#")[2] not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x" * 201},
        {"relay": "ws://" + "x" * 500},
        {"relay": "語" * 490, "title": "語" * 200},
    ],
    ids=["title", "relay", "both"],
)
def test_invite_that_no_link_may_carry_is_refused_when_it_is_made(
    changes: dict[str, str],
) -> None:
    with pytest.raises(ValidationError, match="too long"):
        encode_invite(msgspec.structs.replace(INVITE, **changes))

"""Topic and pictures, and which emoji can be reacted with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from syncchat.core.emoji import emoji_form, is_emoji
from syncchat.core.pictures import AVATAR_BYTES_MAX, Avatar, avatar_of
from syncchat.core.values import ReactionValue, Root
from syncchat.errors import ValidationError
from syncchat.testing import World
from tests.support.peers import make_peer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(50)


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=8, peers=2) as made:
        made.run(seconds=1)
        yield made


def test_topic_is_for_everyone_and_can_be_taken_away(world: World) -> None:
    alice, bob = world.peers
    assert alice.room.topic == ""
    bob.do(lambda: bob.room.set_topic(" Ships and sealing wax "))
    world.run(seconds=2)
    assert alice.room.topic == bob.room.topic == "Ships and sealing wax"
    alice.do(lambda: alice.room.set_topic(""))
    world.run(seconds=2)
    assert alice.room.topic == bob.room.topic == ""


def test_topic_that_cannot_be_shown_is_refused_and_a_foreign_one_is_not_shown(
    world: World,
) -> None:
    alice, bob = world.peers
    for topic in ("x" * 301, "two\nlines", "\x1b[31m", 7):
        with pytest.raises(ValidationError, match="topic"):
            alice.room.set_topic(topic)  # type: ignore[arg-type]
    with bob.peer._db.atomic():
        bob.peer._put_field(1, Root.ROOM, "topic", "\x1b[31m")
    bob.do(lambda: bob.room.send("hello"))
    world.run(seconds=2)
    assert alice.room.topic == ""


@pytest.mark.parametrize(
    ("image", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]
)
def test_pictures_of_rooms_and_people_are_seen_by_everyone(
    world: World, image: bytes, kind: str
) -> None:
    alice, bob = world.peers
    alice.do(lambda: alice.room.set_avatar(image))
    alice.do(lambda: alice.peer.set_avatar(image))
    world.run(seconds=2)
    for peer in (alice, bob):
        assert peer.room.avatar == Avatar(kind, image)
        assert peer.room.avatar_of(alice.peer.id) == Avatar(kind, image)
        assert peer.room.avatar_of(bob.peer.id) is None
    assert (alice.peer.avatar, bob.peer.avatar) == (Avatar(kind, image), None)
    other = alice.do(lambda: alice.peer.create_room("Elsewhere"))
    assert other.avatar_of(alice.peer.id) == Avatar(kind, image)
    alice.do(lambda: alice.peer.set_avatar(None))
    alice.do(lambda: alice.room.set_avatar(None))
    world.run(seconds=2)
    assert bob.room.avatar is bob.room.avatar_of(alice.peer.id) is alice.peer.avatar is None


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (PNG + bytes(AVATAR_BYTES_MAX), "make it smaller"),
        (b"GIF89a" + bytes(20), "PNG, JPEG or WebP"),
        (b"", "PNG, JPEG or WebP"),
        (b"<svg onload=alert(1)>", "PNG, JPEG or WebP"),
        (JPEG + b"Exif\0\0MM" + bytes(20), "without metadata"),
        (PNG + b"eXIfMM" + bytes(20), "without metadata"),
        (WEBP + b"EXIF" + bytes(20), "without metadata"),
        ("a.png", "bytes"),
    ],
)
def test_what_is_no_picture_for_everyone_is_refused(
    world: World, image: object, reason: str
) -> None:
    alice = world.peers[0]
    for call in (alice.room.set_avatar, alice.peer.set_avatar):
        with pytest.raises(ValidationError, match=reason):
            call(image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "field",
    [
        None,
        7,
        {},
        {"data": 1},
        {"type": "image/png", "data": "not base64!"},
        {"type": "image/png", "data": "\u00e9"},
        {"type": "image/svg+xml", "data": "PHN2Zz4="},
        {"type": "image/jpeg", "data": Avatar("", PNG).to_json()["data"]},
        {"type": "image/png", "data": Avatar("", PNG * 200).to_json()["data"]},
    ],
)
def test_foreign_picture_that_is_none_is_not_shown(field: object) -> None:
    assert avatar_of(field) is None


# Reactions

REAL = (
    "👍 ❤️ 😂 🎉 🇫🇷 🇪🇺 🇺🇳 🇽🇰 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏴󠁧󠁢󠁳󠁣󠁴󠁿 1️⃣ #️⃣ *️⃣ ©️ ™️ 👋🏽 ☝🏿 ✍🏻 👩‍🚀 🏳️‍🌈 🏳️‍⚧️ 🏴‍☠️ 👨‍👩‍👧‍👦",
    "🧑🏻‍❤️‍💋‍🧑🏿 👁️‍🗨️ ❤️‍🔥 🧔‍♂️ 🙅🏾‍♀️ 🐈‍⬛ 🐻‍❄️ 🍋‍🟩 🫨 🩷 🫩 ⛓️‍💥 🀄 🃏 ♾️ ㊗️ 🅰️ 🆎",
)

NONE = (
    "",
    " ",
    "a",
    "ok",
    "1",
    "#",
    "é",
    "中",
    "שלום",
    "☆",
    "→",
    "👍👍",
    "👍 ",
    "👍a",
    "a👍",
    "🇭🇮",
    "🇽🇽",
    "🇫",
    "🇫🇷🇫",
    "🏻",
    "🎉🏽",
    "👍🏽🏽",
    "\u200d",
    "👩\u200d",
    "\u200d👩",
    "👩\u200d\u200d🚀",
    "\ufe0f",
    "a\u20e3",
    "\U000e0067",
    "👍\u200d" * 5 + "👍",
    "👍" * 40,
    "<b>",
    "\x1b[31m",
)


@pytest.mark.parametrize("emoji", " ".join(REAL).split())
def test_real_emoji_are_emoji_in_all_their_forms(emoji: str) -> None:
    assert is_emoji(emoji)
    assert emoji_form(emoji) == emoji
    assert emoji_form(emoji.replace("\ufe0f", "")) == emoji
    assert emoji_form(emoji.replace("\ufe0f", "\ufe0e")) == emoji


@pytest.mark.parametrize("text", NONE)
def test_text_is_no_emoji(text: str) -> None:
    assert not is_emoji(text)
    with make_peer(1) as alice:
        room = alice.create_room("Team")
        with pytest.raises(ValidationError, match="emoji"):
            room.react(room.send("hello").id, text)


def test_emoji_that_the_terminal_library_knows_are_emoji() -> None:
    from rich._emoji_codes import EMOJI

    tones = set(map(chr, range(0x1F3FB, 0x1F400)))
    letters = set(map(chr, range(0x1F1E6, 0x1F200)))
    known = [each for each in EMOJI.values() if each not in tones | letters]
    assert len(known) > 3_000
    assert [each for each in known if not is_emoji(each)] == ["⎈"]  # which is none


def test_one_emoji_in_two_forms_counts_once_for_each_member(world: World) -> None:
    alice, bob = world.peers
    message = alice.do(lambda: alice.room.send("hello")).id
    world.run(seconds=1)
    alice.do(lambda: alice.room.react(message, "❤"))
    bob.do(lambda: bob.room.react(message, "❤️"))
    for emoji in ("❤", "lol"):  # as another program may write it
        bob.room._put_mark(Root.REACTIONS, message + emoji, lambda at: ReactionValue(at, True))
    world.run(seconds=2)
    for peer in (alice, bob):
        found = peer.room.message(message).reactions
        assert sorted((r.member, r.emoji) for r in found) == sorted(
            [(alice.peer.id, "❤️"), (bob.peer.id, "❤️")]
        )
    bob.do(lambda: bob.room.unreact(message, "❤"))
    world.run(seconds=2)
    for peer in (alice, bob):
        assert [r.member for r in peer.room.message(message).reactions] == [alice.peer.id]


def test_concurrent_toggles_of_a_reaction_converge(world: World) -> None:
    alice, bob = world.peers
    message = alice.do(lambda: alice.room.send("hello")).id
    world.run(seconds=1)
    for peer in (alice, bob):
        peer.go_offline()
        for call in (peer.room.react, peer.room.unreact, peer.room.react):
            peer.do(partial(call, message, "👍"))
    bob.do(lambda: bob.room.unreact(message, "👍"))
    world.heal()
    for peer in (alice, bob):
        assert [r.member for r in peer.room.message(message).reactions] == [alice.peer.id]

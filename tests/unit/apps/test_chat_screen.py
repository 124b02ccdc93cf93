"""What the chat prints, given messages and how they change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import syncchat
from syncchat.apps.cli.chat.screen import NUMBERS_MAX, Screen, Style
from syncchat.apps.cli.chat.states import SETTLE_SECONDS, OwnStates, ranges
from syncchat.apps.cli.show import Names
from syncchat.core.message import ReactionView
from syncchat.errors import NotFoundError
from syncchat.ids import MemberId, MessageId
from syncchat.membership import Member
from syncchat.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        yield peer.create_room("Team")


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest.fixture
def screen(room: Room, printed: list[str]) -> Screen:
    return Screen(room, printed.append, Style(plain=True))


def _foreign(message: syncchat.Message, name: str = "Bob") -> syncchat.Message:
    return replace(message, mine=False, sender=MemberId("0" * 13), sender_name=name)


def test_messages_are_numbered_and_a_new_day_is_announced_once(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    for text in ("one", "two\nlines"):
        screen.add(room.send(text))
    assert printed[0].startswith("— ") and len(printed) == 3
    assert printed[1].startswith("[1] ") and printed[1].endswith("Alice: one  …")
    assert printed[2].startswith("[2] ") and printed[2].endswith("\n          lines  …")


def test_a_reply_quotes_what_it_answers_on_one_line(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    first = room.send("a long question\n" + "word " * 50)
    screen.add(room.send("answer", reply_to=first.id))
    assert printed[1].startswith("  ↳ Alice: a long question ⏎ word")
    assert printed[1].endswith("…") and len(printed[1]) < 90
    unknown = "0" * 26
    screen.add(room.send("answer to nothing", reply_to=unknown))
    assert printed[3] == "  ↳ a message that is not here"


def test_changes_of_a_shown_message_are_told_by_its_number(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    message = room.send("frist")
    screen.add(message)
    del printed[:]
    edited = replace(message, text="first", edited_at=message.sent_at + 1)
    screen.change(edited)
    thumb = ReactionView(message.sender, "Alice", "👍", message.sent_at)
    screen.change(replace(edited, reactions=(thumb,)))
    screen.change(replace(edited, reactions=()))
    screen.change(replace(edited, text="", deleted=True))
    assert printed == [
        " *  [1] Alice edited: first",
        " *  [1] Alice reacted 👍",
        " *  [1] Alice took back 👍",
        " *  [1] Alice deleted this message",
    ]


def test_a_change_of_a_message_that_is_not_shown_prints_nothing(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    screen.change(replace(room.send("x"), text="y"))
    assert printed == []


def test_a_message_that_sorts_before_a_shown_one_is_marked_as_earlier(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    early, late = room.send("early"), room.send("late")
    screen.add(late)
    screen.add(_foreign(early))
    assert printed[-1].endswith("early  (written earlier)")


def test_numbers_and_beginnings_of_ids_lead_to_messages(room: Room, screen: Screen) -> None:
    message = room.send("x")
    screen.add(message)
    assert screen.message("1") == screen.message("[1]") == message.id
    assert screen.message(message.id[:20]) == message.id
    for wrong in ("0", "2", "-1", "x", "", "²"):
        with pytest.raises(NotFoundError):
            screen.message(wrong)


def test_the_screen_forgets_the_oldest_numbers(room: Room, screen: Screen) -> None:
    first = room.send("x")
    for number in range(NUMBERS_MAX + 1):
        screen.add(replace(first, id=MessageId(f"{number:026}")))
    assert not screen.is_shown(MessageId("0" * 26))
    assert screen.message(str(NUMBERS_MAX + 1)) == f"{NUMBERS_MAX:026}"
    with pytest.raises(NotFoundError):
        screen.message("1")


def test_a_message_that_is_printed_again_keeps_its_number_and_is_no_news(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    early, late = room.send("early"), room.send("late")
    screen.add(late)
    screen.add(_foreign(early), is_news=False)
    screen.add(late, is_news=False)
    assert printed[-2].startswith("[2]") and printed[-2].endswith("early")
    assert printed[-1].startswith("[1]")
    assert screen.has_seen(early.id) and screen.seen_count == 2
    assert screen.newest == late.id


def test_hostile_text_name_kind_and_emoji_cannot_steer_the_terminal(
    room: Room, screen: Screen, printed: list[str]
) -> None:
    message = replace(_foreign(room.send("x")), text="\x1b[2J", kind="\x9b\u202e")
    screen.add(message)
    bell = ReactionView(MemberId("0" * 13), "\x1b", "\x07\u202e", message.sent_at)
    screen.change(replace(message, reactions=(bell,), text="\x1bc", edited_at=1))
    screen.note("a relay says \x1b[2J\u2066")
    everything = "".join(printed)
    assert not set(everything) & set("\x1b\x07\x9b\u202e\u2066")
    assert "␛[2J" in everything


class _Members:
    """Stands for a room of which only the members are asked."""

    def __init__(self, *members: tuple[str, str]) -> None:
        self.given = members

    def members(self) -> list[Member]:
        return [Member(MemberId(id_), name, False, "member", ()) for id_, name in self.given]

    def message(self, message: str) -> syncchat.Message:
        raise NotFoundError(message)


def test_members_of_one_name_are_told_apart_however_it_is_disguised() -> None:
    room = _Members(
        ("AAAA000000000", "Alice"),
        ("BBBB000000000", "ALICE\u200b"),
        ("CCCC000000000", "\uff21lice"),
        ("DDDD000000000", "Bob"),
    )
    names = Names(room)
    assert list(names.everyone().values()) == [
        "Alice (AAAA)",
        "ALICE (BBBB)",
        "\uff21lice (CCCC)",
        "Bob",
    ]


def test_who_is_out_keeps_a_name_that_nobody_else_can_pass_for() -> None:
    names = Names(_Members(("AAAA000000000", "Carol")))
    assert names.of(MemberId("BBBB000000000"), "Carol\x1b[2J") == "Carol␛[2J (BBBB)"
    assert names.of(MemberId("AAAA000000000"), "Carola") == "Carol"
    assert names.of(MemberId("CCCC000000000"), "CCCC00") == names.of(MemberId("CCCC000000000"))


def test_people_who_come_and_are_renamed_are_told(room: Room, printed: list[str]) -> None:
    members = _Members(("AAAA000000000", "Alice"))
    screen = Screen(members, printed.append, Style(plain=True))
    members.given = (("AAAA000000000", "Alicia"), ("BBBB000000000", "Bob"))
    screen.people_changed()
    assert printed == [" *  Bob is in the room", " *  Alice is now Alicia"]
    many = [(f"{n:013}", f"P{n}") for n in range(5)]
    members.given = (*members.given, *many)
    screen.people_changed()
    assert printed[-1] == " *  P0, P1, P2 and 2 more are in the room"


def test_names_of_a_crowd_that_come_later_are_told_in_few_lines(printed: list[str]) -> None:
    members = _Members(*[(f"{n:013}", f"{n:06}") for n in range(50)])
    screen = Screen(members, printed.append, Style(plain=True))
    members.given = tuple((id_, f"P{id_}") for id_, _ in members.given)
    screen.people_changed()
    assert len(printed) == 4
    assert printed[-1] == " *  and 47 more have another name"


def test_styles_colour_names_but_never_change_the_words(room: Room) -> None:
    colours = Style(plain=False)
    assert colours.dim("x") == "\x1b[2mx\x1b[0m"
    assert "Alice" in colours.name("Alice", MemberId("0" * 13), mine=False)


# States of own messages


def _own(number: int, status: syncchat.Status) -> syncchat.Message:
    return syncchat.Message(
        id=MessageId(f"{number:026}"),
        room_id=b"",  # type: ignore[arg-type]  # not looked at
        sender=MemberId(""),
        sender_name="",
        text="",
        kind="text",
        sent_at=0,
        status=status,
        mine=True,
    )


def test_states_are_told_once_settled_the_last_of_each_message_only() -> None:
    states, sent, read = OwnStates(), syncchat.Status.SENT, syncchat.Status.READ
    for number in (1, 2, 3):
        states.shown(_own(number, syncchat.Status.QUEUED))
    assert states.queued() == 3 and states.settled(at=0.0) == {}
    for number in (1, 2, 3):
        states.changed(_own(number, sent), at=10.0)
    states.changed(_own(1, syncchat.Status.DELIVERED), at=10.2)
    states.changed(_own(1, read), at=10.3)
    assert states.settled(at=10.0 + SETTLE_SECONDS / 2) == {}
    told = states.settled(at=10.0 + SETTLE_SECONDS)
    assert told == {sent: [f"{2:026}", f"{3:026}"], read: [f"{1:026}"]}
    assert states.settled(at=99.0) == {}
    assert (states.queued(), states.last()) == (0, sent)
    assert states.unread() == [f"{2:026}", f"{3:026}"]


def test_states_of_others_deleted_and_unseen_messages_are_not_told() -> None:
    states = OwnStates()
    states.shown(replace(_own(1, syncchat.Status.DELIVERED), mine=False))
    states.shown(_own(2, syncchat.Status.QUEUED))
    states.changed(_own(1, syncchat.Status.READ), at=0.0)
    states.changed(_own(9, syncchat.Status.READ), at=0.0)
    states.changed(replace(_own(2, syncchat.Status.SENT), deleted=True), at=0.0)
    assert states.settled(at=9.0, all_now=True) == {}
    assert states.queued() == 0


def test_numbers_that_follow_each_other_are_told_as_ranges() -> None:
    assert ranges([3]) == "[3]"
    assert ranges([5, 3, 4, 9]) == "[3]-[5] [9]"
    assert ranges([1, 2]) == "[1]-[2]"

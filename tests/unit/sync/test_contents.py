"""Old history on one connection: asked for by place, and answered for each."""

from __future__ import annotations

from syncchat.sync.events import ContentsCame, Dead, StubsTold
from syncchat.sync.session import ANSWER_MS_MAX, Position, Session
from syncchat.wire import frames

from .test_session import HELLO, INCARNATION, KEYS, ROOM, fed, opened, sent


def test_rooms_that_are_light_are_named_by_their_positions() -> None:
    session = Session(KEYS, host="localhost", now_ms=0)
    fed(session, HELLO)
    rooms = [Position(bytes((n,)) * 16, 0, bytes(8), 0, is_light=n == 1) for n in range(3)]
    session.open(INCARNATION, rooms, recent=9)
    asked = [frame for frame in sent(session) if isinstance(frame, frames.Open)]
    assert [(frame.recent, frame.light) for frame in asked] == [(9, [1])]


def test_stubs_come_with_their_places_and_others_end_the_connection() -> None:
    session = opened()
    told = fed(session, frames.Stubs(7, [7, 9], [b"one", b"two"]))
    assert told == [StubsTold(ROOM, ((7, b"one"), (9, b"two")))]
    (dead,) = fed(session, frames.Stubs(7, [7], [b"one", b"two"]))
    assert isinstance(dead, Dead)


def test_contents_answer_what_was_asked_for_once() -> None:
    session = opened()
    session.ask_contents(ROOM, [7, 9])
    assert sent(session) == [frames.AskContents(7, [7, 9])]
    assert fed(session, frames.Contents(7, 9, b"whole")) == [ContentsCame(ROOM, 9, b"whole")]
    assert fed(session, frames.Contents(7, 7, b"")) == [ContentsCame(ROOM, 7, b"")]
    (dead,) = fed(session, frames.Contents(7, 7, b""))
    assert isinstance(dead, Dead) and "not asked for" in dead.reason


def test_relay_that_owes_old_history_for_too_long_is_given_up() -> None:
    session = opened()
    fed(session, frames.Live(7, 0, bytes(8)))
    session.ask_contents(ROOM, [7])
    assert session.tick(1) == []
    session.receive(frames.encode(frames.Pong(1)), ANSWER_MS_MAX // 2)
    found = session.receive(frames.encode(frames.Pong(1)), ANSWER_MS_MAX + 2)
    assert any(isinstance(each, Dead) and "old history" in each.reason for each in found)

"""Laws of the session: whatever a relay sends, the session answers with events, never an error."""

from __future__ import annotations

import contextlib
from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from syncchat.errors import DecodeError
from syncchat.sync.events import Dead, Refused, SessionEvent
from syncchat.sync.session import Position, Session
from syncchat.trust.keys import DeviceKeys
from syncchat.wire import frames
from syncchat.wire.limits import PUSHES_IN_FLIGHT_MAX, SILENCE_MS_MAX, VERSION

KEYS = DeviceKeys(bytes(range(32)))
ROOMS = [bytes((n,)) * 16 for n in range(3)]
SMALL = st.integers(0, 4)
EIGHT = st.binary(min_size=8, max_size=8)
BYTES8 = st.binary(min_size=8, max_size=8)
FRAMES = st.one_of(
    st.builds(frames.Hello, SMALL, SMALL, BYTES8, st.binary(min_size=32, max_size=32)),
    st.builds(
        frames.Opened,
        st.lists(SMALL, max_size=3),
        st.lists(
            st.builds(frames.RoomState, SMALL, SMALL, SMALL, SMALL, st.booleans()), max_size=3
        ),
    ),
    st.builds(frames.Deliver, SMALL, SMALL, st.lists(st.binary(max_size=3), min_size=1)),
    st.builds(
        frames.Deliver,
        SMALL,
        SMALL,
        st.lists(st.binary(max_size=3), max_size=3),
        st.lists(
            st.builds(frames.Gap, SMALL, SMALL, st.binary(min_size=8, max_size=8)), max_size=3
        ),
    ),
    st.builds(frames.Snapshots, SMALL, st.lists(st.binary(max_size=3), min_size=1)),
    st.builds(
        frames.Stubs,
        SMALL,
        st.lists(SMALL, min_size=1, max_size=2),
        st.lists(st.binary(max_size=3), min_size=1, max_size=2),
    ),
    st.builds(frames.Contents, SMALL, SMALL, st.binary(max_size=3)),
    st.builds(
        frames.Recent,
        SMALL,
        SMALL,
        st.lists(SMALL, max_size=3),
        st.lists(st.binary(max_size=3), max_size=3),
        st.lists(
            st.builds(frames.LinkBefore, SMALL, st.binary(min_size=32, max_size=32)), max_size=2
        ),
        st.booleans(),
    ),
    st.builds(frames.Live, SMALL, SMALL),
    st.builds(
        frames.Ack,
        SMALL,
        SMALL,
        st.lists(st.builds(frames.AckItem, st.integers(0, 9), SMALL), max_size=3),
    ),
    st.builds(
        frames.Cursors,
        SMALL,
        st.lists(st.builds(frames.DeviceCursor, BYTES8, SMALL), max_size=3),
    ),
    st.builds(
        frames.Chains,
        SMALL,
        st.lists(st.builds(frames.ChainHead, BYTES8, SMALL), max_size=3),
        st.booleans(),
    ),
    st.builds(frames.Ping, SMALL),
    st.builds(frames.Pong, SMALL),
    st.builds(frames.Error, st.integers(0, 20), SMALL, st.text(max_size=3)),
    st.builds(frames.Applied, SMALL, SMALL),
    st.builds(frames.Access, SMALL, st.booleans()),
    st.builds(frames.Signal, SMALL, st.binary(min_size=1, max_size=3)),
    st.builds(frames.Found, st.binary(min_size=32, max_size=32), st.binary(max_size=16)),
    st.builds(frames.BlobStates, SMALL, SMALL, st.binary(max_size=3)),
    st.builds(frames.BlobData, SMALL, SMALL, st.binary(max_size=3)),
    st.just(frames.Bye()),
).map(frames.encode)
HELLO = frames.encode(frames.Hello(VERSION, VERSION, b"i" * 8, b"n" * 32))
OPENED = frames.encode(frames.Opened([0, 1, 2], []))
INPUT = st.one_of(FRAMES, FRAMES, st.just(HELLO), st.just(OPENED), st.binary(max_size=20))
ACTS = st.one_of(
    INPUT.map(lambda raw: ("receive", raw)),
    st.integers(0, 50_000).map(lambda ms: ("tick", ms)),
    st.integers(0, 2).map(lambda room: ("push", room)),
    SMALL.map(lambda place: ("ask", place)),
)


@given(st.lists(ACTS, max_size=30), st.booleans())
def test_random_frames_raise_nothing_and_end_a_session_at_most_once(
    script: list[tuple[str, object]], is_greeted: bool
) -> None:
    session = Session(KEYS, host="localhost", now_ms=0)
    now, known, ends = 0, set[bytes](), 0
    if is_greeted:
        session.receive(HELLO, 0)
        session.open(b"i" * 8, [Position(room, 0, bytes(8), 0) for room in ROOMS])
        session.receive(OPENED, 0)
        known.update(ROOMS)
    for what, value in script:
        events: list[SessionEvent] = []
        if what == "receive":
            assert isinstance(value, bytes)
            events = session.receive(value, now)
        elif what == "tick":
            assert isinstance(value, int)
            now += value
            events = session.tick(now)
        elif what == "ask" and known and session.is_ready:
            assert isinstance(value, int)
            session.ask_contents(ROOMS[0], [value])
        elif what == "push" and known and session.is_ready and session.pushes_free:
            assert isinstance(value, int)
            session.push(ROOMS[value], [b"x"])
        for event in events:
            assert isinstance(event, get_args(SessionEvent))
            ends += isinstance(event, Dead)
            assert not isinstance(event, Refused) or event.code >= 0
        assert 0 <= session.pushes_free <= PUSHES_IN_FLIGHT_MAX
        for raw in session.outgoing():
            assert frames.decode(raw) is not None
    assert ends <= 1
    if ends:
        assert session.receive(HELLO, now) == [] == session.tick(now + 10**9)


@given(st.binary(max_size=60))
def test_decode_raises_only_its_own_error(raw: bytes) -> None:
    with contextlib.suppress(DecodeError):
        frames.decode(raw)


@given(st.lists(st.integers(1, 30_000), max_size=40))
def test_silent_relay_is_given_up_in_time_whenever_the_owner_ticks(gaps: list[int]) -> None:
    session = Session(KEYS, host="localhost", now_ms=0)
    session.receive(HELLO, 0)
    now = 0
    for gap in gaps:
        now = min(now + gap, session.next_tick_ms())
        events = session.tick(now)
        assert bool(events) == (now >= SILENCE_MS_MAX)
        if events:
            return
        pings = [frames.decode(raw) for raw in session.outgoing()]
        assert len([p for p in pings if isinstance(p, frames.Ping)]) <= 1


def test_every_frame_that_a_relay_sends_is_tried() -> None:
    tried = {
        "Hello",
        "Opened",
        "Deliver",
        "Snapshots",
        "Stubs",
        "Contents",
        "Recent",
        "Live",
        "Ack",
        "Cursors",
        "Chains",
        "Ping",
        "Pong",
    }
    tried |= {
        "Ping",
        "Pong",
        "Error",
        "Applied",
        "Bye",
        "Access",
        "Signal",
        "Found",
        "BlobStates",
        "BlobData",
    }
    all_frames = {kind.__name__ for kind in get_args(frames.AnyFrame)}
    from_peers = {"Auth", "Open", "Push", "AskChains", "AskCursors", "Renew", "Revoke"}
    from_peers |= {"Find", "AskContents", "PutBlob", "AskBlobs", "DropBlobs", "GetBlob"}
    assert all_frames - tried == from_peers
    assert msgspec.msgpack.decode(HELLO)[0] == 1

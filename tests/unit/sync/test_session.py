"""The session: one connection, in virtual time."""

from __future__ import annotations

import pytest

from syncchat.ids import DeviceKey
from syncchat.sync.events import (
    Acked,
    CaughtUp,
    ChainsSeen,
    Dead,
    Delivered,
    Ready,
    Refused,
    RoomOpened,
    SessionEvent,
    TokenWanted,
)
from syncchat.sync.session import Position, Session
from syncchat.trust.keys import DeviceKeys, auth_text, operator_proof, verify
from syncchat.wire import frames
from syncchat.wire.codes import ErrorCode, ItemStatus
from syncchat.wire.limits import (
    HANDSHAKE_MS_MAX,
    HEARTBEAT_MS,
    PUSHES_IN_FLIGHT_MAX,
    SILENCE_MS_MAX,
    VERSION,
)

KEYS = DeviceKeys(bytes(range(32)))
HOST = "relay.example.org"
INCARNATION, NONCE, ROOM = b"i" * 8, b"n" * 32, b"r" * 16
HELLO = frames.Hello(VERSION, VERSION, INCARNATION, NONCE)


def fed(session: Session, frame: frames.Frame, now_ms: int = 0) -> list[object]:
    return list(session.receive(frames.encode(frame), now_ms))


def sent(session: Session) -> list[frames.AnyFrame]:
    found = [frames.decode(raw) for raw in session.outgoing()]
    return [frame for frame in found if frame is not None]


def ready() -> Session:
    session = Session(KEYS, host=HOST, now_ms=0)
    fed(session, HELLO)
    sent(session)
    return session


def opened() -> Session:
    session = ready()
    session.open(INCARNATION, [Position(ROOM, 0, bytes(8), 0)])
    fed(session, frames.Opened([7], [frames.RoomState(0, 0, 3, 1)]))
    sent(session)
    return session


def test_greeting_is_answered_with_a_signature_for_this_host() -> None:
    session = Session(KEYS, host=HOST, now_ms=0)
    assert not session.is_ready
    assert fed(session, HELLO) == [Ready(INCARNATION)]
    (auth,) = sent(session)
    assert isinstance(auth, frames.Auth)
    text = auth_text(host=HOST, incarnation=INCARNATION, nonce=NONCE, version=VERSION)
    verify(DeviceKey(KEYS.public), text, auth.signature)
    assert session.is_ready


@pytest.mark.parametrize(
    ("low", "high", "older"), [(VERSION + 1, VERSION + 2, "this syncchat"), (0, 0, "the relay")]
)
def test_relay_without_a_common_version_is_told_apart_and_not_retried(
    low: int, high: int, older: str
) -> None:
    session = Session(KEYS, host=HOST, now_ms=0)
    (refused,) = fed(session, frames.Hello(low, high, INCARNATION, NONCE))
    assert isinstance(refused, Refused)
    assert refused.code == ErrorCode.BAD_VERSION and not refused.retry
    assert older in refused.text
    assert sent(session) == []


def test_half_open_connection_is_noticed_within_45_seconds() -> None:
    session = ready()
    now = 0
    pinged: list[tuple[int, frames.AnyFrame]] = []
    events: list[SessionEvent] = []
    while not events:
        now = session.next_tick_ms()
        events = session.tick(now)
        pinged += [(now, frame) for frame in sent(session)]
        assert now <= 45_000
    assert pinged == [(HEARTBEAT_MS, frames.Ping(1))]
    assert now == SILENCE_MS_MAX
    assert isinstance(events[0], Dead)
    assert not session.is_ready


def test_any_frame_counts_as_a_sign_of_life() -> None:
    session = ready()
    for number in range(10):
        now = (number + 1) * HEARTBEAT_MS
        assert session.tick(now) == []
        (ping,) = sent(session)
        assert ping == frames.Ping(number + 1)
        fed(session, frames.Pong(number + 1), now)
    assert session.is_ready


def test_relay_that_does_not_greet_is_given_up() -> None:
    session = Session(KEYS, host=HOST, now_ms=100)
    assert session.tick(100 + HANDSHAKE_MS_MAX - 1) == []
    (dead,) = session.tick(100 + HANDSHAKE_MS_MAX)
    assert isinstance(dead, Dead)


def test_monotonic_clock_that_steps_back_kills_nothing() -> None:
    session = ready()
    fed(session, frames.Pong(1), 1_000_000)
    assert session.tick(10) == []
    assert session.is_ready


def test_ping_of_the_relay_is_answered() -> None:
    session = ready()
    assert fed(session, frames.Ping(9)) == []
    assert sent(session) == [frames.Pong(9)]


def test_rooms_that_are_as_said_and_rooms_that_differ_are_told_apart() -> None:
    session = ready()
    other = b"o" * 16
    session.open(INCARNATION, [Position(ROOM, 5, b"f" * 8, 2), Position(other, 1, b"g" * 8, 1)])
    (asked,) = sent(session)
    assert isinstance(asked, frames.Open)
    assert [room.cursor for room in asked.rooms] == [5, 1]
    assert fed(session, frames.Opened([1, 2], [frames.RoomState(1, 0, 9, 4)])) == [
        RoomOpened(ROOM, False, 5, 5, 2),
        RoomOpened(other, True, 0, 9, 4),
    ]


def test_deliveries_and_acks_become_events() -> None:
    session = opened()
    assert fed(session, frames.Deliver(7, 0, [b"a", b"b"])) == [Delivered(ROOM, 0, (b"a", b"b"))]
    assert fed(session, frames.Live(7, 2, b"8 bytes.")) == [CaughtUp(ROOM, 2, b"8 bytes.")]
    session.push(ROOM, [b"mine"])
    (push,) = sent(session)
    assert push == frames.Push(7, 1, [b"mine"])
    assert session.pushes_of(ROOM) == 1
    assert fed(session, frames.Ack(7, 1, [frames.AckItem(ItemStatus.STORED, 3)])) == [
        Acked(ROOM, (b"mine",), ((ItemStatus.STORED, 3),))
    ]
    assert session.pushes_of(ROOM) == 0
    assert session.pushes_free == PUSHES_IN_FLIGHT_MAX


def test_answer_in_several_frames_is_one_event() -> None:
    session = opened()
    session.ask_chains(ROOM)
    one, other = frames.ChainHead(b"a" * 8, 1), frames.ChainHead(b"b" * 8, 2)
    assert fed(session, frames.Chains(7, [one], True)) == []
    (seen,) = fed(session, frames.Chains(7, [other], False))
    assert isinstance(seen, ChainsSeen)
    assert sorted(seen.heads.values()) == [1, 2]


@pytest.mark.parametrize(
    "frame",
    [
        HELLO,
        frames.Deliver(8, 0, [b"x"]),
        frames.Ack(7, 1, []),
        frames.Opened([1], []),
        frames.Applied(7, 1),
        frames.Bye(),
    ],
)
def test_frame_out_of_place_ends_the_connection_and_nothing_else(frame: frames.Frame) -> None:
    session = opened()
    (dead,) = fed(session, frame)
    assert isinstance(dead, Dead)
    assert fed(session, frames.Ping(1)) == []
    assert session.tick(10**9) == []


@pytest.mark.parametrize("items", [[], [frames.AckItem(99, 1)]])
def test_ack_that_does_not_fit_its_push_ends_the_connection(items: list[frames.AckItem]) -> None:
    session = opened()
    session.push(ROOM, [b"mine"])
    (dead,) = fed(session, frames.Ack(7, 1, items))
    assert isinstance(dead, Dead)


def test_frames_of_later_versions_are_skipped() -> None:
    session = opened()
    assert session.receive(b"\x92\xcd\x0f\xff\x01", 0) == []
    assert session.is_ready


@pytest.mark.parametrize(
    ("code", "retry"),
    [(ErrorCode.BUSY, True), (ErrorCode.BAD_AUTH, False), (ErrorCode.SHUTTING_DOWN, True)],
)
def test_refusal_says_whether_to_try_again_soon(code: ErrorCode, retry: bool) -> None:
    (refused,) = fed(ready(), frames.Error(code, 5_000, "why"))
    assert refused == Refused(code, "why", 5_000, retry)


def test_goodbye_is_the_last_frame() -> None:
    session = opened()
    session.say_bye()
    session.say_bye()
    assert sent(session) == [frames.Bye()]
    assert not session.is_ready


def test_token_and_operators_proof_go_with_the_answer_to_the_greeting() -> None:
    secret = bytes(range(32))
    session = Session(KEYS, host=HOST, now_ms=0, token="a.token", operator_secret=secret)
    fed(session, HELLO)
    (auth,) = sent(session)
    assert isinstance(auth, frames.Auth)
    text = auth_text(host=HOST, incarnation=INCARNATION, nonce=NONCE, version=VERSION)
    assert auth.token == "a.token"
    assert auth.operator == operator_proof(secret, device_key=KEYS.public, text=text)
    assert secret not in frames.encode(auth)


def test_relay_that_wants_a_fresh_token_gets_it_on_the_same_connection() -> None:
    session = opened()
    said = frames.Error(ErrorCode.TOKEN_EXPIRING, 60_000, "the token expires soon")
    assert fed(session, said) == [TokenWanted(60_000)]
    session.renew("fresh")
    assert sent(session) == [frames.Renew("fresh")]
    assert session.is_ready and session.is_open(ROOM)


def test_token_is_not_renewed_on_a_connection_that_is_over() -> None:
    session = opened()
    session.say_bye()
    sent(session)
    session.renew("fresh")
    assert sent(session) == []


def test_relay_that_does_not_take_the_operators_proof_serves_all_the_same() -> None:
    session = ready()
    assert fed(session, frames.Error(ErrorCode.NOT_OPERATOR, 0, "not here")) == []
    assert session.is_ready


@pytest.mark.parametrize(
    ("code", "retry"), [(ErrorCode.BAD_TOKEN, False), (ErrorCode.TOKEN_EXPIRED, True)]
)
def test_bad_token_is_not_tried_again_soon_and_an_expired_one_is(
    code: ErrorCode, retry: bool
) -> None:
    (refused,) = fed(ready(), frames.Error(code, 0, "no"))
    assert isinstance(refused, Refused) and refused.retry is retry

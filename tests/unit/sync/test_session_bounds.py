"""What a session does not let a relay do: owe for ever, answer for ever, make it hoard."""

from __future__ import annotations

from syncchat.sync.events import ChainsSeen, Dead, SessionEvent
from syncchat.sync.session import (
    ANSWER_MS_MAX,
    CHAINS_FRAMES_MAX,
    PONGS_WAITING_MAX,
    Position,
    Session,
)
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import DeviceKeys
from syncchat.wire import frames
from syncchat.wire.limits import CHAINS_PER_FRAME_MAX, VERSION

INCARNATION = b"relay001"
ROOMS = (b"r" * 16, b"s" * 16)


class Talk:
    """Is a session that has greeted its relay, with a clock."""

    def __init__(self, *, rooms: int = 1) -> None:
        self.now_ms = 0
        self.session = Session(DeviceKeys(bytes(32)), host="relay.example", now_ms=0)
        self.hear(frames.Hello(VERSION, VERSION, INCARNATION, bytes(32)))
        positions = [Position(room, 0, EMPTY_FINGERPRINT, 0) for room in ROOMS[:rooms]]
        self.session.open(INCARNATION, positions)

    def hear(self, frame: frames.Frame, *, after_ms: int = 0) -> list[SessionEvent]:
        """Take a frame from the relay after some time."""
        self.now_ms += after_ms
        return self.session.receive(frames.encode(frame), self.now_ms)

    def hear_life(self, *, until_ms: int) -> list[SessionEvent]:
        """Hear signs of life, and nothing else, for some time or until the session ends."""
        end = self.now_ms + until_ms
        while self.now_ms < end:
            events = self.hear(frames.Ping(1), after_ms=1_000)
            self.session.outgoing()
            if events:
                return events
        return []


def opened(*, differs: bool = False) -> Talk:
    """Return a session with one open room."""
    talk = Talk()
    states = [frames.RoomState(0, 0, 5, 0)] if differs else []
    talk.hear(frames.Opened([1], states))
    return talk


def reason_of(events: list[SessionEvent]) -> str:
    (event,) = events
    assert isinstance(event, Dead)
    return event.reason


def test_relay_that_never_opens_a_room_is_given_up() -> None:
    assert "owes the opening of a room" in reason_of(Talk().hear_life(until_ms=ANSWER_MS_MAX * 2))


def test_relay_that_never_acks_is_given_up() -> None:
    talk = opened()
    talk.session.push(ROOMS[0], [b"an envelope"])
    assert "owes an answer" in reason_of(talk.hear_life(until_ms=ANSWER_MS_MAX * 2))


def test_relay_that_never_delivers_what_it_says_it_has_is_given_up() -> None:
    talk = opened(differs=True)
    assert "owes the rest of a room's log" in reason_of(talk.hear_life(until_ms=ANSWER_MS_MAX * 2))


def test_relay_that_never_names_its_chains_is_given_up() -> None:
    talk = opened()
    talk.session.ask_chains(ROOMS[0])
    assert "owes the list of chains" in reason_of(talk.hear_life(until_ms=ANSWER_MS_MAX * 2))


def test_relay_that_owes_nothing_is_kept() -> None:
    assert opened().hear_life(until_ms=ANSWER_MS_MAX * 3) == []


def test_slow_relay_that_makes_progress_is_kept() -> None:
    talk = opened(differs=True)
    for after in range(4):
        assert talk.hear_life(until_ms=ANSWER_MS_MAX - 5_000) == []
        talk.hear(frames.Deliver(1, after, [b"an envelope"]))
    talk.hear(frames.Live(1, 5, bytes(8)))
    assert talk.hear_life(until_ms=ANSWER_MS_MAX * 2) == []


def test_debt_is_noticed_by_time_alone() -> None:
    talk = opened()
    talk.session.push(ROOMS[0], [b"an envelope"])
    talk.hear(frames.Ping(1))
    talk.session._heard_ms = ANSWER_MS_MAX  # as if the last sign of life were now
    assert "owes an answer" in reason_of(talk.session.tick(ANSWER_MS_MAX))


def test_one_alias_for_two_rooms_is_out_of_place() -> None:
    talk = Talk(rooms=2)
    assert "one alias for two rooms" in reason_of(talk.hear(frames.Opened([1, 1], [])))


def test_alias_of_an_open_room_is_not_given_to_another() -> None:
    talk = opened()
    talk.session.open(INCARNATION, [Position(ROOMS[1], 0, EMPTY_FINGERPRINT, 0)])
    assert "one alias for two rooms" in reason_of(talk.hear(frames.Opened([1], [])))


def test_chains_that_were_not_asked_for_are_out_of_place() -> None:
    assert "not asked for" in reason_of(opened().hear(frames.Chains(1, [], False)))


def test_chains_without_an_end_end_the_connection_within_a_bound() -> None:
    talk = opened()
    talk.session.ask_chains(ROOMS[0])
    heads = [frames.ChainHead(n.to_bytes(8), 1) for n in range(CHAINS_PER_FRAME_MAX)]
    for _ in range(CHAINS_FRAMES_MAX):
        assert talk.hear(frames.Chains(1, heads, True)) == []
    assert "without an end" in reason_of(talk.hear(frames.Chains(1, heads, True)))


def test_chains_in_parts_are_one_answer() -> None:
    talk = opened()
    talk.session.ask_chains(ROOMS[0])
    assert talk.hear(frames.Chains(1, [frames.ChainHead(bytes(8), 3)], True)) == []
    (seen,) = talk.hear(frames.Chains(1, [frames.ChainHead(b"x" * 8, 4)], False))
    assert isinstance(seen, ChainsSeen)
    assert sorted(seen.heads.values()) == [3, 4]


def test_pings_faster_than_pongs_can_leave_do_not_pile_up() -> None:
    talk = opened()
    talk.session.outgoing()
    for _ in range(1_000):
        talk.hear(frames.Ping(1))
    assert len(talk.session.outgoing()) == PONGS_WAITING_MAX
    talk.hear(frames.Ping(1))
    assert len(talk.session.outgoing()) == 1

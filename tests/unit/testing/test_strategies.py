"""What the strategies draw is what they say: acceptable, or hostile."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from syncchat.errors import DecodeError
from syncchat.testing import Schedule, World, play
from syncchat.testing import strategies as kit
from syncchat.testing.acts import FAULT_OF_ACT, Fault
from syncchat.wire import frames
from syncchat.wire.envelope import decode_envelope

FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=1, peers=2)


@settings(FEW, max_examples=100)
@given(message=kit.messages())
def test_every_message_is_accepted_and_shown_as_it_was_written(
    world: World, message: dict[str, object]
) -> None:
    sent = world.peers[0].room.send(**message)  # type: ignore[arg-type]
    assert sent.text == message["text"]
    assert (sent.metadata or {}) == message.get("metadata", {})


@FEW
@given(emoji=kit.emoji())
def test_every_emoji_is_accepted(world: World, emoji: str) -> None:
    room = world.peers[0].room
    sent = room.send("hello")
    room.react(sent.id, emoji)
    assert [reaction.emoji for reaction in room.message(sent.id).reactions] == [emoji]


def test_texts_are_in_many_scripts_and_some_are_long() -> None:
    seen: list[str] = []

    @settings(FEW, max_examples=500, derandomize=True)
    @given(text=kit.texts())
    def look(text: str) -> None:
        seen.append(text)

    look()
    together = "".join(seen)
    assert all(sign in together for sign in ("П", "世", "م", "👩‍🚀", "\x00", "\u202e", "a"))
    assert max(map(len, seen)) >= kit.LONG_CHARS
    assert all(text.strip() for text in seen)


@settings(FEW, max_examples=15)
@given(deeds=st.lists(kit.deeds(), max_size=12))
def test_deeds_end_in_agreement(deeds: list[kit.Deed]) -> None:
    with World(seed=2, peers=2) as world:
        for deed in deeds:
            deed.do(world)
        world.heal()
        world.check()


@settings(FEW, max_examples=10)
@given(schedule=kit.schedules(peers=2, steps=10, faults=[Fault.OFFLINE, Fault.KILL]))
def test_schedules_have_only_the_faults_asked_for_and_can_be_played(schedule: Schedule) -> None:
    met = {FAULT_OF_ACT[step.act] for step in schedule.steps if step.act in FAULT_OF_ACT}
    assert met <= {Fault.OFFLINE, Fault.KILL}
    assert play(schedule).failure == ""


@FEW
@given(raw=kit.envelopes())
def test_envelopes_are_valid(raw: bytes) -> None:
    decode_envelope(raw)


def test_frames_are_valid_and_of_many_kinds() -> None:
    kinds = {type(frames.decode(raw)) for raw in kit._traffic()[1]}
    assert len(kinds) >= 9
    assert None not in kinds


@settings(FEW, max_examples=300)
@given(raw=kit.hostile_envelopes())
def test_hostile_envelopes_are_refused_by_name_or_have_the_form(raw: bytes) -> None:
    with suppress(DecodeError):
        decode_envelope(raw)


def test_hostile_envelopes_are_often_well_formed_and_seldom_real() -> None:
    real, formed, drawn = 0, 0, 0

    @settings(FEW, max_examples=200)
    @given(raw=kit.hostile_envelopes())
    def look(raw: bytes) -> None:
        nonlocal real, formed, drawn
        drawn += 1
        real += raw in kit._traffic()[0]
        try:
            decode_envelope(raw)
        except DecodeError:
            return
        formed += 1

    look()
    assert formed >= drawn / 8
    assert real <= drawn / 3


@settings(FEW, max_examples=40)
@given(raws=st.lists(kit.hostile_frames(), min_size=1, max_size=5))
def test_hostile_frames_from_relay_and_peer_leave_everyone_with_the_truth(
    raws: list[bytes],
) -> None:
    with World(seed=3, peers=2) as world:
        one, other = world.peers
        world.run(seconds=1)
        world.write(one, "before")
        world.run(seconds=1)
        for raw in raws:
            for peer in (one, other):
                if peer.link is not None:
                    peer.link.send_down(raw)
                    peer.link.send_up(raw)
            world.run(seconds=0.2)
            world.check_safety(one)
        world.write(other, "after")
        for peer in (one, other):
            if peer.link is not None:
                peer.link.cut()
        world.heal()
        world.check()


@settings(FEW, max_examples=60)
@given(raws=st.lists(kit.hostile_envelopes(), min_size=1, max_size=3))
def test_hostile_envelopes_in_a_delivery_change_nothing_that_is_shown(raws: list[bytes]) -> None:
    with World(seed=4, peers=2) as world:
        one, other = world.peers
        world.run(seconds=1)
        world.write(one, "before")
        world.run(seconds=1)
        assume(other.link is not None)
        assert other.link is not None
        before = [message.text for message in world.shown(other)]
        other.link.send_down(_delivery(world, raws))
        world.run(seconds=0.5)
        assert [message.text for message in world.shown(other)] == before
        if other.link is not None:
            other.link.cut()
        world.heal()
        world.check()


def _delivery(world: World, raws: list[bytes]) -> bytes:
    """Return a frame that delivers envelopes as the next ones of the room."""
    return frames.encode(frames.Deliver(1, world.relay.log.head(world.room_id).seq, raws))

"""The state machine passes on the engine, finds what is wrong, and takes rules of its users."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from syncchat.room import Room
from syncchat.testing import Divergence, WorldMachine
from syncchat.testing.strategies import peer_numbers, running

TestWorld = WorldMachine.TestCase
TestWorld.settings = settings(TestWorld.settings, max_examples=25, stateful_step_count=20)


def find(machine: type[WorldMachine], *, steps: int = 12, phases: Sequence[Phase]) -> str:
    """Return the failure that hypothesis finds, with the rules that lead to it."""
    limits = settings(
        WorldMachine.TestCase.settings,
        max_examples=100,
        stateful_step_count=steps,
        phases=phases,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
    )
    with pytest.raises(Divergence) as caught:
        run_state_machine_as_test(machine, settings=limits)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def test_machine_finds_an_edit_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Room, "edit", lambda room, message, text, mentions=None: room.message(message)
    )
    told = find(WorldMachine, phases=[Phase.generate])
    assert re.match(r"peer\d shows 'm\d canary .*, not 'm\d canary ", told)
    assert "state.edit(deed=Edit(" in told


def test_machine_finds_what_is_unsafe_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Room.messages

    def without_own(room: Room, **options: object) -> list[object]:
        return [message for message in real(room, **options) if not message.mine]  # type: ignore[arg-type]

    monkeypatch.setattr(Room, "messages", without_own)
    assert "does not show its own message m0" in find(WorldMachine, phases=[Phase.generate])


def test_machine_of_a_user_finds_a_view_that_differs() -> None:
    class Pins(WorldMachine):
        @rule(peer=peer_numbers(), name=st.sampled_from("xy"))
        def pin(self, peer: int, name: str) -> None:
            device = running(self.world, peer)
            if device is not None:
                self.world.write(device, name, metadata={"pin": name})

        def check_healed(self) -> None:
            self.world.check_view(own_pins)

    def own_pins(room: Room) -> list[object]:
        return [m.metadata["pin"] for m in room.messages() if m.mine and m.metadata]

    told = find(Pins, steps=3, phases=[Phase.generate, Phase.shrink])
    assert told.startswith("the view own_pins differs between peers\n  peer0 shows")
    assert re.findall(r"^ *state\.(\w+)", told, re.MULTILINE).count("pin") == 1

"""Merge rules that converge pass; those with a planted mistake fail, with a short history."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from syncchat.testing import Divergence, assert_converges

DIGITS = st.integers(0, 9)


class LastWins:
    """Is a register in which ties go to what arrives last: the planted mistake."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: tuple[int, str, Any] = (0, "", None)

    def write(self, op: Any) -> tuple[int, str, Any]:
        self.state = (self.state[0] + 1, self.name, op)
        return self.state

    def merge(self, change: tuple[int, str, Any]) -> None:
        if change[0] >= self.state[0]:
            self.state = change

    def view(self) -> Any:
        return self.state[2]


class LastWinsByName(LastWins):
    """Is the same register, with ties broken by name."""

    def merge(self, change: tuple[int, str, Any]) -> None:
        if change[:2] > self.state[:2]:
            self.state = change


class AddingCounter:
    """Is a counter that adds whatever comes."""

    def __init__(self, name: str) -> None:
        self.total = 0

    def write(self, op: int) -> int:
        self.total += op
        return op

    def merge(self, change: int) -> None:
        self.total += change

    def view(self) -> int:
        return self.total


class Journal:
    """Keeps each writer's ops, and takes only the next one of each: needs them in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ops: dict[str, list[int]] = {}

    def write(self, op: int) -> tuple[str, int, int]:
        own = self.ops.setdefault(self.name, [])
        own.append(op)
        return self.name, len(own) - 1, op

    def merge(self, change: tuple[str, int, int]) -> None:
        writer, place, op = change
        ops = self.ops.setdefault(writer, [])
        if place == len(ops):
            ops.append(op)

    def view(self) -> dict[str, list[int]]:
        return self.ops


class Sharing:
    """Converges only if replicas hold one list together, which no network gives them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lists: dict[str, list[int]] = {}

    def write(self, op: int) -> tuple[str, list[int]]:
        own = self.lists.setdefault(self.name, [])
        own.append(op)
        return self.name, own

    def merge(self, change: tuple[str, list[int]]) -> None:
        writer, ops = change
        self.lists[writer] = ops

    def view(self) -> dict[str, list[int]]:
        return self.lists


class Falling(AddingCounter):
    """Falls over when a change comes that it has not written."""

    def merge(self, change: int) -> None:
        raise KeyError("never heard of it")


def failure_of(replica: Any, **options: Any) -> str:
    with pytest.raises(Divergence) as caught:
        assert_converges(replica, ops=DIGITS, **options)
    return str(caught.value)


def test_register_with_a_tie_break_by_name_converges() -> None:
    assert_converges(LastWinsByName, ops=DIGITS)


def test_register_that_breaks_ties_by_arrival_is_caught_with_the_shortest_history() -> None:
    told = failure_of(LastWins)
    assert told.splitlines()[0] == "all have every change, and they differ:"
    assert told.splitlines()[-4:] == [
        "  1. replica A writes 0: change 1",
        "  2. replica B writes 1: change 2",
        "  3. replica B merges change 1",
        "  4. replica A merges change 2",
    ]
    assert "  replica A shows 1\n  replica B shows 0\n" in told


def test_counter_that_adds_on_merge_is_caught_when_a_change_comes_twice() -> None:
    told = failure_of(AddingCounter)
    assert "its own change 1 again" in told
    assert len(told.split("after\n")[1].splitlines()) == 3


def test_counter_that_adds_on_merge_is_right_where_nothing_comes_twice() -> None:
    assert_converges(AddingCounter, ops=DIGITS, repeats=False)


def test_rule_that_needs_the_order_of_each_writer_fails_without_it_only() -> None:
    assert_converges(Journal, ops=DIGITS, in_order=True)
    told = failure_of(Journal)
    assert told.splitlines()[-2:] == [
        "  3. replica B merges change 2",
        "  4. replica B merges change 1",
    ]


def test_changes_travel_as_copies() -> None:
    assert "they differ" in failure_of(Sharing)


def test_error_of_a_rule_is_told_with_its_history_and_kept_as_the_cause() -> None:
    with pytest.raises(Divergence) as caught:
        assert_converges(Falling, ops=DIGITS)
    lines = str(caught.value).splitlines()
    assert lines[0] == "KeyError: 'never heard of it'"
    assert lines[2:] == ["  1. replica A writes 0: change 1", "  2. replica B merges change 1"]
    assert isinstance(caught.value.__cause__, KeyError)


def test_every_replica_gets_every_change() -> None:
    class Log:
        def __init__(self, name: str) -> None:
            self.seen: set[tuple[str, int]] = set()
            self.name = name

        def write(self, op: int) -> tuple[str, int]:
            written.add((self.name, op))
            self.seen.add((self.name, op))
            return self.name, op

        def merge(self, change: tuple[str, int]) -> None:
            self.seen.add(change)

        def view(self) -> set[tuple[str, int]]:
            complete.append(self.seen == written)
            if len(complete) % 2 == 0:
                written.clear()
            return self.seen

    written: set[tuple[str, int]] = set()
    complete: list[bool] = []
    assert_converges(Log, ops=DIGITS, replicas=2)
    assert len(complete) >= 100 and all(complete)


def test_histories_are_the_same_on_every_run() -> None:
    assert failure_of(LastWins, replicas=5) == failure_of(LastWins, replicas=5)


@pytest.mark.parametrize("replicas", [0, 1, 27])
def test_number_of_replicas_is_checked(replicas: int) -> None:
    with pytest.raises(ValueError, match="2 to 26"):
        assert_converges(LastWins, ops=DIGITS, replicas=replicas)

"""Tests of how the chat is cast to four seats."""

from __future__ import annotations

from collections import Counter

from syncchat.apps.demo.script import SEATS, load_script


def test_most_active_people_get_a_seat_each_and_the_rest_are_spread_evenly() -> None:
    script = load_script()
    said = Counter(line.nick for line in script.lines)
    assert list(script.names) == [nick for nick, _ in said.most_common(SEATS)]
    for line in script.lines:
        if line.nick in script.names:
            assert script.names[line.seat] == line.nick
    filled = Counter(line.seat for line in script.lines)
    assert max(filled.values()) - min(filled.values()) < len(script.lines) * 0.02


def test_everything_a_person_says_is_said_at_one_seat() -> None:
    seats = {(line.nick, line.seat) for line in load_script().lines}
    assert len(seats) == len({nick for nick, _ in seats})


def test_replies_point_at_earlier_lines() -> None:
    lines = load_script().lines
    assert sum(bool(line.answers) for line in lines) > 2_000
    for line in lines:
        assert all(0 < number < line.number for number in line.answers)


def test_short_script_is_the_beginning_of_the_long_one() -> None:
    whole, part = load_script(), load_script(100)
    assert [line.text for line in part.lines] == [line.text for line in whole.lines[:100]]

"""A schedule is told in words, and is the same with and without being told."""

from __future__ import annotations

import json
import re

import pytest

from syncchat.errors import DecodeError
from syncchat.room import Room
from syncchat.testing import Schedule, Step, minimise, play, random_schedule, simulate, story
from syncchat.testing.acts import ACTS
from syncchat.testing.workers import play_all

TRIP = Schedule(
    3,
    2,
    (
        Step("edit", 1, 0, 0),  # there is nothing to edit yet
        Step("write", 0, 1, 6),
        Step("wait", 0, 1, 200),
        Step("toggle online", 1, 0, 0),
        Step("reply", 1, 0, 0),
        Step("toggle full", 1, 0, 0),
        Step("write", 1, 2, 0),
        Step("kill", 0, 0, 100),
    ),
)


def test_story_says_who_did_what_and_what_went_wrong() -> None:
    outcome, lines = story(TRIP)
    assert outcome.failure == ""
    words = [line.split(" s  ", 1)[1] for line in lines]
    assert words[:7] == [
        "peer0 writes m0 “text 1”",
        "peer1 goes offline",
        "peer1 writes m1 “answer 0” in answer to m0, not connected",
        "the disk of peer1 becomes full",
        "peer1 writes m2 “text 2”, not connected, but its disk is full",
        "and that did not take place",
        "the process of peer0 is killed and started again",
    ]
    times = [float(line.split(" s  ", 1)[0]) for line in lines]
    assert times == sorted(times) and times[0] == 0


def test_story_tells_of_a_process_that_died_at_a_commit() -> None:
    steps = (Step("crash at commit", 0, 0, 0), Step("write", 0, 1, 0), Step("wait", 0, 1, 100))
    _, lines = story(Schedule(0, 2, steps))
    assert any(line.endswith("the process of peer0 has died at a commit") for line in lines)


@pytest.mark.parametrize("seed", range(4))
def test_told_run_is_the_same_as_the_untold(seed: int) -> None:
    schedule = random_schedule(seed, peers=3, steps=40)
    told, _ = story(schedule)
    untold = play(schedule)
    assert (told.fingerprint, told.events, told.crashes) == (
        untold.fingerprint,
        untold.events,
        untold.crashes,
    )


def test_every_act_has_words_of_its_own() -> None:
    told = {act: str(Step(act, 1, 2, 3)) for act in ACTS}
    assert [act for act, words in told.items() if words == act or "{" in words] == []
    assert len(set(told.values())) == len(told)


def test_schedule_survives_json() -> None:
    schedule = random_schedule(5, peers=4, steps=30)
    assert Schedule.from_json(json.loads(json.dumps(schedule.to_json()))) == schedule


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {},
        {"seed": 1, "peers": 1, "steps": []},
        {"seed": 1, "peers": 1_000_000, "steps": []},
        {"seed": 1, "peers": 3, "steps": [["explode", 0, 0, 0]]},
        {"seed": 1, "peers": 3, "steps": [["write", 0, 0]]},
        {"seed": 1, "peers": 3, "steps": [["write", -1, 0, 0]]},
        {"seed": "1", "peers": 3, "steps": []},
    ],
)
def test_json_that_is_no_schedule_is_refused(fields: object) -> None:
    with pytest.raises(DecodeError, match="not a schedule"):
        Schedule.from_json(fields)


WAYS_TO_WRITE = {"write", "reply", "mention", "answer in thread", "attach"}


def test_edit_that_does_nothing_is_found_and_cut_down_to_one_message_and_its_edit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        Room, "edit", lambda room, message, text, mentions=None: room.message(message)
    )
    report = simulate(range(50), peers=3, steps=30, faults=())
    (failed,) = report.failures
    short = minimise(failed.schedule)
    *before, last = (step.act for step in short.steps)
    assert last in ("edit", "edit mentions")
    assert len(before) <= 2 and set(before) <= WAYS_TO_WRITE
    assert short.peers == 2
    outcome, lines = story(short)
    assert re.search(r"\bm[01]\b", outcome.failure)
    assert any(re.search("changes m[01] to “edited", line) for line in lines)


def test_error_that_is_no_exception_is_a_failure_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Panic(BaseException):
        pass

    def fall(room: Room, title: str) -> None:
        raise Panic("in the library")

    monkeypatch.setattr(Room, "set_title", fall)
    outcome = play(Schedule(0, 2, (Step("retitle", 0, 0, 0),)))
    assert outcome.failure == "Panic: in the library"


def test_two_workers_play_as_one_does() -> None:
    schedules = [random_schedule(seed, peers=2, steps=10) for seed in range(10)]
    alone = [*play_all(schedules)]
    together = [*play_all(schedules, jobs=2)]
    assert [one.schedule for one in alone] == schedules
    assert together == alone

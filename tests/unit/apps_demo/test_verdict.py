"""Tests of the verdict: each kind of loss that it must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncchat.apps.demo.script import Line, Script
from syncchat.apps.demo.verdict import (
    FAULTS_SHOWN_MAX,
    check,
    every_message,
    lines_altered,
    lines_missing_or_doubled,
    lines_out_of_order,
    plaintext_found,
)
from syncchat.core.message import Message
from syncchat.peer import open_peer
from tests.support.ports import FakeClock

LINES = (
    Line(1, 0, "ann", "how do I mount this", False, ()),
    Line(2, 1, "ben", "which one", False, (1,)),
    Line(3, 0, "cat", "waves", True, (1, 2)),
    Line(4, 1, "ben", "hello", False, ()),
)
SCRIPT = Script(("ann", "ben"), LINES)


class _Advancing(FakeClock):
    """Is a clock by which no two things are at once, so that the order shown is that written."""

    def now_ms(self) -> int:
        self.wall_ms += 1
        return self.wall_ms


@pytest.fixture(name="ids")
def played_ids() -> dict[int, str]:
    return {}


@pytest.fixture(name="shown")
def played_messages(tmp_path: Path, ids: dict[int, str]) -> list[Message]:
    """Return the messages of a faultless play."""
    clock = _Advancing()
    with (
        open_peer(tmp_path / "0.db", name="ann", clock=clock) as ann,
        open_peer(tmp_path / "1.db", name="ben", clock=clock) as ben,
    ):
        rooms = [ann.create_room("demo"), ben.create_room("demo")]
        for line in LINES:
            metadata: dict[str, Any] = {"line": line.number}
            if line.nick not in SCRIPT.names:
                metadata["nick"] = line.nick
            if line.is_action:
                metadata["action"] = True
            answers = [ids[number] for number in line.answers]
            if answers[:-1]:
                metadata["also_answers"] = answers[:-1]
            reply_to = answers[-1] if answers else None
            sent = rooms[line.seat].send(line.text, reply_to=reply_to, metadata=metadata)
            ids[line.number] = sent.id
        return sorted(
            (message for room in rooms for message in every_message(room)), key=lambda m: m.id
        )


def faults(shown: list[Message], ids: dict[int, str]) -> list[str]:
    """Return all that the verdict finds."""
    written = [[line for line in LINES if line.seat == seat] for seat in (0, 1)]
    return [
        *lines_missing_or_doubled(SCRIPT, shown),
        *lines_altered(SCRIPT, ids, shown),
        *lines_out_of_order(written, shown),
    ]


def test_faultless_play_has_no_faults(shown: list[Message], ids: dict[int, str]) -> None:
    assert len(shown) == 4
    assert faults(shown, ids) == []


def _swapped(shown: list[Message]) -> list[Message]:
    return shown[::-1]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda shown: shown[1:], "line 1 is shown 0 times"),
        (lambda shown: [*shown, shown[0]], "line 1 is shown 2 times"),
        (lambda shown: [*shown, replace(shown[0], metadata=None)], "1 messages of no line"),
        (lambda shown: [replace(shown[0], text="x"), *shown[1:]], "line 1 has another text"),
        (lambda shown: [replace(shown[0], sender_name="eve"), *shown[1:]], "line 1 is by eve"),
        (lambda shown: [*shown[:1], replace(shown[1], reply_to=None), *shown[2:]], "line 2 answer"),
        (lambda shown: [replace(shown[0], id=shown[1].id), *shown[1:]], "line 1 is "),
        (
            lambda shown: [*shown[:2], replace(shown[2], metadata={"line": 3}), shown[3]],
            "line 3 is not the kind",
        ),
        (_swapped, "line 3 is shown before line 1"),
    ],
)
def test_verdict_notices_what_was_broken(
    shown: list[Message],
    ids: dict[int, str],
    broken: Callable[[list[Message]], list[Message]],
    told: str,
) -> None:
    found = faults(broken(shown), ids)
    assert any(fault.startswith(told) for fault in found), found


def test_plaintext_in_a_file_is_found_and_short_words_are_not_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"\xff\0some " + "café with a view".encode() + b"\0yes\xfe")
    texts = ["café with a", "nowhere to be found", "yes"]
    assert list(plaintext_found(texts, [file])) == ["readable: 'café with a'"]


def test_every_message_is_read_over_many_pages(tmp_path: Path) -> None:
    with open_peer(tmp_path / "0.db", name="ann") as ann:
        room = ann.create_room("demo")
        sent = [room.send(str(number)).id for number in range(1, 9)]
        assert [message.id for message in every_message(room, page_size=3)] == sent


def test_many_faults_are_told_by_the_first_and_their_number() -> None:
    found = check("all is well", [str(number) for number in range(20)])
    assert not found.is_passed
    assert found.faults[-1] == f"and {20 - FAULTS_SHOWN_MAX} more"
    assert check("all is well", []).is_passed

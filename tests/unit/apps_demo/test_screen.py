"""Tests of what the demo shows while it runs."""

from __future__ import annotations

import io

from rich.console import Console

from syncchat.apps.demo.conductor import SeatState
from syncchat.apps.demo.screen import LiveScreen, PlainScreen
from syncchat.apps.demo.script import Line
from syncchat.ports import SystemClock

SEATS = [SeatState("ann", "live", 1_234), SeatState("ben", "offline", 7)]
CHAT = [Line(1, 0, "ann", "[bold]is no markup here", False, ())]


def test_plain_screen_tells_acts_and_a_few_times_how_far_it_is() -> None:
    out = io.StringIO()
    with PlainScreen(Console(file=out, width=200), 100, SystemClock()) as screen:
        screen.act("the relay is killed")
        for done in range(0, 101):
            screen.progress(done, SEATS, CHAT)
    text = out.getvalue()
    assert "the relay is killed" in text
    assert text.count("of 100 lines") == 4
    assert "ann live 1,234, ben offline 7" in text
    assert "\x1b" not in text


def test_live_screen_draws_peers_and_chat_as_they_are() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, height=40, force_terminal=True)
    with LiveScreen(console, 100, SystemClock()) as screen:
        screen.act("the relay is killed")
        screen.progress(50, SEATS, CHAT)
    text = out.getvalue()
    for part in ("the relay is killed", "50 of 100 lines", "ben", "offline", "1,234 messages"):
        assert part in text
    assert "<ann> [bold]is no markup here" in text

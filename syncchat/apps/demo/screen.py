"""What the demo shows while it runs: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from syncchat.ports import Clock

from .conductor import SeatState
from .script import Line

_STYLES = {"live": "green", "catching up": "yellow", "connecting": "yellow", "offline": "red"}
_PLAIN_EVERY = 0.25
"""On plain output, how often progress is told, as a part of the whole."""


class LiveScreen:
    """Draws the picture in place; use it as a context manager."""

    def __init__(self, console: Console, total: int, clock: Clock) -> None:
        self._console = console
        self._total = total
        self._clock = clock
        self._started = clock.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def act(self, text: str) -> None:
        """Print what happens above the picture."""
        self._console.print(_stamped(self._clock.monotonic() - self._started, text))

    def progress(self, done: int, seats: list[SeatState], chat: list[Line]) -> None:
        """Draw the picture anew."""
        self._live.update(self._picture(done, seats, chat), refresh=True)

    def _picture(self, done: int, seats: list[SeatState], chat: list[Line]) -> RenderableType:
        peers = Table.grid(padding=(0, 2))
        for seat in seats:
            style = _STYLES.get(seat.state, "")
            peers.add_row(
                Text(seat.name, "bold"), Text(seat.state, style), f"{seat.shown:,} messages"
            )
        said = [
            Text(f"<{line.nick}> {line.text}", "dim", no_wrap=True, overflow="ellipsis")
            for line in chat
        ]
        head = Table.grid(padding=(0, 1))
        head.add_row(
            ProgressBar(total=self._total, completed=done, width=40),
            f"{done:,} of {self._total:,} lines",
        )
        return Group(Text(), head, peers, Text(), *said)


class PlainScreen:
    """Prints one line for what happens, and now and then how far it is."""

    def __init__(self, console: Console, total: int, clock: Clock) -> None:
        self._console = console
        self._total = total
        self._clock = clock
        self._started = clock.monotonic()
        self._told = 0.0

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def act(self, text: str) -> None:
        """Print what happens."""
        self._console.print(_stamped(self._clock.monotonic() - self._started, text), soft_wrap=True)

    def progress(self, done: int, seats: list[SeatState], chat: list[Line]) -> None:
        """Print how far it is, a few times in all."""
        if done / self._total >= self._told + _PLAIN_EVERY:
            self._told = done / self._total
            states = ", ".join(f"{seat.name} {seat.state} {seat.shown:,}" for seat in seats)
            self.act(f"{done:,} of {self._total:,} lines; shown: {states}")


def _stamped(seconds: float, text: str) -> Text:
    return Text.assemble((f"{seconds:5.1f} s  ", "dim"), text)

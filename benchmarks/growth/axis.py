"""An axis: along what costs are measured, at which sizes, and what is drawn of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from .. import machine
from ..plots import Plot

Found = dict[str, float]
"""Is what one measurement found: a figure for each cost."""
Way = Callable[[], Awaitable[Found]]
Measure = Callable[[Sequence[int], int], Awaitable[list[list[Found]]]]
"""Measures at sizes, in so many rounds; gives for each size what each round found."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Is one picture: the name of its file, what it is of, its unit, and the costs in it."""

    file: str
    title: str
    up: str
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Is an axis; ``smoke`` are the sizes with which it is seen to work.

    ``is_exact`` says that a second round would find the same, so that there is none.
    """

    name: str
    across: str
    sizes: tuple[int, ...]
    smoke: tuple[int, ...]
    measure: Measure
    drawn: tuple[Drawn, ...]
    rounds: int = 3
    is_exact: bool = False

    def plots(
        self, sizes: Sequence[int], found: Sequence[Sequence[Found]]
    ) -> list[tuple[str, Plot]]:
        """Return (name of the file, picture) of what was measured at sizes."""
        pictures = []
        for drawn in self.drawn:
            lines = {
                cost: [[each[cost] for each in rounds] for rounds in found] for cost in drawn.costs
            }
            pictures.append((drawn.file, Plot(drawn.title, self.across, drawn.up, sizes, lines)))
        return pictures


async def in_turn(ways: dict[str, Way], rounds: int) -> list[list[Found]]:
    """Return what each way found, one after the other in each round."""
    return list((await machine.in_turn(ways, rounds)).values())

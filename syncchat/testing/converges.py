"""Convergence of any merge rule, tested by hypothesis: for rules that are not syncchat's.

A replica is anything with three methods; its name is its own in the run::

    class Register:
        def __init__(self, name): ...  # "A", "B", ...
        def write(self, op): ...       # do it here; return the change that others need
        def merge(self, change): ...   # take in what another replica returned
        def view(self): ...            # what is shown; compared with ==

``assert_converges(Register, ops=st.integers())`` lets several replicas write and tells them of
each other's changes, in between and in different orders. At the end every replica has got every
change, and all must show the same. It fails with the shortest history that hypothesis finds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from string import ascii_uppercase
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .oracle import Divergence

REPLICAS_MAX = 26

_PICKS = st.integers(0, 99)


class Replica(Protocol):
    """Is one copy of the state that a merge rule keeps."""

    def write(self, op: Any) -> Any:
        """Do ``op`` here and return the change that other replicas need."""

    def merge(self, change: Any) -> None:
        """Take in a change; it may come late, twice, or before those that it follows."""

    def view(self) -> Any:
        """Return what is shown."""


def assert_converges(
    replica: Callable[[str], Replica],
    *,
    ops: st.SearchStrategy[Any],
    replicas: int = 3,
    examples: int = 200,
    in_order: bool = False,
    repeats: bool = True,
) -> None:
    """Raise ``Divergence``, with the shortest history found, unless a merge rule converges.

    ``replica`` makes one replica, given its name; all must begin equal. ``ops`` is a hypothesis
    strategy for what people do. Every change is delivered to every other replica at least once:

    - in any order; with ``in_order`` the changes of one writer arrive in the order in which they
      were written, as syncchat's chains guarantee, and only those of different writers mix;
    - some of them again, also to the one that wrote them, as networks do; not so with
      ``repeats=False``.

    A change travels as a copy, as if it had been sent. What ``write``, ``merge`` or ``view``
    raises counts as a failure, too. ``examples`` is how many histories are tried.
    """
    if not 2 <= replicas <= REPLICAS_MAX:
        raise ValueError(f"replicas must be 2 to {REPLICAS_MAX}")
    at = st.integers(0, replicas - 1)
    event = st.one_of(st.builds(_Write, at, ops), st.builds(_Merge, at, _PICKS))
    found: list[Divergence] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(events=st.lists(st.lists(event)))  # of lists: longer ones, and they shrink as well
    def check(events: list[list[_Write | _Merge]]) -> None:
        try:
            _live(replica, [*chain(*events)], in_order=in_order, repeats=repeats)
        except Divergence as exc:
            found[:] = [exc]
            raise

    with suppress(Divergence):
        check()
    if found:  # raised anew, without what hypothesis adds: the history says it all
        raise Divergence(str(found[0])) from found[0].__cause__


@dataclass(frozen=True, slots=True)
class _Write:
    at: int
    op: Any


@dataclass(frozen=True, slots=True)
class _Merge:
    """Has a replica merge one of the changes that it may get; of none, nothing."""

    at: int
    pick: int


@dataclass(slots=True)
class _Copy:
    """Is one replica, and the changes that it has, by number."""

    name: str
    replica: Replica
    has: set[int]


@dataclass(slots=True)
class _History:
    """Is what happened: every change with its writer, and a line for each event."""

    changes: list[tuple[str, Any]]
    lines: list[str]
    in_order: bool

    def write(self, at: _Copy, op: Any) -> None:
        number = len(self.changes) + 1
        self.lines.append(f"{at.name} writes {op!r}, which makes change {number}")
        change = copy.deepcopy(self._guarded(lambda: at.replica.write(op)))
        self.changes.append((at.name, change))
        at.has.add(number)

    def deliver(self, at: _Copy, number: int) -> None:
        again = " again" if number in at.has else ""
        whose = "its own change" if self.changes[number - 1][0] == at.name else "change"
        self.lines.append(f"{at.name} merges {whose} {number}{again}")
        change = copy.deepcopy(self.changes[number - 1][1])
        self._guarded(lambda: at.replica.merge(change))
        at.has.add(number)

    def missing(self, at: _Copy) -> list[int]:
        """Return what a replica may be told now and has not got yet."""
        lacking = [n for n in range(1, len(self.changes) + 1) if n not in at.has]
        if not self.in_order:
            return lacking
        first: dict[str, int] = {}
        for number in lacking:
            first.setdefault(self.changes[number - 1][0], number)
        return sorted(first.values())

    def judge(self, copies: list[_Copy]) -> None:
        views = {one.name: self._guarded(one.replica.view) for one in copies}
        first = views[copies[0].name]
        if any(not bool(other == first) for other in views.values()):
            shown = "".join(f"\n  {name} shows {view!r}" for name, view in views.items())
            raise Divergence(f"all have every change, and they differ:{shown}\n{self._told()}")

    def _told(self) -> str:
        return "\n".join(["after", *(f"  {n}. {line}" for n, line in enumerate(self.lines, 1))])

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as exc:
            raise Divergence(f"{type(exc).__name__}: {exc}\n{self._told()}") from exc


def _live(
    make: Callable[[str], Replica],
    events: list[_Write | _Merge],
    *,
    in_order: bool,
    repeats: bool,
) -> None:
    """Make events happen, tell everyone what is missing, and compare all replicas."""
    busy = sorted({event.at for event in events} | {0, 1})
    names = dict(zip(busy, ascii_uppercase, strict=False))
    copies = {at: _Copy(f"replica {name}", make(name), set()) for at, name in names.items()}
    history = _History([], [], in_order=in_order)
    for event in events:
        at = copies[event.at]
        match event:
            case _Write(op=op):
                history.write(at, op)
            case _Merge(pick=pick):
                known = history.missing(at) + (sorted(at.has) if repeats else [])
                if known:
                    history.deliver(at, known[pick % len(known)])
    for at in copies.values():
        while missing := history.missing(at):
            history.deliver(at, missing[0])
    history.judge([*copies.values()])

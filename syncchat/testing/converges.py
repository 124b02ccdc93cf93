"""Convergence of any merge rule, tested by hypothesis: for rules that are not syncchat's.

A replica is anything with three methods; its name is its own in the run::

    class Register:
        def __init__(self, name): ...  # "A", "B", ...
        def write(self, op): ...       # do it here; return the change that others need
        def merge(self, change): ...   # take in what another replica returned
        def view(self): ...            # what is shown; compared with ==

``assert_converges(Register, ops=st.integers())`` lets several replicas write and tells them of
each other's changes, in between and in different orders. At the end every replica has got every
change, and all must show the same. It fails with the shortest history that it finds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from string import ascii_uppercase
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from .oracle import Divergence

REPLICAS_MAX = len(ascii_uppercase)


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
    raises counts as a failure, too. ``examples`` is how many histories are tried; they are the
    same on every run.
    """
    __tracebackhide__ = True  # pytest shows the caller's line, and the history
    if not 2 <= replicas <= REPLICAS_MAX:
        raise ValueError(f"replicas must be 2 to {REPLICAS_MAX}")
    at = st.integers(0, replicas - 1)
    event = st.one_of(st.builds(_Write, at, ops), st.builds(_Merge, at, st.integers(0, 99)))
    found: list[_Run] = []

    def run(events: Sequence[_Event]) -> _Run:
        return _Run(replica, events, in_order=in_order, repeats=repeats)

    limits = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

    @limits
    @given(events=st.lists(st.lists(event)))  # of lists: that makes longer ones
    def check(events: list[list[_Event]]) -> None:
        done = run([*chain(*events)])
        if done.failure:
            found[:] = [done]
            raise _Failed

    with suppress(_Failed):
        check()
    if found:
        short = _with_simple_ops(_shortest(found[0], run), ops, run, limits)
        raise Divergence(short.told()) from short.cause


class _Failed(Exception):
    """Tells hypothesis of a failure, which is told to the caller in words of its own."""


@dataclass(frozen=True, slots=True)
class _Write:
    """Has a replica write; ``change`` is the number of what comes of it, once it is known."""

    at: int
    op: Any
    change: int | None = None


@dataclass(frozen=True, slots=True)
class _Merge:
    """Has a replica merge a change: one picked of those that it may get, or a known one."""

    at: int
    pick: int = 0
    change: int | None = None


_Event = _Write | _Merge


@dataclass(slots=True)
class _Copy:
    """Is one replica, and the changes that it has."""

    name: str
    replica: Replica
    has: set[int] = field(default_factory=set)


class _Run:
    """Is one history, played; ``events`` is what happened, with every choice made.

    Changes keep their numbers when events are played again, so that some can be left out without
    giving the others another meaning.
    """

    def __init__(
        self,
        make: Callable[[str], Replica],
        events: Sequence[_Event],
        *,
        in_order: bool,
        repeats: bool,
    ) -> None:
        self._in_order = in_order
        self._repeats = repeats
        self._copies: dict[int, _Copy] = {}
        self._changes: dict[int, tuple[int, Any]] = {}
        self._lines: list[str] = []
        self.events: list[_Event] = []
        self.failure = ""
        self.cause: Exception | None = None
        try:
            self._play(make, events)
        except Exception as exc:
            self.failure, self.cause = f"{type(exc).__name__}: {exc}", exc

    @property
    def kind(self) -> type[object]:
        """Return what kind of failure it is: an exception's type, or none."""
        return type(self.cause) if self.failure else bool

    def told(self) -> str:
        """Return the failure and its history, for people."""
        lines = [f"  {number}. {line}" for number, line in enumerate(self._lines, 1)]
        return "\n".join([self.failure, "after", *lines])

    def _play(self, make: Callable[[str], Replica], events: Sequence[_Event]) -> None:
        """Make events happen, tell everyone what is missing, and compare all replicas."""
        busy = [*dict.fromkeys(event.at for event in events)]
        idle = [at for at in (0, 1) if at not in busy]
        for at in busy + idle[: max(0, 2 - len(busy))]:
            name = ascii_uppercase[len(self._copies)]
            self._copies[at] = _Copy(f"replica {name}", make(name))
        for event in events:
            if isinstance(event, _Write):
                self._write(event)
            else:
                self._merge(event)
        for at in self._copies:
            while missing := self._missing(at):
                self._deliver(at, missing[0])
        self._compare()

    def _write(self, event: _Write) -> None:
        number = len(self._changes) if event.change is None else event.change
        at = self._copies[event.at]
        self.events.append(replace(event, change=number))
        self._lines.append(f"{at.name} writes {event.op!r}: change {len(self._changes) + 1}")
        self._changes[number] = (event.at, None)
        self._changes[number] = (event.at, copy.deepcopy(at.replica.write(event.op)))
        at.has.add(number)

    def _merge(self, event: _Merge) -> None:
        known = self._missing(event.at)
        if self._repeats:
            known += sorted(self._copies[event.at].has)
        if event.change is None and known:
            self._deliver(event.at, known[event.pick % len(known)])
        elif event.change in known:
            self._deliver(event.at, event.change)

    def _deliver(self, at: int, number: int) -> None:
        writer, change = self._changes[number]
        to = self._copies[at]
        own = "its own " if writer == at else ""
        again = " again" if number in to.has else ""
        self.events.append(_Merge(at, change=number))
        self._lines.append(
            f"{to.name} merges {own}change {[*self._changes].index(number) + 1}{again}"
        )
        to.replica.merge(copy.deepcopy(change))
        to.has.add(number)

    def _missing(self, at: int) -> list[int]:
        """Return what a replica may be told now and has not got yet."""
        lacking = [number for number in self._changes if number not in self._copies[at].has]
        if not self._in_order:
            return lacking
        first: dict[int, int] = {}
        for number in lacking:
            first.setdefault(self._changes[number][0], number)
        return [*first.values()]

    def _compare(self) -> None:
        views = {one.name: one.replica.view() for one in self._copies.values()}
        first = next(iter(views.values()))
        if not all(view == first for view in views.values()):
            shown = "".join(f"\n  {name} shows {view!r}" for name, view in views.items())
            self.failure = f"all have every change, and they differ:{shown}"


_Play = Callable[[Sequence[_Event]], _Run]


def _shortest(failed: _Run, run: _Play) -> _Run:
    """Return a run without the events that its failure does not need.

    Left to itself, hypothesis shrinks such histories slowly, and stops before they are short.
    """
    size = 0
    while len(failed.events) != size:
        size = len(failed.events)
        for at in {event.at for event in failed.events}:
            failed = _better(failed, run([e for e in failed.events if e.at != at]))
        for together in (1, 2):  # two: a write here may only matter by a write there
            for parts in combinations(failed.events, together):
                failed = _better(failed, run([e for e in failed.events if e not in parts]))
    return failed


def _better(failed: _Run, other: _Run) -> _Run:
    """Return the other run if it is shorter and fails in the same way."""
    is_shorter = len(other.events) < len(failed.events)
    return other if is_shorter and other.kind is failed.kind else failed


def _with_simple_ops(
    failed: _Run, ops: st.SearchStrategy[Any], run: _Play, limits: settings
) -> _Run:
    """Return a run in which people write the simplest things that still fail."""
    writes = sum(isinstance(event, _Write) for event in failed.events)

    def with_ops(chosen: Sequence[Any]) -> _Run:
        rest = iter(chosen)
        return run(
            [replace(e, op=next(rest)) if isinstance(e, _Write) else e for e in failed.events]
        )

    with suppress(NoSuchExample):
        simple = find(
            st.lists(ops, min_size=writes, max_size=writes),
            lambda chosen: with_ops(chosen).kind is failed.kind,
            settings=settings(limits, phases=(Phase.generate, Phase.shrink)),
        )
        return with_ops(simple)
    return failed

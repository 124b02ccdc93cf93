"""Convergence of any merge rule, tested by hypothesis: for rules that are not syncchat's.

A replica is anything with three methods::

    class Counter:
        def __init__(self) -> None: self.seen: dict[str, int] = {}
        def write(self, op: int) -> object: ...      # do it here, return what others need
        def merge(self, change: object) -> None: ... # take in what another replica returned
        def view(self) -> object: ...                # what is shown; compared with ==

``assert_converges(Counter, ops=st.integers())`` lets several replicas write and delivers every
change to everyone, in different orders, twice, and in between writes; then all views must be
equal. It fails with the shortest history that hypothesis finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hypothesis import given, settings
from hypothesis import strategies as st

from .oracle import Divergence


class Replica(Protocol):
    """Is one copy of the state that a merge rule keeps."""

    def write(self, op: Any) -> Any:
        """Do ``op`` here and return the change that other replicas need."""

    def merge(self, change: Any) -> None:
        """Take in a change; it may come late, twice, or before those that it follows."""

    def view(self) -> Any:
        """Return what is shown."""


def assert_converges(
    replica: Callable[[], Replica],
    *,
    ops: st.SearchStrategy[Any],
    replicas: int = 3,
    examples: int = 200,
    in_order: bool = False,
) -> None:
    """Raise ``Divergence``, with the shortest history found, unless a merge rule converges.

    ``ops`` is a hypothesis strategy for what people do. With ``in_order`` each writer's changes
    arrive in the order in which they were written, as syncchat's chains guarantee; still twice,
    and mixed with others'.
    """

    @settings(max_examples=examples, deadline=None, database=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        copies = [replica() for _ in range(replicas)]
        changes: list[tuple[int, Any]] = []
        told: list[list[int]] = [[] for _ in copies]
        history: list[str] = []
        for _ in range(data.draw(st.integers(1, 12), label="steps")):
            at = data.draw(st.integers(0, replicas - 1), label="replica")
            waiting = _deliverable(changes, told[at], at, in_order=in_order)
            if waiting and data.draw(st.booleans(), label="deliver"):
                number = data.draw(st.sampled_from(waiting), label="change")
                copies[at].merge(changes[number][1])
                told[at].append(number)
                history.append(f"replica {at} merges change {number}")
            else:
                op = data.draw(ops, label="op")
                changes.append((at, copies[at].write(op)))
                told[at].append(len(changes) - 1)
                history.append(f"replica {at} writes {op!r} as change {len(changes) - 1}")
        for at, copy in enumerate(copies):
            order = list(range(len(changes)))
            if not in_order:
                shuffled: list[int] = data.draw(st.permutations(order), label=f"order at {at}")
                order = shuffled
            for number in order:
                copy.merge(changes[number][1])
            history.append(f"replica {at} merges all again, as {order}")
        views = [copy.view() for copy in copies]
        if any(view != views[0] for view in views):
            shown = "\n".join(f"replica {at} shows {view!r}" for at, view in enumerate(views))
            raise Divergence("replicas differ after\n" + "\n".join(history) + "\n" + shown)

    check()


def _deliverable(
    changes: list[tuple[int, Any]], told: list[int], at: int, *, in_order: bool
) -> list[int]:
    """Return the changes that a replica may be told now."""
    if not in_order:
        return [number for number, (by, _) in enumerate(changes) if by != at]
    return [
        number
        for number, (by, _) in enumerate(changes)
        if by != at
        and all(
            earlier in told for earlier, (writer, _) in enumerate(changes[:number]) if writer == by
        )
    ]

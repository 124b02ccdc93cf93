"""Seeds a defect: changes a line or two of a function's source while a block runs.

A mutant is written as the text that is replaced and the text that replaces it, so it reads like
the commit that would have brought the defect in. The function object itself gets the new code,
so whoever imported it runs it too. When the source has moved on and the text is no longer there,
seeding fails loudly instead of testing nothing.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from syncchat.testing import random_schedule
from syncchat.testing.playing import play


@dataclass(frozen=True)
class Edit:
    """Is one change of a function's source."""

    function: Callable[..., Any]
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """Is a seeded defect: ``says`` tells what goes wrong, ``edits`` how.

    ``scenario`` is one written for a defect that random schedules rarely meet; it raises
    ``Divergence``, and is tried first.
    """

    name: str
    says: str
    edits: tuple[Edit, ...]
    scenario: Callable[[], object] | None = None

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Have the defect until the block ends."""
        functions: dict[FunctionType, list[Edit]] = {}
        for edit in self.edits:
            function = inspect.unwrap(edit.function)
            assert isinstance(function, FunctionType)
            functions.setdefault(function, []).append(edit)
        changed = {function: _changed(function, edits) for function, edits in functions.items()}
        kept = {function: function.__code__ for function in functions}
        try:
            for function, code in changed.items():
                function.__code__ = code
            yield
        finally:
            for function, code in kept.items():
                function.__code__ = code


@dataclass(frozen=True)
class Verdict:
    """Says whether a mutant was caught, by which check, and by which schedule."""

    mutant: Mutant
    caught_by: str
    failure: str
    schedules: int

    @property
    def is_caught(self) -> bool:
        """Tell whether a schedule failed."""
        return bool(self.failure)

    def __str__(self) -> str:
        how = f"SURVIVED {self.schedules} schedules"
        if self.is_caught:
            first, *_ = self.failure.splitlines()
            how = f"{self.caught_by}, after {self.schedules} schedules: {first[:90]}"
        return f"{self.mutant.name:<42} {how}"


def hunt(mutant: Mutant, *, schedules_max: int, peers: int = 5, steps: int = 60) -> Verdict:
    """Play schedules with a defect until one fails."""
    with mutant.seeded():
        if mutant.scenario is not None:
            try:
                mutant.scenario()
            except AssertionError as exc:
                return Verdict(mutant, "its own scenario", str(exc), 0)
        for number in range(schedules_max):
            outcome = play(random_schedule(number, peers=peers, steps=steps))
            if outcome.failure:
                return Verdict(mutant, outcome.caught_by, outcome.failure, number + 1)
    return Verdict(mutant, "", "", schedules_max)


def _changed(function: FunctionType, edits: Sequence[Edit]) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        found = source.count(edit.old)
        assert found == 1, f"{edit.old!r} stands {found} times in {function.__qualname__}"
        source = source.replace(edit.old, edit.new)
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    scope = dict(function.__globals__)
    code = compile(
        ast.Module([definition], []),
        f"<mutant of {function.__qualname__}>",
        "exec",
        __future__.annotations.compiler_flag,
    )
    exec(code, scope)
    changed = scope[definition.name]
    assert isinstance(changed, FunctionType)
    return changed.__code__

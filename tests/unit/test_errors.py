"""Tests of the error tree."""

from __future__ import annotations

import inspect
import re

import pytest

from syncchat import errors
from syncchat.wire.codes import ErrorCode

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.SyncchatError)
}


def _drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Return, from the docstring, each class with its parent and its builtin second base."""
    assert errors.__doc__
    tree: dict[str, tuple[str | None, str | None]] = {}
    parents: dict[int, str] = {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"^ {4}([│├└─ ]*)([A-Z]\w+)(?: \((\w+)\))?", line)
        if found:
            depth = len(found[1]) // 4
            tree[found[2]] = (parents.get(depth - 1), found[3])
            parents[depth] = found[2]
    return tree


def test_docstring_draws_every_error_class_under_its_parent() -> None:
    tree = {}
    for name, kind in CLASSES.items():
        own = [base for base in kind.__bases__ if base.__name__ in CLASSES]
        foreign = [base for base in kind.__bases__ if base.__name__ not in CLASSES]
        tree[name] = (
            own[0].__name__ if own else None,
            foreign[0].__name__ if foreign and own else None,
        )
    assert _drawn_tree() == tree
    assert len(tree) >= 20


@pytest.mark.parametrize(
    ("name", "builtin"),
    [("ValidationError", ValueError), ("NotFoundError", LookupError), ("DecodeError", ValueError)],
)
def test_errors_of_arguments_are_caught_as_the_builtin_that_people_expect(
    name: str, builtin: type[Exception]
) -> None:
    assert issubclass(CLASSES[name], builtin)


def test_relay_refused_carries_its_code_and_when_to_try_again() -> None:
    error = errors.RelayRefused(ErrorCode.BUSY, "too many connections", retry_after_ms=500)
    assert (error.code, error.retry_after_ms) == (ErrorCode.BUSY, 500)
    assert str(error) == "too many connections"
    assert errors.RelayRefused(ErrorCode.BAD_AUTH, "no").retry_after_ms == 0

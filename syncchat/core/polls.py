"""Polls: a message of kind ``poll`` asks in its text, and its metadata has what can be chosen.

``{"options": ["Monday", "Tuesday"], "multiple": false}``. Everyone's votes stand in their own
journals; of each member the last one counts, and none that was cast after the author closed the
poll. A vote for what is not there, or for several where one may be chosen, is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..ids import DeviceId, MemberId, Stamp
from .values import MessageValue, is_label

POLL = "poll"
OPTIONS_MAX = 20
OPTION_CHARS_MAX = 100


class Asked(NamedTuple):
    """Is what a poll lets people choose."""

    options: tuple[str, ...]
    multiple: bool


class Vote(NamedTuple):
    """Is what one member chose; ``at`` is when."""

    member: MemberId
    choices: tuple[int, ...]
    at: Stamp


class Cast(NamedTuple):
    """Is one entry of somebody's: the vote in it, and those that it overwrote."""

    device: DeviceId
    at: Stamp
    value: Any


def asked_in(value: MessageValue) -> Asked | None:
    """Return what a message asks, None for one that is no poll that can be read."""
    said = value.metadata
    if value.kind != POLL or said is None:
        return None
    options, multiple = said.get("options"), said.get("multiple", False)
    if not isinstance(options, list | tuple) or not isinstance(multiple, bool):
        return None
    if not 2 <= len(options) <= OPTIONS_MAX:
        return None
    if not all(is_label(option, OPTION_CHARS_MAX) for option in options):
        return None
    return Asked(tuple(options), multiple)


def count(
    asked: Asked,
    author: MemberId,
    entries: Sequence[Cast],
    *,
    member_of: Callable[[DeviceId], MemberId],
) -> tuple[tuple[Vote, ...], Stamp | None]:
    """Return the votes that count, in the order in which they were cast, and when it closed."""
    closed = min(
        (
            entry.value.closed
            for entry in entries
            if entry.value.closed is not None and member_of(entry.device) == author
        ),
        default=None,
    )
    latest: dict[MemberId, tuple[Stamp, DeviceId, tuple[int, ...]]] = {}
    for entry in entries:
        member = member_of(entry.device)
        for at, choices in _cast(entry):
            if closed is None or at <= closed:
                vote = (at, entry.device, choices)
                latest[member] = max(vote, latest.get(member, vote))
    votes = [
        Vote(member, valid, at)
        for member, (at, _, choices) in latest.items()
        if (valid := valid_choices(asked, choices))
    ]
    return tuple(sorted(votes, key=lambda vote: (vote.at, vote.member))), closed


def valid_choices(asked: Asked, choices: Sequence[int]) -> tuple[int, ...]:
    """Return what was chosen in order, nothing where it cannot be chosen so."""
    chosen = sorted(set(choices))
    if not all(0 <= choice < len(asked.options) for choice in chosen):
        return ()
    return tuple(chosen) if asked.multiple or len(chosen) <= 1 else ()


def _cast(entry: Cast) -> Iterator[tuple[Stamp, tuple[int, ...]]]:
    yield from entry.value.earlier
    yield entry.at, entry.value.choices

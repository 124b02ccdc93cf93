"""Updates written by hand, byte by byte: valid ones, and what no honest writer emits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncchat.core.reader import client_id
from syncchat.core.values import ROOT_NAMES, Root

NEW, OVERWRITE, GONE, GONE_AFTER = 0x28, 0xA8, 0x21, 0xA1


@dataclass(frozen=True, slots=True)
class Item:
    """Is one entry: at a place, or after the entry at a clock; ``raw`` or a run of deleted."""

    root: Root = Root.MESSAGES
    key: str = ""
    origin: int | None = None
    raw: str | None = None
    length: int = 1


def number(value: int) -> bytes:
    """Return a LEB128 number."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text: str) -> bytes:
    """Return a string with its length before it."""
    raw = text.encode()
    return number(len(raw)) + raw


def update(
    volume: int, clock: int, items: Sequence[Item], deletions: Sequence[tuple[int, int]] = ()
) -> bytes:
    """Return an update that adds items from ``clock`` on and deletes (clock, length) ranges."""
    client = number(client_id(volume))
    out = b""
    if items:
        out += number(1) + number(len(items)) + client + number(clock)
        for item in items:
            out += _item(item, client)
    else:
        out += number(0)
    if deletions:
        out += number(1) + client + number(len(deletions))
        for start, length in deletions:
            out += number(start) + number(length)
    else:
        out += number(0)
    return out


def _item(item: Item, client: bytes) -> bytes:
    after = item.origin is not None
    place = number(1) + string(ROOT_NAMES[item.root]) + string(item.key)
    if item.origin is not None:
        place = client + number(item.origin)
    if item.raw is None:
        return bytes((GONE_AFTER if after else GONE,)) + place + number(item.length)
    info = bytes((OVERWRITE if after else NEW,))
    return info + place + number(1) + b"\x77" + string(item.raw)

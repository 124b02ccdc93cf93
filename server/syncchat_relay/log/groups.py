"""Groups: what a room's records come to, kept for the rooms that were used last.

A group in the cache is that of a committed log and is never changed: whoever lets records take
effect does so on a copy, and hands it in after the commit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from syncchat.trust.group import Group
from syncchat.trust.membership import fold_group
from syncchat.trust.records import decode_record

from . import Holder, Standing

ROOMS_MAX = 1_000
"""Rooms whose state is kept; folding one anew costs about 5 ms for a thousand records."""

OCTETS_MAX = 64 * 1024 * 1024
"""Bytes of records behind the states that are kept; a state takes up to about twice that."""


FINDABLE_MAX = 100_000
"""Invites of personal rooms that are known by their keys, 15 MB; the oldest are forgotten first."""

FINDABLE_PER_ROOM_MAX = 4
"""The newest of a room, so that nobody makes others' forgotten with one room."""


class Groups:
    """Keeps the groups of the rooms that were used last, and which invites are where.

    An invite is found also when its room is no longer kept: its device may be about to come.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[Group, int]] = OrderedDict()
        self._octets = 0
        self._rooms: OrderedDict[bytes, bytes] = OrderedDict()

    def room_of(self, invite: bytes) -> bytes:
        """Return the personal room that had an invite when it was kept last, empty for none."""
        return self._rooms.get(invite, b"")

    def get(self, room: bytes) -> Group | None:
        """Return a room's group, None where it is not kept."""
        found = self._kept.get(room)
        if found is None:
            return None
        self._kept.move_to_end(room)
        return found[0]

    def keep(self, room: bytes, group: Group, octets: int) -> None:
        """Keep the group of a committed log whose records have so many bytes."""
        self.drop(room)
        if group.is_personal:
            self._note_invites(room, group)
        self._kept[room] = (group, octets)
        self._octets += octets
        while len(self._kept) > ROOMS_MAX or (self._octets > OCTETS_MAX and len(self._kept) > 1):
            _, (_, dropped) = self._kept.popitem(last=False)
            self._octets -= dropped

    def _note_invites(self, room: bytes, group: Group) -> None:
        for invite in list(group.invites)[-FINDABLE_PER_ROOM_MAX:]:
            self._rooms[invite] = room
        while len(self._rooms) > FINDABLE_MAX:
            self._rooms.popitem(last=False)

    def drop(self, room: bytes) -> None:
        """Forget a room, whose log may have changed."""
        _, octets = self._kept.pop(room, (None, 0))
        self._octets -= octets


def folded(raws: Sequence[bytes]) -> Group | None:
    """Return the group of a log's records, None where there are none."""
    return fold_group(decode_record(raw) for raw in raws) if raws else None


def standing_of(group: Group | None, keys: Sequence[bytes], *, now_ms: int) -> Standing:
    """Return how who holds ``keys`` stands to a room; the first is the device's own.

    Others were proved beside it: a member's root key, or an invite's that is still open.
    """
    if group is None or not keys:
        return Standing.NOBODY
    if group.may_read(keys[0]):
        return Standing.MEMBER
    for key in keys[1:]:
        opened = group.invites.get(key)
        if group.may_read(key) or (opened is not None and not opened.refusal(now_ms)):
            return Standing.GUEST
    return Standing.NOBODY


def holder_of(group: Group | None, key: bytes) -> Holder | None:
    """Return for whom a device acts in a room, None for nobody."""
    person = None if group is None else group.person_of(key)
    if group is None or person is None:
        return None
    return Holder(person.id, group.may_write(key))


def last_readable(
    records: Sequence[tuple[int, bytes]], keys: Sequence[bytes], *, verified: int, now_ms: int
) -> int:
    """Return the seq of the record that took from ``keys`` the right to read.

    ``records`` are (seq, record) of a whole log whose end they may not read; up to ``verified``
    they could. Where that was no record's doing (an invite expires), the answer is 0.
    """
    taken = [(seq, decode_record(raw)) for seq, raw in records]

    def may(count: int) -> bool:
        group = fold_group(record for _, record in taken[:count])
        return standing_of(group, keys, now_ms=now_ms) is not Standing.NOBODY

    low = sum(seq <= verified for seq, _ in taken)
    high = len(taken)
    if not low or not may(low):
        return 0
    while high - low > 1:  # could after ``low`` records, and cannot after ``high``
        middle = (low + high) // 2
        low, high = (middle, high) if may(middle) else (low, middle)
    return taken[high - 1][0]


def is_cut(before: Group, after: Group, chain_seqs: dict[bytes, int]) -> bool:
    """Tell whether something would no longer count that is stored and counted.

    ``chain_seqs`` says up to where each device's chain is stored, for all of ``changed``.
    """
    return any(
        seq and before.accepts(device, seq) and not after.accepts(device, seq)
        for device, seq in chain_seqs.items()
    )


def changed(before: Group, after: Group) -> list[bytes]:
    """Return the devices whose chains end elsewhere than before, or belong to nobody."""
    pinned = [device for device, pin in after.pins.items() if before.pins.get(device) != pin]
    return pinned + [device for device in before.owners if device not in after.owners]

"""Recent first: the newest of a room is shown before the rest of its log has come.

The relay tells it ahead of the log: the room's records, the newest envelopes, and for each what
cannot be known of it before its chain is here, the link that it follows. The signature is over
that link too, so a relay cannot make one up. What these envelopes say is shown as a *preview*: the
chains do not move, and each brings its entries again in its turn, read strictly. What no chain has
brought when the room has caught up (its device wrote two histories, say) is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from ..core.reader import Change, read_ahead
from ..core.snapshots import decode_snapshot
from ..core.values import Root
from ..errors import DecodeError, TrustError
from ..ids import DeviceId, DeviceKey, MessageId, Stamp, device_text, message_id
from ..storage import absent, chains, members, rooms
from ..storage.chains import ChainRow
from ..trust import chain as links
from ..trust.keys import DeviceKeys, verify
from ..trust.person import member_text
from ..trust.records import RecordHash, is_record
from ..wire.envelope import Envelope, EnvelopeKind, Header, decode_envelope
from .ahead import Ahead, Part
from .batch import Batch
from .roster import open_keys

ENTRIES_MAX = 256
"""Of a snapshot, how many of its newest entries are shown ahead."""


class _Item(NamedTuple):
    place: int
    envelope: Envelope
    header: Header
    previous: bytes | None


class _Said(NamedTuple):
    """Is what one envelope says."""

    device: DeviceId
    key: DeviceKey
    header: Header
    changes: list[Change]


class RecentBatch(Batch):
    """Is the work of one transaction that shows a part of the newest of a room."""

    _ahead: Ahead | None = None
    """What says who is in the room, while its records are not taken."""

    def take_recent(
        self, part: Part, *, keys: DeviceKeys, verified: Set[RecordHash] = frozenset()
    ) -> None:
        """Take records, and show what else is told of a room's newest.

        What does not hold is left out without a word: it is judged when it comes in its turn.
        """
        self._take_records(part.placed, keys, verified=verified)
        self._show_part(part)

    def foresee(self, part: Part, ahead: Ahead, *, user: bytes) -> None:
        """Show what is told of a room's newest by those for whom ``ahead`` vouches; the records
        are taken later."""
        group = ahead.group
        assert group is not None
        self._group, self._ahead = group, ahead
        open_keys(self._db, self._room, group, user=user)
        self._view.follow(admins=group.admins, hidden=group.hidden_messages)
        self._show_part(part)

    def _show_part(self, part: Part) -> None:
        by_device: dict[bytes, list[_Item]] = {}
        for index, (place, raw) in enumerate(part.placed):
            if is_record(raw):
                continue
            try:
                envelope, header = decode_envelope(raw)
            except DecodeError:
                continue
            item = _Item(place, envelope, header, part.previous.get(index))
            by_device.setdefault(header.device, []).append(item)
        said: list[_Said] = []
        for device, items in by_device.items():
            if device_text(device) != self._me and self._is_known(device):
                said += self._read_ahead(device, items, part.since)
        self._show(said)
        self._flush()
        if self._latest:
            rooms.observe_stamp(self._db, self._latest, self._now_ms)

    def _is_known(self, device: bytes) -> bool:
        """Tell whether it is verified whose device it is; stored then, for those who look on."""
        if self._ahead is None:
            return True
        if not self._ahead.vouches(device):
            return False
        assert self._group is not None
        owner = device_text(device), member_text(self._group.owners[device])
        members.set_owners(self._db, self._room.id, [owner])
        return True

    def take_back(self) -> None:
        """Take back what no chain has brought, nor can before its volume is fetched."""
        self._view.take_back(but=absent.volumes(self._db, self._room.id))
        self._flush()

    def _show(self, said: Sequence[_Said]) -> None:
        """Show what was read ahead, but for what is taken away by some of it.

        A deletion itself waits for its chain: it cannot be taken back, for it leaves no words.
        """
        gone = {
            MessageId(change.key)
            for each in said
            for change in each.changes
            if change.root is Root.DELETES
        }
        erased = {
            (each.device, change.root, change.key)
            for each in said
            for change in each.changes
            if change.raw is None
        }
        self._view.hide_ahead(gone)
        for device, key, header, changes in said:
            shown = [
                change
                for change in changes
                if change.root is not Root.DELETES
                and (device, change.root, change.key) not in erased
                and not (
                    change.root is Root.MESSAGES and message_id(Stamp(change.key), device) in gone
                )
            ]
            if shown:
                row = chains.add_chain(self._db, self._room.id, device, key)
                self._view.add_ahead(
                    chain=row.id, device=device, volume=header.volume, seq=header.seq, changes=shown
                )

    def _read_ahead(self, device: bytes, items: Sequence[_Item], since: int) -> Iterator[_Said]:
        """Yield what envelopes of one device say, as far as they hold."""
        name = device_text(device)
        row = chains.find_chain(self._db, self._room.id, name)
        key = self._key_of(device, items) if row is None else row.key
        if key is None or (row is not None and (row.frozen or row.waiting)):
            return
        known: dict[int, dict[int, tuple[Root, str]]] = {}
        at, link = (0, links.GENESIS) if row is None else (row.seq, row.link)
        after = Stamp("") if row is None else row.last_stamp
        for place, envelope, header, told in items:
            follows = self._link_before(
                envelope, header, told, link if header.seq == at + 1 else None
            )
            if follows is None:
                return
            context = links.context(self._room.room_id, follows, envelope.header)
            at, link = header.seq, links.link_after(context, envelope, header)
            if row is not None and header.seq <= row.seq:
                continue
            if self._why_wait(row or _stranger(name, key), header) is not None:
                continue
            try:
                verify(key, links.signed_text(link), envelope.signature)
                text = self._volumes.open(self._room, envelope, header, key, context)
                changes = _changes(text, header, known.setdefault(header.volume, {}), after)
            except (DecodeError, TrustError):
                continue
            if place < since:
                changes = [change for change in changes if change.root is Root.PROFILE]
            elif changes:
                after = max(after, *(change.at for change in changes))
                self._latest = Stamp(max(self._latest, after))
            yield _Said(name, key, header, changes)

    def _key_of(self, device: bytes, items: Sequence[_Item]) -> DeviceKey | None:
        """Return a device's key, which the room's log knows, or its first envelope."""
        for item in items:
            if item.header.key is not None:
                return DeviceKey(item.header.key)
        group = self._group
        member = None if group is None else group.members.get(group.owners.get(device, b""))
        found = None if member is None else member.person.devices.get(device)
        return None if found is None else found.key

    @staticmethod
    def _link_before(
        envelope: Envelope, header: Header, told: bytes | None, known: bytes | None
    ) -> bytes | None:
        if header.kind == EnvelopeKind.SNAPSHOT:
            return links.coverage_of(envelope, header).previous
        if header.seq == 1:
            return links.GENESIS
        return told or known


def _stranger(device: DeviceId, key: DeviceKey) -> ChainRow:
    """Return the chain of a device of which nothing is here."""
    return ChainRow(0, device, key, 0, links.GENESIS, Stamp(""), 0, 0, 0, None, None, -1)


def _changes(
    text: bytes, header: Header, known: dict[int, tuple[Root, str]], after: Stamp
) -> list[Change]:
    """Return what a body says by itself."""
    if header.kind == EnvelopeKind.SNAPSHOT:
        entries = [*decode_snapshot(text, header.volume).entries.values()]
        entries.sort(key=lambda change: change.clock)
        known.update((change.clock, (change.root, change.key)) for change in entries)
        about = [e for e in entries[:-ENTRIES_MAX] if e.root is Root.PROFILE]
        return about + entries[-ENTRIES_MAX:]
    if header.kind != EnvelopeKind.UPDATE:
        return []
    return read_ahead(text, header.volume, known, after=after)

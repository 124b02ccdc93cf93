"""Devices that write chains by hand: with the journal's own writer, but not the engine's sealer."""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.core import clock
from syncchat.core.journal import Entry, Volume
from syncchat.core.snapshots import (
    LettingGo,
    content_of,
    encode_snapshot,
    export_of,
    without,
)
from syncchat.core.values import (
    DeleteValue,
    EditValue,
    FieldValue,
    MessageValue,
    ReactionValue,
    ReadValue,
    Root,
    encode_value,
)
from syncchat.ids import DeviceId, MessageId, Stamp, message_id
from syncchat.trust.chain import GENESIS, context, link_hash, signed_text
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.seal import body_key, seal
from syncchat.wire.coverage import Range, encode_coverage, ranges_of
from syncchat.wire.envelope import Envelope, EnvelopeKind, Header, encode_envelope, encode_header
from syncchat.wire.limits import VERSION

from .ports import START_MS
from .room import ROOM, ROOM_KEY

KEYS: dict[bytes, DeviceKeys] = {}
"""The keys of every device that was made here, by its first 8 bytes."""


class Device:
    """Writes one device's chain in one room; ``entries`` are what its methods return."""

    def __init__(
        self,
        seed: int,
        *,
        room: bytes = ROOM,
        room_key: bytes = ROOM_KEY,
        start_ms: int = START_MS,
    ) -> None:
        self.keys = DeviceKeys(seed.to_bytes(32))
        self.id: DeviceId = self.keys.device
        KEYS[self.keys.public[:8]] = self.keys
        self.room = room
        self.seq = 0
        self.link = GENESIS
        self.volume = 0
        self.last = clock.stamp(start_ms)
        self._key = body_key(room_key, room, self.keys.public[:8])
        self._documents: dict[int, Volume] = {}
        self._links: dict[int, list[tuple[int, bytes]]] = {}
        self._updates: dict[int, list[bytes]] = {}

    # Entries

    def stamp(self, now_ms: int = 0) -> Stamp:
        """Return this device's next stamp."""
        self.last = clock.tick(self.last, now_ms)
        return self.last

    def message(self, text: str, *, now_ms: int = 0, **fields: object) -> tuple[MessageId, Entry]:
        """Return a new message's id and entry."""
        at = self.stamp(now_ms)
        value = MessageValue(text=text, **fields)  # type: ignore[arg-type]
        return message_id(at, self.id), Entry(Root.MESSAGES, at, encode_value(value))

    def edit(self, message: str, text: str, mentions: tuple[str, ...] | None = None) -> Entry:
        return Entry(Root.EDITS, message, encode_value(EditValue(self.stamp(), text, mentions)))

    def delete(self, message: str) -> Entry:
        return Entry(Root.DELETES, message, encode_value(DeleteValue(self.stamp())))

    def react(self, message: str, emoji: str, *, on: bool = True) -> Entry:
        value = encode_value(ReactionValue(self.stamp(), on))
        return Entry(Root.REACTIONS, message + emoji, value)

    def read(self, place: str, upto: Stamp) -> Entry:
        return Entry(Root.READS, place, encode_value(ReadValue(self.stamp(), upto)))

    def field(self, root: Root, key: str, value: object) -> Entry:
        return Entry(root, key, encode_value(FieldValue(self.stamp(), value)))

    # Envelopes

    def document(self, number: int) -> Volume:
        """Return the CRDT document of one volume."""
        return self._documents.setdefault(number, Volume(number))

    def update(self, *entries: Entry, volume: int | None = None) -> bytes:
        """Return the update that writes entries."""
        number = self.volume if volume is None else volume
        update = self.document(number).write(entries)
        self._updates.setdefault(number, []).append(update)
        return update

    def write(self, *entries: Entry, volume: int | None = None) -> bytes:
        """Return the next envelope, which carries entries."""
        return self.seal(self.update(*entries, volume=volume), volume=volume)

    def send(self, text: str) -> bytes:
        """Return the next envelope, which carries one new message."""
        return self.write(self.message(text)[1])

    def seal(
        self,
        update: bytes,
        *,
        volume: int | None = None,
        kind: int = EnvelopeKind.UPDATE,
        clear: bytes = b"",
    ) -> bytes:
        """Return the next envelope of the chain, which carries any bytes; ``clear`` goes before
        what is sealed."""
        self.seq += 1
        number = self.volume if volume is None else volume
        has_key = self.seq == 1 or kind == EnvelopeKind.SNAPSHOT
        header = Header(
            VERSION,
            kind,
            self.keys.public[:8],
            self.seq,
            number,
            0,
            b"",
            self.seq.to_bytes(24),
            self.keys.public if has_key else None,
        )
        head = encode_header(header)
        authenticated = context(self.room, self.link, head)
        body = clear + seal(self._key, header.nonce, authenticated + clear, update)
        self.link = link_hash(authenticated, body, clear=len(clear))
        self._links.setdefault(number, []).append((self.seq, self.link))
        return encode_envelope(Envelope(head, body, self.keys.sign(signed_text(self.link))))

    def snapshot(
        self,
        *,
        volume: int | None = None,
        ranges: Sequence[Range] | None = None,
        export: bytes | None = None,
        stamp: Stamp | None = None,
        letting_go: LettingGo | None = None,
        gone: Sequence[int] = (),
    ) -> bytes:
        """Return the next envelope, a snapshot of a volume; or one that says something else.

        With ``letting_go`` it lacks the entries at some clocks.
        """
        number = self.volume if volume is None else volume
        covered = ranges_of(self._links[number]) if ranges is None else ranges
        clear = encode_coverage(self.link, covered)
        whole = self.document(number).export() if export is None else export
        content = content_of(number, None, self._updates[number])
        if letting_go is not None:
            whole = export_of(without(content, gone, letting_go))
        text = encode_snapshot(content.stamp if stamp is None else stamp, whole, letting_go)
        return self.seal(text, volume=number, kind=EnvelopeKind.SNAPSHOT, clear=clear)

    def fork(self) -> Device:
        """Return a device that goes on from the same place by itself; it has no documents."""
        other = Device(0, room=self.room)
        other.keys, other.id, other._key = self.keys, self.id, self._key
        other.seq, other.link, other.volume, other.last = (
            self.seq,
            self.link,
            self.volume,
            self.last,
        )
        return other


def interleaved(chains: Sequence[Sequence[bytes]], order: Sequence[int]) -> list[bytes]:
    """Return all envelopes in an order that keeps each chain's own.

    ``order`` picks a chain at each step, modulo those that have something left.
    """
    rests = [list(chain) for chain in chains]
    result: list[bytes] = []
    step = 0
    while any(rests):
        left = [rest for rest in rests if rest]
        pick = order[step % len(order)] if order else 0
        result.append(left[pick % len(left)].pop(0))
        step += 1
    return result

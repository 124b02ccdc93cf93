"""What is kept in memory of journals and keys, bounded, and dropped when a transaction fails."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import NamedTuple

from ..core.journal import Volume
from ..core.reader import VolumeState
from ..core.snapshots import export_in
from ..errors import KeyMissing, SealBroken
from ..ids import DeviceKey
from ..storage import chains, rooms, snapshots
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..trust import chain as links
from ..trust.seal import body_key, open_sealed
from ..wire.coverage import Range, joined, split_body
from ..wire.envelope import Envelope, EnvelopeKind, Header, decode_envelope
from .groups import Groups

STATES_MAX = 512
"""Volume states in memory, of at most 1,000 entries each."""

DOCUMENTS_MAX = 8
"""Own CRDT documents in memory."""

KEYS_MAX = 2_048
"""Body keys in memory; one is derived in a few microseconds."""


class Volumes:
    """Keeps volume states, own documents and body keys for one database."""

    def __init__(self, db: Database, groups: Groups | None = None) -> None:
        self._db = db
        self._states: OrderedDict[tuple[int, int], VolumeState] = OrderedDict()
        self._documents: OrderedDict[tuple[int, int], Volume] = OrderedDict()
        self._keys: OrderedDict[tuple[int, int, bytes], bytes | None] = OrderedDict()
        self.groups = groups or Groups(db)

    def state(self, chain: int, number: int) -> VolumeState:
        """Return what must be known of a volume; the caller moves it on as it stores changes."""
        place = (chain, number)
        found = self._states.get(place)
        if found is None:
            found = self._states[place] = chains.load_volume(self._db, chain, number)
            if len(self._states) > STATES_MAX:
                self._states.popitem(last=False)
        else:
            self._states.move_to_end(place)
        return found

    def document(self, room: rooms.RoomRow, own: ChainRow, number: int) -> Volume:
        """Return an own volume's CRDT document, rebuilt from the own envelopes if need be."""
        place = (own.id, number)
        found = self._documents.get(place)
        if found is None:
            texts = read_volume(self._db, self, room, own, number)
            found = self._documents[place] = Volume(number, texts.updates)
            if len(self._documents) > DOCUMENTS_MAX:
                self._documents.popitem(last=False)
        else:
            self._documents.move_to_end(place)
        return found

    def replace_state(self, chain: int, state: VolumeState) -> None:
        """Take over what a snapshot says of a volume."""
        self._states[chain, state.number] = state

    def key(self, room: rooms.RoomRow, epoch: int, device_key: DeviceKey) -> bytes:
        """Return the key that a device's bodies are sealed with in an epoch.

        Raises ``KeyMissing`` while the room key of that epoch is not here.
        """
        place = (room.id, epoch, device_key[:8])
        found = self._keys.get(place)
        if found is None:
            room_key = rooms.room_key(self._db, room.id, epoch)
            if room_key is None:
                raise KeyMissing(f"the room key of epoch {epoch} is not here yet")
            found = self._keys[place] = body_key(room_key, room.room_id, device_key[:8])
            if len(self._keys) > KEYS_MAX:
                self._keys.popitem(last=False)
        return found

    def open(
        self,
        room: rooms.RoomRow,
        envelope: Envelope,
        header: Header,
        device_key: DeviceKey,
        authenticated: bytes,
    ) -> bytes:
        """Return the update in an envelope, or the text of a snapshot.

        Its key may be one that lost a fork of the room's log. Raises ``KeyMissing`` while no key
        that opens it is here, and ``DecodeError``, ``SealBroken``.
        """
        body, authenticated = _sealed_part(envelope, header, authenticated)
        try:
            key = self.key(room, header.epoch, device_key)
            return open_sealed(key, header.nonce, authenticated, body)
        except SealBroken as exc:
            for lost in rooms.lost_keys(self._db, room.id, header.epoch):
                with suppress(SealBroken):
                    key = body_key(lost, room.room_id, device_key[:8])
                    return open_sealed(key, header.nonce, authenticated, body)
            if header.epoch == 0 or isinstance(exc, KeyMissing):
                raise  # a room's first key is part of its name
            raise KeyMissing(f"no room key of epoch {header.epoch} that is here opens it") from exc

    def opens_now(
        self,
        room: rooms.RoomRow,
        envelope: Envelope,
        header: Header,
        device_key: DeviceKey,
        authenticated: bytes,
    ) -> bool:
        """Tell whether an envelope opens with the key that its epoch has now."""
        body, authenticated = _sealed_part(envelope, header, authenticated)
        try:
            key = self.key(room, header.epoch, device_key)
            open_sealed(key, header.nonce, authenticated, body)
        except SealBroken:
            return False
        return True

    def forget_keys(self) -> None:
        """Drop keys, because others count now."""
        self._keys.clear()

    def forget_states(self) -> None:
        """Drop what is known of volumes, because a room was folded anew."""
        self._states.clear()

    def forget_documents(self, chain: int) -> None:
        """Drop own documents, because envelopes came in that they do not hold."""
        for place in [place for place in self._documents if place[0] == chain]:
            del self._documents[place]

    def forget(self) -> None:
        """Drop everything, because a transaction failed and memory may be ahead of the disk."""
        self._states.clear()
        self._documents.clear()
        self.groups.forget()


def _sealed_part(envelope: Envelope, header: Header, authenticated: bytes) -> tuple[bytes, bytes]:
    """Return what is sealed of a body, and what it is authenticated with."""
    if header.kind != EnvelopeKind.SNAPSHOT:
        return envelope.body, authenticated
    coverage, sealed = split_body(envelope.body, header.seq)
    return sealed, authenticated + coverage.raw


class Texts(NamedTuple):
    """Is what one volume of a chain was read from: a snapshot's text, if any, and the updates after
    it, each with its envelope's header and link; ``ranges`` is what all of that covers."""

    base: bytes | None
    rest: list[bytes]
    envelopes: list[tuple[Header, bytes]]
    ranges: list[Range]

    @property
    def updates(self) -> list[bytes]:
        """Return all as updates, which make up the volume's document."""
        return self.rest if self.base is None else [export_in(self.base), *self.rest]

    @property
    def headers(self) -> list[Header]:
        """Return the headers of ``updates``."""
        return [header for header, _ in self.envelopes]


def read_volume(
    db: Database,
    volumes: Volumes,
    room: rooms.RoomRow,
    chain: ChainRow,
    number: int,
    *,
    before: int = 2**53,
) -> Texts:
    """Return the opened texts of one volume of a chain before a seq, in order."""
    texts = Texts(None, [], [], [])
    for seq, link, raw in chains.volume_envelopes(db, chain.id, number, before=before):
        envelope, header = decode_envelope(raw)
        if header.kind == EnvelopeKind.SNAPSHOT:
            coverage = links.coverage_of(envelope, header)
            previous, ranges = coverage.previous, list(coverage.ranges)
        else:
            previous, ranges = snapshots.link_before(db, chain.id, seq), texts.ranges
        authenticated = links.context(room.room_id, previous, envelope.header)
        text = volumes.open(room, envelope, header, chain.key, authenticated)
        ranges = joined(ranges, [(seq, link)])
        if header.kind == EnvelopeKind.SNAPSHOT:
            texts = Texts(text, [], [(header, link)], ranges)
        else:
            texts = texts._replace(ranges=ranges)
            texts.rest.append(text)
            texts.envelopes.append((header, link))
    return texts

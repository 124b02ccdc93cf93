"""What ``syncchat doctor`` does: look for faults, and fold the view anew."""

from __future__ import annotations

from .core.journal import Volume
from .errors import DatabaseDamaged, DecodeError, TrustError
from .exchange.batch import ENDED, refold_room
from .exchange.volumes import Volumes, read_volume
from .ids import DeviceId, room_text
from .storage import chains, files, loose, rooms, snapshots, tallies, view
from .storage.chains import ChainRow
from .storage.database import Database
from .storage.rooms import RoomRow
from .storage.view import index
from .storage.wholeness import damaged_chunks, forget_damaged
from .trust import chain as links
from .wire.envelope import EnvelopeKind, decode_envelope

_BATCH = 512


def faults(db: Database, me: DeviceId) -> list[str]:
    """Return every fault found, in words; empty when all is well."""
    found = [f"SQLite: {text}" for text in db.integrity_faults()]
    if found:
        return found
    with db.reading():
        for room in rooms.all_rooms(db):
            found += [f"{room_text(room.room_id)[:8]}: {text}" for text in _room(db, room, me)]
        return found + _index(db)


def miscounts(db: Database, me: DeviceId) -> list[str]:
    """Return where the kept digest, unread count or search index is not what a recount gives."""
    return [text for room in rooms.all_rooms(db) for text in _counts(db, room, me)] + _index(db)


def rebuild(db: Database, me: DeviceId, *, now_ms: int) -> None:
    """Fold every room's view anew, each in one transaction, and make the search index anew."""
    index.begin_anew(db)
    for room in rooms.all_rooms(db):
        with db.atomic():
            refold_room(db, room, me=me, now_ms=now_ms)
    index.complete(db)
    loose.sweep(db)
    for file in [each.id for each in files.all_files(db)]:
        forget_damaged(db, file)


def _index(db: Database) -> list[str]:
    words = "the search index is not that of the messages; run 'syncchat doctor --rebuild'"
    try:
        return [] if index.is_exact(db) else [words]
    except DatabaseDamaged:  # only the index: SQLite has found no fault in the file
        return [words]


def _counts(db: Database, room: RoomRow, me: DeviceId) -> list[str]:
    found = []
    if tallies.digest_of(db, room.id) != view.recount_digest(db, room.id):
        found.append("the digest is not that of the rows; run 'syncchat doctor --rebuild'")
    return found + view.unread_faults(db, room.id, me=me)


def _room(db: Database, room: RoomRow, me: DeviceId) -> list[str]:
    found = _counts(db, room, me)
    for device, seq, reason in chains.quarantined(db, room.id):
        found.append(f"envelope {seq} of {device or 'an unknown device'} was set aside: {reason}")
    for file in files.all_files(db, room.id):
        if lost := len(damaged_chunks(db, file)):
            found.append(
                f"file {file.pack[:8]}: {lost} of {file.chunks} chunks are damaged or gone; run "
                "'syncchat doctor --rebuild', then download it again"
            )
    for chain in chains.all_chains(db, room.id):
        if chain.frozen is not None:
            found.append(f"device {chain.device}: {chain.frozen}")
        elif chain.waiting not in (None, ENDED):
            found.append(f"device {chain.device} is read no further: {chain.waiting}")
        found += [f"device {chain.device}: {text}" for text in _chain(db, room, chain)]
    return found


def _skipped(db: Database, chain: ChainRow, head: links.ChainHead | None) -> links.ChainHead | None:
    """Return a chain's head behind what snapshots cover and is not here."""
    while True:
        seq = 1 if head is None else head.seq + 1
        part = snapshots.covering(db, chain.id, seq)
        if part is None or chains.envelope_at(db, chain.id, seq) is not None:
            return head
        head = links.ChainHead(chain.key, part.last, part.link)


def _chain(db: Database, room: RoomRow, chain: ChainRow) -> list[str]:
    """Verify a chain from its first envelope, and its volumes against the CRDT library."""
    head: links.ChainHead | None = None
    seq = 0
    try:
        while part := chains.envelopes_after(db, chain.id, seq, limit=_BATCH, bytes_max=2**24):
            for seq, raw in part:
                item = decode_envelope(raw)
                if item[1].kind == EnvelopeKind.SNAPSHOT and (head is None or head.seq < seq - 1):
                    alone = links.stand_alone(room.room_id, *item)
                    head = alone if seq <= chain.seq else head  # or it is ahead of its chain
                    continue
                head = _skipped(db, chain, head)
                heads, fault = links.extend_each(room.room_id, head, [item])
                head = heads[-1] if heads else head
                if fault is not None:
                    raise fault
        head = _skipped(db, chain, head)
    except (TrustError, DecodeError) as exc:
        return [f"stored envelopes after {0 if head is None else head.seq} do not hold: {exc}"]
    if (head.seq if head else 0) != chain.seq or (head is not None and head.link != chain.link):
        return ["the chain's head is not that of its envelopes"]
    found = []
    volumes = Volumes(db)
    for number in chains.volume_numbers(db, chain.id):
        document = Volume(number, read_volume(db, volumes, room, chain, number).updates)
        if set(document.content()) != set(chains.load_volume(db, chain.id, number).clocks):
            found.append(f"volume {number} does not hold what its updates say; rebuild")
    return found

"""What a hostile relay or a modified program does in a simulated world."""

from __future__ import annotations

from msgspec import Struct
from syncchat_relay.log.groups import folded

from syncchat.core.journal import Entry, Volume
from syncchat.ids import device_text
from syncchat.storage import chains, rooms
from syncchat.testing import SimPeer, World
from syncchat.testing.ports import EPOCH_MS
from syncchat.trust.chain import context, link_hash, signed_text
from syncchat.trust.changes import kind_of
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.records import Record, make_record
from syncchat.trust.seal import body_key, seal
from syncchat.wire.envelope import (
    NONCE_BYTES,
    Envelope,
    EnvelopeKind,
    Header,
    encode_envelope,
    encode_header,
)
from syncchat.wire.limits import VERSION


def group_of(peer: SimPeer) -> Group:
    """Return who is in the room, as a peer knows it."""
    return peer.peer._membership.group(peer.room._row)


def put_into_log(world: World, *raws: bytes) -> None:
    """Have the relay keep what no honest one would, and deliver it to everyone."""
    world.relay.kill()
    for raw in raws:
        world.relay.log._rooms[world.room_id]._store(raw)
    world.relay.start()
    world.run(seconds=20)


def fork_log(world: World, record: Record) -> None:
    """Have the relay take a record beside those that it has, and deliver it to everyone."""
    world.relay.kill()
    kept = world.relay.log._rooms[world.room_id]
    kept.store_record(record)
    kept.group = folded(kept.read_records())
    world.relay.start()
    world.run(seconds=20)


def signed_record(
    world: World, keys: DeviceKeys, content: Struct, *, on: Group, at_ms: int | None = None
) -> Record:
    """Return a record that a modified program makes."""
    return make_record(
        keys,
        log=world.room_id,
        prevs=on.heads,
        at_ms=EPOCH_MS + world.loop.now_ms if at_ms is None else at_ms,
        kind=kind_of(content),  # type: ignore[arg-type]
        content=content,
    )


def next_envelope(
    peer: SimPeer, *entries: Entry, epoch: int | None = None, after: tuple[int, bytes] | None = None
) -> tuple[bytes, tuple[int, bytes]]:
    """Return an envelope that a modified program puts on its own chain, and the chain's new head.

    It stands in a volume of its own, so nothing of the chain need be known but its head.
    """
    db, room = peer.peer._db, rooms.load_room(peer.peer._db, peer.room._row)
    keys = peer.peer._keys
    chain = chains.find_chain(db, room.id, device_text(keys.public))
    assert chain is not None
    seq, link = after or (chain.seq, chain.link)
    number = chain.volume + 1
    update = Volume(number, []).write(list(entries))
    said = room.epoch if epoch is None else epoch
    header = Header(
        VERSION,
        EnvelopeKind.UPDATE,
        keys.public[:8],
        seq + 1,
        number,
        said,
        b"",
        bytes(NONCE_BYTES),
        None,
    )
    head = encode_header(header)
    authenticated = context(room.room_id, link, head)
    key = rooms.room_key(db, room.id, said)
    assert key is not None
    body = seal(body_key(key, room.room_id, keys.public[:8]), header.nonce, authenticated, update)
    new = link_hash(authenticated, body)
    return encode_envelope(Envelope(head, body, keys.sign(signed_text(new)))), (seq + 1, new)

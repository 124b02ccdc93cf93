"""Chains for tests: honest ones, and what may be done to them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from syncchat.errors import ChainBroken, SignatureInvalid
from syncchat.trust import chain, keys, seal
from syncchat.wire.envelope import Envelope, EnvelopeKind, Header, encode_header
from syncchat.wire.limits import VERSION

ROOM = bytes(range(0x60, 0x70))
ROOM_KEY = bytes(range(0x80, 0xA0))
ALICE = keys.DeviceKeys(bytes(range(32)))
BOB = keys.DeviceKeys(bytes(range(32, 64)))

Item = tuple[Envelope, Header]


def key_of(device: keys.DeviceKeys) -> bytes:
    """Return the body key of a device in the room."""
    return seal.body_key(ROOM_KEY, ROOM, device.public[:8])


def write_next(
    device: keys.DeviceKeys, head: chain.ChainHead | None, update: bytes
) -> tuple[Item, chain.ChainHead]:
    """Return the next envelope of a chain, as its device makes it, and the head after it."""
    seq, previous = (head.seq + 1, head.link) if head else (1, chain.GENESIS)
    header = Header(
        version=VERSION,
        kind=EnvelopeKind.UPDATE,
        device=device.public[:8],
        seq=seq,
        volume=0,
        epoch=0,
        heads=b"",
        nonce=seq.to_bytes(24),
        key=device.public if seq == 1 else None,
    )
    raw = encode_header(header)
    authenticated = chain.context(ROOM, previous, raw)
    body = seal.seal(key_of(device), header.nonce, authenticated, update)
    link = chain.link_hash(authenticated, body)
    signature = device.sign(chain.signed_text(link))
    return (Envelope(raw, body, signature), header), chain.ChainHead(device.public, seq, link)


def write(
    count: int, *, device: keys.DeviceKeys = ALICE, head: chain.ChainHead | None = None
) -> tuple[list[Item], list[chain.ChainHead]]:
    """Return ``count`` envelopes that follow ``head``, and the head after each."""
    items, heads = [], []
    for number in range(count):
        item, head = write_next(device, head, b"update %d" % number)
        items.append(item)
        heads.append(head)
    return items, heads


def altered(item: Item, **parts: bytes) -> Item:
    """Return an envelope with other header, body or signature bytes; its Header stays."""
    return msgspec.structs.replace(item[0], **parts), item[1]


def flipped(raw: bytes, bit: int) -> bytes:
    """Return bytes with one bit the other way."""
    at = bit // 8
    return raw[:at] + bytes((raw[at] ^ 1 << bit % 8,)) + raw[at + 1 :]


def longest_valid(head: chain.ChainHead | None, run: Sequence[Item]) -> list[chain.ChainHead]:
    """Return what ``extend_as_far_as_valid`` must: found by trying every length."""
    for length in range(len(run), 0, -1):
        try:
            return chain.extend(ROOM, head, run[:length])
        except (ChainBroken, SignatureInvalid):
            continue
    return []

"""Chains of envelopes as devices would push them, with bodies that nobody can open."""

from __future__ import annotations

import hashlib

from syncchat_relay.log import Log

from syncchat.trust.chain import (
    EMPTY_FINGERPRINT,
    GENESIS,
    context,
    link_hash,
    next_fingerprint,
    signed_text,
)
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.coverage import encode_coverage, ranges_of
from syncchat.wire.envelope import (
    Envelope,
    EnvelopeKind,
    Header,
    decode_envelope,
    encode_envelope,
    encode_header,
)
from syncchat.wire.limits import VERSION

ROOM = bytes(range(16))
OTHER_ROOM = bytes(range(16, 32))


class FixedRandom:
    """Gives bytes that differ each time and repeat from the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._state = seed.to_bytes(8)

    def bytes(self, size: int) -> bytes:
        self._state = hashlib.blake2b(self._state).digest()
        return hashlib.shake_256(self._state).digest(size)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * int.from_bytes(self.bytes(4)) / 2**32


class Writer:
    """Writes one device's chain in one room."""

    def __init__(self, device: int | DeviceKeys, *, room: bytes = ROOM) -> None:
        """``device`` is its keys, or a number to make some from."""
        self.keys = device if isinstance(device, DeviceKeys) else DeviceKeys(device.to_bytes(32))
        self.device = self.keys.public[:8]
        self.room = room
        self.seq = 0
        self.link = GENESIS
        self.volume = 0
        self._links: dict[int, list[tuple[int, bytes]]] = {}

    def write(self, text: bytes = b"", *, body_bytes: int = 48) -> bytes:
        """Return the next envelope of the chain; ``text`` stands in its body as it is."""
        return self._write(EnvelopeKind.UPDATE, text.ljust(body_bytes, b"."))

    def snapshot(self, text: bytes = b"") -> bytes:
        """Return the next envelope, which covers all of the present volume."""
        ranges = ranges_of(self._links[self.volume])
        clear = encode_coverage(self.link, ranges)
        return self._write(EnvelopeKind.SNAPSHOT, clear + text.ljust(48, b"."), clear=len(clear))

    def _write(self, kind: EnvelopeKind, body: bytes, *, clear: int = 0) -> bytes:
        self.seq += 1
        has_key = self.seq == 1 or kind is EnvelopeKind.SNAPSHOT
        header = encode_header(
            Header(
                VERSION,
                kind,
                self.device,
                self.seq,
                self.volume,
                0,
                b"",
                self.seq.to_bytes(24),
                self.keys.public if has_key else None,
            )
        )
        self.link = link_hash(context(self.room, self.link, header), body, clear=clear)
        self._links.setdefault(self.volume, []).append((self.seq, self.link))
        return encode_envelope(Envelope(header, body, self.keys.sign(signed_text(self.link))))

    def write_many(self, count: int, *, body_bytes: int = 48) -> tuple[bytes, ...]:
        """Return the next envelopes of the chain."""
        return tuple(
            self.write(b"%d" % (self.seq + 1), body_bytes=body_bytes) for _ in range(count)
        )

    def fork(self) -> Writer:
        """Return a writer that goes on from the same place on its own, as a restored backup."""
        other = Writer(0, room=self.room)
        other.keys, other.device = self.keys, self.device
        other.seq, other.link = self.seq, self.link
        return other


def with_broken_signature(raw: bytes) -> bytes:
    """Return an envelope whose signature was not made by its device."""
    envelope, _ = decode_envelope(raw)
    flipped = bytes((envelope.signature[0] ^ 1,)) + envelope.signature[1:]
    return encode_envelope(Envelope(envelope.header, envelope.body, flipped))


def logged(log: Log, room: bytes = ROOM, after: int = 0) -> list[bytes]:
    """Return all that is there of a room's log behind a seq."""
    head = log.head(room).seq
    if after >= head:
        return []
    stretch = log.read(room, after, upto=head, envelopes_max=2**31, bytes_max=2**62)
    return [raw for _, raw in stretch.envelopes]


def fingerprint_of(envelopes: list[bytes], *, after: bytes = EMPTY_FINGERPRINT) -> bytes:
    """Return the fingerprint of a log after these envelopes, reckoned from the definition."""
    fingerprint = after
    for raw in envelopes:
        fingerprint = next_fingerprint(fingerprint, raw)
    return fingerprint

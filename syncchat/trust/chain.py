"""Chains: each device's envelopes in one room, hash-linked and signed.

Envelope n is bound to all before it: ``link(n) = H(domain, room, link(n-1), header, body)``, and
its signature is over ``link(n)``. So one valid signature proves every envelope up to it, a
receiver checks only the last of a run, and two valid signatures at one seq are proof that the
device wrote two histories.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ChainBroken, SignatureInvalid
from ..ids import DeviceKey
from ..wire.coverage import Coverage, split_body
from ..wire.envelope import Envelope, EnvelopeKind, Header
from .keys import verify

LINK_BYTES = 32
GENESIS = bytes(LINK_BYTES)
FINGERPRINT_BYTES = 8
EMPTY_FINGERPRINT = bytes(FINGERPRINT_BYTES)
_LINK_DOMAIN = b"syncchat link 1\0"
_SIGN_DOMAIN = b"syncchat sign 1\0"


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Is how much of a device's chain is known: its key, last seq and the link there."""

    key: DeviceKey
    seq: int
    link: bytes


def context(room: bytes, previous: bytes, header: bytes) -> bytes:
    """Return what a body is authenticated with: the header, and what it leaves unsaid."""
    return _LINK_DOMAIN + room + previous + header


def link_hash(authenticated: bytes, body: bytes, *, clear: int = 0) -> bytes:
    """Return the link of an envelope from its ``context`` and its body.

    Of a snapshot, whose body begins with ``clear`` bytes of coverage, the link is over the hash of
    the sealed rest: so it can be verified, and a chain go on behind it, without that.
    """
    if clear:
        sealed = hashlib.blake2b(body[clear:], digest_size=LINK_BYTES).digest()
        body = body[:clear] + sealed
    return hashlib.blake2b(authenticated + body, digest_size=LINK_BYTES).digest()


def link_after(authenticated: bytes, envelope: Envelope, header: Header) -> bytes:
    """Return the link of an envelope that decoded from its ``context``."""
    is_snapshot = header.kind == EnvelopeKind.SNAPSHOT
    clear = len(coverage_of(envelope, header).raw) if is_snapshot else 0
    return link_hash(authenticated, envelope.body, clear=clear)


def signed_text(link: bytes) -> bytes:
    """Return what the signature of an envelope with this link is over."""
    return _SIGN_DOMAIN + link


def next_fingerprint(fingerprint: bytes, raw: bytes) -> bytes:
    """Return the fingerprint of a room's log after the envelope of these bytes was appended.

    It counts the signature as well, which the link does not: of a long run a receiver verifies
    the last one only, and learns by the fingerprint that the others are those of the relay.
    """
    return hashlib.blake2b(fingerprint + raw, digest_size=FINGERPRINT_BYTES).digest()


def extend(
    room: bytes, head: ChainHead | None, run: Sequence[tuple[Envelope, Header]]
) -> list[ChainHead]:
    """Return the chain heads after each envelope of ``run``, which follows ``head``.

    All envelopes must be of one device, in order. Verifies the last signature only, which proves
    the rest. Raises ``ChainBroken`` where the run does not follow on, ``SignatureInvalid`` where
    it was altered.
    """
    heads: list[ChainHead] = []
    for envelope, header in run:
        head = _follow(room, head, envelope, header)
        heads.append(head)
    if head is not None and run:
        verify(head.key, signed_text(head.link), run[-1][0].signature)
    return heads


def extend_each(
    room: bytes, head: ChainHead | None, run: Sequence[tuple[Envelope, Header]]
) -> tuple[list[ChainHead], SignatureInvalid | ChainBroken | None]:
    """Return the heads of the beginning of ``run`` in which every signature holds, and why it
    ends there. Costs one verification for each envelope."""
    heads: list[ChainHead] = []
    for envelope, header in run:
        try:
            after = _follow(room, heads[-1] if heads else head, envelope, header)
            verify(after.key, signed_text(after.link), envelope.signature)
        except (ChainBroken, SignatureInvalid) as exc:
            return heads, exc
        heads.append(after)
    return heads, None


def extend_as_far_as_valid(
    room: bytes, head: ChainHead | None, run: Sequence[tuple[Envelope, Header]]
) -> tuple[list[ChainHead], SignatureInvalid | ChainBroken | None]:
    """Return the heads of the longest valid beginning of ``run``, and why it ends there.

    A beginning is valid when it follows on and its last signature holds. Costs one verification
    when all is well, and one for each envelope that has to be left out where something is not.
    Signatures are tried from the end: whether one holds says nothing about those before it.
    """
    heads: list[ChainHead] = []
    fault: SignatureInvalid | ChainBroken | None = None
    for envelope, header in run:
        try:
            heads.append(_follow(room, heads[-1] if heads else head, envelope, header))
        except ChainBroken as exc:
            fault = exc
            break
    while heads:
        last = heads[-1]
        try:
            verify(last.key, signed_text(last.link), run[len(heads) - 1][0].signature)
            break
        except SignatureInvalid as exc:
            fault = exc
            heads.pop()
    return heads, fault


def _follow(room: bytes, head: ChainHead | None, envelope: Envelope, header: Header) -> ChainHead:
    if head is None:
        if header.seq != 1 or header.key is None:
            raise ChainBroken(f"chain starts at {header.seq}; the envelopes before it are missing")
        key, previous = DeviceKey(header.key), GENESIS
    else:
        if header.seq != head.seq + 1:
            raise ChainBroken(f"chain goes from {head.seq} to {header.seq}")
        if header.device != head.key[:8] or header.key not in (None, head.key):
            raise ChainBroken("the envelope is of another device")
        key, previous = head.key, head.link
    if header.kind == EnvelopeKind.SNAPSHOT and coverage_of(envelope, header).previous != previous:
        raise ChainBroken("the snapshot follows another envelope than the one before it")
    link = link_after(context(room, previous, envelope.header), envelope, header)
    return ChainHead(key, header.seq, link)


def coverage_of(envelope: Envelope, header: Header) -> Coverage:
    """Return what a snapshot that decoded stands for."""
    return split_body(envelope.body, header.seq)[0]


def stand_alone(room: bytes, envelope: Envelope, header: Header) -> ChainHead:
    """Return the chain head after a snapshot whose predecessors are not here, or no more.

    It says itself which link it follows, and its device signs that; whether the chain comes to that
    link shows when it has come so far. Raises ``SignatureInvalid`` where it was altered.
    """
    assert header.key is not None  # every snapshot that decodes has it
    previous = coverage_of(envelope, header).previous
    link = link_after(context(room, previous, envelope.header), envelope, header)
    verify(DeviceKey(header.key), signed_text(link), envelope.signature)
    return ChainHead(DeviceKey(header.key), header.seq, link)


def stub_of(envelope: Envelope, header: Header) -> Envelope:
    """Return a snapshot with the hash of what it seals in the place of that."""
    coverage, sealed = split_body(envelope.body, header.seq)
    digest = hashlib.blake2b(sealed, digest_size=LINK_BYTES).digest()
    return Envelope(envelope.header, coverage.raw + digest, envelope.signature)


def stub_alone(room: bytes, stub: Envelope, header: Header) -> ChainHead:
    """Return the chain head after a snapshot of which the stub alone is here.

    Raises ``ChainBroken`` for what is no stub, ``SignatureInvalid`` for one that was altered.
    """
    if header.kind != EnvelopeKind.SNAPSHOT:
        raise ChainBroken("what is told in place of a snapshot is none")
    assert header.key is not None  # every snapshot that decodes has it
    coverage, digest = split_body(stub.body, header.seq)
    if len(digest) != LINK_BYTES:
        raise ChainBroken("the stub of a snapshot ends with something else than a hash")
    link = link_hash(context(room, coverage.previous, stub.header), stub.body)
    verify(DeviceKey(header.key), signed_text(link), stub.signature)
    return ChainHead(DeviceKey(header.key), header.seq, link)

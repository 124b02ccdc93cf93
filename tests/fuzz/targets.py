"""What is fuzzed, and what must hold for any input: bytes and links, each by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import nacl.bindings as sodium

from syncchat.core import clock
from syncchat.core.journal import Entry, Volume
from syncchat.core.reader import VolumeState, read_snapshot, read_update
from syncchat.core.snapshots import (
    content_of,
    decode_snapshot,
    encode_snapshot,
    is_same,
    news_in,
)
from syncchat.core.values import (
    DeleteValue,
    EditValue,
    MessageValue,
    ReactionValue,
    ReadValue,
    Root,
    encode_value,
)
from syncchat.errors import (
    ChainBroken,
    DecodeError,
    InviteError,
    SealBroken,
    SignatureInvalid,
    TrustError,
    UpdateRefused,
    ValidationError,
)
from syncchat.ids import DeviceKey, Stamp
from syncchat.trust import chain, seal
from syncchat.trust.changes import Kind
from syncchat.trust.membership import fold_group, verify_change
from syncchat.trust.person import fold_person, verify_person
from syncchat.trust.records import decode_record
from syncchat.trust.rules import refusal_of
from syncchat.wire import frames
from syncchat.wire.envelope import Envelope, EnvelopeKind, decode_envelope, encode_envelope
from syncchat.wire.invite import SCHEME, _check, _to_text, decode_invite, encode_invite
from syncchat.wire.limits import UPDATE_BYTES_MAX
from tests import vectors
from tests.vectors.bases import ALICE, ROOM, ROOM_KEY

NUMBER = 3
DEVICE = "A" * 13


@dataclass(frozen=True)
class Known:
    """Is a volume in some state: its updates, what a reader knows of it, its last stamp."""

    updates: tuple[bytes, ...]
    state: VolumeState
    last: Stamp
    is_closed: bool = False


def fuzz_update(data: bytes) -> bool:
    """The strict reader, on a volume picked by the first byte."""
    if not data:
        return False
    known = VOLUMES[data[0] % len(VOLUMES)]
    before = (dict(known.state.entries), dict(known.state.clocks), known.state.clock)
    raw = data[1:]
    try:
        changes = read_update(raw, known.state, after=known.last, is_closed=known.is_closed)
    except UpdateRefused:
        changes = []
    assert before == (known.state.entries, known.state.clocks, known.state.clock)
    if not changes:
        return False
    after = VolumeState(NUMBER, known.state.clock, dict(before[0]), dict(before[1]))
    after.apply(changes)
    document = Volume(NUMBER, [*known.updates, raw])
    content = document.content()
    assert set(after.clocks) == set(content), "the CRDT library shows other entries"
    for change in changes:
        if change.raw is not None:
            assert content[change.root, change.key] == change.raw
    exported, _ = read_snapshot(document.export(), NUMBER)
    assert exported == after
    return True


def fuzz_snapshot(data: bytes) -> bool:
    """The strict reader, on a whole volume."""
    try:
        state, changes = read_snapshot(data, NUMBER)
    except UpdateRefused:
        return False
    content = {(change.root, change.key): change.raw for change in changes}
    assert content == Volume(NUMBER, [data]).content()
    assert set(state.clocks) == set(content)
    newest = max((change.at for change in changes), default=clock.ZERO)
    with contextlib.suppress(UpdateRefused):  # in an order of stamps that no writer makes
        read = decode_snapshot(encode_snapshot(newest, data), NUMBER)
        assert is_same(read, content_of(NUMBER, encode_snapshot(newest, data), []))
        assert news_in(read, content_of(NUMBER, None, [])) == changes
    return True


def fuzz_frame(data: bytes) -> bool:
    """The frame decoder."""
    try:
        frame = frames.decode(data)
    except DecodeError:
        return False
    if frame is not None:
        assert frames.decode(frames.encode(frame)) == frame
    return frame is not None


def fuzz_envelope(data: bytes) -> bool:
    """The envelope decoder, and the chain check where nobody signed."""
    try:
        envelope, header = decode_envelope(data)
    except DecodeError:
        return False
    assert encode_envelope(envelope) == data
    for head in (None, chain.ChainHead(DeviceKey(ALICE.public), 1, chain.GENESIS)):
        heads, fault = chain.extend_as_far_as_valid(ROOM, head, [(envelope, header)])
        assert (not heads) == (fault is not None)
    if header.kind == EnvelopeKind.SNAPSHOT:
        assert chain.coverage_of(envelope, header).ranges[-1].last < header.seq
        with contextlib.suppress(SignatureInvalid):
            chain.stand_alone(ROOM, envelope, header)
    return True


def fuzz_signed(data: bytes) -> bool:
    """The whole way of an envelope that its device signed: any header, any body, truly signed."""
    if len(data) < 2:
        return False
    cut = 2 + min(int.from_bytes(data[:2]), len(data) - 2)
    head_bytes, body = data[2:cut], data[cut:]
    link = chain.link_hash(chain.context(ROOM, chain.GENESIS, head_bytes), body)
    raw = encode_envelope(Envelope(head_bytes, body, ALICE.sign(chain.signed_text(link))))
    try:
        envelope, header = decode_envelope(raw)
        (head,) = chain.extend(ROOM, None, [(envelope, header)])
    except (DecodeError, ChainBroken, SignatureInvalid):
        return False
    assert head.key == ALICE.public
    assert head.link == link
    context = chain.context(ROOM, chain.GENESIS, envelope.header)
    try:
        seal.open_sealed(_BODY_KEY, header.nonce, context, envelope.body)
    except (DecodeError, SealBroken):
        return False
    return True


def fuzz_sealed(data: bytes) -> bool:
    """What a member with the room key may have sealed: any text."""
    nonce, authenticated = bytes(24), b"a place"
    body = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(data, authenticated, nonce, _BODY_KEY)
    try:
        update = seal.open_sealed(_BODY_KEY, nonce, authenticated, body)
    except DecodeError:
        return False
    assert len(update) <= UPDATE_BYTES_MAX
    try:
        read_update(update, VolumeState(NUMBER), after=clock.ZERO)
    except UpdateRefused:
        return True
    return True


def fuzz_invite(data: bytes) -> bool:
    """Invite links: any text, or any two parts under a check sum that is right."""
    if data[:1] == b"\0":
        cut = 2 + (data[1] if len(data) > 1 else 0)
        place, secret = data[2:cut], data[cut:]
        link = f"{SCHEME}{_to_text(place)}#{_to_text(_check(place, secret) + secret)}"
    else:
        link = data[1:].decode("utf-8", "surrogateescape" if data[:1] == b"\1" else "replace")
    try:
        invite = decode_invite(link)
    except InviteError:
        return False
    try:
        again = encode_invite(invite)
    except ValidationError:
        return True
    assert decode_invite(again) == invite
    return True


def fuzz_record(data: bytes) -> bool:
    """The record decoder, and every check of what was decoded."""
    try:
        record = decode_record(data)
    except DecodeError:
        return False
    assert record.raw == data
    try:
        verify_change(record)
    except (DecodeError, TrustError):
        return False
    return True


def fuzz_change(data: bytes) -> bool:
    """What a member may have recorded: any content of any kind, truly signed, in a real room."""
    if not data:
        return False
    changed = LOG[-1]
    text = msgspec.msgpack.encode(
        [1, ROOM_LOG, [changed.hash], changed.signer, changed.at_ms, data[0] % 20, data[1:]]
    )
    raw = msgspec.msgpack.encode([text, bytes(64)])
    try:
        record = decode_record(raw)
    except DecodeError:
        return False
    with contextlib.suppress(DecodeError, TrustError):
        verify_change(record)
    before = fold_group(LOG)
    owner, size = before.owner, len(before.members)
    after = fold_group([*LOG, record])
    assert after == fold_group([record], fold_group(LOG))
    assert after.count == before.count + 1
    if after.refused != before.refused:
        assert after.refused[:-1] == before.refused
        assert after.members == before.members
    assert refusal_of(before, record) == dict(after.refused).get(record.hash, "")
    assert after.owner == owner or record.kind in (Kind.SET_ROLE, Kind.LEAVE)
    assert abs(len(after.members) - size) <= size
    return after.refused == before.refused


def fuzz_person(data: bytes) -> bool:
    """What a device may have put into its person's log: any content, truly signed."""
    if not data:
        return False
    last = PERSON_LOG[-1]
    text = msgspec.msgpack.encode(
        [1, last.log, [last.hash], last.signer, last.at_ms, data[0] % 4, data[1:]]
    )
    try:
        record = decode_record(msgspec.msgpack.encode([text, bytes(64)]))
        verify_person([record])
    except (DecodeError, SignatureInvalid):
        pass
    before = fold_person(PERSON_LOG)
    after = fold_person([record], before)
    assert after == fold_person([*PERSON_LOG, record])
    assert before.devices.keys() <= after.devices.keys()
    return after.devices != before.devices


def _entries(at: list[Stamp]) -> list[list[Entry]]:
    """Return what the known volumes hold, update by update."""
    message, other = at[0] + DEVICE, at[1] + DEVICE
    return [
        [
            Entry(Root.MESSAGES, at[0], encode_value(MessageValue(text="one"))),
            Entry(Root.MESSAGES, at[1], encode_value(MessageValue(text="two", reply_to=message))),
        ],
        [
            Entry(Root.REACTIONS, message + "👍", encode_value(ReactionValue(at[2], True))),
            Entry(Root.EDITS, message, encode_value(EditValue(at[3], "one, changed"))),
            Entry(Root.READS, DEVICE, encode_value(ReadValue(at[4], at[0]))),
        ],
        [
            Entry(Root.REACTIONS, message + "👍", encode_value(ReactionValue(at[5], False))),
            Entry(Root.DELETES, other, encode_value(DeleteValue(at[6]))),
            Entry(Root.MESSAGES, at[1], None),
        ],
    ]


def _volumes() -> tuple[Known, ...]:
    at, stamps = clock.ZERO, []
    for _ in range(8):
        at = clock.tick(at, 0)
        stamps.append(at)
    document, state, last = Volume(NUMBER), VolumeState(NUMBER), clock.ZERO
    known = [Known((), VolumeState(NUMBER), clock.ZERO)]
    updates: list[bytes] = []
    for entries in _entries(stamps):
        raw = document.write(entries)
        changes = read_update(raw, state, after=last)
        state.apply(changes)
        last = Stamp(max(last, *(change.at for change in changes)))
        updates.append(raw)
        kept = VolumeState(NUMBER, state.clock, dict(state.entries), dict(state.clocks))
        known.append(Known(tuple(updates), kept, last))
    closed = known[-1]
    known.append(Known(closed.updates, closed.state, closed.last, is_closed=True))
    return tuple(known)


LOG = [
    decode_record(bytes.fromhex(row["record"])) for row in vectors.load("records")["room"]["log"]
]
ROOM_LOG = LOG[-1].log
PERSON_LOG = [
    decode_record(bytes.fromhex(row["record"])) for row in vectors.load("records")["person"]["log"]
]
_BODY_KEY = seal.body_key(ROOM_KEY, ROOM, ALICE.public[:8])
VOLUMES = _volumes()

TARGETS: dict[str, Callable[[bytes], bool]] = {
    "update": fuzz_update,
    "snapshot": fuzz_snapshot,
    "frame": fuzz_frame,
    "envelope": fuzz_envelope,
    "signed": fuzz_signed,
    "sealed": fuzz_sealed,
    "invite": fuzz_invite,
    "record": fuzz_record,
    "change": fuzz_change,
    "person": fuzz_person,
}
"""Targets by name; each tells whether the input was accepted."""

"""Forgeries: for each lie told on the way to a peer, what becomes of a frame.

A forgery returns the frames that are sent in the place of one, or None when it has nothing to do
with that frame. Where envelopes are left out or added, later frames of the connection are shifted,
so that the lie does not give itself away by a count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..trust.chain import GENESIS, context, link_hash, signed_text
from ..trust.records import is_record
from ..wire import frames
from ..wire.codes import ItemStatus
from ..wire.envelope import (
    NONCE_BYTES,
    Envelope,
    EnvelopeKind,
    Header,
    decode_envelope,
    encode_envelope,
    encode_header,
)
from ..wire.limits import VERSION
from .lies import Lie
from .network import SimLink

if TYPE_CHECKING:
    from .liar import LyingRelay, Told

SEQ_MAX = 2**53 - 1
_PINGS = 300

Forged = list[frames.AnyFrame] | None
Forgery = Callable[["LyingRelay", SimLink, "Told", frames.AnyFrame], Forged]


def _omit(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Deliver(envelopes=envelopes) if len(envelopes) > 1:
            at = relay.chance.below(len(envelopes) - 1)
            rest = [raw for number, raw in enumerate(envelopes) if number != at]
            return _with_other_envelopes(told, frame, rest)
    return None


def _gap(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Deliver(alias, after, envelopes, []) if envelopes:
            at = relay.chance.below(len(envelopes))
            rest = [raw for number, raw in enumerate(envelopes) if number != at]
            gap = frames.Gap(at, after + at + 1, relay.chance.bytes(8))
            return [frames.Deliver(alias, after, rest, [gap])]
    return None


def _skip(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    return [] if isinstance(frame, frames.Deliver) and relay.chance.chance(0.5) else None


def _shuffle(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Deliver(alias, after, envelopes, gaps) if len(envelopes) > 1:
            return [frames.Deliver(alias, after, envelopes[::-1], gaps)]
    return None


def _swap(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Deliver):
        return None
    if told.held:
        return [frame, told.held.pop()]
    told.held.append(frame)
    return []


def _repeat(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if isinstance(frame, frames.Deliver):
        return [frame, frame, *told.past[:1]]
    return None


def _repeat_ack(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    return [frame, frame] if isinstance(frame, frames.Ack) else None


def _ack_ahead(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if isinstance(frame, frames.Ack) and told.held:
        held, told.held = list(told.held), []
        return [frame, *held]
    if isinstance(frame, frames.Deliver) and len(told.held) < 3:
        told.held.append(frame)
        return []
    return None


def _swap_rooms(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Deliver(alias, _, envelopes) if len(told.rooms) > 1:
            other = next(each for each in sorted(told.rooms) if each != alias)
            return [frames.Deliver(other, told.upto.get(other, 0), envelopes)]
    return None


def _one_alias(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Opened(aliases, states) if len(aliases) > 1:
            return [frames.Opened([aliases[0]] * len(aliases), states)]
    return None


def _junk(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if isinstance(frame, frames.Deliver):
        junk = relay.chance.bytes(1 + relay.chance.below(200))
        return _with_other_envelopes(told, frame, [junk, *frame.envelopes])
    return None


def _signature(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Deliver) or not frame.envelopes:
        return None
    if is_record(frame.envelopes[-1]):
        return None
    try:
        envelope, _ = decode_envelope(frame.envelopes[-1])
    except DecodeError:
        return None  # another lie was quicker
    signature = relay.keys.sign(signed_text(bytes(32)))
    forged = encode_envelope(Envelope(envelope.header, envelope.body, signature))
    changed = [*frame.envelopes[:-1], forged]
    return [frames.Deliver(frame.alias, frame.after, changed, frame.gaps)]


def _body(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Deliver) or not frame.envelopes:
        return None
    if is_record(frame.envelopes[0]):
        return None
    try:
        envelope, _ = decode_envelope(frame.envelopes[0])
    except DecodeError:
        return None  # another lie was quicker
    body = relay.chance.bytes(len(envelope.body))
    forged = encode_envelope(Envelope(envelope.header, body, envelope.signature))
    changed = [forged, *frame.envelopes[1:]]
    return [frames.Deliver(frame.alias, frame.after, changed, frame.gaps)]


def _device(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Deliver):
        return None
    forged = _invented(relay, relay.room_of(link, frame.alias))
    return _with_other_envelopes(told, frame, [forged, *frame.envelopes])


def _recent(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Recent):
        return None
    places, envelopes, before = list(frame.places), list(frame.envelopes), list(frame.links)
    match relay.chance.below(4):
        case 0:
            before = [frames.LinkBefore(each.index, relay.chance.bytes(32)) for each in before]
        case 1:
            envelopes.reverse()
        case 2:
            envelopes.append(_invented(relay, relay.room_of(link, frame.alias)))
            places.append(SEQ_MAX)
        case _:
            past = [raw for old in told.past for raw in old.envelopes]
            envelopes += past
            places += range(1, len(past) + 1)
    return [frames.Recent(frame.alias, 1, places, envelopes, before, frame.more)]


def _invented(relay: LyingRelay, room: bytes) -> bytes:
    """Return the first envelope of a device that nobody knows."""
    header = Header(
        VERSION,
        EnvelopeKind.UPDATE,
        relay.keys.public[:8],
        1,
        0,
        0,
        b"",
        relay.chance.bytes(NONCE_BYTES),
        relay.keys.public,
    )
    head, body = encode_header(header), relay.chance.bytes(64)
    link = link_hash(context(room, GENESIS, head), body)
    return encode_envelope(Envelope(head, body, relay.keys.sign(signed_text(link))))


def _opened(change: Callable[[frames.RoomState], frames.RoomState | None]) -> Forgery:
    """Return the forgery that changes what is said of each room when it is opened."""

    def forge(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
        if not isinstance(frame, frames.Opened):
            return None
        given = {state.position: state for state in frame.states}
        states = []
        for position, room in enumerate(told.asked[0]):
            said = frames.RoomState(position, room.cursor, room.cursor, room.own_seq)
            changed = change(given.get(position, said))
            if changed is not None:
                states.append(changed)
        return [frames.Opened(frame.aliases, states)]

    return forge


def _live_wrong(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Live(alias, head, fingerprint):
            return [frames.Live(alias, head + 1 + relay.chance.below(5), fingerprint)]
    return None


def _delivered(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.Ack(alias) | frames.Cursors(alias):
            invented = frames.DeviceCursor(relay.chance.bytes(8), SEQ_MAX)
            return [frame, frames.Cursors(alias, [invented])]
    return None


def _old_hello(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Hello):
        return None
    relay.nonce = relay.nonce or relay.chance.bytes(len(frame.nonce))
    return [frames.Hello(frame.version_min, frame.version_max, frame.incarnation, relay.nonce)]


def _flood(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if isinstance(frame, frames.Opened | frames.Ack):
        return [frame, *(frames.Ping(number) for number in range(_PINGS))]
    return None


def _without(*kinds: type[frames.Frame]) -> Forgery:
    """Return the forgery that leaves out frames of some kinds."""

    def forge(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
        if not isinstance(frame, kinds):
            return None
        if isinstance(frame, frames.Opened):
            told.asked.pop(0)
        return []

    return forge


def _false_chains(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    if not isinstance(frame, frames.Chains):
        return None
    room = relay.room_of(link, frame.alias)
    heads = [frames.ChainHead(device, SEQ_MAX) for device in relay.devices_ever(room)]
    return [frames.Chains(frame.alias, heads, False)]


def _with_other_envelopes(told: Told, frame: frames.Deliver, envelopes: list[bytes]) -> Forged:
    told.shift[frame.alias] += len(envelopes) - len(frame.envelopes)
    gaps = [gap for gap in frame.gaps if gap.index <= len(envelopes)]
    return [frames.Deliver(frame.alias, frame.after, envelopes, gaps)]


def shifted(told: Told, frame: frames.AnyFrame) -> frames.AnyFrame:
    """Return a frame of the hub as it fits what was left out or added before."""
    match frame:
        case frames.Deliver(alias, after, envelopes, gaps):
            shift = told.shift[alias]
            shut = [frames.Gap(gap.index, gap.upto + shift, gap.fingerprint) for gap in gaps]
            return frames.Deliver(alias, after + shift, envelopes, shut)
        case frames.Live(alias, head, fingerprint):
            return frames.Live(alias, head + told.shift[alias], fingerprint)
        case frames.Ack(alias, number, items) if told.shift[alias]:
            moved = [
                frames.AckItem(
                    item.status,
                    item.seq + told.shift[alias] if item.status == ItemStatus.STORED else item.seq,
                )
                for item in items
            ]
            return frames.Ack(alias, number, moved)
    return frame


def _state(
    state: frames.RoomState,
    *,
    after: int | None = None,
    head: int | None = None,
    own_seq: int | None = None,
) -> frames.RoomState:
    return frames.RoomState(
        state.position,
        state.after if after is None else after,
        state.head if head is None else head,
        state.own_seq if own_seq is None else own_seq,
    )


def _changed_chunk(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.BlobData(alias, number, data) if data:
            at = relay.chance.below(len(data))
            bit = bytes((data[at] ^ 1 << relay.chance.below(8),))
            return [frames.BlobData(alias, number, data[:at] + bit + data[at + 1 :])]
    return None


def _other_chunk(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.BlobData(alias, number, data) if data:
            other, told.chunk = told.chunk, data
            return [frames.BlobData(alias, number, other)] if other not in (b"", data) else None
    return None


def _no_chunk(relay: LyingRelay, link: SimLink, told: Told, frame: frames.AnyFrame) -> Forged:
    match frame:
        case frames.BlobData(alias, number, data) if data:
            return [frames.BlobData(alias, number, b"")]
    return None


FORGERIES: dict[Lie, Forgery] = {
    Lie.OMIT: _omit,
    Lie.SKIP: _skip,
    Lie.GAP: _gap,
    Lie.FALSE_RECENT: _recent,
    Lie.SHUFFLE: _shuffle,
    Lie.SWAP: _swap,
    Lie.REPEAT: _repeat,
    Lie.REPEAT_ACK: _repeat_ack,
    Lie.ACK_AHEAD: _ack_ahead,
    Lie.SWAP_ROOMS: _swap_rooms,
    Lie.ONE_ALIAS: _one_alias,
    Lie.INVENT_JUNK: _junk,
    Lie.INVENT_SIGNATURE: _signature,
    Lie.INVENT_BODY: _body,
    Lie.INVENT_DEVICE: _device,
    Lie.OWN_TOO_HIGH: _opened(lambda state: _state(state, own_seq=state.own_seq + 3)),
    Lie.OWN_TOO_LOW: _opened(lambda state: _state(state, own_seq=0)),
    Lie.HEAD_WRONG: _opened(lambda state: _state(state, head=state.head + 1_000_000)),
    Lie.AFTER_WRONG: _opened(lambda state: _state(state, after=state.after + 2)),
    Lie.NOTHING_NEW: _opened(lambda state: None),
    Lie.LIVE_WRONG: _live_wrong,
    Lie.DELIVERED: _delivered,
    Lie.OLD_HELLO: _old_hello,
    Lie.FLOOD: _flood,
    Lie.SILENCE: _without(frames.Frame),
    Lie.NO_OPENED: _without(
        frames.Opened,
        frames.Deliver,
        frames.Live,
        frames.Ack,
        frames.Cursors,
        frames.Chains,
        frames.Recent,
    ),
    Lie.NO_ACKS: _without(frames.Ack),
    Lie.STALL: _without(frames.Deliver, frames.Live),
    Lie.FALSE_CHAINS: _false_chains,
    Lie.CHANGE_CHUNKS: _changed_chunk,
    Lie.SWAP_CHUNKS: _other_chunk,
    Lie.DENY_CHUNKS: _no_chunk,
    Lie.IGNORE_FILES: _without(frames.BlobData, frames.BlobStates),
}
"""What becomes of a frame, for each lie that is told on the way."""

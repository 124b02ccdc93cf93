"""Hypothesis strategies for what people write, what they do, and what a hostile relay may send.

``texts``, ``emoji``, ``metadata`` and ``messages`` are arguments for a room's own methods.
``writes``, ``edits``, ``deletions``, ``reactions``, ``reads``, ``unread_marks``, ``questions`` and
``votes`` draw deeds: small values that ``do`` themselves in a ``World``, and do nothing where they
make no sense.
``schedules`` draws whole runs for ``play``. ``frames`` and ``envelopes`` are valid bytes that a
real relay and real peers sent each other; the hostile ones are made from them by a few small
changes.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from hypothesis import strategies as st

from ..core.message import Message
from ..core.values import KINDS
from ..trust.records import is_record
from ..wire.envelope import decode_envelope, encode_envelope, encode_header
from .acts import FAULT_ACTS
from .doings import OPTIONS
from .kind_acts import open_polls
from .network import SimLink
from .relay import SimRelay
from .schedule import ALL_FAULTS, DEEDS, Fault, Schedule, Step
from .simpeer import SimPeer
from .world import World

LONG_CHARS = 3_000
"""Characters of a long text; enough that it is compressed, too few to be refused."""

WHICH_MAX = 20
"""Numbers by which deeds choose a message; a room in a test seldom shows more."""

_KEYS = st.text(max_size=10)
_SCRIPTS = (
    "hello world",
    "Grüße, naïve café",
    "Привет мир",
    "Γειά σου Κόσμε",  # noqa: RUF001
    "שלום עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "こんにちは世界",
    "안녕하세요",
    "你好，世界",  # noqa: RUF001
    "e\u0301 and é",
    "👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈🇪🇺",
    "\u202eright to left\u202c",
    "zero\u200bwidth\ufeff",
    "nul \x00, escape \x1b[31m, delete \x7f",
    "line\nbreak\r\nand\ttab\u2028and\x85more",
    "'); drop table messages; --",
    '"<script>alert(1)</script>" \\ {}',
)
_EMOJI = ("👍", "❤️", "😂", "🎉", "👩‍🚀", "🏳️‍🌈", "👍🏽", "🇪🇺", "1️⃣", "™️")


# What people write


def texts(*, max_size: int = 200) -> st.SearchStrategy[str]:
    """Draw texts of messages in many scripts: emoji, control characters, long ones, none empty."""
    short = st.one_of(
        st.sampled_from(_SCRIPTS),
        st.text(min_size=1, max_size=max_size),
        st.text("ab ", min_size=1),
    ).filter(lambda text: bool(text.strip()))
    long = st.builds(lambda text: (text * LONG_CHARS)[:LONG_CHARS], short)
    return st.one_of(short, short, short, long).filter(lambda text: bool(text.strip()))


def emoji() -> st.SearchStrategy[str]:
    """Draw emoji, also such as are made of many characters."""
    return st.sampled_from(_EMOJI)


def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """Draw JSON objects as apps put them beside a message."""
    plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20)
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    values = st.recursive(
        plain | numbers,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(_KEYS, values, max_size=4)


def messages() -> st.SearchStrategy[dict[str, Any]]:
    """Draw keyword arguments for ``Room.send``: text, kind and metadata."""
    fields = {"text": texts(), "kind": st.sampled_from(KINDS)}
    return st.fixed_dictionaries(fields, optional={"metadata": metadata()})


# What people do


class Deed(Protocol):
    """Is something that a person does."""

    def do(self, world: World) -> None:
        """Do it in a world; where it makes no sense, do nothing."""


@dataclass(frozen=True, slots=True)
class Write:
    """Writes a message; ``answers`` and ``beside`` choose which one it answers, and in a thread."""

    peer: int
    text: str
    answers: int | None = None
    beside: int | None = None

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None:
            target = None if self.answers is None else shown(world, peer, self.answers)
            thread = None if self.beside is None else shown(world, peer, self.beside)
            world.write(peer, self.text, reply_to=target, thread=thread)


@dataclass(frozen=True, slots=True)
class Edit:
    """Changes one of the own messages."""

    peer: int
    which: int
    text: str

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None and (own := shown(world, peer, self.which, mine=True)) is not None:
            world.edit(peer, own, self.text)


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes one of the own messages."""

    peer: int
    which: int

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None and (own := shown(world, peer, self.which, mine=True)) is not None:
            world.delete(peer, own)


@dataclass(frozen=True, slots=True)
class React:
    """Reacts to a message, or takes a reaction back."""

    peer: int
    which: int
    emoji: str
    on: bool = True

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None and (message := shown(world, peer, self.which)) is not None:
            world.react(peer, message, self.emoji, on=self.on)


@dataclass(frozen=True, slots=True)
class Read:
    """Marks all up to a message as read, or everything."""

    peer: int
    which: int | None = None

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None:
            world.read(peer, None if self.which is None else shown(world, peer, self.which))


@dataclass(frozen=True, slots=True)
class MarkUnread:
    """Marks a message of somebody else as unread."""

    peer: int
    which: int

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None:
            others = [m for m in world.shown(peer) if not m.mine and not m.deleted]
            if others:
                world.mark_unread(peer, others[-1 - self.which % len(others)])


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks with three options."""

    peer: int
    text: str
    multiple: bool = False

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        if peer is not None:
            world.ask(peer, self.text, multiple=self.multiple)


@dataclass(frozen=True, slots=True)
class Vote:
    """Votes in one of the open polls, or takes a vote back; the author may close it instead."""

    peer: int
    which: int
    choice: int | None
    closes: bool = False

    def do(self, world: World) -> None:
        peer = running(world, self.peer)
        found = [] if peer is None else open_polls(world, peer)
        if peer is None or not found:
            return
        poll = found[-1 - self.which % len(found)]
        if self.closes and poll.mine:
            world.close_poll(peer, poll)
        else:
            world.vote(peer, poll, *(() if self.choice is None else (self.choice,)))


def running(world: World, number: int) -> SimPeer | None:
    """Return one of the peers, None if its process is down."""
    peer = world.peers[number % len(world.peers)]
    return peer if peer.is_running else None


def shown(world: World, peer: SimPeer, which: int, *, mine: bool = False) -> Message | None:
    """Return one of the messages that a peer shows, counted from the last, if there is one."""
    found = [m for m in world.shown(peer) if not m.deleted and (m.mine or not mine)]
    return found[-1 - which % len(found)] if found else None


def peer_numbers() -> st.SearchStrategy[int]:
    """Draw who does something; worlds with fewer peers count round."""
    return st.integers(0, 4)


def choices() -> st.SearchStrategy[int]:
    """Draw which message something is done to: 0 is the last one shown."""
    return st.integers(0, WHICH_MAX)


def writes() -> st.SearchStrategy[Write]:
    """Draw messages, answers, and replies in threads."""
    which = st.none() | choices()
    return st.builds(Write, peer_numbers(), texts(), which, which)


def edits() -> st.SearchStrategy[Edit]:
    """Draw changes of own messages."""
    return st.builds(Edit, peer_numbers(), choices(), texts())


def deletions() -> st.SearchStrategy[Delete]:
    """Draw deletions of own messages."""
    return st.builds(Delete, peer_numbers(), choices())


def reactions() -> st.SearchStrategy[React]:
    """Draw reactions, and reactions taken back."""
    return st.builds(React, peer_numbers(), choices(), emoji(), st.booleans())


def reads() -> st.SearchStrategy[Read]:
    """Draw people who read."""
    return st.builds(Read, peer_numbers(), st.none() | choices())


def unread_marks() -> st.SearchStrategy[MarkUnread]:
    """Draw people who mark a message as unread."""
    return st.builds(MarkUnread, peer_numbers(), choices())


def questions() -> st.SearchStrategy[Ask]:
    """Draw polls."""
    return st.builds(Ask, peer_numbers(), texts(), st.booleans())


def votes() -> st.SearchStrategy[Vote]:
    """Draw votes, votes taken back, and polls closed."""
    choice = st.none() | st.integers(0, len(OPTIONS) - 1)
    return st.builds(Vote, peer_numbers(), choices(), choice, st.booleans())


def deeds() -> st.SearchStrategy[Deed]:
    """Draw anything that people do."""
    return st.one_of(
        writes(),
        edits(),
        deletions(),
        reactions(),
        reads(),
        unread_marks(),
        questions(),
        votes(),
    )


def schedules(
    *, peers: int = 3, steps: int = 40, faults: Collection[Fault] = ALL_FAULTS
) -> st.SearchStrategy[Schedule]:
    """Draw schedules for ``play``; unlike random ones, hypothesis makes failing ones short."""
    acts = [*DEEDS, *(act for fault in sorted(faults) for act in FAULT_ACTS[fault])]
    number = st.integers(0, 999)
    step = st.builds(Step, st.sampled_from(acts), st.integers(0, peers - 1), number, number)
    each = st.lists(step, max_size=steps).map(tuple)
    return st.builds(Schedule, st.integers(0, 2**32), st.just(peers), each)


# What a relay may send


def envelopes() -> st.SearchStrategy[bytes]:
    """Draw valid envelopes, all of one room, signed by three devices."""
    return st.sampled_from(_traffic()[0])


def frames() -> st.SearchStrategy[bytes]:
    """Draw valid frames of many kinds, as peers and relay sent them to each other."""
    return st.sampled_from(_traffic()[1])


def hostile_envelopes() -> st.SearchStrategy[bytes]:
    """Draw envelopes that were changed: bits, lengths, single fields of the header, parts swapped.

    Their form is often valid, so that it takes the chain, the signature or the seal to refuse
    them; some come out unchanged, as repeats do.
    """
    return st.one_of(_changed(envelopes()), _reheaded(), _crossed())


def hostile_frames() -> st.SearchStrategy[bytes]:
    """Draw frames that were changed, and bytes that are none."""
    return st.one_of(_changed(frames()), _refielded(), st.binary(max_size=200))


def _changed(valid: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Draw bytes that were cut, extended, or had a part of them overwritten."""
    place = st.integers(0, 2**16)

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        raw = draw(valid)
        for _ in range(draw(st.integers(1, 3))):
            at = draw(place) % (len(raw) + 1)
            match draw(st.sampled_from(("cut", "insert", "overwrite", "flip"))):
                case "cut":
                    raw = raw[:at]
                case "insert":
                    raw = raw[:at] + draw(st.binary(min_size=1, max_size=8)) + raw[at:]
                case "overwrite":
                    new = draw(st.binary(min_size=1, max_size=8))
                    raw = raw[:at] + new + raw[at + len(new) :]
                case _ if at < len(raw):
                    bit = 1 << draw(st.integers(0, 7))
                    raw = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
        return raw

    return changed()


@st.composite
def _reheaded(draw: st.DrawFn) -> bytes:
    """Draw an envelope with one field of its header changed, signature and body left."""
    envelope, header = decode_envelope(draw(envelopes()))
    numbers = st.integers(0, 2**31 - 1)
    changes: dict[str, st.SearchStrategy[Any]] = {
        "version": numbers,
        "kind": numbers,
        "device": st.binary(min_size=8, max_size=8),
        "seq": st.integers(1, 2**53 - 1),
        "volume": numbers,
        "epoch": numbers,
        "nonce": st.binary(min_size=24, max_size=24),
    }
    field = draw(st.sampled_from(sorted(changes)))
    other = msgspec.structs.replace(header, **{field: draw(changes[field])})
    return encode_envelope(msgspec.structs.replace(envelope, header=encode_header(other)))


@st.composite
def _crossed(draw: st.DrawFn) -> bytes:
    """Draw an envelope made of the parts of two."""
    one, _ = decode_envelope(draw(envelopes()))
    other, _ = decode_envelope(draw(envelopes()))
    part = draw(st.sampled_from(("header", "body", "signature")))
    return encode_envelope(msgspec.structs.replace(one, **{part: getattr(other, part)}))


@st.composite
def _refielded(draw: st.DrawFn) -> bytes:
    """Draw a frame with one field replaced by something else."""
    fields = msgspec.msgpack.decode(draw(frames()))
    at = draw(st.integers(0, len(fields) - 1))
    fields[at] = draw(
        st.none()
        | st.integers(-(2**63), 2**64 - 1)
        | st.binary(max_size=40)
        | st.text(max_size=5)
        | st.lists(st.integers(0, 9), max_size=4)
    )
    return msgspec.msgpack.encode(fields)


@functools.cache
def _traffic() -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return envelopes and frames that a small chat gave rise to."""
    sent: dict[bytes, None] = {}

    class Overheard(SimRelay):
        def receive(self, link: SimLink, raw: bytes) -> None:
            sent[raw] = None
            super().receive(link, raw)

        def lie(self, link: SimLink, raw: bytes) -> list[bytes]:
            sent[raw] = None
            return super().lie(link, raw)

    with World(seed=0, peers=3, relay=Overheard) as world:
        world.run(seconds=1)
        for number, peer in enumerate(world.peers * 3):
            world.write(peer, _SCRIPTS[number])
            world.run(seconds=1)
            world.react(peer, world.shown(peer)[0], _EMOJI[0])
            world.read(peer)
            world.run(seconds=0.5)
        world.edit(world.peers[0], next(m for m in world.shown(world.peers[0]) if m.mine), "new")
        world.heal()
        logs = [room.envelopes for room in world.relay.log._rooms.values()]
        stored = [raw for log in logs for raw in log if raw and not is_record(raw)]
    return tuple(stored), tuple(sent)

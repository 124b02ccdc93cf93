"""A relay that lies: the real hub and log, between which and the peers somebody has his hands.

``tell`` switches a lie on, for everyone or for some peers; ``be_honest`` puts an honest relay with
the true log in its place, which ends every connection. ``told`` counts how often each lie really
was told, for a test of a lie that nobody heard says nothing.

Some lies change frames on their way (``forging``), some answer a peer's frame themselves, and some
need a whole other history that is consistent in itself: a second hub over a second log with the
same incarnation, which some peers are led to (``history``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..errors import DecodeError
from ..trust.keys import DeviceKeys
from ..wire import frames
from ..wire.codes import BlobState, ItemStatus
from ..wire.envelope import decode_envelope
from . import forging
from .history import OtherHistory, show_log
from .lies import KEPT_APART, Lie
from .loop import Loop
from .network import SimLink
from .ports import SeededRandom
from .relay import SimRelay
from .simpeer import SimPeer

_REFUSALS = {
    Lie.FALSE_FORBIDDEN: ItemStatus.FORBIDDEN,
    Lie.FALSE_CONFLICT: ItemStatus.CONFLICT,
    Lie.FALSE_BAD: ItemStatus.BAD_ENVELOPE,
    Lie.FALSE_GAP: ItemStatus.GAP,
}
_FALSE_STATES = {Lie.DROP_CHUNKS: BlobState.HERE, Lie.FALSE_FULL: BlobState.ROOM_FULL}
_ENDLESS_EVERY_MS = 20
_ENDLESS_HEADS = 500


@dataclass(slots=True)
class Told:
    """Is what one connection was told so far, so that lies fit each other."""

    asked: list[list[frames.RoomCursor]] = field(default_factory=list)
    rooms: dict[int, bytes] = field(default_factory=dict)
    upto: dict[int, int] = field(default_factory=dict)
    shift: Counter[int] = field(default_factory=Counter)
    held: list[frames.Deliver] = field(default_factory=list)
    past: list[frames.Deliver] = field(default_factory=list)
    chunk: bytes = b""


class LyingRelay(SimRelay):
    """Is a relay that lies when told to, and an honest one until then."""

    def __init__(self, loop: Loop, random: SeededRandom) -> None:
        self.told: Counter[Lie] = Counter()
        """How often each lie was told."""
        self.chance = random
        self.keys = DeviceKeys(random.bytes(32))
        self.nonce: bytes | None = None
        self._devices: dict[bytes, set[bytes]] = defaultdict(set)
        self._lies: dict[Lie, tuple[SimPeer, ...]] = {}
        self._told: dict[SimLink, Told] = defaultdict(Told)
        self._owners: dict[SimLink, SimPeer] = {}
        self._histories: list[OtherHistory] = []
        self._homes: dict[SimLink, OtherHistory] = {}
        super().__init__(loop, random)

    # For scenarios

    def tell(self, lie: Lie, *, to: Sequence[SimPeer] = (), about: Sequence[SimPeer] = ()) -> None:
        """Begin to lie ``to`` these peers, or to everyone.

        ``about`` is whose envelopes ``WITHHOLD`` is about.
        """
        self._lies[lie] = tuple(to)
        self._owners |= {peer.link: peer for peer in to if peer.link is not None}
        if lie in KEPT_APART:
            devices = {peer.peer.device for peer in about}
            self._histories.append(
                OtherHistory(
                    self._loop, self._random, self, lie=lie, victims=tuple(to), hidden=devices
                )
            )
            for link in [*self._links.values(), *self._homes]:
                if self._is_victim(lie, link):
                    link.cut()

    def be_honest(self) -> None:
        """End every lie and every connection: an honest relay serves the true log from now on."""
        self._lies.clear()
        self._forget_histories()
        self._told.clear()
        self.kill()
        self.start()

    def is_telling(self, lie: Lie, link: SimLink) -> bool:
        """Tell whether a connection is being told a lie."""
        return lie in self._lies and self._is_victim(lie, link)

    def room_of(self, link: SimLink, alias: int) -> bytes:
        """Return the room that an alias stands for."""
        return self._told[link].rooms[alias]

    def devices_ever(self, room: bytes) -> list[bytes]:
        """Return every device whose envelopes ever came here, stored or not."""
        return sorted(self._devices[room])

    # What the world calls

    def accept(self, link: SimLink) -> None:
        """Take a new connection, to the true log or to another."""
        for peer in {peer for victims in self._lies.values() for peer in victims}:
            if peer.link is link:
                self._owners[link] = peer
        for history in reversed(self._histories):
            if not history.victims or self._owners.get(link) in history.victims:
                self.told[history.lie_told] += 1
                self._homes[link] = history
                history.accept(link)
                return
        super().accept(link)

    def receive(self, link: SimLink, raw: bytes) -> None:
        """Take a frame, or answer it falsely."""
        try:
            frame = frames.decode(raw)
        except DecodeError:
            frame = None
        match frame:
            case frames.Open():
                self._told[link].asked.append(frame.rooms)
            case frames.Push():
                self._note_devices(link, frame)
        if self.is_up and frame is not None and self._answer_falsely(link, frame):
            return
        home = self._homes.get(link)
        if home is not None:
            home.receive(link, raw)
        else:
            super().receive(link, raw)

    def lost(self, link: SimLink) -> None:
        """Notice that a connection has ended."""
        self._told.pop(link, None)
        self._owners.pop(link, None)
        home = self._homes.pop(link, None)
        if home is not None:
            home.lost(link)
        else:
            super().lost(link)

    def kill(self) -> None:
        """Kill the process, with every history."""
        for history in self._histories:
            history.kill()
        super().kill()

    def start(self) -> None:
        """Start the process, with every history."""
        super().start()
        for history in self._histories:
            history.start()

    def stored_bytes(self) -> bytes:
        """Return all that the relay holds, in any history."""
        return b"".join([super().stored_bytes(), *(h.stored_bytes() for h in self._histories)])

    def lie(self, link: SimLink, raw: bytes) -> list[bytes]:
        """Return the frames that are really sent for one that should be."""
        true = frames.decode(raw)
        assert true is not None
        told = self._told[link]
        if isinstance(true, frames.Opened):
            rooms = (asked.room for asked in told.asked[0])
            told.rooms.update(zip(true.aliases, rooms, strict=True))
        sent = [forging.shifted(told, true)]
        for lie in sorted(self._lies):
            forge = forging.FORGERIES.get(lie)
            if forge is None or not self._is_victim(lie, link):
                continue
            changed: list[frames.AnyFrame] = []
            for frame in sent:
                found = forge(self, link, told, frame)
                self.told[lie] += found is not None
                changed += [frame] if found is None else found
            sent = changed
        for frame in sent:
            _keep(told, frame)
        out = [frames.encode(frame) for frame in sent]
        if self.is_telling(Lie.BAD_FRAMES, link) and self._random.chance(0.3):
            self.told[Lie.BAD_FRAMES] += 1
            out.append(self._random.bytes(20))
        return out

    def wipe(self) -> None:
        """Lose everything, other histories too."""
        self._forget_histories()
        super().wipe()

    def roll_back(self) -> bool:
        """Go back to the last copy of the log; other histories are lost."""
        self._forget_histories()
        return super().roll_back()

    # Inside

    def _forget_histories(self) -> None:
        for history in self._histories:
            history.kill()
        self._histories.clear()
        self._homes.clear()

    def _note_devices(self, link: SimLink, push: frames.Push) -> None:
        room = self._told[link].rooms.get(push.alias, b"")
        for raw in push.envelopes:
            with suppress(DecodeError):
                self._devices[room].add(decode_envelope(raw)[1].device)

    def _flush(self) -> None:
        super()._flush()
        for history in self._histories:
            history.follow(self.log)

    def take_over(self, log_of: OtherHistory) -> None:
        """Take what another history has and the true log has not."""
        log_of.give_to(self.log)
        show_log(self)

    def _is_victim(self, lie: Lie, link: SimLink) -> bool:
        victims = self._lies[lie]
        return not victims or self._owners.get(link) in victims

    def _answer_falsely(self, link: SimLink, frame: frames.AnyFrame) -> bool:
        """Answer a peer's frame in the place of the hub; tell whether that was done."""
        if self.is_telling(Lie.SILENCE, link):
            self.told[Lie.SILENCE] += 1
            return True
        match frame:
            case frames.Push(alias, number, envelopes):
                return self._answer_push(link, alias, number, len(envelopes))
            case frames.PutBlob(alias, number):
                return self._answer_put(link, alias, number)
            case frames.AskChains(alias) if self.is_telling(Lie.ENDLESS_CHAINS, link):
                self._never_end(link, alias)
                return True
        return False

    def _answer_push(self, link: SimLink, alias: int, number: int, count: int) -> bool:
        if self.is_telling(Lie.ACK_UNSTORED, link):
            self.told[Lie.ACK_UNSTORED] += 1
            told = self._told[link]
            after = told.upto.get(alias, 0)
            told.upto[alias] = after + count
            told.shift[alias] += count
            items = [frames.AckItem(ItemStatus.STORED, after + 1 + n) for n in range(count)]
            link.send_down(frames.encode(frames.Ack(alias, number, items)))
            return True
        for lie, status in _REFUSALS.items():
            if self.is_telling(lie, link):
                self.told[lie] += 1
                items = [frames.AckItem(status, 0)] * count
                link.send_down(frames.encode(frames.Ack(alias, number, items)))
                return True
        return False

    def _answer_put(self, link: SimLink, alias: int, number: int) -> bool:
        for lie, state in _FALSE_STATES.items():
            if self.is_telling(lie, link):
                self.told[lie] += 1
                link.send_down(frames.encode(frames.BlobStates(alias, number, bytes((state,)))))
                return True
        return False

    def _never_end(self, link: SimLink, alias: int) -> None:
        if not link.is_open or not self.is_telling(Lie.ENDLESS_CHAINS, link):
            return
        self.told[Lie.ENDLESS_CHAINS] += 1
        heads = [frames.ChainHead(self._random.bytes(8), 1) for _ in range(_ENDLESS_HEADS)]
        link.send_down(frames.encode(frames.Chains(alias, heads, True)))
        self._later(_ENDLESS_EVERY_MS, lambda: self._never_end(link, alias))


def _keep(told: Told, frame: frames.AnyFrame) -> None:
    """Keep in mind up to where the peer was told the log."""
    match frame:
        case frames.Opened(aliases, states):
            asked = told.asked.pop(0)
            for room, alias in zip(asked, aliases, strict=True):
                told.upto[alias] = room.cursor
            for state in states:
                told.upto[aliases[state.position]] = state.after
        case frames.Deliver(alias, after, envelopes, gaps):
            behind = [(gap.index, gap.upto) for gap in gaps]
            index, upto = behind[-1] if behind else (0, after)
            told.upto[alias] = upto + len(envelopes) - index
            told.past.append(frame)
        case frames.Ack(alias, _, items):
            for item in items:
                if item.status == ItemStatus.STORED and item.seq == told.upto.get(alias, 0) + 1:
                    told.upto[alias] += 1

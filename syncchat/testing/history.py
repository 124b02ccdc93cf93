"""Another history: what a lying relay shows to some peers, consistent in itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from syncchat_relay.log import Append
from syncchat_relay.log.memory import MemoryLog

from ..ids import DeviceId, device_text
from ..trust.records import is_record
from ..wire.envelope import EnvelopeKind, decode_envelope
from .lies import Lie
from .loop import Loop
from .network import SimLink
from .ports import SeededRandom
from .relay import SimRelay

if TYPE_CHECKING:
    from .liar import LyingRelay
    from .simpeer import SimPeer


class OtherHistory(SimRelay):
    """Is a hub over a log of its own, with the incarnation of the true one.

    ``WITHHOLD`` follows the true log without some devices' envelopes, and gives back what is
    pushed; ``HIDE`` follows it and gives nothing back; ``FORK`` and ``ROLL_BACK`` do neither, from
    now on or from an earlier time.
    """

    def __init__(
        self,
        loop: Loop,
        random: SeededRandom,
        liar: LyingRelay,
        *,
        lie: Lie,
        victims: tuple[SimPeer, ...],
        hidden: Collection[DeviceId],
    ) -> None:
        self.lie_told = lie
        self.victims = victims
        self._liar = liar
        self._hidden = frozenset(hidden)
        self._seen: dict[bytes, int] = {}
        super().__init__(loop, random)
        self.kill()
        self.log = MemoryLog(random=random)
        self.log._incarnation = liar.log.incarnation
        self.blobs = liar.blobs
        part = 2 if lie is Lie.ROLL_BACK else 1
        for room, kept in liar.log._rooms.items():
            self._add(room, kept.envelopes[: len(kept.envelopes) // part])
        self._seen = {room: len(kept.envelopes) for room, kept in liar.log._rooms.items()}
        self.start()

    def follow(self, log: MemoryLog) -> None:
        """Take what the true log has by now, if this history follows it."""
        if self.lie_told not in (Lie.WITHHOLD, Lie.HIDE):
            return
        for room, kept in log._rooms.items():
            self._add(room, kept.envelopes[self._seen.get(room, 0) :])
            self._seen[room] = len(kept.envelopes)
        show_log(self)

    def give_to(self, log: MemoryLog) -> None:
        """Store in the true log what came in here."""
        for room, kept in self.log._rooms.items():
            group = log._rooms[room].group if room in log._rooms else None
            if group is None or not group.members:
                continue
            somebody = next(iter(group.members.values())).person.active[0].key
            log.append([Append(room, tuple(as_pushed(kept.envelopes)), pusher=somebody)])

    def lie(self, link: SimLink, raw: bytes) -> list[bytes]:
        """Return the frames that are really sent: other lies may be told here too."""
        return self._liar.lie(link, raw)

    def _add(self, room: bytes, envelopes: Sequence[bytes | None]) -> None:
        shown = tuple(raw for raw in as_pushed(envelopes) if _writer(raw) not in self._hidden)
        if shown:
            self.log.append([Append(room, shown)])

    def _flush(self) -> None:
        super()._flush()
        if self.lie_told is Lie.WITHHOLD:
            self._liar.take_over(self)


def as_pushed(envelopes: Sequence[bytes | None]) -> list[bytes]:
    """Return what is there of a part of a log in an order in which another log takes it: where some
    is gone, snapshots go first."""
    here = [raw for raw in envelopes if raw is not None]
    return here if len(here) == len(envelopes) else sorted(here, key=_comes_late)


def _comes_late(raw: bytes) -> bool:
    return not is_record(raw) and decode_envelope(raw)[1].kind != EnvelopeKind.SNAPSHOT


def show_log(relay: SimRelay) -> None:
    """Have a relay's hub deliver what came into its log beside it."""
    if relay._hub is None:
        return
    for name, room in list(relay._hub._rooms.items()):
        relay._hub._learn_head(room, relay.log.head(name).seq)
    relay._perform(relay._hub._effects())


def _writer(raw: bytes) -> DeviceId:
    if is_record(raw):
        return DeviceId("")
    _, header = decode_envelope(raw)
    return device_text(header.device)

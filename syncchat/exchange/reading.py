"""Reading one chain: bodies are opened, read strictly, and handed to the view, in chain order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from ..core.clock import ZERO
from ..core.reader import Change, VolumeState, read_update
from ..core.snapshots import content_of, decode_snapshot, is_same, news_in, stamp_in
from ..errors import DecodeError, KeyMissing, TrustError, UpdateRefused
from ..ids import Stamp
from ..storage import chains, snapshots
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..storage.snapshots import Covered
from ..storage.view import ViewBatch
from ..trust import chain as links
from ..wire.coverage import Coverage, Range
from ..wire.envelope import Envelope, EnvelopeKind, Header
from .volumes import Volumes, read_volume


class BeforeMe(Exception):
    """An envelope was written before this peer was let in, where newcomers get no earlier key."""


class ChainReading:
    """Reads what follows on a chain; the state moves on only with what could be read.

    ``first_epoch`` is the first room key that this peer may have, ``lost_epochs`` those that lost a
    fork of the log and that nobody hands on. What was sealed with other keys is passed over, with
    the rest of the volumes that it stands in: there writers begin a new volume with each new key.
    Who was here before, and came back, has read volumes before those.
    """

    def __init__(
        self,
        db: Database,
        volumes: Volumes,
        view: ViewBatch,
        room: RoomRow,
        chain: ChainRow,
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._view = view
        self._room = room
        self._chain = chain
        self._grown: dict[int, tuple[VolumeState, int]] = {}
        self.last_stamp = chain.last_stamp
        self.volume = max(chain.volume, chain.passed)
        self.passed = chain.passed
        self.stamps: dict[int, Stamp] = {}
        """The newest stamp in each snapshot that was read, by its seq."""
        self._passed_now: set[int] = set()
        self.first_epoch = 0
        self.lost_epochs: Set[int] = frozenset()

    def read(self, envelope: Envelope, header: Header, *, previous: bytes) -> Sequence[Change]:
        """Read the next envelope, which follows the link ``previous``; return its changes.

        Raises ``DecodeError`` or ``TrustError``, then nothing has changed; and ``BeforeMe``.
        """
        is_snapshot = header.kind == EnvelopeKind.SNAPSHOT
        if not is_snapshot and header.kind != EnvelopeKind.UPDATE:
            raise DecodeError(f"kind {header.kind} is of a later version; update syncchat")
        if self._is_passed(header):
            raise BeforeMe
        context = links.context(self._room.room_id, previous, envelope.header)
        try:
            text = self._volumes.open(self._room, envelope, header, self._chain.key, context)
        except KeyMissing:
            if header.epoch >= self.first_epoch and header.epoch not in self.lost_epochs:
                raise
            self.passed = max(self.passed, header.volume)
            self.volume = max(self.volume, header.volume)
            self._passed_now.add(header.volume)
            raise BeforeMe from None
        if is_snapshot:
            return self._take_snapshot(text, envelope, header)
        return self.take(text, header.volume, header.seq)

    def take(self, update: bytes, number: int, seq: int) -> Sequence[Change]:
        """Read an update of volume ``number`` that the envelope ``seq`` carries.

        Raises ``UpdateRefused``; then nothing has changed.
        """
        if number > self.volume + 1:
            raise UpdateRefused(f"volume {number} comes before volume {self.volume + 1}")
        state = self._volumes.state(self._chain.id, number)
        is_closed = number < self.volume
        changes = read_update(update, state, after=self.last_stamp, is_closed=is_closed)
        state.apply(changes)
        self.volume = max(self.volume, number)
        self.last_stamp = Stamp(max(self.last_stamp, *(change.at for change in changes)))
        self._grown[number] = state, self._grown.get(number, (state, 0))[1] + len(update)
        self._view.add(
            chain=self._chain.id,
            device=self._chain.device,
            volume=number,
            seq=seq,
            changes=changes,
        )
        return changes

    def _take_snapshot(self, text: bytes, envelope: Envelope, header: Header) -> Sequence[Change]:
        """Hold a snapshot against what is here of its volume, and read what it says beyond that.

        Raises ``UpdateRefused`` where its writer wrote something else.
        """
        number, chain = header.volume, self._chain
        snapshot = decode_snapshot(text, number)
        coverage = links.coverage_of(envelope, header)
        texts = read_volume(self._db, self._volumes, self._room, chain, number, before=header.seq)
        known = content_of(number, texts.base, texts.rest)
        self._check_coverage(coverage, texts.ranges)
        if snapshots.is_elsewhere(self._db, chain.id, number, coverage.ranges):
            raise UpdateRefused("the snapshot stands for what is in another volume")
        news = news_in(snapshot, known)
        is_whole = coverage.ranges == tuple(texts.ranges)
        if is_whole and not is_same(snapshot, known):
            raise UpdateRefused("the snapshot is not what its writer wrote")
        self._volumes.replace_state(chain.id, snapshot.state)
        self._grown.pop(number, None)
        chains.reset_volume(self._db, chain.id, snapshot.state, len(text))
        self._view.add(
            chain=chain.id, device=chain.device, volume=number, seq=header.seq, changes=news
        )
        self.volume = max(self.volume, number)
        self.last_stamp = Stamp(max(self.last_stamp, snapshot.newest))
        self.stamps[header.seq] = snapshot.stamp
        return news

    def stamp_in(self, envelope: Envelope, header: Header) -> Stamp:
        """Return the stamp of the newest entry in a snapshot's volume, as far as it can be opened:
        what follows what it covers must be newer."""
        previous = links.coverage_of(envelope, header).previous
        context = links.context(self._room.room_id, previous, envelope.header)
        try:
            text = self._volumes.open(self._room, envelope, header, self._chain.key, context)
            return stamp_in(text)
        except (DecodeError, TrustError):
            return ZERO  # why, is told when it is read

    @staticmethod
    def _check_coverage(coverage: Coverage, here: Sequence[Range]) -> None:
        """See that a snapshot covers all that is here of its volume, with the links it has here."""
        for first, last, link in here:
            for each in coverage.ranges:
                if each.first <= first and last <= each.last:
                    if each.last == last and each.link != link:
                        raise UpdateRefused("the snapshot stands for another history of its device")
                    break
            else:
                raise UpdateRefused("the snapshot leaves out what its writer wrote")

    def pass_over(self, parts: Iterable[Covered]) -> None:
        """Go on over parts of the chain for which snapshots stand."""
        for part in parts:
            self.volume = max(self.volume, part.volume)
            self.last_stamp = Stamp(max(self.last_stamp, part.stamp))

    def _is_passed(self, header: Header) -> bool:
        """Tell whether something before an envelope in its volume was passed over."""
        if header.volume > self.passed:
            return False
        return header.volume in self._passed_now or chains.is_held_before(
            self._db, self._chain.id, header.volume, header.seq
        )

    def save(self) -> None:
        """Store how far the volumes have grown, and which were passed over."""
        if self.passed != self._chain.passed:
            chains.set_passed(self._db, self._chain.id, self.passed)
        for state, size in self._grown.values():
            chains.save_volume(self._db, self._chain.id, state, more_bytes=size)
        self._grown.clear()

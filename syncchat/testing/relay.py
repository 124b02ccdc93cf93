"""A simulated relay: the real hub over the real log, on virtual time.

``lie`` is where a dishonest relay differs from an honest one (see ``liar``).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from syncchat_relay.blobs import Quotas
from syncchat_relay.blobs.memory import MemoryBlobs
from syncchat_relay.blobs.work import answer_to
from syncchat_relay.config import Admit, Config
from syncchat_relay.effects import (
    Append,
    BlobWork,
    Close,
    Effect,
    FindBlobs,
    KeepRevocation,
    LoadBlob,
    LogWork,
    Pause,
    ReleaseBlobs,
    SaveCursors,
    Send,
    StoreBlob,
    Vouch,
)
from syncchat_relay.hub import Hub
from syncchat_relay.log.memory import MemoryLog
from syncchat_relay.performing import perform, perform_appends

from .loop import Loop
from .network import SimLink
from .ports import EPOCH_MS, SeededRandom

HOST = "relay.sim"
URL = f"ws://{HOST}"
FLUSH_MS = 3
BLOB_MS = 2
TICK_MS = 500
DRAIN_MS = 5
"""How long a frame is on its way out of the relay; longer on a slow connection."""


class SimRelay:
    """Is one relay; it can be killed, restarted, wiped and rolled back."""

    limits: ClassVar[Mapping[str, Any]] = {}
    """Settings of ``Config`` that are not the default."""

    def __init__(self, loop: Loop, random: SeededRandom) -> None:
        self._loop = loop
        self._random = random
        self._config = replace(Config(names=(HOST,), admission=Admit.ROOMS), **self.limits)
        self.log = MemoryLog(random=random, is_open=self._config.is_open)
        self.blobs = self._no_blobs()
        self.is_up = False
        self._hub: Hub | None = None
        self._links: dict[int, SimLink] = {}
        self._numbers: dict[SimLink, int] = {}
        self._next_number = 1
        self._appends: list[Append] = []
        self._is_flush_due = False
        self._life = 0
        self._images: list[tuple[MemoryLog, MemoryBlobs]] = []
        self.start()

    def start(self) -> None:
        """Start the relay process on the log that is there."""
        if self.is_up:
            return
        self.is_up = True
        self._life += 1
        self._hub = Hub(incarnation=self.log.incarnation, config=self._config, random=self._random)
        self._tick(self._life)

    def kill(self) -> None:
        """Kill the process: what waits for a commit may be committed or not, but is not acked."""
        if not self.is_up:
            return
        if self._appends and self._random.chance(0.5):
            perform_appends(self.log, self._appends, now_ms=self._wall_ms())
        self.is_up = False
        self._hub = None
        self._appends.clear()
        self._is_flush_due = False
        links, self._links, self._numbers = list(self._links.values()), {}, {}
        for link in links:
            link.cut()

    def wipe(self) -> None:
        """Lose everything, and start with an empty log."""
        self.kill()
        self.log = MemoryLog(random=self._random, is_open=self._config.is_open)
        self.blobs = self._no_blobs()
        self._images.clear()

    def keep_image(self) -> None:
        """Take a copy of the log and the files, for ``roll_back``."""
        self._images.append(copy.deepcopy((self.log, self.blobs)))

    def roll_back(self) -> bool:
        """Go back to the last copy of the log; tell whether there was one."""
        self.kill()
        if not self._images:
            return False
        self.log, self.blobs = self._images.pop()
        return True

    def accept(self, link: SimLink) -> None:
        """Take a new connection."""
        if self._hub is None:
            link.cut()
            return
        number, self._next_number = self._next_number, self._next_number + 1
        self._links[number] = link
        self._numbers[link] = number
        self._perform(self._hub.connected(number, self._loop.now_ms))

    def receive(self, link: SimLink, raw: bytes) -> None:
        """Take a frame from a connection."""
        number = self._numbers.get(link)
        if self._hub is not None and number is not None:
            self._perform(self._hub.receive(number, raw, self._loop.now_ms))

    def lost(self, link: SimLink) -> None:
        """Notice that a connection has ended."""
        number = self._numbers.pop(link, None)
        if self._hub is not None and number is not None:
            del self._links[number]
            self._perform(self._hub.lost(number))

    def stored_bytes(self) -> bytes:
        """Return all that the relay holds, to look for what must not be in it."""
        blobs = b"".join(kept.data for kept in self.blobs._kept.values())
        here = [raw for room in self.log._rooms.values() for raw in room.envelopes if raw]
        return blobs + b"".join(here)

    def lie(self, link: SimLink, raw: bytes) -> list[bytes]:
        """Return the frames that are really sent for one that should be."""
        return [raw]

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(conns, raw):
                    self._send(conns, raw)
                case Close(conn):
                    link = self._links.pop(conn, None)
                    if link is not None:
                        self._numbers.pop(link, None)
                        link.close()
                case Pause() | Vouch() | KeepRevocation():
                    pass  # no tokens and no operators here
                case Append():
                    self._appends.append(effect)
                    if not self._is_flush_due:
                        self._is_flush_due = True
                        self._later(FLUSH_MS, self._flush)
                case SaveCursors():
                    perform(self.log, effect, now_ms=self._wall_ms())
                case StoreBlob() | FindBlobs() | ReleaseBlobs() | LoadBlob():
                    self._later(BLOB_MS, lambda work=effect: self._blob_work(work))
                case _:
                    self._later(1, lambda work=effect: self._work(work))

    def _send(self, conns: tuple[int, ...], raw: bytes) -> None:
        for conn in conns:
            link = self._links.get(conn)
            if link is None:
                continue
            for frame in self.lie(link, raw):
                link.send_down(frame)
            self._later(DRAIN_MS + link.delay_ms, lambda conn=conn: self._drained(conn, len(raw)))

    def _drained(self, conn: int, size: int) -> None:
        if self._hub is not None:
            self._perform(self._hub.sent(conn, size))

    def _flush(self) -> None:
        self._is_flush_due = False
        appends, self._appends = self._appends, []
        if appends:
            self._answer(list(perform_appends(self.log, appends, now_ms=self._wall_ms())))

    def _work(self, work: LogWork) -> None:
        answer = perform(self.log, work, now_ms=self._wall_ms())
        if answer is not None:
            self._answer([answer])

    def _blob_work(self, work: BlobWork) -> None:
        answer = answer_to(self.log, self.blobs, work, now_ms=self._wall_ms())
        if self._hub is not None:
            self._perform(self._hub.blobs_done([answer]))

    def _no_blobs(self) -> MemoryBlobs:
        return MemoryBlobs(Quotas(self._config.room_blob_bytes_max, self._config.blob_bytes_max))

    def _wall_ms(self) -> int:
        return EPOCH_MS + self._loop.now_ms

    def _answer(self, answers: list) -> None:  # type: ignore[type-arg]
        if self._hub is not None:
            self._perform(self._hub.done(answers))

    def _later(self, delay_ms: int, callback) -> None:  # type: ignore[no-untyped-def]
        life = self._life

        def run() -> None:
            if self.is_up and self._life == life:
                callback()

        self._loop.after(delay_ms, run)

    def _tick(self, life: int) -> None:
        if self._hub is None or self._life != life:
            return
        self._perform(self._hub.tick(self._loop.now_ms))
        self._loop.after(TICK_MS, lambda: self._tick(life))

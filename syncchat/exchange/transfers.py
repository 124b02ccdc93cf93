"""Transfers: the files that one connection sends, fetches and drops, several at once.

In each room that is live the database says what is to be done; here it becomes jobs, which take
turns frame by frame, so that a small file does not wait for a large one. Messages come first: the
exchange asks for a frame of a file only when it has none of its own, and for one at a time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping

from ..ports import Clock, Random
from ..storage import files, loose
from ..storage.caching import make_room
from ..storage.database import Database
from ..storage.files import FileRow, Problem
from ..sync.events import BlobCame, BlobEvent, BlobsNews, BlobsSilent, BlobsTold
from ..sync.session import Session
from ..wire.limits import BLOB_NAMES_MAX
from .jobs import Desk, Download, Drop, Job, Recheck, Upload
from .progress import Progress

log = logging.getLogger("syncchat.exchange")

ACTIVE_MAX = 8
"""Jobs of a kind at once; the next begins when one is over, or waits for its file's sender."""

WAITING_MAX = 256
"""Jobs of a kind that wait; nobody's missing files keep others from coming."""

RECHECKED_MAX = BLOB_NAMES_MAX // 2
"""Files of a room that are asked about again on each connection, in one frame."""

AGAIN_MS = 10 * 60_000
"""How long what was refused rests before it is tried again on the same connection."""

OTHERS_AFTER_MS = (5_000, 30_000)
"""How long senders have to give a relay their files again, before others do it for them."""

_Key = tuple[str, int]


class Transfers:
    """Runs the jobs of one connection; every method raises as the exchange does."""

    def __init__(
        self,
        db: Database,
        session: Session,
        rooms: Mapping[bytes, Progress],
        *,
        clock: Clock,
        random: Random,
        holder: str,
    ) -> None:
        """``rooms`` is what the connection has open, and how far each is."""
        self._db = db
        self._session = session
        self._rooms = rooms
        self._clock = clock
        self._random = random
        self._desk = Desk(db, session.blobs, holder, self._now, clock.now_ms)
        self._jobs: dict[_Key, Job] = {}
        self._turns: deque[_Key] = deque()
        self._by_number: dict[int, _Key] = {}
        self._resting: dict[_Key, int] = {}
        self._later: dict[_Key, int] = {}
        self._patient: dict[_Key, int] = {}
        self._waiting: set[_Key] = set()
        self._is_due = True
        self._is_tidy = False
        self._rechecked: set[int] = set()

    def look(self, *, is_local: bool = False) -> None:
        """Take note that the database may ask for something new.

        ``is_local`` says that a person may have stopped what is on its way.
        """
        self._is_due = True
        if is_local:
            due_ms = self._now()
            for job in self._jobs.values():
                job.store_due_ms = due_ms

    def note_loss(self, progress: Progress) -> None:
        """Give a relay again what it had of a room's files, and has lost."""
        low, high = OTHERS_AFTER_MS
        later_ms = self._now() + round(self._random.uniform(low, high))
        with self._desk.storing():
            files.offer_again(self._db, progress.row, mine=True)
            files.offer_again(self._db, progress.row, mine=False)
            for file in files.owed_files(self._db, progress.row, limit=10_000):
                if not file.mine:
                    self._later["up", file.id] = later_ms
        for key, job in list(self._jobs.items()):
            if job.room == progress.row:
                if job.store_due_ms is not None:
                    job.store()
                self._forget(key)
        self._is_due = True

    def take(self, event: BlobEvent) -> None:
        """Take what the session says of blobs."""
        match event:
            case BlobsTold(number, states):
                if (job := self._job_of(number)) is not None:
                    job.told(number, states)
            case BlobCame(number, data):
                if (job := self._job_of(number)) is not None:
                    job.came(number, data)
            case BlobsNews(room):
                self._take_news(self._rooms[room].row)
            case BlobsSilent():
                log.info("the relay does not answer about files")
                for job in self._jobs.values():
                    job.problem = Problem.SILENT

    def pump(self) -> None:
        """Settle jobs that are over, and begin those that the database asks for."""
        if not self._is_tidy:
            self._is_tidy = True
            with self._desk.storing():
                loose.tidy(self._db, now_ms=self._clock.now_ms())
        self._is_due = loose.sweep(self._db) or self._is_due
        now_ms = self._now()
        for key, job in list(self._jobs.items()):
            if job.store_due_ms is not None and (job.store_due_ms <= now_ms or job.problem):
                job.store()
            if job.problem:
                self._set_aside(key, job)
            elif job.is_over:
                self._forget(key)
                self._is_due = True
            elif job.not_before_ms > now_ms:
                self._is_due = self._is_due or self._note_wait(key)
            else:
                self._waiting.discard(key)
        for waiting in (self._resting, self._later):
            for key in [key for key, until_ms in waiting.items() if until_ms <= now_ms]:
                del waiting[key]
                self._patient.pop(key, None)
                self._is_due = True
        if self._is_due:
            self._is_due = False
            self._begin()

    def next_frame(self) -> bytes | None:
        """Return the next frame of a file, None when there is nothing to send now."""
        now_ms = self._now()
        for _ in range(len(self._turns)):
            key = self._turns[0]
            self._turns.rotate(-1)
            job = self._jobs[key]
            if job.is_over or job.problem or job.not_before_ms > now_ms:
                continue
            found = job.next_frame()
            if found is not None:
                number, raw = found
                self._by_number[number] = key
                return raw
        return None

    def take_news(self) -> bool:
        """Tell whether something was stored since this was asked last."""
        told, self._desk.has_stored = self._desk.has_stored, False
        return told

    @property
    def times(self) -> list[int]:
        """Return the times at which there is something to do."""
        now_ms = self._now()
        waits = [job.not_before_ms for job in self._jobs.values()]
        return [
            *(at for at in waits if at > now_ms),
            *(job.store_due_ms for job in self._jobs.values() if job.store_due_ms is not None),
            *self._resting.values(),
            *self._later.values(),
        ]

    # Inside

    def _note_wait(self, key: _Key) -> bool:
        """Tell whether a job has just begun to wait, so that another may begin."""
        is_new = key not in self._waiting
        self._waiting.add(key)
        return is_new

    def _take_news(self, row: int) -> None:
        """Try again now what a room's relay did not have."""
        for job in self._jobs.values():
            if isinstance(job, Download) and job.room == row:
                job.news()
        for key in [key for key, room in self._patient.items() if room == row]:
            del self._patient[key]
            self._resting.pop(key, None)
            self._is_due = True

    def _begin(self) -> None:
        since = files.new_since(self._clock.now_ms())
        waiting = files.rooms_with_work(self._db)
        self._recheck(since)
        for progress in self._rooms.values():
            if progress.row not in waiting or not progress.is_live or progress.is_closed:
                continue
            row, alias = progress.row, self._session.alias_of(progress.room)
            for drop in loose.drops(self._db, row, limit=self._limit):
                self._start(("drop", drop.id), Drop(self._desk, row, alias, drop))
            for file in files.owed_files(self._db, row, limit=self._limit):
                self._start_file("up", file, row, alias)
            for file in files.wanted_files(self._db, row, since=since, limit=self._limit):
                self._start_file("down", file, row, alias)

    def _recheck(self, since: str) -> None:
        """See once on a connection whether the relay has what it said that it had."""
        for progress in self._rooms.values():
            if progress.row in self._rechecked or not progress.is_live or progress.is_closed:
                continue
            self._rechecked.add(progress.row)
            sent = files.sent_files(self._db, progress.row, since=since, limit=RECHECKED_MAX)
            if sent:
                alias = self._session.alias_of(progress.room)
                job = Recheck(self._desk, progress.row, alias, sent)
                self._start(("recheck", progress.row), job)

    @property
    def _limit(self) -> int:
        return ACTIVE_MAX + len(self._jobs) + len(self._resting) + len(self._later)

    def _start_file(self, kind: str, file: FileRow, row: int, alias: int) -> None:
        key = (kind, file.id)
        if file.problem is Problem.NONE:
            self._resting.pop(key, None)  # somebody wants it to be tried again
        if key in self._jobs or self._is_full(kind):
            return
        if kind == "up":
            self._start(key, Upload(self._desk, row, alias, file))
            return
        beside = [job.file for job in self._jobs.values() if isinstance(job, Download)]
        if make_room(self._db, file, beside=beside, holder=self._desk.holder):
            self._start(key, Download(self._desk, row, alias, file))
        else:
            with self._desk.storing():
                files.set_problem(self._db, file, Problem.TOO_LARGE)

    def _start(self, key: _Key, job: Job) -> None:
        is_waiting = key in self._jobs or key in self._resting or key in self._later
        if not is_waiting and not self._is_full(key[0]):
            self._jobs[key] = job
            self._turns.append(key)

    def _is_full(self, kind: str) -> bool:
        now_ms = self._now()
        waits = [
            job.not_before_ms > now_ms for (each, _), job in self._jobs.items() if each == kind
        ]
        return waits.count(False) >= ACTIVE_MAX or len(waits) >= WAITING_MAX

    def _set_aside(self, key: _Key, job: Job) -> None:
        """Store why a job cannot go on, and let it rest."""
        if isinstance(job, Upload | Download):
            with self._desk.storing():
                file = files.load_file(self._db, job.file.id)
                if file is not None and (file.owed if isinstance(job, Upload) else file.wanted):
                    files.set_problem(self._db, file, job.problem)
        self._forget(key)
        self._resting[key] = self._now() + AGAIN_MS
        if job.problem is Problem.WAITING:
            self._patient[key] = job.room
        self._is_due = True

    def _forget(self, key: _Key) -> None:
        del self._jobs[key]
        self._turns.remove(key)
        self._waiting.discard(key)

    def _job_of(self, number: int) -> Job | None:
        key = self._by_number.pop(number, None)
        return None if key is None else self._jobs.get(key)

    def _now(self) -> int:
        return round(self._clock.monotonic() * 1000)

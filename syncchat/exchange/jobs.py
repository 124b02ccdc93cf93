"""Jobs: what is to be done about one file on one connection, question by question.

A job is asked for its next frame when there is room in the window (``sync.blobs``), and told the
answers. A cut costs at most the chunk under way: another connection makes another job, which goes
on from what is there. How far it is a job stores now and then, as a commit for each chunk would
cost more than the chunk; what came since is found again in the pack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import DecodeError, SealBroken
from ..storage import files, lease, loose
from ..storage.database import Database
from ..storage.files import FileRow, Problem
from ..storage.loose import DropRow
from ..sync.blobs import WINDOW_MAX, Blobs
from ..trust.files import FileSeal, blob_name, sealed_size, split_names
from ..wire.codes import BlobState
from ..wire.limits import BLOB_NAMES_MAX

TRIES_MAX = 3
"""How often a blob is sent, or asked for, that comes out wrong."""

BUSY_MS = 500
"""How long to wait when the relay says that too much waits there."""

FIRST_WAIT_MS, LAST_WAIT_MS = 2_000, 60_000
"""How long to wait before a blob is asked for again that the relay does not have yet."""

STORE_MS, STORE_CHUNKS = 100, 16
"""How far a file is, is stored when so much time has passed or so many chunks have come."""

RECOVERED_MAX = STORE_CHUNKS + WINDOW_MAX
"""Chunks that may be in a pack though it was not stored that they are."""

WAITS_MAX = 8
"""How often a file is asked for in vain, in about two minutes, before it rests for longer."""

GONE_WAITS = 3
"""How often a file is asked for that the relay once had, before it counts as gone: somebody may be
giving it to the relay again."""

_MANIFEST = -1
_REFUSALS = {
    BlobState.REFUSED: Problem.REFUSED,
    BlobState.ROOM_FULL: Problem.ROOM_FULL,
    BlobState.RELAY_FULL: Problem.RELAY_FULL,
}


@dataclass(slots=True)
class Desk:
    """Is what every job of a connection works with.

    ``has_stored`` tells that something was stored since somebody set it back.
    """

    db: Database
    blobs: Blobs
    holder: str
    now_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    has_stored: bool = False

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Store what was learned; raises ``LeaseLost`` or the ``StorageError`` family."""
        with self.db.atomic(durable=False):
            lease.check(self.db, self.holder)
            yield
        self.has_stored = True


class Job:
    """Is one job; ``room`` is the room's row, ``alias`` its number on the connection.

    ``is_over`` says that nothing is left to do, ``problem`` why it is to rest before it is taken
    up again, ``not_before_ms`` until when it waits, and ``store_due_ms`` when how far it is must be
    stored, None for not at all.
    """

    def __init__(self, desk: Desk, room: int, alias: int) -> None:
        self.desk = desk
        self.room = room
        self.alias = alias
        self.is_over = False
        self.problem = Problem.NONE
        self.not_before_ms = 0
        self.store_due_ms: int | None = None

    def store(self) -> None:
        """Store how far the job is; raises as ``Desk.storing`` does."""
        self.store_due_ms = None

    def next_frame(self) -> tuple[int, bytes] | None:
        """Return the number and bytes of the next frame; None when there is none to send now."""
        raise NotImplementedError

    def told(self, number: int, states: Sequence[BlobState]) -> None:
        """Take the states that answer a frame; raises as ``Desk.storing`` does."""

    def came(self, number: int, data: bytes | None) -> None:
        """Take the blob that answers a frame; raises as ``Desk.storing`` does."""


class Upload(Job):
    """Sends a file: asks what the relay has of it, then puts what it lacks, the manifest first."""

    def __init__(self, desk: Desk, room: int, alias: int, file: FileRow) -> None:
        super().__init__(desk, room, alias)
        self.file = file
        self._names = [file.root, *file.chunk_names]
        self._asked = 0
        self._known = 0
        self._lost: list[int] = []
        self._missing: deque[int] = deque()
        self._questions: dict[int, range] = {}
        self._under_way: dict[int, int] = {}
        self._tries: dict[int, int] = {}

    def next_frame(self) -> tuple[int, bytes] | None:
        blobs, now_ms = self.desk.blobs, self.desk.now_ms()
        if self._asked < len(self._names):
            asked = range(self._asked, min(self._asked + BLOB_NAMES_MAX, len(self._names)))
            number, raw = blobs.find(self.alias, [self._names[at] for at in asked], now_ms)
            self._questions[number] = asked
            self._asked = asked.stop
            return number, raw
        if self._questions or not self._missing or not blobs.may_put:
            return None
        at = self._missing.popleft()
        blob = self._blob(at)
        if blob is None:
            self._lose(at)
            return None
        number, raw = blobs.put(self.alias, self._names[at], blob, now_ms)
        self._under_way[number] = at
        return number, raw

    def told(self, number: int, states: Sequence[BlobState]) -> None:
        if number in self._questions:
            for at, state in zip(self._questions.pop(number), states, strict=True):
                if state is BlobState.ABSENT:
                    self._missing.append(at)
                else:
                    self._learn(at, state)
        elif number in self._under_way:
            (state,) = states
            self._learn(self._under_way.pop(number), state)
        else:
            return
        if self._known == len(self._names):
            self.store()
        elif self.store_due_ms is None:
            self.store_due_ms = self.desk.now_ms() + STORE_MS

    def store(self) -> None:
        self.store_due_ms = None
        with self.desk.storing():
            db = self.desk.db
            now = files.load_file(db, self.file.id)
            if now is None or not now.owed or now.problem is Problem.CANCELLED:
                self.is_over = True
            elif self._lost:
                files.forget_chunks(db, now, self._lost)
                self.is_over = True
            elif self._known == len(self._names):
                files.note_all_sent(db, now)
                self.is_over = True
            elif not self.problem:
                sent = max(0, self._known - 1)  # all but the manifest
                if sent != now.sent or now.problem:
                    files.note_sent(db, now.id, sent)

    def _learn(self, at: int, state: BlobState) -> None:
        match state:
            case BlobState.HERE:
                self._known += 1
            case BlobState.BUSY:
                self._missing.appendleft(at)
                self.not_before_ms = self.desk.now_ms() + BUSY_MS
            case BlobState.REFUSED | BlobState.ROOM_FULL | BlobState.RELAY_FULL:
                self.problem = _REFUSALS[state]
            case _:
                self._again(at)

    def _again(self, at: int) -> None:
        """Send a blob again that the relay found to be another, unless it is what is here."""
        blob = self._blob(at)
        if blob is None or blob_name(blob) != self._names[at]:
            self._lose(at)
            return
        self._tries[at] = self._tries.get(at, 0) + 1
        if self._tries[at] >= TRIES_MAX:
            self.problem = Problem.DAMAGED
        self._missing.appendleft(at)

    def _lose(self, at: int) -> None:
        """Take note, soon, that a chunk is not what it should be."""
        self._lost.append(at - 1)
        self.problem = Problem.LOST
        self.store_due_ms = self.desk.now_ms()

    def _blob(self, at: int) -> bytes | None:
        """Return what is to be sent under the name at a place; None where it is not here."""
        file = self.file
        if at == 0:
            return FileSeal(file.key).manifest(file.chunk_names, size=file.size)
        size = sealed_size(file.size, at - 1)
        blob = self.desk.db.packs.read(file.pack, at - 1, size)
        return blob if blob is not None and len(blob) == size else None


class Download(Job):
    """Fetches a file: its manifest, then each chunk that is not here."""

    def __init__(self, desk: Desk, room: int, alias: int, file: FileRow) -> None:
        super().__init__(desk, room, alias)
        self.file = file
        self._names = file.chunk_names
        self._came: list[int] = []
        self._todo = deque([_MANIFEST])
        if file.names is not None:
            self._todo = deque(file.missing())
            self._recover()
        self._under_way: dict[int, int] = {}
        self._tries: dict[int, int] = {}
        self._wait_ms = FIRST_WAIT_MS
        self._waits = 0

    def next_frame(self) -> tuple[int, bytes] | None:
        if not self._todo and not self._under_way and self.file.names is not None:
            self._todo.extend(self.file.missing())
        if not self._todo or not self.desk.blobs.may_get:
            return None
        at = self._todo.popleft()
        name = self.file.root if at == _MANIFEST else self._names[at]
        number, raw = self.desk.blobs.get(self.alias, name, self.desk.now_ms())
        self._under_way[number] = at
        return number, raw

    def news(self) -> None:
        """Take note that the relay has got more of the room's files."""
        self.not_before_ms = 0

    def came(self, number: int, data: bytes | None) -> None:
        at = self._under_way.pop(number, None)
        if at is None or self.is_over or self.problem:
            return
        if data is None:
            self._todo.appendleft(at)
            self._wait()
        elif blob_name(data) != (self.file.root if at == _MANIFEST else self._names[at]):
            self._again(at)
        elif at == _MANIFEST:
            self._take_manifest(data)
        else:
            self._take_chunk(at, data)

    def told(self, number: int, states: Sequence[BlobState]) -> None:
        at = self._under_way.pop(number, None)
        if at is not None:  # too much waits at the relay
            self._todo.appendleft(at)
            self.not_before_ms = self.desk.now_ms() + BUSY_MS

    def _take_manifest(self, blob: bytes) -> None:
        try:
            self._names = FileSeal(self.file.key).open_manifest(blob, size=self.file.size)
        except (SealBroken, DecodeError):
            self.problem = Problem.NO_FILE  # its sender made it so
            return
        with self.desk.storing():
            files.set_names(self.desk.db, self.file.id, self._names)
            if not self._names:
                files.note_whole(self.desk.db, self.file.id)
        if self._refresh():
            self._todo = deque(self.file.missing())
            self.is_over = self.file.is_whole

    def _take_chunk(self, at: int, blob: bytes) -> None:
        self.desk.db.packs.write(self.file.pack, at, blob)
        self._wait_ms, self._waits = FIRST_WAIT_MS, 0
        self._note(at)
        if (not self._todo and not self._under_way) or len(self._came) >= STORE_CHUNKS:
            self.store()

    def _note(self, at: int) -> None:
        """Take note of a chunk that is in the pack, to be stored soon."""
        self._came.append(at)
        if self.store_due_ms is None:
            self.store_due_ms = self.desk.now_ms() + STORE_MS

    def store(self) -> None:
        self.store_due_ms = None
        came, self._came = self._came, []
        is_waiting = self.not_before_ms > self.desk.now_ms()
        problem = Problem.WAITING if is_waiting else Problem.NONE
        wall_ms = self.desk.wall_ms()
        with self.desk.storing():
            if self._refresh():
                db = self.desk.db
                if came or problem is not self.file.problem:
                    files.note_chunks(db, self.file, came, now_ms=wall_ms, problem=problem)
                    self._refresh()
        self.is_over = self.is_over or self.file.is_whole

    def _recover(self) -> None:
        """Look for chunks that came before a connection, or this program, ended."""
        packs, file = self.desk.db.packs, self.file
        for at in list(self._todo)[:RECOVERED_MAX]:
            blob = packs.read(file.pack, at, sealed_size(file.size, at))
            if blob is not None and blob_name(blob) == self._names[at]:
                self._todo.remove(at)
                self._note(at)

    def _refresh(self) -> bool:
        """Read the file anew; tell whether it is still there, and wanted."""
        now = files.load_file(self.desk.db, self.file.id)
        if now is None:
            self.desk.db.packs.remove(self.file.pack)  # it was deleted while a chunk came
        if now is None or not (now.wanted or now.is_whole):
            self.is_over = True
            return False
        self.file = now
        return True

    def _wait(self) -> None:
        """Wait for what the relay does not have, or give it up."""
        now_ms = self.desk.now_ms()
        if now_ms < self.not_before_ms:
            return  # others of the same moment were in vain, too
        self._waits += 1
        if self._waits >= GONE_WAITS and self._is_gone():
            self.problem = Problem.GONE
            return
        if self._waits >= WAITS_MAX:
            self.problem = Problem.WAITING
            return
        self.not_before_ms = now_ms + self._wait_ms
        self._wait_ms = min(LAST_WAIT_MS, self._wait_ms * 3 // 2)
        with self.desk.storing():
            if self._refresh():
                files.set_problem(self.desk.db, self.file, Problem.WAITING)

    def _is_gone(self) -> bool:
        """Tell whether the file was sent once, so that the relay does not have it any more."""
        if self.file.was_here:
            return True
        message = files.last_message(self.desk.db, self.file.id)
        return message is not None and message < files.new_since(self.desk.wall_ms())

    def _again(self, at: int) -> None:
        """Ask again for a blob of which other bytes came."""
        self._todo.appendleft(at)
        self._tries[at] = self._tries.get(at, 0) + 1
        if self._tries[at] >= TRIES_MAX:
            self.problem = Problem.DAMAGED


class Recheck(Job):
    """Asks whether the relay still has what was sent of late, and has it sent again if not.

    A relay that was set back to an older copy may have the messages and lack the files. Of each
    file the manifest is asked for, which was put first, and the last chunk.
    """

    def __init__(self, desk: Desk, room: int, alias: int, sent: Sequence[FileRow]) -> None:
        super().__init__(desk, room, alias)
        self._files = [(file.id, (file.root, *file.chunk_names[-1:])) for file in sent]
        self._question = 0
        self.is_over = not sent

    def next_frame(self) -> tuple[int, bytes] | None:
        if self._question:
            return None
        names = [name for _, names in self._files for name in names]
        self._question, raw = self.desk.blobs.find(self.alias, names, self.desk.now_ms())
        return self._question, raw

    def told(self, number: int, states: Sequence[BlobState]) -> None:
        left = list(states)
        with self.desk.storing():
            for id_, names in self._files:
                told, left = left[: len(names)], left[len(names) :]
                now = files.load_file(self.desk.db, id_)
                if BlobState.ABSENT in told and now is not None and now.is_whole and not now.owed:
                    files.set_owed(self.desk.db, id_)
        self.is_over = True


class Drop(Job):
    """Tells the relay that a file's blobs are not needed any more."""

    def __init__(self, desk: Desk, room: int, alias: int, drop: DropRow) -> None:
        super().__init__(desk, room, alias)
        self.drop = drop
        self._names: list[bytes] | None = None
        self._told = 0
        self._question = 0
        self._under_way: dict[int, range] = {}
        if drop.names is not None:
            self._names = [drop.root, *split_names(drop.names)]

    def next_frame(self) -> tuple[int, bytes] | None:
        blobs, now_ms = self.desk.blobs, self.desk.now_ms()
        if self._names is None:
            if self._question or not blobs.may_get:
                return None
            self._question, raw = blobs.get(self.alias, self.drop.root, now_ms)
            return self._question, raw
        if self._told == len(self._names):
            return None
        told = range(self._told, min(self._told + BLOB_NAMES_MAX, len(self._names)))
        number, raw = blobs.drop(self.alias, [self._names[at] for at in told], now_ms)
        self._under_way[number] = told
        self._told = told.stop
        return number, raw

    def came(self, number: int, data: bytes | None) -> None:
        if number != self._question:
            return
        names: list[bytes] = []
        if data is not None and blob_name(data) == self.drop.root:
            try:
                names = FileSeal(self.drop.key).open_manifest(data, size=self.drop.size)
            except (SealBroken, DecodeError):
                names = []
        self._names = [self.drop.root, *names]

    def told(self, number: int, states: Sequence[BlobState]) -> None:
        told = self._under_way.pop(number, None)
        if told is None:
            if number == self._question:
                self._question = 0
                self.not_before_ms = self.desk.now_ms() + BUSY_MS
            return
        if BlobState.BUSY in states:
            self._told = min(self._told, told.start)
            self.not_before_ms = self.desk.now_ms() + BUSY_MS
        elif self._names is not None and self._told == len(self._names) and not self._under_way:
            with self.desk.storing():
                loose.forget_drop(self.desk.db, self.drop.id)
            self.is_over = True

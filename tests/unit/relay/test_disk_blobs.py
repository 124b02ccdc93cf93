"""Tests of blobs on disk: what a crash leaves, what a full disk refuses, what is really gone."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from syncchat_relay.blobs import Put, Quotas
from syncchat_relay.blobs.disk import DiskBlobs

from syncchat.errors import DatabaseDamaged, DatabaseNewer, StorageError
from syncchat.trust.files import blob_name
from syncchat.wire.codes import BlobState

ROOM = b"r" * 16
QUOTAS = Quotas(10**9, 10**9)


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def opened(folder: Path) -> Iterator[DiskBlobs]:
    with closing(DiskBlobs(folder, QUOTAS)) as blobs:
        yield blobs


def put(text: str, holder: bytes = b"alice") -> Put:
    return Put(ROOM, blob_name(text.encode()), text.encode(), holder)


def name_of(text: str) -> bytes:
    return blob_name(text.encode())


def on_disk(folder: Path) -> bytes:
    files = (path for path in (folder / "blobs").rglob("*") if path.is_file())
    return b"|".join(path.read_bytes() for path in sorted(files))


def test_blobs_are_there_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("one"), put("two")])
        blobs.put([put("three")])
    with opened(tmp_path) as blobs:
        for text in ("one", "two", "three"):
            assert blobs.get(ROOM, name_of(text)) == text.encode()
        assert blobs.all_bytes() == 11
        assert blobs.drop(ROOM, [name_of("two")], b"bob") == [True]
        assert blobs.drop(ROOM, [name_of("two")], b"alice") == [False]


def test_what_is_dropped_is_gone_from_the_disk_at_once(tmp_path: Path) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("first part"), put("secret part"), put("last part")])
        assert b"secret part" in on_disk(tmp_path)
        blobs.drop(ROOM, [name_of("secret part")], b"alice")
        assert b"secret part" not in on_disk(tmp_path)
        assert blobs.get(ROOM, name_of("last part")) == b"last part"
        blobs.drop(ROOM, [name_of("first part"), name_of("last part")], b"alice")
        assert on_disk(tmp_path) == b""


@pytest.mark.parametrize("step", range(4))
def test_killed_while_it_stores_or_moves_it_has_what_it_said_and_keeps_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("kept"), put("going")])
        calls = iter(range(100))

        def sync(file: int) -> None:
            if next(calls) == step % 2:
                raise Killed

        monkeypatch.setattr(os, "fsync", sync)
        with pytest.raises(Killed):
            if step < 2:
                blobs.put([put("under way")])
            else:
                blobs.drop(ROOM, [name_of("going")], b"alice")
    monkeypatch.undo()
    with opened(tmp_path) as blobs:
        assert blobs.get(ROOM, name_of("kept")) == b"kept"
        assert blobs.get(ROOM, name_of("under way")) is None
        assert b"under way" not in on_disk(tmp_path)
        if step >= 2:
            assert blobs.get(ROOM, name_of("going")) is None
            assert b"going" not in on_disk(tmp_path)


def test_blobs_whose_bytes_were_lost_are_forgotten_at_the_next_start(tmp_path: Path) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("cut off"), put("lost with it")])
        blobs.put([put("stays")])
    first, *_ = sorted((tmp_path / "blobs" / ROOM.hex()).iterdir(), key=lambda path: int(path.name))
    os.truncate(first, 5)
    with opened(tmp_path) as blobs:
        names = [name_of(text) for text in ("cut off", "lost with it", "stays")]
        assert blobs.find(ROOM, names) == [False, False, True]
        assert blobs.all_bytes() == 5
        assert blobs.put([put("cut off")]) == [BlobState.HERE]
        assert blobs.get(ROOM, name_of("cut off")) == b"cut off"


def test_folder_that_was_removed_by_hand_leaves_an_empty_store(tmp_path: Path) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("one")])
        shutil.rmtree(tmp_path / "blobs" / ROOM.hex())
        assert blobs.get(ROOM, name_of("one")) is None
    with opened(tmp_path) as blobs:
        assert blobs.all_bytes() == 0


def test_full_disk_is_an_answer_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("before")])

        def full(*arguments: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        found = blobs.put([put("more"), put("before", b"bob")])
        assert found == [BlobState.RELAY_FULL, BlobState.HERE]
        monkeypatch.undo()
        assert blobs.put([put("more")]) == [BlobState.HERE]
        assert blobs.all_bytes() == 10


def test_disk_that_fails_raises_and_nothing_counts_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as blobs:

        def broken(*arguments: Any) -> int:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(StorageError, match="cannot be used: Input/output error"):
            blobs.put([put("one")])
        monkeypatch.undo()
        assert blobs.find(ROOM, [name_of("one")]) == [False]
        assert blobs.put([put("one")]) == [BlobState.HERE]


def test_files_of_another_program_or_of_a_later_relay_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with closing(sqlite3.connect(other / "blobs.db")) as conn:
        conn.execute("pragma application_id = 5")
    with pytest.raises(DatabaseDamaged, match="another program"):
        DiskBlobs(other, QUOTAS)
    with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "blobs.db", isolation_level=None)) as conn:
        conn.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) "
            "values ('syncchat-relay-blobs', 'm999_later', '')"
        )
    with pytest.raises(DatabaseNewer, match="newer relay"):
        DiskBlobs(tmp_path, QUOTAS)


def test_folders_and_files_are_for_the_relay_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as blobs:
        blobs.put([put("one")])
    for path in (tmp_path / "blobs").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path

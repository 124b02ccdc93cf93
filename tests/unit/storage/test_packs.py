"""Tests of packs: the contract of those in a folder, in memory and on a simulated disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncchat.errors import DiskFull, StorageError
from syncchat.storage.packs import PART_SECONDS_MAX, FolderPacks, MemoryPacks, Packs
from syncchat.testing.disk import SimDisk, SimPacks
from syncchat.trust.files import sealed_bytes
from tests.support.ports import chance

CHANCE = chance(1)


@pytest.fixture(params=["folder", "memory", "simulated"])
def packs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Packs]:
    match request.param:
        case "folder":
            yield FolderPacks(tmp_path / "peer.db")
        case "memory":
            yield MemoryPacks()
        case _:
            yield SimPacks(SimDisk())


def test_pack_is_written_whole_and_read_chunk_by_chunk(packs: Packs) -> None:
    writer = packs.begin(random=CHANCE)
    for blob in (b"first", b"second", b"third"):
        writer.append(blob)
    assert packs.names() == set()
    writer.sync()
    writer.finish("a" * 40)
    assert packs.names() == {"a" * 40}
    assert [packs.read("a" * 40, n, 5) for n in range(3)] == [b"first", b"secon", b"third"]


def test_chunks_come_in_any_order_and_others_are_missing(packs: Packs) -> None:
    packs.write("pack", 2, b"third")
    packs.write("pack", 0, b"first")
    assert packs.read("pack", 0, 5) == b"first"
    assert packs.read("pack", 2, 5) == b"third"
    missing = packs.read("pack", 1, 6)
    assert missing is None or missing.strip(b"\0") == b""
    assert packs.read("pack", 9, 5) in (None, b"")
    assert packs.read("other", 0, 5) is None
    packs.write("pack", 0, b"FIRST")
    assert packs.read("pack", 0, 5) == b"FIRST"


def test_removed_pack_is_gone_and_one_that_is_not_there_is_no_error(packs: Packs) -> None:
    packs.write("pack", 0, b"first")
    packs.remove("pack")
    packs.remove("pack")
    assert packs.names() == set()
    assert packs.read("pack", 0, 5) is None


def test_pack_that_is_given_up_leaves_nothing(packs: Packs) -> None:
    writer = packs.begin(random=CHANCE)
    writer.append(b"first")
    writer.discard()
    writer.discard()
    assert packs.names() == set()


def test_shared_pack_stays_under_either_name_when_the_other_goes(packs: Packs) -> None:
    packs.write("one", 0, b"first")
    packs.write("two", 0, b"other")
    assert packs.share("one", "two")
    assert packs.read("two", 0, 5) == b"first"
    packs.remove("one")
    assert packs.names() == {"two"}
    assert packs.read("two", 0, 5) == b"first"
    assert not packs.share("one", "three")
    assert packs.names() == {"two"}


# In a folder


def test_pack_is_copied_where_a_file_cannot_have_two_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    packs = FolderPacks(tmp_path / "peer.db")
    packs.write("one", 0, b"first")
    monkeypatch.setattr(os, "link", refuse)
    assert packs.share("one", "two")
    packs.remove("one")
    assert packs.read("two", 0, 5) == b"first"
    if os.name == "posix":
        assert (packs.folder / "two").stat().st_mode & 0o777 == 0o600


def test_large_chunks_of_a_writer_stand_where_a_reader_looks_for_them(tmp_path: Path) -> None:
    packs = FolderPacks(tmp_path / "peer.db")
    writer = packs.begin(random=CHANCE)
    blobs = [bytes([number]) * sealed_bytes() for number in range(3)]
    for blob in (*blobs, b"last"):
        writer.append(blob)
    writer.sync()
    writer.finish("pack")
    assert [packs.read("pack", n, sealed_bytes()) for n in range(3)] == blobs
    assert packs.read("pack", 3, 4) == b"last"


def test_folder_is_made_at_first_use_for_its_owner_alone(tmp_path: Path) -> None:
    packs = FolderPacks(tmp_path / "peer.db")
    assert packs.names() == set()
    packs.tidy(0)
    assert not packs.folder.exists()
    packs.write("pack", 0, b"x")
    assert packs.folder == tmp_path / "peer.db.files"
    for path in (packs.folder, packs.folder / "pack"):
        assert path.stat().st_mode & 0o077 == 0


def test_parts_of_killed_writers_are_removed_when_they_are_old(tmp_path: Path) -> None:
    packs = FolderPacks(tmp_path / "peer.db")
    packs.folder.mkdir()
    old, new = packs.folder / "old.part", packs.folder / "new.part"
    for part in (old, new):
        part.write_bytes(b"under way")
    os.utime(old, (1_000, 1_000))
    now_ms = round(new.stat().st_mtime * 1000)
    packs.tidy(now_ms)
    assert list(packs.folder.iterdir()) == [new]
    assert packs.names() == set()
    packs.tidy(now_ms + PART_SECONDS_MAX * 1000 + 2_000)
    assert list(packs.folder.iterdir()) == []


@pytest.mark.parametrize(("code", "error"), [(errno.ENOSPC, DiskFull), (errno.EIO, StorageError)])
def test_disk_that_refuses_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    packs = FolderPacks(tmp_path / "peer.db")

    def refuse(*arguments: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(error):
        packs.write("pack", 0, b"x")

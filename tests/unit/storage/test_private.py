"""Regression tests of who may read a database."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

import syncchat


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files")
def test_new_database_with_its_keys_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
            peer.create_room("Team")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["a.db", "a.db-wal", "a.db-shm"], 0o600)


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files")
def test_opening_a_database_keeps_the_mode_that_its_owner_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    syncchat.open(path, name="Alice").close()
    path.chmod(0o640)
    syncchat.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640

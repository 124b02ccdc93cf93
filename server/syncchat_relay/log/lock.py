"""One relay per folder: a lock that the operating system drops with the process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from syncchat.errors import DatabaseBusy, StorageError

LOCK_NAME = "relay.lock"


def lock_folder(folder: Path) -> IO[bytes]:
    """Create ``folder`` where needed and lock it until the returned file is closed.

    Raises ``DatabaseBusy`` while another relay has it, ``StorageError`` when it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / LOCK_NAME).open("ab")
    except OSError as exc:
        raise StorageError(
            f"the data folder {folder} cannot be written: {exc.strerror or exc}"
        ) from exc
    try:
        _take(lock)
    except OSError as exc:
        lock.close()
        raise DatabaseBusy(
            f"another relay uses {folder}: stop it, or choose another --data-dir"
        ) from exc
    return lock


if sys.platform == "win32":
    import msvcrt

    def _take(lock: IO[bytes]) -> None:
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(lock: IO[bytes]) -> None:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

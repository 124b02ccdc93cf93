"""All that a relay keeps: its log, files, who is turned away, and its operator's secret."""

from __future__ import annotations

from syncchat.ports import Clock, Random

from . import operator_secret
from .admission import Revoked
from .blobs import Blobs, Quotas
from .blobs.disk import DiskBlobs
from .blobs.memory import MemoryBlobs
from .config import Admit, Config
from .log import Log
from .log.memory import MemoryLog
from .log.revocations import Revocations
from .log.sqlite import SqliteLog

REVOKED_MS_MORE = 60_000
"""How much longer than any grant a revocation is kept, for clocks that differ."""


class Stored:
    """Is a relay's data folder, or what it has in memory; one thread at a time may use it."""

    def __init__(self, config: Config, clock: Clock, random: Random) -> None:
        """Open everything; raises the ``StorageError`` family."""
        folder = config.data_dir
        self._config = config
        self._clock = clock
        self.operator_secret, self.is_first_start = b"", False
        self.log: Log = (
            MemoryLog(random=random, is_open=config.is_open)
            if folder is None
            else SqliteLog(folder, random=random, is_open=config.is_open)
        )
        try:
            self._revocations = Revocations(folder)
            self.revoked_at_start = self.revoked()
            if folder is not None and config.admission == Admit.ROOMS:
                self.operator_secret, self.is_first_start = operator_secret.load_or_make(
                    folder, random=random
                )
        except BaseException:
            self.log.close()
            raise

    def revoked(self) -> Revoked:
        """Return who is turned away now, whichever process said so."""
        return self._revocations.load(self._clock.now_ms())

    def revoke(self, device: bytes, subject: str, *, undo: bool, for_good: bool) -> Revoked:
        """Keep who is turned away, or no longer; return all of them."""
        if undo:
            self._revocations.take_back(device=device, subject=subject)
        else:
            until_ms = None if for_good or device else subject_until_ms(self._config, self._clock)
            self._revocations.keep(device=device, subject=subject, until_ms=until_ms)
        return self.revoked()

    def close(self) -> None:
        """Close the files."""
        self._revocations.close()
        self.log.close()


def open_blobs(config: Config) -> Blobs:
    """Return the parts of files that a relay keeps; in the thread that is to use them.

    After ``Stored``, whose lock keeps another relay out of the folder. Raises the ``StorageError``
    family.
    """
    quotas = Quotas(config.room_blob_bytes_max, config.blob_bytes_max)
    folder = config.data_dir
    return MemoryBlobs(quotas) if folder is None else DiskBlobs(folder, quotas)


def subject_until_ms(config: Config, clock: Clock) -> int:
    """Return when no token of before can be valid any more."""
    return clock.now_ms() + config.grant_ms_max + REVOKED_MS_MORE

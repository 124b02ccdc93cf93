"""Seeded defects of files: what is believed, what is kept, and what is told to the relay."""

from __future__ import annotations

from collections.abc import Callable

from syncchat.exchange.jobs import Download
from syncchat.exchange.transfers import Transfers
from syncchat.room import Room
from syncchat.storage import caching, files, loose

from . import scenarios_of_files as scenarios
from .seeding import Edit, Mutant


def _mutant(
    name: str, says: str, *edits: Edit, scenario: Callable[[], object] | None = None
) -> Mutant:
    return Mutant(name, says, edits, scenario)


FILE_MUTANTS: tuple[Mutant, ...] = (
    _mutant(
        "any bytes are taken for a chunk",
        "What a relay gives is kept without holding it against its name.",
        Edit(
            Download.came,
            "elif blob_name(data) != (self.file.root if at == _MANIFEST else self._names[at]):",
            "elif False:",
        ),
        scenario=scenarios.given_other_bytes,
    ),
    _mutant(
        "file outlives its message",
        "The bytes of a file stay when no message shows it any more.",
        Edit(loose._loose, '"where not exists', '"where 0 and not exists'),
    ),
    _mutant(
        "relay not told of a deletion",
        "A deleted file goes here, and stays at the relay.",
        Edit(loose._drop, "file.mine or file.names is not None", "False"),
        scenario=scenarios.deleted_for_everyone,
    ),
    _mutant(
        "lost relay gets no files back",
        "A relay that lost everything is given its messages again, and no files.",
        Edit(
            Transfers.note_loss,
            "files.offer_again(self._db, progress.row, mine=True)",
            "pass",
        ),
        Edit(
            Transfers.note_loss,
            "files.offer_again(self._db, progress.row, mine=False)",
            "pass",
        ),
        Edit(Transfers._recheck, "for progress in self._rooms.values():", "for progress in ():"),
        scenario=scenarios.wiped_before_somebody_fetched,
    ),
    _mutant(
        "part of a file counts as all",
        "With the first chunks that come, a file is no longer wanted.",
        Edit(files.note_chunks, "if here == file.chunks:", "if here:"),
        scenario=scenarios.comes_by_itself,
    ),
    _mutant(
        "unsent bytes make room",
        "What is nowhere else is evicted like what can be fetched again.",
        Edit(caching._evictable, "and owed = 0 ", ""),
        scenario=scenarios.freed_before_it_was_sent,
    ),
    _mutant(
        "bytes stored after their message",
        "The message is there before the bytes have their name, and a crash comes between.",
        Edit(Room._store, "copied.writer.finish(pack)", "pass"),
    ),
    _mutant(
        "relay believed for ever",
        "What a relay once said to have is never asked about again.",
        Edit(Transfers._recheck, "for progress in self._rooms.values():", "for progress in ():"),
        scenario=scenarios.dropped_by_the_relay,
    ),
)

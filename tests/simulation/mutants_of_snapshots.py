"""Seeded defects in snapshots: what they cover, how chains go on behind it, and what goes."""

from __future__ import annotations

from syncchat_relay.log import memory

from syncchat.core import snapshots as contents
from syncchat.exchange import skipping
from syncchat.exchange.batch import Batch
from syncchat.exchange.reading import ChainReading
from syncchat.exchange.sealing import Sealer
from syncchat.exchange.snapshotting import Snapshotter
from syncchat.storage import snapshots

from . import scenarios_of_snapshots as scenarios
from .seeding import Edit, Mutant

SNAPSHOT_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "snapshot that forgets",
        "The last entry of a volume is not in its snapshot, and nobody compares.",
        (
            Edit(
                contents.decode_snapshot,
                "{change.clock: change for change in live}",
                "{change.clock: change for change in live[:-1]}",
            ),
            Edit(contents.is_same, "return (", "return True or ("),
        ),
    ),
    Mutant(
        "snapshot is believed by who knows better",
        "A snapshot is not held against the envelopes that it stands for.",
        (
            Edit(
                ChainReading._take_snapshot,
                "if is_whole and",
                "if False and",
            ),
        ),
        scenario=scenarios.told_otherwise,
    ),
    Mutant(
        "snapshot may leave out a place",
        "It is not looked whether a snapshot covers all that is here of its volume.",
        (Edit(ChainReading._take_snapshot, "self._check_coverage(", "(lambda *_: None)("),),
        scenario=scenarios.left_out_a_place,
    ),
    Mutant(
        "relay deletes one too many",
        "A range is taken to end one envelope later.",
        (Edit(memory._Room._cover, "range(first, last + 1)", "range(first, last + 2)"),),
    ),
    Mutant(
        "relay keeps what is covered",
        "A snapshot is stored beside what it stands for.",
        (Edit(memory._Room._cover, "self.envelopes[place - 1] = None", "pass"),),
    ),
    Mutant(
        "peer deletes other volumes",
        "Every envelope before a snapshot goes, of whatever volume.",
        (Edit(snapshots.drop_covered, "volume = ? and seq < ?", "? >= 0 and seq < ?"),),
    ),
    Mutant(
        "peer keeps what is covered",
        "Nothing goes here when a snapshot comes.",
        (Edit(skipping.settle, "if is_over:", "if False:"),),
    ),
    Mutant(
        "relay's chain ends at a hole",
        "At the relay a chain does not go on over what is covered.",
        (Edit(memory._Room._skipped, "if after is None:", "if True:"),),
        scenario=scenarios.wiped_relay,
    ),
    Mutant(
        "peer's chain ends at a hole",
        "Here a chain does not go on over what is covered.",
        (Edit(skipping.skipped, "is not None:", "is not None and False:"),),
        scenario=scenarios.newcomer,
    ),
    Mutant(
        "snapshot ahead is never taken up",
        "A chain does not take in the snapshots that came ahead of it.",
        (Edit(Batch._skip, "if raw is None:", "if True:"),),
        scenario=scenarios.newcomer,
    ),
    Mutant(
        "deleted words stay at the relay",
        "An erasure calls for no snapshot.",
        (Edit(Sealer._write, "snapshots.note_erasure(self._db, own.id, volume)", "pass"),),
        scenario=scenarios.deleted_for_everyone,
    ),
    Mutant(
        "snapshot hands on earlier keys",
        "A snapshot is sealed with the present key, also where newcomers get none from before.",
        (
            Edit(
                Snapshotter._write,
                "_epoch_of(texts) if is_from_join else room.epoch",
                "room.epoch",
            ),
        ),
        scenario=scenarios.room_that_hands_on_no_keys,
    ),
    Mutant(
        "fingerprints go with envelopes",
        "The relay does not know any more what its log was where something is gone.",
        (
            Edit(
                memory.MemoryLog.fingerprint_at,
                "if seq <= len(kept.fingerprints)",
                "if seq <= len(kept.fingerprints) and kept.envelopes[seq - 1]",
            ),
        ),
        scenario=scenarios.away_while_it_became_small,
    ),
    Mutant(
        "folding anew takes messages for unsent",
        "A message that a snapshot holds counts as sent with it.",
        (Edit(snapshots.keep_seqs, "db.executemany(", "(lambda *_: None)("),),
        scenario=scenarios.folded_anew,
    ),
)

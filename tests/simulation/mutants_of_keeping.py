"""Seeded defects in how long rooms keep messages, and in what journals let go of."""

from __future__ import annotations

from syncchat.core import fold
from syncchat.core import keeping as terms
from syncchat.core import snapshots as contents
from syncchat.exchange.snapshotting import Snapshotter
from syncchat.room.looks import RoomLooks
from syncchat.storage import keeping
from syncchat.storage.history import Reading
from syncchat.storage.view.messages import Messages

from . import scenarios_of_keeping as scenarios
from .seeding import Edit, Mutant

_NOTHING_MISSING = "    if value is None:\n        return None\n    if is_gone:"

KEEPING_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "snapshot may lack what is young",
        "A snapshot that lets go of something may let go of anything.",
        (Edit(contents.may_lack, "is_before(entry, letting_go.cutoff)", "True"),),
        scenario=scenarios.left_young_ones_out,
    ),
    Mutant(
        "old is what a snapshot calls so",
        "It is not looked whether what a snapshot lets go of was old when it was made.",
        (Edit(terms.is_early_enough, "return ", "return True or "),),
        scenario=scenarios.left_young_ones_out,
    ),
    Mutant(
        "too old, and shown",
        "What is older than the room keeps it is shown until its author lets go of it.",
        (
            Edit(Reading._ask, "> ZERO:", "> ZERO and False:"),
            Edit(Messages.settle, "message < scope.cutoff and", "False and"),
        ),
        scenario=scenarios.shown_too_late,
    ),
    Mutant(
        "reaction to nothing counts",
        "What somebody says of a message that is not there shows as a message.",
        (
            Edit(
                fold.fold_message,
                _NOTHING_MISSING,
                _NOTHING_MISSING.replace("return None", "value = NOTHING"),
            ),
        ),
        scenario=scenarios.said_of_nothing,
    ),
    Mutant(
        "too old, and sent",
        "What waited in the outbox for too long is sent.",
        (Edit(keeping._unsend, "in outbox.about_older(db, room, cutoff):", "in ():"),),
        scenario=scenarios.sent_too_late,
    ),
    Mutant(
        "nobody lets go",
        "Snapshots have all that was ever written.",
        (Edit(Snapshotter._let_go, "if not gone:", "if True:"),),
        scenario=scenarios.kept_small,
    ),
    Mutant(
        "author shows what the snapshot let go of",
        "The view of who makes a snapshot does not follow it.",
        (Edit(Snapshotter._show, "changes=terms.erasures(gone)", "changes=[]"),),
        scenario=scenarios.shown_too_late,
    ),
    Mutant(
        "what is over comes back",
        "Who keeps all again does not say what was over by then.",
        (Edit(RoomLooks.set_keep, "[seconds, floor_ms]", "[seconds, 0]"),),
        scenario=scenarios.kept_in_full_again,
    ),
    Mutant(
        "snapshot forgets reads and fields",
        "A journal lets go of everything that was written before.",
        (
            Edit(
                terms.target_stamp,
                "    return None",
                "    return Stamp('0000000000001')",
            ),
        ),
        scenario=scenarios.kept_small,
    ),
)

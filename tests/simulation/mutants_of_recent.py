"""Seeded defects in what is shown of a room first."""

from __future__ import annotations

from syncchat_relay.log import memory

from syncchat.exchange.ahead import Ahead
from syncchat.exchange.exchange import Exchange
from syncchat.storage import chains, tallies
from syncchat.storage.view import ViewBatch

from . import scenarios_of_recent as scenarios
from .seeding import Edit, Mutant

RECENT_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "previews count as what a chain brought",
        "What is shown ahead is taken for a part of the volume that it stands in.",
        (
            Edit(
                chains.load_volume,
                "from mark where chain = ?1 and volume = ?2 and clock < ?3",
                "from mark where chain = ?1 and volume = ?2 and clock < 2000 + ?3",
            ),
        ),
        scenario=scenarios.edited_meanwhile,
    ),
    Mutant(
        "read marker goes ahead",
        "What is shown ahead can be marked as read, and with it what has not come yet.",
        (Edit(tallies.unread_upto, "and not {IS_AHEAD}", "and (1 or {IS_AHEAD})"),),
        scenario=scenarios.read_too_early,
    ),
    Mutant(
        "relay places what is newest one too early",
        "The link that is told with an envelope is the one before that.",
        (Edit(memory._Room.previous_of, "chain_seq - 1)", "chain_seq - 2)"),),
        scenario=scenarios.newest_first,
    ),
    Mutant(
        "previews are never confirmed",
        "What a chain brings is not known for what was shown ahead, and goes when all has come.",
        (Edit(ViewBatch.add, "if self._previews:", "if False:"),),
        scenario=scenarios.newest_first,
    ),
    Mutant(
        "previews stay for ever",
        "What no chain has brought is not taken back when a room has caught up.",
        (Edit(Exchange._settle_recent, "self._receiver.settle_recent(progress.row)", "pass"),),
        scenario=scenarios.taken_back,
    ),
    Mutant(
        "previews of anybody",
        "Whose newest is shown first need not have been let in by what holds.",
        (Edit(Ahead.vouches, "self._verify(user)", "pass"),),
        scenario=scenarios.forged_entry,
    ),
)

"""The seeded defects of the search and its index; see ``mutants``."""

from __future__ import annotations

from syncchat.storage.search import _Search
from syncchat.storage.view import index
from syncchat.storage.view.index import Index

from . import scenarios
from .seeding import Edit, Mutant

SEARCH_MUTANTS = (
    Mutant(
        "edited message found by its old words",
        "A message that is in the search index stays there as it was.",
        (Edit(Index.change, "if row > self.upto:", "if after is not None:"),),
    ),
    Mutant(
        "row number given again",
        "What takes the place of a message that was taken back counts as indexed.",
        (Edit(Index.trim, "if self.upto > (last := self._last()):", "if last := 0:"),),
        scenarios.taken_back_and_written_anew,
    ),
    Mutant(
        "fresh messages not searched",
        "A search that asks the index does not look at what is not in it yet.",
        (Edit(_Search._sorted, "if with_fresh:", "if not with_fresh:"),),
    ),
    Mutant(
        "hidden message found",
        "What an admin has hidden is found by its words.",
        (Edit(_Search._where, '"hidden = 0"', '"hidden < 2"'),),
    ),
    Mutant(
        "hidden message stays in the index",
        "The search index holds what is not shown any more.",
        (Edit(index.entry_of, "if not shown.is_there:", "if shown.deleted:"),),
    ),
)

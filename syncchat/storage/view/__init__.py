"""The view: what rooms show, kept up to date with what the journals hold.

``batch`` collects the changes of one transaction; ``messages``, ``reads`` and ``fields`` settle
them, each its own tables; ``marks`` finds entries about something; ``unread`` tells what is unread;
``counting`` makes counts anew.
"""

from .batch import ViewBatch
from .counting import clear, recount_digest, unread_faults
from .messages import mentions_of, reactions_of
from .unread import home_of

__all__ = [
    "ViewBatch",
    "clear",
    "home_of",
    "mentions_of",
    "reactions_of",
    "recount_digest",
    "unread_faults",
]

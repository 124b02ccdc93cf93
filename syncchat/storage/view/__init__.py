"""The view: what rooms show, kept up to date with what the journals hold.

``batch`` collects the changes of one transaction; ``messages``, ``attachments``, ``reads`` and
``fields`` settle them, each its own tables; ``marks`` finds entries about something; ``unread``
tells what is unread; ``log`` has what the room's log says; ``counting`` makes counts anew.
"""

from .batch import ViewBatch
from .counting import clear, recount_digest, unread_faults
from .log import admins_of, rooms_without_admins
from .messages import mentions_of, reactions_of, reactions_to, versions_of, votes_of
from .unread import home_of

__all__ = [
    "ViewBatch",
    "admins_of",
    "clear",
    "home_of",
    "mentions_of",
    "reactions_of",
    "reactions_to",
    "recount_digest",
    "rooms_without_admins",
    "unread_faults",
    "versions_of",
    "votes_of",
]

"""Changes to tables that make a local write touch fewer pages of the file.

Every page that a transaction changes is written once more to the write-ahead log, whole. So a row
that is written with each message should not be alone on its page.
"""

from __future__ import annotations

LEAN = (
    # What is new is found by ``added``; this is for what changed after that.
    "drop index message_change",
    "create index message_change on message (change) where change > added",
    # A room's digest stands beside the count of its messages, with which it moves.
    "alter table tally add column digest blob",
    """
    insert into tally (room, thread, messages, unread, mentions, last, digest)
    select id, '', 0, 0, 0, '', digest from room where true
    on conflict do update set digest = excluded.digest
    """,
    "alter table room drop column digest",
)

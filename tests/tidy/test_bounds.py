"""House rule: no public call gives back more than a bounded list, and it says by what."""

from __future__ import annotations

import inspect

import pytest

from syncchat.core import attachments, values
from syncchat.peer import Peer, blocking, files, later
from syncchat.peer.files import PeerFiles
from syncchat.room import Room, drafts
from syncchat.room.base import checked_limit
from syncchat.storage import history
from syncchat.trust import changes, person, rules

BOUNDS = {
    "Peer.blocked": blocking.BLOCKED_MAX,
    "Peer.reminders": later.PLANS_MAX,
    "Peer.scheduled": later.PLANS_MAX,
    "Peer.send_due": later.PLANS_MAX,
    "PeerFiles.transfers": files.TRANSFERS_MAX,
    "Room.cancel": attachments.ATTACHMENTS_MAX,
    "Room.delivery": changes.MEMBERS_MAX,
    "Room.drafts": drafts.DRAFTS_MAX,
    "Room.edits": (values.EARLIER_MAX + 1) * person.DEVICES_MAX,
    "Room.fetch": attachments.ATTACHMENTS_MAX,
    "Room.fetched": attachments.ATTACHMENTS_MAX,
    "Room.invites": changes.INVITES_MAX,
    "Room.members": changes.MEMBERS_MAX,
    "Room.presence": changes.MEMBERS_MAX,
    "Room.requests": rules.REQUESTS_MAX,
    "Room.typists": changes.MEMBERS_MAX,
    "Room.window": history.PAGE_MAX,
}
"""At most so many, whatever is asked for."""

OWN = {
    "Peer.check",  # a line for each fault
    "Peer.connections",  # a line for each relay
    "Peer.recount",
    "Peer.rooms",  # a line for each room that the person is in
    "Peer.unread",
    "Room.pending_changes",  # a line for each change that this person asked for, while offline
}
"""As many as the person has made themselves; nobody else can make them more than a few."""


def lists(cls: type) -> dict[str, inspect.Signature]:
    found = {}
    for name, member in inspect.getmembers(cls):
        call = member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(call):
            continue
        signature = inspect.signature(call)
        if str(signature.return_annotation).startswith(("list[", "dict[", "tuple[", "set[")):
            found[f"{cls.__name__}.{name}"] = signature
    return found


LISTS = lists(Peer) | lists(Room) | lists(PeerFiles)


def test_every_list_has_a_limit_or_a_bound() -> None:
    paged = {name for name, signature in LISTS.items() if "limit" in signature.parameters}
    assert {"Room.messages", "Room.search", "Room.outbox", "Room.pins", "Peer.search"} <= paged
    assert LISTS.keys() - paged == BOUNDS.keys() | OWN
    assert max(BOUNDS.values()) <= 2 * history.PAGE_MAX


def test_no_limit_may_be_larger_than_a_page() -> None:
    assert checked_limit(history.PAGE_MAX) == history.PAGE_MAX
    for limit in (0, -1, history.PAGE_MAX + 1):
        with pytest.raises(ValueError, match="limit must be"):
            checked_limit(limit)
